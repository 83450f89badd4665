"""What stands on disk: PyTorch's zip and legacy formats, and writes that happen whole or not at all."""
