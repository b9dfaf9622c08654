"""A real Kafka and a real Redis on this machine, for development, tests and the demo."""
