"""Models in 8 bits: candidates are made, measured against the original, and the best within a limit is kept."""
