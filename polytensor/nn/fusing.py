"""Neighbouring layers as one op, where nobody could tell: no hooks, no forward of the user's own."""

from __future__ import annotations

from typing import Any

from ..autograd.modes import WATCH, InferenceCell
from ..ops.normalization import batch_norm_relu
from ..tensor import Tensor
from . import functional as F
from .hooks import HOOKED
from .module import Module

CALL, NORM, RELU = Module.__call__, F.batch_norm, F.relu  # unless a program has set others


def norm_relu(norm: Any, act: Any, x: Any) -> Any:
    """act(norm(x)); for a batch norm and a ReLU in one pass over the values, and one Node."""
    a, b = norm.__class__, act.__class__
    if (
        norm._fuses == "norm" and act is not None and act._fuses == "relu"
        and not (norm._hooked or act._hooked or HOOKED or WATCH)
        and a.forward is a._plain and b.forward is b._plain and a.__call__ is CALL and b.__call__ is CALL
        and x.__class__ is Tensor and "forward" not in norm.__dict__ and "forward" not in act.__dict__
        and F.batch_norm is NORM and F.relu is RELU
    ):  # fmt: skip
        y = norm._through(batch_norm_relu, x)
        if y._s.__class__ is not InferenceCell and y._version != act.inplace:
            _count_writes(y, act.inplace - y._version)
        return y
    return act(norm(x))


def _count_writes(y: Any, more: int) -> None:
    """Let y, and what its Node keeps of it, count the writes of the layers by themselves."""
    cell, node = y._cell(), y._fn
    cell[0] += more
    if node is not None and node.is_node and node.saved:
        node.vers = tuple(
            [v if v is None or s._s is not cell else v + more for s, v in zip(node.saved, node.vers, strict=True)]
        )
