"""How linear_cross_entropy computes in chunks. Source: torch.nn.LinearCrossEntropyOptions."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from ... import dtypes, ops
from ...tensor import Tensor
from ...utils.checkpoint import checkpoint
from .. import functional as F

__all__ = ["LinearCrossEntropyOptions"]

_DTYPES = (dtypes.float16, dtypes.bfloat16, dtypes.float32, dtypes.float64)


def _ratio(method: str | None) -> float | None:
    """The number of an 'aspect_ratio:number'; that of 'auto' is 2."""
    if method is None:
        return None
    try:
        name, _, number = ("aspect_ratio:2" if method == "auto" else method).partition(":")
        ratio = float(number)
    except (AttributeError, ValueError):
        name, ratio = "", 0.0
    if name != "aspect_ratio" or ratio <= 0:
        raise ValueError(f"invalid chunking_method: {method!r}")
    return ratio


@dataclass(frozen=True)
class LinearCrossEntropyOptions:
    """Compute the logits for some rows at a time, again in backward, so that those of all rows never exist at once.

    batch_chunk_size rows, or as many as chunking_method ('auto', 'aspect_ratio:number', None for all) says. The losses add up
    in the dtype of the input: acc_policy and acc_dtype are checked only. Unlike PyTorch's, the graph may be used twice.
    """

    allow_retain_graph: bool = False
    batch_chunk_size: int | None = None
    chunking_method: str | None = "auto"
    acc_policy: str = "auto"
    acc_dtype: Any = None

    def __post_init__(self) -> None:
        size = self.batch_chunk_size
        if size is not None and (not isinstance(size, int) or size <= 0):
            raise ValueError(f"batch_chunk_size must be positive int or None, got {size}")
        _ratio(self.chunking_method)
        if self.acc_policy not in ("accurate", "balanced", "compact", "auto"):
            raise ValueError(f"invalid acc_policy: {self.acc_policy!r}")
        if self.acc_dtype is not None and self.acc_dtype not in _DTYPES:
            raise ValueError(
                "acc_dtype must be one of {None, torch.float16, torch.bfloat16, torch.float32, torch.float64}, got "
                f"{self.acc_dtype}. Pass acc_dtype=None to let the op pick automatically."
            )

    def rows(self, batch: int, width: int, classes: int) -> int:
        """How many rows a chunk has."""
        ratio = _ratio(self.chunking_method)
        if self.batch_chunk_size is not None:
            return self.batch_chunk_size
        return batch if ratio is None else max(1, min(batch, int(ratio * width * batch / max(classes, 1))))

    def loss(
        self,
        x: Tensor,
        linear_weight: Tensor,
        bias: Any,
        target: Tensor,
        weight: Any,
        reduction: str,
        ignore_index: int,
    ) -> Any:
        """Cross-entropy of linear(x, linear_weight, bias), x (N, in), target (N,) classes."""
        kind = "none" if reduction == "none" else "sum"

        def part(x: Tensor, t: Tensor, w: Tensor, *b: Tensor) -> Tensor:
            logits = F.linear(x, w, *b)
            return F.cross_entropy(logits, t, weight, reduction=kind, ignore_index=ignore_index)  # type: ignore[no-any-return]

        n = max(1, self.rows(x.shape[0], *linear_weight.shape[::-1]))
        rest = (linear_weight,) if bias is None else (linear_weight, bias)
        parts: Any = [
            checkpoint(part, a, t, *rest, use_reentrant=False, preserve_rng_state=False)
            for a, t in zip(x.split(n), target.split(n), strict=True)  # type: ignore[attr-defined]
        ]
        if kind == "none":
            return ops.cat(parts)
        total = ops.stack(parts).sum()  # type: ignore[attr-defined]
        if reduction == "sum":
            return total
        kept: Any = target != ignore_index
        if weight is None:
            return total / kept.sum()
        return total / (weight[target.where(kept, 0)] * kept).sum()  # type: ignore[attr-defined]
