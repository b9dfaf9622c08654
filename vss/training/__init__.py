"""Trains models of sensors' readings: from a table or a topic to a version of the model store."""
