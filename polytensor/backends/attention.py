"""Scaled dot product attention in tiles: no array of all scores is ever made.

Forward keeps, beside the result, the logarithm of each query's sum of exponentials; backward makes the weights of a tile
anew from it. Source: Dao et al., FlashAttention, 2022 (arXiv:2205.14135).
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from math import prod
from typing import Any

Array = Any
Index = tuple[Any, ...]


def tiles(lead: tuple[int, ...], rows: int, cols: int, room: int) -> Iterator[tuple[Index, int]]:
    """(index into the leading dimensions, rows at a time) of parts whose scores, rows by cols each, fill `room`."""
    if not lead:
        yield (), min(rows, max(1, room // cols))
        return
    step = room // (prod(lead[1:]) * rows * cols)
    if step:
        for i in range(0, lead[0], step):
            yield (slice(i, i + step),), rows
    else:
        for i in range(lead[0]):
            for index, height in tiles(lead[1:], rows, cols, room):
                yield (i, *index), height


class AttentionKernels:
    """Mixed into Backend. q (*, L, E), k (*, S, E), v (*, S, Ev) with equal leading dimensions, none of them 0.

    mask: broadcasts to (*, L, S), bool (True takes part) or added; without elements: none. float16 and bfloat16 do not
    reach it: the front widens.
    """

    xp: Any
    contiguous: Any
    write: Any
    attention_room = 1 << 17  # scores in a tile: they stay in a core's cache

    def split_heads(self, x: Array, heads: int, batch: int) -> tuple[Array, Array, Array]:
        """Queries, keys and values (batch * heads, L, size) of x (L, batch, 3 * heads * size)."""
        parts = x.reshape(len(x), batch, 3, heads, x.shape[2] // (3 * heads))
        q, k, v = (
            self.contiguous(parts[:, :, i].transpose(1, 2, 0, 3)).reshape(batch * heads, len(x), parts.shape[-1])
            for i in range(3)
        )
        return q, k, v

    def join_heads(self, q: Array, k: Array, v: Array, heads: int, batch: int) -> Array:
        """split_heads undone."""
        _, length, size = q.shape
        out = self.empty((length, batch, 3, heads, size), q.dtype)  # type: ignore[attr-defined]
        for i, x in enumerate((q, k, v)):
            self.write(out[:, :, i], x.reshape(batch, heads, length, size).transpose(2, 0, 1, 3))
        return out.reshape(length, batch, 3 * heads * size)

    def attend(self, q: Array, k: Array, v: Array, mask: Array, scale: float, causal: bool) -> tuple[Array, Array]:
        """(softmax(q k' * scale + mask) v, the logarithms of the sums (*, L)). causal: query i sees keys 0 to i.

        A query whose mask lets no key through gets zeros.
        """
        out = self.empty((*q.shape[:-1], v.shape[-1]), q.dtype)  # type: ignore[attr-defined]
        logs = self.empty(q.shape[:-1], q.dtype)  # type: ignore[attr-defined]

        def work(index: Index, rows: slice, width: int, mask: Array | None) -> None:
            scores = self.xp.matmul(q[index][..., rows, :] * scale, k[index][..., :width, :].swapaxes(-1, -2))
            logs[index][..., rows] = self._weigh(scores, rows.start, mask, causal)
            self.xp.matmul(scores, v[index][..., :width, :], out=out[index][..., rows, :])

        self._each_tile(q, k, mask, causal, work)
        return out, logs

    def attend_backward(
        self, g: Array, need: Any, q: Array, k: Array, v: Array, mask: Array, out: Array, logs: Array, scale: float,
        causal: bool,
    ) -> list[Array | None]:  # fmt: skip
        """Gradients of q, k and v, given that of the result."""
        empty = self.empty  # type: ignore[attr-defined]
        dq, dk, dv = (empty(x.shape, x.dtype) if need[i] else None for i, x in enumerate((q, k, v)))
        inner = self.sum(g * out, (g.ndim - 1,), False)  # type: ignore[attr-defined]

        def work(index: Index, rows: slice, width: int, mask: Array | None) -> None:
            queries, keys = q[index][..., rows, :] * scale, k[index][..., :width, :]
            weights = self.xp.matmul(queries, keys.swapaxes(-1, -2))
            seen = g[index][..., rows, :]
            scores = self.xp.matmul(seen, v[index][..., :width, :].swapaxes(-1, -2)) if need[0] or need[1] else None
            self._weigh_back(weights, rows.start, mask, causal, logs[index][..., rows], scores, inner[index][..., rows])
            first = rows.start == 0
            if dv is not None:
                self._add_keys(dv[index], self.xp.matmul(weights.swapaxes(-1, -2), seen), width, first)
            if dk is not None:
                self._add_keys(dk[index], self.xp.matmul(scores.swapaxes(-1, -2), queries), width, first)  # type: ignore[union-attr]
            if dq is not None:
                self.xp.multiply(self.xp.matmul(scores, keys), self.scalar(scale, q.dtype), out=dq[index][..., rows, :])  # type: ignore[attr-defined]

        self._each_tile(q, k, mask, causal, work)
        return [dq, dk, dv, None]

    def _each_tile(
        self, q: Array, k: Array, mask: Array, causal: bool, work: Callable[[Index, slice, int, Array | None], None]
    ) -> None:
        """work(leading index, queries, number of keys that they see, their mask) for all tiles."""
        rows, cols = q.shape[-2], k.shape[-2]
        wide = self.xp.broadcast_to(mask, (*q.shape[:-1], cols)) if mask.size else None

        def run(part: tuple[Index, int], alone: bool = True) -> None:
            index, height = part
            for a in range(0, rows, height):
                b = min(rows, a + height)
                width = min(cols, b) if causal else cols
                work(index, slice(a, b), width, None if wide is None else wide[index][..., a:b, :])

        parts = list(tiles(q.shape[:-2], rows, cols, self.attention_room))
        self._run_tiles(parts, run, 2 * q.size * cols, q.size // q.shape[-1] * cols)

    def _run_tiles(self, parts: list[tuple[Index, int]], run: Callable[..., None], products: int, scores: int) -> None:
        """run(part) for all parts, which write to different places."""
        for part in parts:
            run(part)

    def _mask_scores(self, scores: Array, start: int, mask: Array | None, causal: bool) -> Array | None:
        """Mask scores in place; their first query is number `start`. Which queries have no key (*, rows, 1), or None."""
        xp = self.xp
        if causal and start + 1 < scores.shape[-1]:
            late = xp.arange(scores.shape[-1]) > xp.arange(start, start + scores.shape[-2])[:, None]
            xp.copyto(scores, -xp.inf, where=late)
        if mask is None:
            return None
        if mask.dtype.kind == "b":
            xp.copyto(scores, -xp.inf, where=~mask)
            dead = ~mask.any(-1, keepdims=True)
        else:
            scores += mask
            dead = mask.max(-1, keepdims=True) == -xp.inf
        return dead if self.may_hold(dead) else None

    def _weigh(self, scores: Array, start: int, mask: Array | None, causal: bool) -> Array:
        """Mask, and softmax of each row in place. Returns the logarithms of the sums of exponentials."""
        dead = self._mask_scores(scores, start, mask, causal)
        top = scores.max(-1, keepdims=True)
        if dead is not None:
            top[dead] = 0
        scores -= top
        self.xp.exp(scores, out=scores)
        whole = scores.sum(-1, keepdims=True)
        if dead is not None:
            whole[dead] = 1
        scores /= whole
        return (top + self.xp.log(whole))[..., 0]

    def _weigh_back(
        self, weights: Array, start: int, mask: Array | None, causal: bool, logs: Array, scores: Array | None, inner: Array
    ) -> None:  # fmt: skip
        """Scores to weights in place, and gradients of weights (in `scores`) to gradients of scores."""
        self._mask_scores(weights, start, mask, causal)
        weights -= logs[..., None]
        self.xp.exp(weights, out=weights)
        if scores is not None:
            scores -= inner[..., None]
            scores *= weights

    def _add_keys(self, total: Array, part: Array, width: int, first: bool) -> None:
        if first:
            total[..., :width, :] = part
            total[..., width:, :] = 0
        else:
            total[..., :width, :] += part
