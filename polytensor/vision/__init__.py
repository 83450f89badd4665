"""Images: datasets, transforms, models, files and pictures. Source: torchvision."""

from ..version import __version__ as __version__
from . import datasets as datasets
from . import io as io
from . import models as models
from . import ops as ops
from . import transforms as transforms
from . import utils as utils


def set_image_backend(backend: str) -> None:
    """Only Pillow reads images here. ValueError for another name."""
    if backend != "PIL":
        raise ValueError(f"Invalid backend '{backend}'. Options are 'PIL'")


def get_image_backend() -> str:
    """'PIL'."""
    return "PIL"


def disable_beta_transforms_warning() -> None:
    """There is no such warning here; scripts call this all the same."""
