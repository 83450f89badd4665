"""Attention whose scores and mask are functions of one's own: evaluated whole, eagerly. Source: torch.nn.attention.flex_attention."""

from __future__ import annotations

import inspect
import math
import operator
from collections.abc import Callable
from functools import reduce
from typing import Any, NamedTuple

from ... import func, ops
from ...dtypes import bool_, float32, float64
from ...tensor import Tensor

__all__ = ["AuxOutput", "AuxRequest", "BlockMask", "and_masks", "create_block_mask", "create_mask", "flex_attention",
           "noop_mask", "or_masks"]  # fmt: skip

Mod = Callable[..., Any]
_DEFAULT_SPARSE_BLOCK_SIZE = 128


class AuxRequest(NamedTuple):
    """What flex_attention should give besides."""

    lse: bool = False
    max_scores: bool = False


class AuxOutput(NamedTuple):
    """Logarithm of the sum of exp(score), and the largest score, of each query; float32. None where not asked for."""

    lse: Any = None
    max_scores: Any = None


def noop_mask(batch: Any, head: Any, token_q: Any, token_kv: Any) -> Tensor:
    """True everywhere."""
    return batch.new_ones(size=(), dtype=bool_)  # type: ignore[no-any-return]


def _joined(join: Callable[[Any, Any], Any], start: bool, mask_mods: tuple[Mod, ...]) -> Mod:
    if not all(map(callable, mask_mods)):
        raise RuntimeError(f"All inputs should be callable mask_mods: {mask_mods}")

    def joined(b: Any, h: Any, q: Any, kv: Any) -> Any:
        return reduce(join, (mask(b, h, q, kv) for mask in mask_mods), b.new_full((), start, dtype=bool_))

    return joined


def and_masks(*mask_mods: Mod) -> Mod:
    """The mask that all of these let through."""
    return _joined(operator.and_, True, mask_mods)


def or_masks(*mask_mods: Mod) -> Mod:
    """The mask that any of these lets through."""
    return _joined(operator.or_, False, mask_mods)


def _each(fn: Mod, leading: tuple[Any, ...]) -> Mod:
    """fn(*leading, b, h, q, kv) over vectors of the four indices, and a leading array of all of them."""
    for dims in ((None, None, None, 0), (None, None, 0, None), (None, 0, None, None), (0, None, None, None)):
        fn = func.vmap(fn, in_dims=leading + dims)
    return fn


def _indices(sizes: tuple[int, ...], device: Any) -> list[Tensor]:
    return [ops.arange(n, device=device) for n in sizes]


def _takes_score(fn: Mod) -> bool:
    return sum(p.default is inspect.Parameter.empty for p in inspect.signature(fn).parameters.values()) == 5


def create_mask(
    mod_fn: Mod, B: int | None, H: int | None, Q_LEN: int, KV_LEN: int, device: Any = None  # noqa: N803
) -> Tensor:  # fmt: skip
    """What mask_mod(b, h, q, kv) says of all positions, (B, H, Q_LEN, KV_LEN); of a score_mod, where it is not -inf."""
    sizes = (B or 1, H or 1, Q_LEN, KV_LEN)
    if _takes_score(mod_fn):
        scores = _each(mod_fn, (0,))(ops.zeros(sizes, device=device), *_indices(sizes, device))
        return ops.where(ops.isneginf(scores), False, True)
    return _each(mod_fn, ())(*_indices(sizes, device)).expand(sizes)  # type: ignore[no-any-return]


class BlockMask:
    """A mask, the function that made it, and which blocks of positions it lets something through."""

    def __init__(self, mask_mod: Mod, mask: Tensor, block_size: tuple[int, int]) -> None:
        self.mask_mod, self.BLOCK_SIZE = mask_mod, block_size
        self.seq_lengths: tuple[int, int] = (mask.shape[-2], mask.shape[-1])
        self._mask = mask

    @property
    def shape(self) -> tuple[int, ...]:
        return (*self._mask.shape[:2], *self.seq_lengths)

    def _blocks(self, whole: bool) -> Tensor:
        """(B, H, rows, columns): whether blocks hold something, or (whole) nothing but True."""
        (a, b), (q, k) = self.BLOCK_SIZE, self.seq_lengths
        padded = ops.constant_pad_nd(self._mask, (0, -k % b, 0, -q % a), whole)
        tiles = padded.unflatten(-1, (-1, b)).unflatten(-3, (-1, a)).transpose(-2, -3).flatten(-2)  # type: ignore[attr-defined]
        return tiles.all(-1) if whole else tiles.any(-1)  # type: ignore[no-any-return]

    def to_dense(self) -> Tensor:
        """(B, H, rows, columns) of int32: 1 for blocks that hold something."""
        return self._blocks(False).int()  # type: ignore[no-any-return, attr-defined]

    def numel(self) -> int:
        return math.prod(self.shape)

    def sparsity(self) -> float:
        """How many of 100 positions are in blocks that hold nothing (blocks beyond the end count whole)."""
        return 100.0 * (1 - int(self.to_dense().sum()) * math.prod(self.BLOCK_SIZE) / self.numel())  # type: ignore[call-overload]

    def to(self, device: Any) -> BlockMask:
        return BlockMask(self.mask_mod, self._mask.to(device), self.BLOCK_SIZE)

    def __getitem__(self, index: Any) -> BlockMask:
        """Of some batches or heads."""
        index = index if isinstance(index, tuple) else (index,)
        index = tuple(slice(i, i + 1 or None) if isinstance(i, int) else i for i in index)
        if len(index) > 2:
            raise NotImplementedError("PolyTensor slices a BlockMask by batch and head alone")
        return BlockMask(self.mask_mod, self._mask[index], self.BLOCK_SIZE)  # type: ignore[index]

    def __repr__(self) -> str:
        return f"BlockMask(shape={self.shape}, sparsity={self.sparsity():.2f}%)"


def create_block_mask(
    mask_mod: Mod, B: int | None, H: int | None, Q_LEN: int, KV_LEN: int, device: Any = None,  # noqa: N803
    BLOCK_SIZE: int | tuple[int, int] = _DEFAULT_SPARSE_BLOCK_SIZE, **options: Any,  # noqa: N803
) -> BlockMask:  # fmt: skip
    """The BlockMask of mask_mod(b, h, q, kv). B or H None: the same for all. Options of PyTorch's kernels change nothing."""
    size = (BLOCK_SIZE, BLOCK_SIZE) if isinstance(BLOCK_SIZE, int) else BLOCK_SIZE
    if _takes_score(mask_mod):
        raise AssertionError(f"create-block_mask requires a mask_mod function! Got {mask_mod}")
    return BlockMask(mask_mod, create_mask(mask_mod, B, H, Q_LEN, KV_LEN, device), size)


def flex_attention(
    query: Tensor, key: Tensor, value: Tensor, score_mod: Mod | None = None, block_mask: BlockMask | None = None,
    scale: float | None = None, enable_gqa: bool = False, return_lse: bool = False, kernel_options: Any = None, *,
    return_aux: AuxRequest | None = None,
) -> Any:  # fmt: skip
    """softmax(score_mod(query key^T scale, b, h, q, kv)) value, of (B, H, L, E), (B, Hkv, S, E) and (B, Hkv, S, Ev).

    block_mask leaves positions out; a query without any gives 0. scale: 1 / sqrt(E). enable_gqa: H may be a multiple of
    Hkv. return_aux (return_lse: the lse alone) gives more. The scores are held whole: memory grows with L times S.
    """
    if query.dim() != 4 or key.dim() != 4 or value.dim() != 4:
        raise NotImplementedError("NYI: query, key, and value must be 4D tensors")
    if query.shape[-1] != key.shape[-1]:
        raise ValueError(
            "Expect query and key/value to have the same embedding dimension but got "
            f"E={query.shape[-1]} and E={key.shape[-1]}."
        )
    heads, groups = query.shape[1], key.shape[1]
    if heads != groups and not enable_gqa:
        raise ValueError(
            f"Expect query and key/value to have the same number of heads but got Hq={heads} and Hkv={groups}. "
            "Try setting enable_gqa=True for GQA."
        )
    if heads % groups:
        raise ValueError(
            f"Expect number of query heads to be a multiple of kv heads for GQA but got Hq={heads} and Hkv={groups}."
        )
    if heads != groups:
        key, value = (ops.repeat_interleave(x, heads // groups, 1) for x in (key, value))
    scale = 1 / math.sqrt(query.shape[-1]) if scale is None else scale
    wide = float64 if query.dtype is float64 else float32
    scores = (query @ key.mT).to(wide) * scale  # type: ignore[attr-defined]
    batch, _, rows, columns = scores.shape
    if score_mod is not None:
        scores = _each(score_mod, (0,))(scores, *_indices(scores.shape, query.device))
    if block_mask is not None:
        if block_mask.seq_lengths != (rows, columns):
            lengths = block_mask.seq_lengths
            raise ValueError(
                f"block_mask was created for block_mask.shape={block_mask.shape} but got q_len={rows} and kv_len={columns}. "
                f"As the block mask was created for a {'larger' if lengths[0] > rows else 'smaller'} length than you're using "
                "it for, make a new one with create_block_mask."
            )
        scores = ops.where(block_mask._mask, scores, -math.inf)
    largest = scores.amax(-1, keepdim=True)
    largest = ops.where(ops.isneginf(largest), 0.0, largest).detach()  # type: ignore[attr-defined]
    weights = ops.exp(scores - largest)
    total = weights.sum(-1, keepdim=True)
    result = (weights / ops.where(total == 0, 1.0, total)).to(value.dtype) @ value
    if return_aux is None and not return_lse:
        return result
    lse = (largest + total.log()).squeeze(-1)
    if return_aux is None:
        return result, lse
    return result, AuxOutput(
        lse.to(float32) if return_aux.lse else None, scores.amax(-1) if return_aux.max_scores else None
    )
