"""vss-fleet: a Kafka-driven fleet of inference workers for cameras and sensors."""

__version__ = "0.1.0"
