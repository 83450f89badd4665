"""Transforms: callables from image to image, on PIL images and tensors. Source: torchvision.transforms.

Random ones draw from PolyTensor's default Generator (RandomChoice and RandomOrder too, where torchvision uses Python's).
"""

from .basic import *  # noqa: F403
from .color import *  # noqa: F403
from .geometry import *  # noqa: F403
from .modes import InterpolationMode as InterpolationMode
