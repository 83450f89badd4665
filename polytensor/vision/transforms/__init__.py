"""Image transforms. Source: torchvision.transforms."""

from . import functional as functional
from .autoaugment import *  # noqa: F403
from .transforms import *  # noqa: F403
