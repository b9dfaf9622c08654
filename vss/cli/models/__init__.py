"""The commands of `vss models`, one a file."""
