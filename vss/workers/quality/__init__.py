"""The worker that watches the quality of what sensors and cameras send."""
