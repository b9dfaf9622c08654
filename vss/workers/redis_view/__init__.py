"""The view of the result topics in Redis: written by a step, rebuilt from the topics, read by anybody."""
