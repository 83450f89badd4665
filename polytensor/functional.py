"""torch.functional: the ops that PyTorch also keeps under this name."""

from .ops import *  # noqa: F403
