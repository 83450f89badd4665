"""Images: transforms. Source: torchvision."""

from . import transforms as transforms
