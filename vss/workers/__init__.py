"""The programs: cameras, the loop and its steps."""
