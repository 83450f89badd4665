"""Containers under PyTorch's path. Source: torch.nn.modules.container."""

from ..containers import *  # noqa: F403
