"""The same detection without Kafka: pictures in, objects and annotated copies out."""
