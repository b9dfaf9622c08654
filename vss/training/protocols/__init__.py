"""Evaluation as the public benchmarks count, so that a figure here can be held against those published."""
