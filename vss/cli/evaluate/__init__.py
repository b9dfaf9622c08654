"""`vss evaluate`: one file a command."""
