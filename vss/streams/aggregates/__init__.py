"""Aggregates over time, on faust tables whose changelog is in Kafka."""
