"""What cameras and sensors share: a source that is opened again and again, a bounded buffer, and Kafka behind it."""
