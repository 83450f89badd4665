"""SparseAdam: refused, there being no sparse tensors."""

from __future__ import annotations

from typing import Any

from .optimizer import Optimizer


class SparseAdam(Optimizer):
    """Adam for sparse gradients. Source: torch.optim.SparseAdam. NotImplementedError: PolyTensor has no sparse tensors."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        raise NotImplementedError("SparseAdam needs sparse tensors, which PolyTensor does not have; use Adam")
