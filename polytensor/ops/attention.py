"""Scaled dot product attention and its multi-head form. Source: torch.nn.functional."""

from __future__ import annotations

import warnings
from math import sqrt
from typing import Any

from .. import dtypes
from ..tensor import Tensor, wrap
from . import pointwise as pw
from .creation import zeros
from .dropouts import dropout
from .joining import cat
from .layers import softmax
from .operands import plain
from .padding import pad
from .products import linear, matmul
from .recompute import gradients
from .shape import broadcast_shapes, reshape
from .table import F, check_tensor, cpp_name, fresh, primitive, renamed, same_device, type_name

__all__: list[str] = []

# scores from which attention is done in tiles; a tile's weights are made again in backward, which costs a third more
# than to keep them as long as they fit in the caches
LARGE, LARGE_CAUSAL = 1 << 20, 1 << 16
NODE = "ScaledDotProductFlashAttentionForCpuBackward0"


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
    scale = plain(scale)
    if not q._a.dtype == k._a.dtype == v._a.dtype:
        raise RuntimeError(
            "Expected query, key, and value to have the same dtype, but got query.dtype: "
            f"{cpp_name(q)} key.dtype: {cpp_name(k)} and value.dtype: {cpp_name(v)} instead."
        )
    if min(q._a.ndim, k._a.ndim, v._a.ndim) < 2:
        raise RuntimeError(
            "Expected query, key, and value to all be  at least 2 dimensional, but got query.dim: "
            f"{q._a.ndim} key.dim: {k._a.ndim} and value.dim: {v._a.ndim} instead."
        )
    if q._a.dtype.kind not in "fV":
        raise RuntimeError(f"expected scalar type Float but found {type_name(q)}")
    if attn_mask is not None:
        if is_causal:
            raise RuntimeError(
                "_scaled_dot_product_attention: Explicit attn_mask should not be set when is_causal=True"
            )
        if attn_mask._a.dtype.kind != "b" and attn_mask.dtype not in (q.dtype, dtypes.float32):
            raise RuntimeError(
                f"Expected attn_mask dtype to be bool or float or to match query dtype, but got attn_mask.dtype: "
                f"{cpp_name(attn_mask)} and  query.dtype: {cpp_name(q)} instead."
            )
    if dropout_p > 1:
        raise RuntimeError(f"dropout probability has to be between 0 and 1, but got {dropout_p}")
    if enable_gqa:
        k, v = _repeat_heads(q, k), _repeat_heads(q, v)
    tiled = dropout_p <= 0 and not (attn_mask is not None and attn_mask.requires_grad)
    out: Any = None
    if q._a.dtype.itemsize == 2:
        if tiled and q._dev.backend.takes_half:
            out = _tiled(q, k, v, attn_mask, is_causal, scale)
        if out is not None:
            return _like_query(out, query)
        q, k, v = (F.cast(t, dtypes.float32.array) for t in (q, k, v))  # compute in float32 and round once
    scores = q._a.size // max(1, q._a.shape[-1]) * k._a.shape[-2]
    if tiled and (scores >= (LARGE_CAUSAL if is_causal else LARGE) or q._dev.backend.attends_small):
        out = _tiled(q, k, v, attn_mask, is_causal, scale)
    if out is None:
        out = _attend(q, k, v, attn_mask, dropout_p, is_causal, scale)
    out = out if q is query else F.cast(out, query._a.dtype)
    return _like_query(out, query) if tiled else out  # type: ignore[no-any-return]


def _like_query(out: Tensor, query: Tensor) -> Tensor:
    """`out` with its dimensions in memory in the order of the query's: that of heads which were split off the last one
    lets them be joined by a view."""
    strides = query._a.strides
    if len(strides) != 4 or strides[0] >= strides[1] >= strides[2] or out._a.shape != query._a.shape:
        return out
    if strides[3] != query._a.dtype.itemsize or 0 in strides:
        return out
    order = sorted(range(3), key=lambda i: -strides[i])
    r = out.permute(*order, 3).contiguous()  # type: ignore[attr-defined]
    return fresh(renamed(r.permute(*map(order.index, range(3)), 3), NODE))


def _attend(q: Tensor, k: Tensor, v: Tensor, mask: Any, p: float, is_causal: bool, scale: float | None) -> Tensor:
    width = q._a.shape[-1]
    length, sources = q._a.shape[-2], k._a.shape[-2]
    factor = (1 / sqrt(width) if width else 1.0) if scale is None else scale
    scores = matmul(q if factor == 1 else pw.mul(q, factor), k.transpose(-2, -1))  # type: ignore[attr-defined]
    dead: Any = None
    if is_causal:
        backend = q._dev.backend
        blocked = wrap(backend.triu(backend.full((length, sources), True, "bool"), 1), q._dev)
        scores = scores.masked_fill(blocked, float("-inf"))  # type: ignore[attr-defined]
    elif mask is not None:
        if mask._a.dtype.kind == "b":
            dead = pw.logical_not(mask.any(-1, keepdim=True))
            scores = scores.masked_fill(pw.logical_not(mask), float("-inf"))  # type: ignore[attr-defined]
        else:
            dead = pw.eq(mask.detach().amax(-1, keepdim=True), float("-inf")) if mask._a.shape[-1] else None
            scores = pw.add(scores, mask)
        dead = dead if dead is not None and sources and q._dev.backend.may_hold(dead._a) else None
    if dead is not None:
        scores = scores.masked_fill(dead, 0.0)  # type: ignore[attr-defined]
    attention = softmax(scores, -1)
    if dead is not None:
        attention = attention.masked_fill(dead, 0.0)  # type: ignore[attr-defined]
    return matmul(dropout(attention, p, True) if p > 0 else attention, v)


def _attend_backward(g: Any, need: Any, q: Tensor, k: Tensor, v: Tensor, mask: Tensor, *rest: Any) -> list[Any]:
    scale, causal = rest[-2:]
    return gradients(
        lambda q, k, v: (_attend(q, k, v, mask if mask._a.size else None, 0.0, causal, scale),), [g], need[:3], (q, k, v), ()
    ) + [None]  # fmt: skip


F.attend_backward = _attend_backward


def _attend_rule(
    F: Any, g: Any, need: Any, q: Any, k: Any, v: Any, mask: Any, out0: Any, out1: Any, scale: float, causal: bool
) -> Any:
    return F.attend_backward(g[0], need, q, k, v, mask, out0, out1, scale, causal)


_attend_in_tiles = primitive("attend", "q k v mask", _attend_rule, "scale causal", outs=2, node=NODE)


def _tiled(q: Tensor, k: Tensor, v: Tensor, mask: Any, is_causal: bool, scale: float | None) -> Tensor | None:
    """Attention without an array of all scores; None where shapes do not fit, or there is nothing to attend to."""
    same_device("scaled_dot_product_attention", q, k, v, *(() if mask is None else (mask,)))
    shapes = [t._a.shape for t in (q, k, v)]
    (length, width), (sources, depth) = shapes[0][-2:], shapes[2][-2:]
    if shapes[1][-2:] != (sources, width) or 0 in (length, width, sources, depth):
        return None
    leads = [s[:-2] for s in shapes]
    try:
        if mask is not None:
            full = broadcast_shapes(mask._a.shape, (*[1] * len(max(leads, key=len)), length, sources))
            if full[-2:] != (length, sources):
                return None
            leads.append(full[:-2])
        lead = tuple(broadcast_shapes(*leads))
    except RuntimeError:
        return None
    if 0 in lead:
        return None
    q, k, v = (t if s[:-2] == lead else t.expand(*lead, *s[-2:]) for t, s in zip((q, k, v), shapes, strict=True))
    if mask is None:
        mask = wrap(q._dev.backend.empty((0,), q._a.dtype), q._dev)
    elif mask._a.dtype.kind != "b" and mask._a.dtype != q._a.dtype:
        mask = F.cast(mask, q._a.dtype)
    return _attend_in_tiles(q, k, v, mask, 1 / sqrt(width) if scale is None else scale, is_causal)[0]  # type: ignore[no-any-return]


def _repeat_heads(q: Tensor, x: Tensor) -> Tensor:
    """Each head of x as often as q has heads for it."""
    heads, own = q._a.shape[-3], x._a.shape[-3]
    if own == heads:
        return x
    if own == 0 or heads % own:
        raise RuntimeError(
            f"Number of heads in key and value must divide the number of heads in query: got {own} and {heads}"
        )
    shape = x._a.shape
    wide = x.unsqueeze(-3).expand(*shape[:-2], heads // own, *shape[-2:])
    return reshape(wide, (*shape[:-3], heads, *shape[-2:]))


def canonical_mask(mask: Any, name: str, other: Any, other_name: str, target: Any) -> Any:
    """A mask as numbers of dtype `target` to add: bool True becomes -inf. Warns where `other` is of another dtype."""
    if mask is None:
        return None
    if mask._a.dtype.kind not in "bfV":
        raise AssertionError(f"only bool and floating types of {name} are supported")
    if other is not None and other_name and mask.dtype != other.dtype:
        warnings.warn(
            f"Support for mismatched {name} and {other_name} is deprecated. Use same type for both instead.",
            UserWarning,
            stacklevel=3,
        )
    if mask._a.dtype.kind == "b":
        return zeros(mask._a.shape, dtype=target, device=mask._dev).masked_fill(mask, float("-inf"))
    return mask


def _check_masks(query: Tensor, key_padding_mask: Any, attn_mask: Any, num_heads: int, sources: int) -> None:
    batched = query._a.ndim == 3
    kind = "batched (3-D)" if batched else "unbatched (2-D)"
    if key_padding_mask is not None and key_padding_mask._a.ndim != query._a.ndim - 1:
        raise AssertionError(
            f"For {kind} `query`, expected `key_padding_mask` to be `None` or {query._a.ndim - 1}-D but found "
            f"{key_padding_mask._a.ndim}-D tensor instead"
        )
    if attn_mask is None:
        return
    if attn_mask._a.ndim not in (2, 3):
        raise AssertionError(
            f"For {kind} `query`, expected `attn_mask` to be `None`, 2-D or 3-D but found {attn_mask._a.ndim}-D tensor "
            "instead"
        )
    want = (num_heads, query._a.shape[0], sources)
    if not batched and attn_mask._a.ndim == 3 and attn_mask._a.shape != want:
        raise AssertionError(f"Expected `attn_mask` shape to be {want} but got {attn_mask.shape}")


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
    _check_masks(query, key_padding_mask, attn_mask, num_heads, key._a.shape[0])
    if not batched:
        query, key, value = (t.unsqueeze(1) for t in (query, key, value))
        key_padding_mask = None if key_padding_mask is None else key_padding_mask.unsqueeze(0)
    length, batch, width = query._a.shape
    sources = key._a.shape[0]
    if key_padding_mask is not None:
        for i, n in enumerate((batch, sources)):
            if key_padding_mask._a.shape[i] != n and static_k is None:
                raise AssertionError(
                    f"Expected key_padded_mask.shape[{i}] to be {n}, but got {key_padding_mask._a.shape[i]}"
                )
    padding_mask: Any = canonical_mask(key_padding_mask, "key_padding_mask", attn_mask, "attn_mask", query.dtype)
    if is_causal and attn_mask is None:
        raise RuntimeError(
            "Need attn_mask if specifying the is_causal hint. You may use the Transformer module method "
            "`generate_square_subsequent_mask` to create this mask."
        )
    mask: Any = canonical_mask(attn_mask, "attn_mask", None, "", query.dtype)
    if is_causal and padding_mask is None and not need_weights:
        mask = None  # the hint stands for it
    else:
        is_causal = False
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
    plain = key is value and query is key and not use_separate_proj_weight and static_k is None and static_v is None
    plain = plain and bias_k is None and bias_v is None and batch > 0
    if plain and in_proj_weight is not None and in_proj_weight._a.shape[0] == 3 * width:
        q, k, v = _split_heads(linear(query, in_proj_weight, in_proj_bias), num_heads, batch)
    else:
        plain = False
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
    if not plain:
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
            if mask._a.dtype != q._a.dtype:
                from ..amp.autocast_mode import is_autocast_enabled

                if not is_autocast_enabled(q._dev.type):
                    raise RuntimeError(
                        f"Input dtypes must be the same, got: input {cpp_name(mask)}, batch1: {cpp_name(q)}, "
                        f"batch2: {cpp_name(k)}"
                    )
                mask = F.cast(mask, q._a.dtype)
            scores = pw.add(scores, mask)
        weights = dropout(softmax(scores, -1), p, p > 0)
        out = matmul(weights, v)
    else:
        out = scaled_dot_product_attention(q, k, v, mask, p, is_causal)
    out = reshape(out.transpose(0, 1), (length * batch, width))
    out = linear(out, out_proj_weight, out_proj_bias)
    out = reshape(out, (length, batch, out._a.shape[1]))
    if need_weights:
        weights = reshape(weights, (batch, num_heads, length, sources))
        if average_attn_weights:
            weights = weights.mean(1)
    if not batched:
        out = out.squeeze(1)
        weights = None if weights is None else weights.squeeze(0)
    return out, weights


def _split_rule(F: Any, g: Any, need: Any, heads: int, batch: int) -> Any:
    some = next(d for d in g if d is not None)
    return [F.join_heads(*[F.zeros_of(some) if d is None else d for d in g], heads, batch)]


# one product's queries, keys and values, which a slice each would give back as three arrays of mostly zeros
_split_heads = primitive("split_heads", "x", _split_rule, "heads batch", outs=3, node="SplitBackward0")
primitive("join_heads", "q k v", lambda F, g, need, heads, batch: list(F.split_heads(g, heads, batch)), "heads batch")


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
