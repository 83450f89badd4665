"""How many operations kernels take, by the shapes of their arrays: what the profiler and FlopCounterMode count."""

from __future__ import annotations

import threading
from collections.abc import Callable
from functools import wraps
from math import prod
from typing import Any

__all__ = ["PRODUCTS", "around", "flops", "name_of"]

# kernel -> PyTorch's name for it
PRODUCTS = {
    "matmul": "mm", "bmm": "bmm", "linear_plain": "mm", "linear_bias": "addmm", "addmm": "addmm", "baddbmm": "baddbmm",
    "attend": "bmm", **dict.fromkeys(("conv2d", "conv2d_", "convnd", "convnd_"), "convolution"),
    **{f"conv{n}_grad_{x}": "convolution_backward" for n in ("2d", "nd") for x in ("input", "weight")},
}  # fmt: skip


def flops(kernel: str, args: Any, result: Any) -> int:
    """Multiplications and additions of a product or convolution; elements of `add` and `mul`; 0 for other kernels."""
    if kernel in ("add", "mul", "mul_number"):
        return int(getattr(args[0], "size", 1))
    name = PRODUCTS.get(kernel, "")
    if kernel == "attend":
        q, k, v = args[:3]
        return int(2 * prod(q.shape[:-1]) * k.shape[-2] * (q.shape[-1] + v.shape[-1]))
    if name == "convolution":
        return int(2 * result.size * prod(args[1].shape[1:]))
    if name == "convolution_backward":
        w = args[2] if kernel.endswith("weight") else args[1].shape
        return int(2 * args[0].size * prod(w[1:]))
    if not name:
        return 0
    return int(2 * result.size * args["add" in name or kernel == "linear_bias"].shape[-1])


def name_of(kernel: str, args: Any, forward: bool) -> str:
    """PyTorch's name of a product: a transposed convolution runs the kernel of another's gradient."""
    name = PRODUCTS[kernel]
    if name == "mm" and kernel == "matmul" and min(x.ndim for x in args[:2]) > 2:
        return "bmm"
    return name if name[:4] != "conv" else "convolution" if forward else "convolution_backward"


class _Depth(threading.local):
    n = 0


def around(
    backend: Any, names: Any, done: Callable[..., None], begin: Callable[[], Any] = lambda: None
) -> Callable[[], None]:
    """Put a kernel in the place of each of `names` that calls begin() before, and done(name, what begin() gave, args, result,
    whether no kernel of them called it) after; gives the function that puts the old ones back.
    """  # fmt: skip
    own, depth = dict(backend.__dict__), _Depth()

    def watched(name: str, kernel: Callable[..., Any]) -> Callable[..., Any]:
        @wraps(kernel)
        def call(*args: Any, **kwargs: Any) -> Any:
            result, start = None, begin()
            depth.n += 1
            try:
                result = kernel(*args, **kwargs)
            finally:
                depth.n -= 1
                done(name, start, args, result, not depth.n)
            return result

        return call

    names = [name for name in names if hasattr(backend, name)]
    for name in names:
        setattr(backend, name, watched(name, getattr(backend, name)))

    def restore() -> None:
        for name in names:
            if name in own:
                setattr(backend, name, own[name])
            else:
                delattr(backend, name)

    return restore
