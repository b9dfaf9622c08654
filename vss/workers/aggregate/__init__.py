"""The worker that aggregates."""
