"""Where a model store lies: a folder of this machine, or an address that fsspec knows, with a cache of downloads."""
