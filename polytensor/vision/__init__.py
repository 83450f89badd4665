"""Images: datasets and transforms. Source: torchvision."""

from . import datasets as datasets
from . import transforms as transforms


def set_image_backend(backend: str) -> None:
    """Only Pillow reads images here. ValueError for another name."""
    if backend != "PIL":
        raise ValueError(f"Invalid backend '{backend}'. Options are 'PIL'")


def get_image_backend() -> str:
    """'PIL'."""
    return "PIL"
