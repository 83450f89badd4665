"""Causal masks that say which corner they start from. Source: torch.nn.attention.bias."""

from __future__ import annotations

import warnings
from enum import IntEnum
from typing import Any

from ...ops import ones
from ...tensor import Tensor
from ..functional import scaled_dot_product_attention

__all__ = ["CausalBias", "CausalVariant", "causal_lower_right", "causal_upper_left"]


class CausalVariant(IntEnum):
    """The corner in which the diagonal of a mask that is not square begins or ends."""

    UPPER_LEFT = 1
    LOWER_RIGHT = 2


class CausalBias(Tensor):
    """The attn_mask (L, S) of scaled_dot_product_attention by which a query sees the keys up to its own place.

    Its dtype is bool here: True takes part.
    """

    def __new__(cls, variant: CausalVariant, seq_len_q: int, seq_len_kv: int) -> Any:
        if not isinstance(variant, CausalVariant):
            raise AssertionError(f"variant must be a CausalVariant, got {type(variant).__name__}")
        mask: Any = ones(seq_len_q, seq_len_kv, dtype=bool)
        return mask.tril(seq_len_kv - seq_len_q if variant is CausalVariant.LOWER_RIGHT else 0).as_subclass(cls)

    def __init__(self, variant: CausalVariant, seq_len_q: int, seq_len_kv: int) -> None:
        self.variant, self.seq_len_q, self.seq_len_kv = variant, seq_len_q, seq_len_kv
        if variant is CausalVariant.LOWER_RIGHT and seq_len_q > seq_len_kv:
            warnings.warn(
                "Lower right causal bias will produce NaNs in the output when seq_len_q > seq_len_kv!", stacklevel=3
            )

    def _materialize(self, device: Any = None) -> Any:
        mask: Any = self.as_subclass(Tensor)  # type: ignore[attr-defined]
        return mask.to(device)

    @classmethod
    def __torch_function__(cls, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        if func is not scaled_dot_product_attention:
            return super().__torch_function__(func, types, args, kwargs)

        def attend(query: Any, key: Any, value: Any, attn_mask: Any = None, dropout_p: float = 0.0,
                   is_causal: bool = False, **options: Any) -> Any:  # fmt: skip
            if is_causal:
                raise ValueError("CausalBias should not be used with causal=True")
            if attn_mask.variant is CausalVariant.UPPER_LEFT or attn_mask.seq_len_q == attn_mask.seq_len_kv:
                return scaled_dot_product_attention(query, key, value, None, dropout_p, True, **options)
            return scaled_dot_product_attention(
                query, key, value, attn_mask._materialize(query.device), dropout_p, **options
            )

        return attend(*args, **(kwargs or {}))

    def __repr__(self, *, tensor_contents: Any = None) -> str:
        return repr(self._materialize())


def _sized(name: str, variant: CausalVariant, size: tuple[int, ...]) -> CausalBias:
    if len(size) != 2:
        raise AssertionError(f"{name} only supports 2D tensors")
    return CausalBias(variant, *size)


def causal_upper_left(*size: int) -> CausalBias:
    """The mask of `size` (L, S) whose diagonal begins in the upper left corner, as is_causal's."""
    return _sized("causal_upper_left", CausalVariant.UPPER_LEFT, size)


def causal_lower_right(*size: int) -> CausalBias:
    """The mask of `size` (L, S) whose diagonal ends in the lower right corner: the last query sees all keys."""
    return _sized("causal_lower_right", CausalVariant.LOWER_RIGHT, size)
