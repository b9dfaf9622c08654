"""`vss train`: one file a command."""
