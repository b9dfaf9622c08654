"""Models: manifests, versions, backends, and what comes before and after a model."""
