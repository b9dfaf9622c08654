"""Detectors of anomalies: what is learnt of normal readings, and the score from which on a window is not normal."""
