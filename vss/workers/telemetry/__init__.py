"""The workers that look at windows of readings: anomalies and forecasts."""
