"""Bytes to values and back: images, events, Kafka headers."""
