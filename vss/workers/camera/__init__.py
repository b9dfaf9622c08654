"""Cameras: a source is opened, paced, buffered, encoded and published."""
