"""Reads the files that PyTorch writes, none of which may run code of its own while it is loaded."""
