"""Whether a model is right and what it costs: boxes matched, precision, time, memory."""
