"""Scaled dot product attention and its multi-head form. Source: torch.nn.functional."""

from __future__ import annotations

from math import sqrt
from typing import Any

from ..tensor import Tensor, wrap
from . import pointwise as pw
from .creation import zeros
from .dropouts import dropout
from .joining import cat
from .layers import softmax
from .padding import pad
from .products import linear, matmul
from .shape import reshape
from .table import check_tensor

__all__: list[str] = []


def scaled_dot_product_attention(
    query: Tensor, key: Tensor, value: Tensor, attn_mask: Tensor | None = None, dropout_p: float = 0.0,
    is_causal: bool = False, scale: float | None = None, enable_gqa: bool = False,
) -> Tensor:  # fmt: skip
    """softmax(query key^T * scale + mask) value; query (*, L, E), key (*, S, E), value (*, S, Ev).

    attn_mask broadcasts to (*, L, S): bool (True takes part) or added. A query that no key may answer gives zeros.
    enable_gqa: key and value have fewer heads (third dimension from the end), each of which serves several.
    """
    q, k, v = (
        check_tensor(t, "scaled_dot_product_attention", n)
        for t, n in ((query, "query"), (key, "key"), (value, "value"))
    )
    if not q._a.dtype == k._a.dtype == v._a.dtype:
        raise RuntimeError(
            "Expected query, key, and value to have the same dtype, but got query.dtype: "
            f"{q.dtype} key.dtype: {k.dtype} and value.dtype: {v.dtype} instead."
        )
    if min(q._a.ndim, k._a.ndim, v._a.ndim) < 2:
        raise RuntimeError(
            "Expected query, key, and value to all be at least 2 dimensional, but got query.dim: "
            f"{q._a.ndim}, key.dim: {k._a.ndim} and value.dim: {v._a.ndim} instead."
        )
    if attn_mask is not None:
        if is_causal:
            raise RuntimeError("Explicit attn_mask should not be set when is_causal=True")
        if attn_mask._a.dtype.kind in "iu":
            raise RuntimeError(
                f"Expected attn_mask dtype to be bool or float or to match query dtype, but got attn_mask.dtype: "
                f"{attn_mask.dtype} and  query.dtype: {q.dtype} instead."
            )
    if enable_gqa:
        k, v = _repeat_heads(q, k), _repeat_heads(q, v)
    root = sqrt(1 / sqrt(q._a.shape[-1]) if scale is None else scale) if scale is None or scale >= 0 else None
    length, sources = q._a.shape[-2], k._a.shape[-2]
    if root is None:
        scores = pw.mul(matmul(q, k.transpose(-2, -1)), scale)
    else:
        scores = matmul(pw.mul(q, root), pw.mul(k, root).transpose(-2, -1))
    if is_causal:
        backend = q._dev.backend
        blocked = wrap(backend.triu(backend.full((length, sources), True, "bool"), 1), q._dev)
        scores = scores.masked_fill(blocked, float("-inf"))
    elif attn_mask is not None:
        if attn_mask._a.dtype.kind == "b":
            scores = scores.masked_fill(pw.logical_not(attn_mask), float("-inf"))
        else:
            scores = pw.add(scores, attn_mask)
        dead = pw.eq(scores.detach().amax(-1, keepdim=True), float("-inf")) if sources else None
        if dead is not None and dead.any():
            attention = softmax(scores.masked_fill(dead, 0.0), -1).masked_fill(dead, 0.0)
            return matmul(dropout(attention, dropout_p, dropout_p > 0), v)
    return matmul(dropout(softmax(scores, -1), dropout_p, dropout_p > 0), v)


def _repeat_heads(q: Tensor, x: Tensor) -> Tensor:
    """Each head of x as often as q has heads for it."""
    heads, own = q._a.shape[-3], x._a.shape[-3]
    if own == heads:
        return x
    if heads % own:
        raise RuntimeError(
            f"Number of heads in key and value must divide the number of heads in query, got {own} and {heads}"
        )
    shape = x._a.shape
    wide = x.unsqueeze(-3).expand(*shape[:-2], heads // own, *shape[-2:])
    return reshape(wide, (*shape[:-3], heads, *shape[-2:]))


def _float_mask(mask: Any, name: str, target: Any) -> Any:
    """A mask as numbers to add: bool True becomes -inf."""
    if mask is None:
        return None
    if mask._a.dtype.kind not in "bfV":
        raise AssertionError(f"only bool and floating types of {name} are supported")
    if mask._a.dtype.kind == "b":
        return zeros(*mask._a.shape, dtype=target, device=mask._dev).masked_fill(mask, float("-inf"))
    return mask


def multi_head_attention_forward(
    query: Tensor, key: Tensor, value: Tensor, embed_dim_to_check: int, num_heads: int, in_proj_weight: Tensor | None,
    in_proj_bias: Tensor | None, bias_k: Tensor | None, bias_v: Tensor | None, add_zero_attn: bool, dropout_p: float,
    out_proj_weight: Tensor, out_proj_bias: Tensor | None, training: bool = True, key_padding_mask: Tensor | None = None,
    need_weights: bool = True, attn_mask: Tensor | None = None, use_separate_proj_weight: bool = False,
    q_proj_weight: Tensor | None = None, k_proj_weight: Tensor | None = None, v_proj_weight: Tensor | None = None,
    static_k: Tensor | None = None, static_v: Tensor | None = None, average_attn_weights: bool = True,
    is_causal: bool = False,
) -> tuple[Tensor, Tensor | None]:  # fmt: skip
    """Multi-head attention of query (L, N, E) or (L, E) to key and value (S, N, E), with its projections.

    Source: torch.nn.functional.multi_head_attention_forward.
    """
    if query._a.ndim not in (2, 3):
        raise AssertionError(
            f"query should be unbatched 2D or batched 3D tensor but received {query._a.ndim}-D query tensor"
        )
    batched = query._a.ndim == 3
    if key._a.ndim != query._a.ndim or value._a.ndim != query._a.ndim:
        raise AssertionError(
            f"For {'batched (3-D)' if batched else 'unbatched (2-D)'} `query`, expected `key` and `value` to be "
            f"{query._a.ndim}-D but found {key._a.ndim}-D and {value._a.ndim}-D tensors respectively"
        )
    if is_causal and attn_mask is None:
        raise RuntimeError("Need attn_mask if specifying the is_causal hint.")
    if not batched:
        query, key, value = (t.unsqueeze(1) for t in (query, key, value))
        key_padding_mask = None if key_padding_mask is None else key_padding_mask.unsqueeze(0)
    length, batch, width = query._a.shape
    sources = key._a.shape[0]
    if width != embed_dim_to_check:
        raise AssertionError(f"was expecting embedding dimension of {embed_dim_to_check}, but got {width}")
    size = width // num_heads
    if size * num_heads != width:
        raise AssertionError(f"embed_dim {width} not divisible by num_heads {num_heads}")
    if not use_separate_proj_weight and key._a.shape != value._a.shape:
        raise AssertionError(f"key shape {key.shape} does not match value shape {value.shape}")
    if use_separate_proj_weight and key._a.shape[:2] != value._a.shape[:2]:
        raise AssertionError(
            f"key's sequence and batch dims {key.shape[:2]} do not match value's {value.shape[:2]}"
        )  # fmt: skip
    mask: Any = _float_mask(attn_mask, "attn_mask", query.dtype)
    padding_mask: Any = _float_mask(key_padding_mask, "key_padding_mask", query.dtype)
    q, k, v = _project(query, key, value, in_proj_weight, in_proj_bias,
                       (q_proj_weight, k_proj_weight, v_proj_weight) if use_separate_proj_weight else None)  # fmt: skip
    if mask is not None:
        if mask._a.ndim == 2:
            if mask._a.shape != (length, sources):
                raise RuntimeError(f"The shape of the 2D attn_mask is {mask.shape}, but should be {(length, sources)}.")
            mask = mask.unsqueeze(0)
        elif mask._a.ndim == 3:
            if mask._a.shape != (batch * num_heads, length, sources):
                raise RuntimeError(
                    f"The shape of the 3D attn_mask is {mask.shape}, but should be "
                    f"{(batch * num_heads, length, sources)}."
                )
        else:
            raise RuntimeError(f"attn_mask's dimension {mask._a.ndim} is not supported")
    extra = 0
    if bias_k is not None and bias_v is not None:
        if static_k is not None or static_v is not None:
            raise AssertionError("bias cannot be added to static key or value.")
        k = cat([k, bias_k.expand(1, batch, width)])
        v = cat([v, bias_v.expand(1, batch, width)])
        extra += 1
    q = _heads(q, batch, num_heads, size)
    k = _heads(k, batch, num_heads, size) if static_k is None else static_k
    v = _heads(v, batch, num_heads, size) if static_v is None else static_v
    for name, t in (("static_k", static_k), ("static_v", static_v)):
        if t is not None and (t._a.shape[0] != batch * num_heads or t._a.shape[2] != size):
            raise AssertionError(
                f"expecting {name} of shape ({batch * num_heads}, *, {size}), but got {tuple(t._a.shape)}"
            )
    if add_zero_attn:
        row = zeros(batch * num_heads, 1, size, dtype=k.dtype, device=k._dev)
        k, v = cat([k, row], 1), cat([v, row], 1)
        extra += 1
    if extra and mask is not None:
        mask = pad(mask, (0, extra))
    if extra and padding_mask is not None:
        padding_mask = pad(padding_mask, (0, extra))
    sources = k._a.shape[1]
    if padding_mask is not None:
        if padding_mask._a.shape != (batch, sources):
            raise AssertionError(
                f"expecting key_padding_mask shape of {(batch, sources)}, but got {tuple(padding_mask._a.shape)}"
            )
        padding = padding_mask.reshape(batch, 1, 1, sources).expand(batch, num_heads, 1, sources)
        padding = reshape(padding, (batch * num_heads, 1, sources))
        mask = padding if mask is None else pw.add(mask, padding)
    p = dropout_p if training else 0.0
    weights: Any = None
    if need_weights:
        scores = matmul(pw.mul(q, 1 / sqrt(size)), k.transpose(1, 2))
        if mask is not None:
            scores = pw.add(scores, mask)
        weights = dropout(softmax(scores, -1), p, p > 0)
        out = matmul(weights, v)
    else:
        out = scaled_dot_product_attention(q, k, v, mask, p)
    out = reshape(out.transpose(0, 1), (length * batch, width))
    out = reshape(linear(out, out_proj_weight, out_proj_bias), (length, batch, -1))
    if need_weights:
        weights = reshape(weights, (batch, num_heads, length, sources))
        if average_attn_weights:
            weights = weights.mean(1)
    if not batched:
        out = out.squeeze(1)
        weights = None if weights is None else weights.squeeze(0)
    return out, weights


def _heads(x: Tensor, batch: int, heads: int, size: int) -> Tensor:
    return reshape(x, (x._a.shape[0], batch * heads, size)).transpose(0, 1)  # type: ignore[no-any-return]


def _project(q: Tensor, k: Tensor, v: Tensor, weight: Any, bias: Any, separate: Any) -> Any:
    """The three input projections: one product where the inputs are the same."""
    width = q._a.shape[-1]
    if separate is not None:
        biases = (None,) * 3 if bias is None else bias.chunk(3)
        return tuple(linear(x, w, b) for x, w, b in zip((q, k, v), separate, biases, strict=True))
    if k is v and q is k:
        return linear(q, weight, bias).chunk(3, -1)
    weights = weight.split([width, width, width])
    biases = (None,) * 3 if bias is None else bias.split([width, width, width])
    if k is v:
        both = linear(k, weight[width:], None if bias is None else bias[width:])
        return (linear(q, weights[0], biases[0]), *both.chunk(2, -1))
    return tuple(linear(x, w, b) for x, w, b in zip((q, k, v), weights, biases, strict=True))
