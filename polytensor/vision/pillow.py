"""Pillow, imported when an image is first touched; it comes with the extra `vision`."""

from __future__ import annotations

import contextlib
import importlib
import sys
from typing import Any

__all__ = ["is_pil_image", "pillow", "preload"]


def pillow(module: str = "Image") -> Any:
    """PIL.<module>. ImportError that says what to install where Pillow is missing."""
    try:
        return importlib.import_module(f"PIL.{module}")
    except ImportError as error:
        raise ImportError(
            "Images need Pillow, which is not installed: pip install 'polytensor[vision]' (or pip install pillow)"
        ) from error


def is_pil_image(x: Any) -> bool:
    """Whether x is a PIL image; without importing Pillow."""
    module = sys.modules.get("PIL.Image")
    return module is not None and isinstance(x, module.Image)


def preload() -> None:
    """Import Pillow, where it is there, and its common file formats now: once here, not in each worker of each epoch."""
    with contextlib.suppress(ImportError):
        pillow().preinit()
