"""Object detection: heads, letterbox, non-maximum suppression."""
