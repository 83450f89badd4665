"""torch.distributed: is_available() is False."""

from __future__ import annotations

from .absent import missing


def is_available() -> bool:
    """False: there is no distributed package here."""
    return False


def is_initialized() -> bool:
    return False


__getattr__ = missing("torch.distributed", "is_available() is False")
