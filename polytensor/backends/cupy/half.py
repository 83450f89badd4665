"""float16 and bfloat16 for kernels that do not take them: computed in float32, rounded once."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from ..base import FLOAT16

Array = Any
NAMES = (
    "conv2d", "conv2d_grad_input", "conv2d_grad_weight", "convnd", "convnd_grad_input", "convnd_grad_weight", "attend",
    "attend_backward",
)  # fmt: skip


class HalfKernels:
    """Mixed into CupyBackend, after the kernels that take half types."""


def _widened(name: str) -> Callable[..., Any]:
    def kernel(self: Any, *args: Any) -> Any:
        up, kind = getattr(super(HalfKernels, self), name), args[0].dtype
        if kind not in FLOAT16 or (name.startswith("convnd") and args[0].ndim == 3):  # one dimension is two
            return up(*args)

        def narrow(x: Any) -> Any:
            return x if x is None else x.astype(kind)

        found = up(*(a.astype(np.float32) if getattr(a, "dtype", None) == kind else a for a in args))
        if name == "attend":
            return narrow(found[0]), found[1]  # the logarithms stay
        return [narrow(x) for x in found] if isinstance(found, list) else narrow(found)

    kernel.__name__ = name
    return kernel


for _name in NAMES:
    setattr(HalfKernels, _name, _widened(_name))
