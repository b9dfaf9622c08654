"""Answers of models kept in Redis, so that a picture that was seen before costs no inference."""
