"""The demo: a made-up but real-looking conveyor, the model that knows its parts, and the whole fleet at work on it."""
