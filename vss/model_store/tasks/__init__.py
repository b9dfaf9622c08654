"""What comes before and after a model, a folder a task."""
