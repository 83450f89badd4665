"""torch.version: this package's version, and CUDA's where it is usable."""

from __future__ import annotations

import operator
import re
from collections.abc import Callable
from importlib import import_module
from typing import Any

from .absent import lacks


class TorchVersion(str):
    """A version that compares by its numbers, with strings and tuples: __version__ >= (1, 2).

    Source: torch.torch_version.TorchVersion.
    """

    __slots__ = ()
    __module__ = "torch.torch_version"

    def _compare(self, other: Any, compare: Callable[[Any, Any], bool]) -> Any:
        theirs = _numbers(".".join(map(str, other)) if isinstance(other, (tuple, list)) else other)
        ours = _numbers(self)
        if theirs is None or ours is None:
            return compare(str(self), other)
        n = max(len(ours), len(theirs))
        return compare(ours + (0,) * (n - len(ours)), theirs + (0,) * (n - len(theirs)))

    def __lt__(self, other: Any) -> Any:
        return self._compare(other, operator.lt)

    def __le__(self, other: Any) -> Any:
        return self._compare(other, operator.le)

    def __gt__(self, other: Any) -> Any:
        return self._compare(other, operator.gt)

    def __ge__(self, other: Any) -> Any:
        return self._compare(other, operator.ge)

    def __eq__(self, other: object) -> Any:
        return self._compare(other, operator.eq)

    __hash__ = str.__hash__


def _numbers(version: Any) -> tuple[int, ...] | None:
    """The numbers at the start of a version; None for what is none."""
    found = re.match(r"v?(\d+(?:\.\d+)*)", version) if isinstance(version, str) else None
    return tuple(map(int, found[1].split("."))) if found else None


__version__ = TorchVersion("0.1.0")
FOLLOWED = TorchVersion(f"2.13.0+polytensor{__version__}")  # what `import torch` answers, see compat.py
FOLLOWED_VISION = TorchVersion(f"0.29.2+polytensor{__version__}")
debug = False
git_version = "unknown"
hip = rocm = xpu = None


def __getattr__(name: str) -> Any:
    if name == "cuda":
        from . import devices

        return import_module("polytensor.backends.cupy.runtime").version() if devices.cuda_allowed() else None
    raise lacks(__name__, name)
