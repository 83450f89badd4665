"""Optimizer steps over many arrays in one launch: blocks find their pieces through tables of addresses on the device."""

from __future__ import annotations

from collections import OrderedDict
from math import log
from threading import Lock
from typing import Any

import numpy as np

from . import launch
from .rows import CTYPE, FLOATS, ROWS, wide

Array = Any

CHUNK = 4096  # elements to a block
TABLES = 64  # kept

MANY = (
    ROWS
    + r"""
// f on the elements [first, first + size) of N arrays, 16 bytes at a time where all of them are aligned. Array 1 (the
// gradient) is only read. f takes one element of each.
template <typename T, int N, int V, typename F>
__device__ __forceinline__ void packs(T* const (&at)[N], i64 begin, i64 end, F f) {
    typedef acc_t<T> A;
    for (i64 i = begin + (i64)threadIdx.x * V; i < end; i += (i64)blockDim.x * V) {
        A v[N][V];
        #pragma unroll
        for (int a = 0; a < N; ++a) get<T, V>(at[a] + i, v[a]);
        #pragma unroll
        for (int j = 0; j < V; ++j) {
            A e[N];
            #pragma unroll
            for (int a = 0; a < N; ++a) e[a] = v[a][j];
            f(e);
            #pragma unroll
            for (int a = 0; a < N; ++a) v[a][j] = e[a];
        }
        #pragma unroll
        for (int a = 0; a < N; ++a) if (a != 1) put<T, V>(at[a] + i, v[a]);
    }
}
// places: the addresses of the first arrays of all lists, and of the second ones, ...: `count` for each list. chunks: (number
// of the array, first element, size) each. make(number of the array) gives what is done with an element of each list.
template <typename T, int N, typename F>
__device__ __forceinline__ void each_chunk(T* const* places, const i64* chunks, i64 tasks, i64 count, F make) {
    const int wide = 16 / sizeof(T);
    for (i64 t = blockIdx.x; t < tasks; t += gridDim.x) {
        i64 k = chunks[3 * t], first = chunks[3 * t + 1], size = chunks[3 * t + 2], whole = 0;
        auto f = make(k);
        T* at[N];
        bool fits = true;
        #pragma unroll
        for (int a = 0; a < N; ++a) {
            at[a] = places[a * count + k] + first;
            IN_GLOBAL(at[a]);
            fits = fits && aligned16(at[a]);
        }
        if (fits) {
            whole = size / wide * wide;
            packs<T, N, wide>(at, 0, whole, f);
        }
        packs<T, N, 1>(at, whole, size, f);
    }
}
"""
)

SGD_MANY = r"""
// Here and below: nothing changes where `checked` and *found is not 0.
template <typename T>
__global__ void sgd_many(T* const* places, const i64* chunks, i64 tasks, i64 count, acc_t<T> lr, acc_t<T> sign,
                         acc_t<T> decay, const float* found, bool checked) {
    typedef acc_t<T> A;
    if (checked && *found != 0) return;
    each_chunk<T, 2>(places, chunks, tasks, count, [=](i64) { return [=](A (&e)[2]) {
        A d = sign * e[1];
        if (decay != 0) d += decay * e[0];  // 0 * inf would be NaN
        e[0] -= lr * d;
    }; });
}
"""

SGD_MOMENTUM_MANY = r"""
// buf = momentum * buf + keep * d, or d on the `first` step; p -= lr * (d + momentum * buf with nesterov, else buf).
template <typename T>
__global__ void sgd_momentum_many(T* const* places, const i64* chunks, i64 tasks, i64 count, acc_t<T> lr, acc_t<T> sign,
                                  acc_t<T> decay, acc_t<T> momentum, acc_t<T> keep, bool nesterov, bool first,
                                  const float* found, bool checked) {
    typedef acc_t<T> A;
    if (checked && *found != 0) return;
    each_chunk<T, 3>(places, chunks, tasks, count, [=](i64) { return [=](A (&e)[3]) {
        A d = sign * e[1];
        if (decay != 0) d += decay * e[0];
        e[2] = first ? d : momentum * e[2] + keep * d;
        e[0] -= lr * (nesterov ? d + momentum * e[2] : e[2]);
    }; });
}
"""

ADAM_MANY = r"""
// The bias corrections come in as `scale` (of the root) and `size` (of the step): one root, one division. They and `shrink`
// may lie on the device for each array (own). With N = 5 the root is that of the largest second moment so far (AMSGrad).
template <typename T, int N>
__global__ void adam_many(T* const* places, const i64* chunks, i64 tasks, i64 count, acc_t<T> sign, acc_t<T> decay,
                          acc_t<T> one1, acc_t<T> beta2, acc_t<T> one2, acc_t<T> eps, acc_t<T> shrink0, acc_t<T> scale0,
                          acc_t<T> size0, const acc_t<T>* own, bool owned, const float* found, bool checked) {
    typedef acc_t<T> A;
    if (checked && *found != 0) return;
    each_chunk<T, N>(places, chunks, tasks, count, [=](i64 k) {
        A shrink = owned ? own[3 * k] : shrink0, scale = owned ? own[3 * k + 1] : scale0;
        A size = owned ? own[3 * k + 2] : size0;
        return [=](A (&e)[N]) {
            A d = sign * e[1];
            if (decay != 0) d += decay * e[0];
            e[2] += one1 * (d - e[2]);
            e[3] = beta2 * e[3] + one2 * (d * d);
            A square = e[3];
            if constexpr (N == 5) {
                if (square > e[4] || square != square) e[4] = square;
                square = e[4];
            }
            e[0] = e[0] * shrink - size * (e[2] / (sqrt(square) * scale + eps));
        };
    });
}
"""

ADAM_COUNT = r"""
// Raise the counters of steps, and leave shrink, scale and size of adam_many for each of them. log1, log2: the logarithms
// of the betas; 1 - beta^t is made of them without the digits that the difference would lose.
template <typename S, typename A>
__global__ void adam_count(S* const* steps, A* own, i64 count, double lr, const double* rate, bool rated, double log1,
                           double log2, double decay, const float* found, bool checked) {
    if (checked && *found != 0) return;
    #pragma unroll 1
    for (i64 k = blockIdx.x * (i64)blockDim.x + threadIdx.x; k < count; k += (i64)gridDim.x * blockDim.x) {
        S t = *steps[k] + 1;
        *steps[k] = t;
        double by = rated ? *rate : lr;
        own[3 * k] = (A)(1 - by * decay);
        own[3 * k + 1] = (A)(1 / sqrt(-expm1(t * log2)));
        own[3 * k + 2] = (A)(by / -expm1(t * log1));
    }
}
"""

UPDATE_SCALE = r"""
__global__ void update_scale(float* scale, int* tracker, const float* found, double growth, double backoff, int interval) {
    if (*found != 0) {
        *scale = (float)(*scale * backoff);
        *tracker = 0;
    } else if (*tracker + 1 == interval) {
        float grown = (float)(*scale * growth);
        if (grown - grown == 0) *scale = grown;
        *tracker = 0;
    } else {
        *tracker += 1;
    }
}
"""

launch.register("update_scale", UPDATE_SCALE, [()])
launch.register("sgd_many", MANY + SGD_MANY, [(c,) for c in FLOATS])
launch.register("sgd_momentum_many", MANY + SGD_MOMENTUM_MANY, [(c,) for c in FLOATS])
launch.register("adam_count", ADAM_COUNT, [(c, d) for c in ("float", "double") for d in ("float", "double")])
launch.register("adam_many", MANY + ADAM_MANY, [(c, n) for c in FLOATS for n in ("4", "5")])


def numbers(dtype: Any, *values: float) -> tuple[Any, ...]:
    """Values as what arrays of a dtype are computed in."""
    kind = launch.floats(dtype)
    return tuple([kind[v] for v in values])


def apart(places: list[int], sizes: list[int], itemsize: int) -> bool:
    """Whether no two arrays share memory: what is written twice has to be written in turn."""
    end = 0
    for start, n in sorted(zip(places, sizes, strict=True)):
        if start < end:
            return False
        end = start + n * itemsize
    return True


class Tables:
    """Small arrays of the device, by the stream that made them and what they hold; the ones used last are kept."""

    def __init__(self) -> None:
        self.kept: OrderedDict[Any, Any] = OrderedDict()
        self.lock = Lock()
        self.graph: list[Any] | None = None  # what a graph that is being captured keeps alive

    def find(self, key: Any, make: Any) -> Any:
        with self.lock:
            found = self.kept.get(key)
            if found is None:
                found = self.kept[key] = make()
                if len(self.kept) > TABLES:
                    self.kept.popitem(last=False)
            else:
                self.kept.move_to_end(key)
            if self.graph is not None:
                self.graph.append(found)
            return found


def chunks_of(sizes: tuple[int, ...]) -> Any:
    """(number of the array, first element, size) of each piece, as int64."""
    pieces = [(i, first, min(CHUNK, n - first)) for i, n in enumerate(sizes) for first in range(0, n, CHUNK)]
    return np.array(pieces, np.int64).reshape(-1, 3)


class CudaOptim:
    """Mixed into CupyBackend."""

    xp: Any
    empty: Any
    is_dense: Any
    _place: Any

    def _sorted_out(self, lists: list[list[Array]]) -> tuple[dict[Any, list[int]], list[int]]:
        """The numbers of the arrays that a kernel takes, by dtype, and those of the others."""
        fine: dict[Any, list[int]] = {}
        rest = []
        for i, parts in enumerate(zip(*lists, strict=True)):
            p = parts[0]
            dtype, shape, strides = p.dtype, p.shape, p.strides
            if not p.size:
                continue
            like = all([a.dtype == dtype and a.shape == shape and a.strides == strides for a in parts[1:]])
            if like and CTYPE.get(dtype) in FLOATS and (p.flags.c_contiguous or self.is_dense(p)):
                fine.setdefault(dtype, []).append(i)
            else:
                rest.append(i)
        return fine, rest

    def _many(self, name: str, more: tuple[str, ...], lists: list[list[Array]], args: Any) -> list[int]:
        """Run a kernel over lists of arrays; args(dtype, members): its numbers. Those of the arrays that it does not take."""
        fine, rest = self._sorted_out(lists)
        tables = self._small_tables()
        for dtype, members in fine.items():
            sizes = tuple([lists[0][i].size for i in members])
            at = tuple([part[i].data.ptr for part in lists for i in members])
            count, place = len(members), self._place()
            ok = tables.find((at[:count], sizes, dtype), lambda: [apart(list(at[:count]), list(sizes), dtype.itemsize)])  # noqa: B023
            if not ok[0]:
                rest += members
                continue
            places = self._addresses(at)
            chunks = tables.find((place, sizes), lambda sizes=sizes: self.xp.asarray(chunks_of(sizes)))
            tasks = len(chunks)
            launch.kernel(name, CTYPE[dtype], *more)(
                (min(tasks, 65535),), (256,), (places, chunks, *launch.i64(tasks, count), *args(dtype, members))
            )
        return rest

    def _small_tables(self) -> Tables:
        found: Tables = self.__dict__.setdefault("_tables", Tables())
        return found

    def _addresses(self, at: tuple[int, ...]) -> Array:
        """Addresses as an array of the device."""
        key = (self._place(), "at", at)
        return self._small_tables().find(key, lambda: self.xp.asarray(np.array(at, np.uint64)))

    def _checked(self, found: Array | None) -> tuple[Array, Any]:
        """The arguments `found` and `checked` of a kernel."""
        return (self.empty((), np.float32) if found is None else found), launch.BOOL[found is not None]

    def update_scale(
        self: Any, scale: Array, tracker: Array, found: Array, growth: float, backoff: float, interval: int
    ) -> None:
        numbers = launch.F64[growth], launch.F64[backoff], launch.I32[interval]
        launch.kernel("update_scale")((1,), (1,), (scale, tracker, found, *numbers))

    def sgd_step(self, *args: Any) -> None:
        self.sgd_step_unless(None, *args)

    def sgd_step_unless(
        self: Any, found: Array | None, params: list[Array], grads: list[Array], bufs: Any, lr: float, momentum: float,
        dampening: float, weight_decay: float, nesterov: bool, maximize: bool, first: bool,
    ) -> None:  # fmt: skip
        checked = self._checked(found)
        sign, more = -1 if maximize else 1, (launch.BOOL[nesterov], launch.BOOL[first])
        if bufs is None:
            values: tuple[Any, ...] = (lr, sign, weight_decay)
            rest = self._many("sgd_many", (), [params, grads], lambda d, _: (*numbers(d, *values), *checked))
        else:
            values = (lr, sign, weight_decay, momentum, 1 - dampening)
            rest = self._many(
                "sgd_momentum_many", (), [params, grads, bufs], lambda d, _: (*numbers(d, *values), *more, *checked)
            )
        for i in rest:
            buf = None if bufs is None else [bufs[i]]
            with self.unless(found, [params[i], *(buf or ())]):
                super().sgd_step(  # type: ignore[misc]
                    [params[i]], [grads[i]], buf, lr, momentum, dampening, weight_decay, nesterov, maximize, first
                )

    def adam_step(
        self, params: list[Array], grads: list[Array], ms: list[Array], vs: list[Array], vmaxs: list[Array] | None,
        step: int, lr: float, beta1: float, beta2: float, eps: float, weight_decay: float, decoupled: bool,
        maximize: bool,
    ) -> None:  # fmt: skip
        values = (
            -1 if maximize else 1, 0 if decoupled else weight_decay, 1 - beta1, beta2, 1 - beta2, eps,
            1 - lr * weight_decay if decoupled else 1, 1 / (1 - beta2**step) ** 0.5, lr / (1 - beta1**step),
        )  # fmt: skip
        lists = [params, grads, ms, vs] + ([] if vmaxs is None else [vmaxs])

        def args(dtype: Any, members: list[int]) -> tuple[Any, ...]:
            given = numbers(dtype, *values)
            return (
                *given,
                self.empty(0, wide(dtype)),
                launch.BOOL[False],
                *self._checked(None),
            )

        for i in self._many("adam_many", (str(len(lists)),), lists, args):
            super().adam_step(  # type: ignore[misc]
                [params[i]], [grads[i]], [ms[i]], [vs[i]], None if vmaxs is None else [vmaxs[i]], step, lr, beta1, beta2, eps,
                weight_decay, decoupled, maximize,
            )  # fmt: skip

    def adam_step_on_device(
        self: Any, params: list[Array], grads: list[Array], ms: list[Array], vs: list[Array], vmaxs: list[Array] | None,
        steps: list[Array], lr: Any, beta1: float, beta2: float, eps: float, weight_decay: float, decoupled: bool,
        maximize: bool, found: Array | None = None,
    ) -> None:  # fmt: skip
        lists, checked = [params, grads, ms, vs] + ([] if vmaxs is None else [vmaxs]), self._checked(found)
        kinds = {s.dtype for s in steps}
        step_type = CTYPE.get(kinds.pop()) if len(kinds) == 1 else None
        rate = lr.astype(np.float64) if hasattr(lr, "dtype") else self.empty(0, np.float64)
        rest = list(range(len(params)))
        if step_type in ("float", "double") and (not hasattr(lr, "dtype") or lr.size == 1):
            logs = [launch.F64[log(b) if b else -np.inf] for b in (beta1, beta2)]
            decay = launch.F64[weight_decay if decoupled else 0]
            common = (
                -1 if maximize else 1,
                0 if decoupled else weight_decay,
                1 - beta1,
                beta2,
                1 - beta2,
                eps,
                1,
                1,
                1,
            )

            def args(dtype: Any, members: list[int]) -> tuple[Any, ...]:
                given, count = numbers(dtype, *common), len(members)
                own, kind = self.empty(3 * count, wide(dtype)), "double" if dtype == np.float64 else "float"
                at = self._addresses(tuple([steps[i].data.ptr for i in members]))
                by = (launch.F64[lr if rate.size == 0 else 0], rate, launch.BOOL[rate.size > 0])
                launch.kernel("adam_count", step_type, kind).over(
                    count, (at, own, *launch.i64(count), *by, *logs, decay, *checked)
                )
                return (*given, own, launch.BOOL[True], *checked)

            rest = self._many("adam_many", (str(len(lists)),), lists, args)
            rest += [i for i, p in enumerate(params) if not p.size]  # their counters
        for i in rest:
            super().adam_step_on_device(  # type: ignore[misc]
                [params[i]], [grads[i]], [ms[i]], [vs[i]], None if vmaxs is None else [vmaxs[i]], [steps[i]], lr, beta1,
                beta2, eps, weight_decay, decoupled, maximize, found,
            )  # fmt: skip
