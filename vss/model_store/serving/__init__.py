"""Which loaded model answers which record, and how another version takes over."""
