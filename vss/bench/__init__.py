"""Measurements of the fleet on this machine: what a worker costs beside its model, and whether its boxes are right."""
