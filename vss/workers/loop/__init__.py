"""The loop: the one place that polls, calls a step, commits and handles failure."""
