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


def _window(name: str, formula: Any) -> Any:
    """A public function: checks, the trivial lengths, then formula(M, sym, options, *parameters)."""

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

    window.__name__ = name
    window.__doc__ = formula.__doc__
    return window


def _angles(M: int, sym: bool, options: Any, top: float) -> Any:
    """M points from 0 on, in steps of top / (M - 1), or of top / M for a periodic window."""
    step = top / (M - 1 if sym and M > 1 else M if not sym else 1)
    return arange(M, **options) * step


def _centred(M: int, sym: bool, options: Any, scale: float = 1.0) -> Any:
    """M points in steps of `scale`, around 0 (a periodic window is one point short)."""
    middle = (M if not sym and M > 1 else M - 1) / 2
    return (arange(M, **options) - middle) * scale


def _bartlett(M: int, sym: bool, options: Any) -> Any:
    """A triangle: 1 - |2 n / (M - 1) - 1|."""
    if M == 1:
        return tensor([1.0], **options)
    return 1 - (_angles(M, sym, options, 2.0) - 1).abs()


def _cosine(M: int, sym: bool, options: Any) -> Any:
    """sin(pi (n + 1/2) / M)."""
    start, step = 0.5, pi / (M + 1 if not sym and M > 1 else M)
    return ((arange(M, **options) + start) * step).sin()


def _exponential(M: int, sym: bool, options: Any, *, center: float | None = None, tau: float = 1.0) -> Any:
    """exp(-|n - center| / tau)."""
    if tau <= 0:
        raise ValueError(f"Tau must be positive, got: {tau} instead.")
    if sym and center is not None:
        raise ValueError("Center must be None for symmetric windows")
    if center is None:
        center = (M if not sym and M > 1 else M - 1) / 2
    return (-(arange(M, **options) - center).abs() / tau).exp()


def _gaussian(M: int, sym: bool, options: Any, *, std: float = 1.0) -> Any:
    """exp(-(n / std)^2 / 2) around the middle."""
    if std <= 0:
        raise ValueError(f"Standard deviation must be positive, got: {std} instead.")
    return (-(_centred(M, sym, options, 1 / (std * 2**0.5)) ** 2)).exp()


def _general_cosine(M: int, sym: bool, options: Any, a: Any) -> Any:
    """A sum of cosines with the coefficients `a`, whose signs alternate."""
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


def _general_hamming(M: int, sym: bool, options: Any, *, alpha: float = 0.54) -> Any:
    """alpha - (1 - alpha) cos(2 pi n / (M - 1))."""
    return _general_cosine(M, sym, options, [alpha, 1.0 - alpha])


def _hamming(M: int, sym: bool, options: Any) -> Any:
    """general_hamming with alpha = 0.54."""
    return _general_hamming(M, sym, options)


def _hann(M: int, sym: bool, options: Any) -> Any:
    """general_hamming with alpha = 0.5."""
    return _general_hamming(M, sym, options, alpha=0.5)


def _blackman(M: int, sym: bool, options: Any) -> Any:
    """Three cosines: 0.42, 0.5, 0.08."""
    return _general_cosine(M, sym, options, [0.42, 0.5, 0.08])


def _nuttall(M: int, sym: bool, options: Any) -> Any:
    """Four cosines, for the lowest side lobes (Nuttall, 1981)."""
    return _general_cosine(M, sym, options, [0.3635819, 0.4891775, 0.1365995, 0.0106411])


def _kaiser(M: int, sym: bool, options: Any, *, beta: float = 12.0) -> Any:
    """I0(beta sqrt(1 - ((2 n - (M - 1)) / (M - 1))^2)) / I0(beta)."""
    if beta < 0:
        raise ValueError(f"beta must be non-negative, got: {beta} instead.")
    if M == 1:
        return tensor([1.0], **options)
    n = M if not sym else M - 1
    end = beta * (1 if sym else (M - 2) / M)
    k = linspace(-beta, end, M, **options) if n else tensor([0.0], **options)
    return i0((beta * beta - k * k).clamp(min=0).sqrt()) / i0(tensor(beta, **options))


bartlett = _window("bartlett", _bartlett)
blackman = _window("blackman", _blackman)
cosine = _window("cosine", _cosine)
exponential = _window("exponential", _exponential)
gaussian = _window("gaussian", _gaussian)
general_cosine = _window("general_cosine", _general_cosine)
general_hamming = _window("general_hamming", _general_hamming)
hamming = _window("hamming", _hamming)
hann = _window("hann", _hann)
kaiser = _window("kaiser", _kaiser)
nuttall = _window("nuttall", _nuttall)
