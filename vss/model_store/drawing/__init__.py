"""Draws what was found into pictures, for people to look at."""
