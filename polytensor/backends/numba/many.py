"""Many arrays in one call: optimizer steps over all parameters at once.

A jitted function takes 60 ns for each array that it is handed, and checking it in Python costs as much again: more than
the update of a small parameter. Here compiled code reads lists of arrays where they lie. The layouts of a list and of an
array are parts of CPython's and NumPy's binary interfaces; `known` checks them against real objects before any use.
"""

from __future__ import annotations

import ctypes
import sys
import sysconfig
from functools import cache
from typing import Any

import numpy as np
from numba import carray, njit, prange

from .cache import lock_cache
from .intrinsics import pointer
from .optim import adam_numbers, adam_one, amsgrad_one, sgd_momentum_one, sgd_one
from .threads import Kernel

HEAD = object.__basicsize__  # reference count and type
TYPE = HEAD - 8
ITEMS = HEAD + 8  # of a list, after its length
DATA, RANK, LENGTHS, KIND, FLAGS = HEAD, HEAD + 8, HEAD + 16, HEAD + 40, HEAD + 48  # of an array
USABLE = 0x0001 | 0x0100 | 0x0400  # C-contiguous, aligned, writeable
BLOCK = 4096  # elements to a task

Array = Any


def _lies(a: Any) -> bool:
    """Whether the array has its parts where this module reads them; no pointer is followed before the rest fits."""
    word, number, at = ctypes.c_int64, ctypes.c_int32, id(a)
    if word.from_address(at + TYPE).value != id(np.ndarray) or word.from_address(at + KIND).value != id(a.dtype):
        return False
    if word.from_address(at + DATA).value != a.__array_interface__["data"][0]:
        return False
    if number.from_address(at + RANK).value != a.ndim:
        return False
    if number.from_address(at + FLAGS).value & USABLE != a.flags.num & USABLE:
        return False
    lengths, steps = (word.from_address(at + LENGTHS + 8 * k).value for k in range(2))
    if steps != lengths + 8 * a.ndim:  # NumPy puts them into one piece of memory
        return False
    return all(word.from_address(lengths + 8 * k).value == n for k, n in enumerate(a.shape + a.strides))


@cache
def known() -> bool:
    """Whether lists and arrays lie in memory as this module expects: on CPython of 64 bits with its lock."""
    if sys.implementation.name != "cpython" or sys.maxsize < 2**32 or sysconfig.get_config_var("Py_GIL_DISABLED"):
        return False
    if list.__basicsize__ < ITEMS + 16 or np.ndarray.__basicsize__ < FLAGS + 8:
        return False
    x = np.zeros((3, 5), np.float32)
    items = [x, x[:, 1:], np.zeros(4)[::2]]
    word = ctypes.c_int64
    count, place, room = (word.from_address(id(items) + ITEMS + 8 * k).value for k in (-1, 0, 1))
    if count != len(items) or not count <= room <= 2 * count + 8:
        return False
    return all(word.from_address(place + 8 * i).value == id(a) and _lies(a) for i, a in enumerate(items))


@njit(error_model="numpy", forceinline=True)
def word_at(address: Any) -> Any:
    return carray(pointer(address), 1, np.int64)[0]


@njit(error_model="numpy", forceinline=True)
def piece(address: Any, size: Any, like: Any) -> Any:
    """`size` elements at an address, of the dtype of `like`."""
    return carray(pointer(address), size, like.dtype)


@njit(error_model="numpy", forceinline=True)
def size_of(a: Any, array: Any, kind: Any) -> Any:
    """The elements of the object at `a`; -1 if it is not an array of that type and dtype that kernels take."""
    if word_at(a + TYPE) != array:  # a scalar has no more words
        return -1
    if word_at(a + KIND) != kind or (word_at(a + FLAGS) & USABLE) != USABLE:
        return -1
    size = 1
    for d in range(word_at(a + RANK) & 0xFFFFFFFF):
        size *= word_at(word_at(a + LENGTHS) + 8 * d)
    return size


def _plan(lists: Any, count: int, array: int, kind: int, itemsize: int) -> Any:
    """Where the arrays of some lists of `count` are (lists, count), their sizes (-1: not for a kernel), and the tasks.

    The i-th arrays of all lists must be of one size; `array` and `kind` are where their type and their dtype are. Last:
    the elements in all, and whether no two arrays of the first list share memory.
    """
    places = np.zeros((lists.size, count), np.int64)
    sizes: Any = np.empty(count, np.int64)
    tasks = 0
    for i in range(count):
        for k in range(lists.size):
            a = word_at(word_at(lists[k] + ITEMS) + 8 * i)
            size = size_of(a, array, kind)
            if k == 0:
                sizes[i] = size
            elif size != sizes[i]:
                sizes[i] = -1
            if sizes[i] < 0:
                break
            places[k, i] = word_at(a + DATA)
        tasks += (max(0, sizes[i]) + BLOCK - 1) // BLOCK
    owner, first = np.empty(tasks, np.int64), np.empty(tasks, np.int64)
    t, total = 0, 0
    for i in range(count):
        for start in range(0, sizes[i], BLOCK):
            owner[t], first[t] = i, start
            t += 1
        total += max(0, int(sizes[i]))
    apart, end = True, 0  # what is written twice has to be written in turn
    for i in np.argsort(places[0]):
        if sizes[i] > 0:
            apart = apart and places[0, i] >= end
            end = places[0, i] + sizes[i] * itemsize
    return places, sizes, owner, first, total, apart


def _sgd(places: Any, sizes: Any, owner: Any, first: Any, like: Any, lr: Any, sign: Any, decay: Any) -> None:
    for t in prange(owner.size):
        k = owner[t]
        n, at = min(BLOCK, sizes[k] - first[t]), first[t] * like.itemsize
        sgd_one(piece(places[0, k] + at, n, like), piece(places[1, k] + at, n, like), lr, sign, decay)


def _sgd_momentum(
    places: Any, sizes: Any, owner: Any, first: Any, like: Any, lr: Any, momentum: Any, keep: Any, sign: Any, decay: Any,
    nesterov: bool,
) -> None:  # fmt: skip
    for t in prange(owner.size):
        k = owner[t]
        n, at = min(BLOCK, sizes[k] - first[t]), first[t] * like.itemsize
        p, g, buf = (
            piece(places[0, k] + at, n, like),
            piece(places[1, k] + at, n, like),
            piece(places[2, k] + at, n, like),
        )
        sgd_momentum_one(p, g, buf, lr, momentum, keep, sign, decay, nesterov)


def _adam(
    places: Any, sizes: Any, owner: Any, first: Any, like: Any, sign: Any, decay: Any, shrink: Any, one1: Any, beta2: Any,
    one2: Any, scale: Any, size: Any, eps: Any,
) -> None:  # fmt: skip
    for t in prange(owner.size):
        k = owner[t]
        n, at = min(BLOCK, sizes[k] - first[t]), first[t] * like.itemsize
        p, g = piece(places[0, k] + at, n, like), piece(places[1, k] + at, n, like)
        m, v = piece(places[2, k] + at, n, like), piece(places[3, k] + at, n, like)
        adam_one(p, g, m, v, sign, decay, shrink, one1, beta2, one2, scale, size, eps)


def _amsgrad(
    places: Any, sizes: Any, owner: Any, first: Any, like: Any, sign: Any, decay: Any, shrink: Any, one1: Any, beta2: Any,
    one2: Any, scale: Any, size: Any, eps: Any,
) -> None:  # fmt: skip
    for t in prange(owner.size):
        k = owner[t]
        n, at = min(BLOCK, sizes[k] - first[t]), first[t] * like.itemsize
        p, g = piece(places[0, k] + at, n, like), piece(places[1, k] + at, n, like)
        m, v = piece(places[2, k] + at, n, like), piece(places[3, k] + at, n, like)
        amsgrad_one(
            p, g, m, v, piece(places[4, k] + at, n, like), sign, decay, shrink, one1, beta2, one2, scale, size, eps
        )


plan = lock_cache(njit(error_model="numpy", cache=True)(_plan))
sgd_kernel = Kernel(_sgd)
sgd_momentum_kernel = Kernel(_sgd_momentum)
adam_kernel = Kernel(_adam)
amsgrad_kernel = Kernel(_amsgrad)
NONE = {np.dtype(t): np.zeros(1, t) for t in ("f4", "f8")}


def _run(kernel: Kernel, cost: float, lists: list[list[Array]], numbers: tuple[Any, ...]) -> list[int]:
    """Run a kernel over lists of arrays; the numbers of those that it does not take."""
    count = len(lists[0])
    dtype = lists[0][0].dtype
    if any([len(x) != count or x.__class__ is not list for x in lists]) or not known():
        return list(range(count))
    heads = np.array([id(x) for x in lists])
    places, sizes, owner, first, total, apart = plan(heads, count, id(np.ndarray), id(dtype), dtype.itemsize)
    if not apart:
        return list(range(count))
    if owner.size:
        kernel(cost * total + 5.0 * count, places, sizes, owner, first, NONE[dtype], *numbers)
    return np.flatnonzero(sizes < 0).tolist() if sizes.min() < 0 else []


def sgd(
    params: list[Array], grads: list[Array], bufs: list[Array] | None, lr: float, momentum: float, dampening: float,
    weight_decay: float, nesterov: bool, maximize: bool, first: bool,
) -> list[int]:  # fmt: skip
    """The contract's sgd_step; the numbers of the arrays that are left."""
    if not params or params[0].dtype not in NONE:
        return list(range(len(params)))
    f = params[0].dtype.type
    sign = f(-1 if maximize else 1)
    if bufs is None:
        return _run(sgd_kernel, 0.15, [params, grads], (f(lr), sign, f(weight_decay)))
    if first:
        for buf in bufs:
            buf[...] = 0  # then momentum * buf + g is g
    numbers = (f(lr), f(momentum), f(1 if first else 1 - dampening), sign, f(weight_decay), nesterov)
    return _run(sgd_momentum_kernel, 0.25, [params, grads, bufs], numbers)


def adam(
    params: list[Array], grads: list[Array], ms: list[Array], vs: list[Array], tops: list[Array] | None, step: int,
    lr: float, beta1: float, beta2: float, eps: float, weight_decay: float, decoupled: bool, maximize: bool,
) -> list[int]:  # fmt: skip
    """The contract's adam_step; the numbers of the arrays that are left."""
    if not params or params[0].dtype not in NONE:
        return list(range(len(params)))
    rest = adam_numbers(params[0].dtype, step, lr, beta1, beta2, eps, weight_decay, decoupled, maximize)
    if tops is None:
        return _run(adam_kernel, 0.4, [params, grads, ms, vs], rest)
    return _run(amsgrad_kernel, 0.4, [params, grads, ms, vs, tops], rest)
