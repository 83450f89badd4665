"""Losses under PyTorch's path. Source: torch.nn.modules.loss."""

from ..loss import *  # noqa: F403
from ..loss import _Loss as _Loss
from ..loss import _WeightedLoss as _WeightedLoss
from ..module import Module as Module
