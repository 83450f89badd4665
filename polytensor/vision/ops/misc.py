"""Building blocks under the module's name that torchvision has for them. Source: torchvision.ops.misc."""

from .blocks import MLP as MLP
from .blocks import Conv2dNormActivation as Conv2dNormActivation
from .blocks import Conv3dNormActivation as Conv3dNormActivation
from .blocks import FrozenBatchNorm2d as FrozenBatchNorm2d
from .blocks import Permute as Permute
from .blocks import SqueezeExcitation as SqueezeExcitation
