"""The commands of `vss worker`, one a file."""
