"""Which version of a model is active: what operators order, and what workers make of it."""
