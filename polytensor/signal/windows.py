"""Window functions of M points: symmetric (sym=True) or periodic. Source: torch.signal.windows.

Each takes dtype (floating), layout, device and requires_grad besides its own parameters, and raises ValueError for a
negative M, a sparse layout or another dtype.
"""

from __future__ import annotations

from math import pi
from typing import Any

from .. import dtypes
from ..layouts import strided
from ..ops import arange, empty, i0, linspace, tensor

__all__ = [
    "bartlett", "blackman", "cosine", "exponential", "gaussian", "general_cosine", "general_hamming", "hamming", "hann",
    "kaiser", "nuttall",
]  # fmt: skip


def _window(formula: Any) -> Any:
    """A public function: checks, the trivial lengths, then formula(M, sym, options, *parameters)."""
    name = formula.__name__

    def window(
        M: int, *args: Any, sym: bool = True, dtype: Any = None, layout: Any = strided, device: Any = None,
        requires_grad: bool = False, **kwargs: Any,
    ) -> Any:  # fmt: skip
        dtype = dtypes.get_default_dtype() if dtype is None else dtype
        if M < 0:
            raise ValueError(f"{name} requires non-negative window length, got M={M}")
        if layout is not strided:
            raise ValueError(f"{name} is implemented for strided tensors only, got: {layout}")
        if not dtype.is_floating_point or dtype.itemsize == 2:
            raise ValueError(f"{name} expects float32 or float64 dtypes, got: {dtype}")
        options = {"dtype": dtype, "device": device}
        r = formula(max(M, 1), sym, options, *args, **kwargs)
        r = r if M else empty((0,), **options)
        return r.requires_grad_() if requires_grad else r

    window.__name__, window.__doc__ = name, formula.__doc__
    return window


def _angles(M: int, sym: bool, options: Any, top: float) -> Any:
    """M points from 0 on, in steps of top / (M - 1), or of top / M for a periodic window."""
    step = top / (M - 1 if sym and M > 1 else M if not sym else 1)
    return arange(M, **options) * step


def _middle(M: int, sym: bool) -> float:
    """Of M points (a periodic window is one point short)."""
    return (M if not sym and M > 1 else M - 1) / 2


@_window
def bartlett(M: int, sym: bool, options: Any) -> Any:
    """A triangle: 1 - |2 n / (M - 1) - 1|."""
    if M == 1:
        return tensor([1.0], **options)
    return 1 - (_angles(M, sym, options, 2.0) - 1).abs()


@_window
def cosine(M: int, sym: bool, options: Any) -> Any:
    """sin(pi (n + 1/2) / M)."""
    start, step = 0.5, pi / (M + 1 if not sym and M > 1 else M)
    return ((arange(M, **options) + start) * step).sin()


@_window
def exponential(M: int, sym: bool, options: Any, *, center: float | None = None, tau: float = 1.0) -> Any:
    """exp(-|n - center| / tau)."""
    if tau <= 0:
        raise ValueError(f"Tau must be positive, got: {tau} instead.")
    if sym and center is not None:
        raise ValueError("Center must be None for symmetric windows")
    center = _middle(M, sym) if center is None else center
    return (-(arange(M, **options) - center).abs() / tau).exp()


@_window
def gaussian(M: int, sym: bool, options: Any, *, std: float = 1.0) -> Any:
    """exp(-(n / std)^2 / 2) around the middle."""
    if std <= 0:
        raise ValueError(f"Standard deviation must be positive, got: {std} instead.")
    return (-(((arange(M, **options) - _middle(M, sym)) * (1 / (std * 2**0.5))) ** 2)).exp()


def _cosines(M: int, sym: bool, options: Any, a: Any) -> Any:
    if M == 1:
        return tensor([1.0], **options)
    if not isinstance(a, (list, tuple)):
        raise TypeError("Coefficients must be a list/tuple")
    if not a:
        raise ValueError("Coefficients cannot be empty")
    x = _angles(M, sym, options, 2 * pi)
    r = a[0] + 0 * x
    for k, c in enumerate(a[1:], 1):
        r = r + (-1) ** k * c * (k * x).cos()
    return r


@_window
def general_cosine(M: int, sym: bool, options: Any, a: Any) -> Any:
    """A sum of cosines with the coefficients `a`, whose signs alternate."""
    return _cosines(M, sym, options, a)


@_window
def general_hamming(M: int, sym: bool, options: Any, *, alpha: float = 0.54) -> Any:
    """alpha - (1 - alpha) cos(2 pi n / (M - 1))."""
    return _cosines(M, sym, options, [alpha, 1.0 - alpha])


@_window
def hamming(M: int, sym: bool, options: Any) -> Any:
    """general_hamming with alpha = 0.54."""
    return _cosines(M, sym, options, [0.54, 1 - 0.54])


@_window
def hann(M: int, sym: bool, options: Any) -> Any:
    """general_hamming with alpha = 0.5."""
    return _cosines(M, sym, options, [0.5, 0.5])


@_window
def blackman(M: int, sym: bool, options: Any) -> Any:
    """Three cosines: 0.42, 0.5, 0.08."""
    return _cosines(M, sym, options, [0.42, 0.5, 0.08])


@_window
def nuttall(M: int, sym: bool, options: Any) -> Any:
    """Four cosines, for the lowest side lobes (Nuttall, 1981)."""
    return _cosines(M, sym, options, [0.3635819, 0.4891775, 0.1365995, 0.0106411])


@_window
def kaiser(M: int, sym: bool, options: Any, *, beta: float = 12.0) -> Any:
    """I0(beta sqrt(1 - ((2 n - (M - 1)) / (M - 1))^2)) / I0(beta)."""
    if beta < 0:
        raise ValueError(f"beta must be non-negative, got: {beta} instead.")
    if M == 1:
        return tensor([1.0], **options)
    n = M if not sym else M - 1
    end = beta * (1 if sym else (M - 2) / M)
    k = linspace(-beta, end, M, **options) if n else tensor([0.0], **options)
    return i0((beta * beta - k * k).clamp(min=0).sqrt()) / i0(tensor(beta, **options))
