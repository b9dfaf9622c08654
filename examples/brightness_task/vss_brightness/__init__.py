"""A task for vss-fleet: how bright a picture is, and how much contrast it has."""
