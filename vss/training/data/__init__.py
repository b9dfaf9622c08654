"""Readings to train and to evaluate on."""
