"""Sensors: readings from files, pipes, MQTT and Modbus, published into Kafka."""
