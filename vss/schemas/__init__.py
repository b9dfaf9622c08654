"""What travels: frame headers, readings, events, the envelope and the topic catalogue."""
