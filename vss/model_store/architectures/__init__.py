"""The networks that a PyTorch state dict may belong to."""
