"""What foretells: each takes instance-normalised windows and returns all steps at once, every feature by itself."""
