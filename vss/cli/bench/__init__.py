"""The commands of `vss bench`, one a file."""
