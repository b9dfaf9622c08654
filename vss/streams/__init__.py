"""Kafka: ports, adapters, the in-memory twin, micro-batches, checkpoints, dead letters."""
