"""torch._higher_order_ops.foreach_map: a function over lists of tensors."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

__all__ = ["foreach_map"]


def foreach_map(op: Callable[..., Any], *operands: Any, **kwargs: Any) -> Any:
    """[op(x, y, ...) for each of the operands that are lists]; what is no list is the same for all.

    PyTorch's compiler fuses the calls; here they run one after the other. PyTorch drops `kwargs` where it runs eagerly.
    """
    lengths = [len(xs) for xs in operands if isinstance(xs, (list, tuple))]
    if not lengths:
        return op(*operands, **kwargs)
    rows = [xs if isinstance(xs, (list, tuple)) else [xs] * min(lengths) for xs in operands]
    return [op(*each, **kwargs) for each in zip(*rows, strict=False)]
