"""Two versions of a model on the same pictures: where they agree, and where they differ most."""
