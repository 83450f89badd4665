"""Boxes, their losses, and blocks of layers. Source: torchvision.ops (its RoI and deformable operators are not here)."""

from .blocks import *  # noqa: F403
from .boxes import *  # noqa: F403
from .losses import *  # noqa: F403
