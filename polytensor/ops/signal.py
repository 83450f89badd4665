"""Windows and the short-time Fourier transform. Source: torch."""

from __future__ import annotations

import warnings
from math import pi
from typing import Any

from .. import dtypes
from ..layouts import strided
from ..tensor import Tensor
from . import pointwise as pw
from .complexes import view_as_real
from .creation import arange, empty, ones, zeros
from .fft import fft, ifft, irfft, rfft
from .padding import pad
from .special import i0
from .table import attach, check_tensor

__all__ = ["bartlett_window", "blackman_window", "hamming_window", "hann_window", "istft", "kaiser_window", "stft"]


# ---- windows -------------------------------------------------------------------------------------------------------------
def _window(
    op: str, length: int, periodic: bool, shape: Any, dtype: Any, layout: Any, device: Any, grad: Any
) -> Tensor:
    """shape(points, N) over the points 0 .. N - 1, N being one more (and dropped) where periodic."""
    d = dtypes.get_default_dtype() if dtype is None else dtypes.of(dtype, op)
    if layout not in (None, strided):
        raise RuntimeError(f"{op} is not implemented for sparse types, got: {layout}")
    if d.category != dtypes.FLOAT:
        raise RuntimeError(f"{op} expects floating point dtypes, got: {d}")
    if length < 0:
        raise RuntimeError(f"{op} requires non-negative window_length, got window_length={length}")
    if length == 0:
        w = empty(0, dtype=d, device=device)
    elif length == 1:
        w = ones(1, dtype=d, device=device)
    else:
        n = length + bool(periodic)
        w = shape(arange(n, dtype=d, device=device), n)
        w = w[:-1].clone() if periodic else w
    return w.requires_grad_() if grad else w  # type: ignore[no-any-return]


def _cosines(a: float, b: float) -> Any:
    return lambda x, n: x.mul(2 * pi / (n - 1)).cos().mul(-b).add(a)


def hann_window(
    window_length: int, periodic: bool = True, *, dtype: Any = None, layout: Any = None, device: Any = None,
    pin_memory: bool = False, requires_grad: bool = False,
) -> Tensor:  # fmt: skip
    """Raised cosine. Source: torch.hann_window."""
    shape = _cosines(0.5, 0.5)
    return _window("hann_window", window_length, periodic, shape, dtype, layout, device, requires_grad)


def hamming_window(
    window_length: int, periodic: bool = True, alpha: float = 0.54, beta: float = 0.46, *, dtype: Any = None,
    layout: Any = None, device: Any = None, pin_memory: bool = False, requires_grad: bool = False,
) -> Tensor:  # fmt: skip
    """alpha - beta * cos. Source: torch.hamming_window."""
    shape = _cosines(alpha, beta)
    return _window("hamming_window", window_length, periodic, shape, dtype, layout, device, requires_grad)


def blackman_window(
    window_length: int, periodic: bool = True, *, dtype: Any = None, layout: Any = None, device: Any = None,
    pin_memory: bool = False, requires_grad: bool = False,
) -> Tensor:  # fmt: skip
    """A sum of two cosines. Source: torch.blackman_window."""

    def shape(x: Any, n: int) -> Any:
        x = x.mul(pi / (n - 1))
        return x.mul(4).cos().mul(0.08) - x.mul(2).cos().mul(0.5) + 0.42

    return _window("blackman_window", window_length, periodic, shape, dtype, layout, device, requires_grad)


def bartlett_window(
    window_length: int, periodic: bool = True, *, dtype: Any = None, layout: Any = None, device: Any = None,
    pin_memory: bool = False, requires_grad: bool = False,
) -> Tensor:  # fmt: skip
    """A triangle from 0 to 1 and back. Source: torch.bartlett_window."""

    def shape(x: Any, n: int) -> Any:
        x = x.mul(2 / (n - 1))
        return pw.where(x <= 1, x, 2 - x)

    return _window("bartlett_window", window_length, periodic, shape, dtype, layout, device, requires_grad)


def kaiser_window(
    window_length: int, periodic: bool = True, beta: float = 12.0, *, dtype: Any = None, layout: Any = None,
    device: Any = None, pin_memory: bool = False, requires_grad: bool = False,
) -> Tensor:  # fmt: skip
    """A ratio of Bessel functions; `beta` makes it narrower. Source: torch.kaiser_window."""

    def shape(x: Any, n: int) -> Any:
        x = x.mul(2 * beta / (n - 1)).sub(beta)
        return i0((beta * beta - x.square()).clamp(min=0).sqrt()) / i0(x.new_full((), beta))

    return _window("kaiser_window", window_length, periodic, shape, dtype, layout, device, requires_grad)


# ---- short-time Fourier transform ---------------------------------------------------------------------------------------
def _framing(op: str, n_fft: int, hop_length: Any, win_length: Any, window: Any, like: Any) -> tuple[int, int, Any]:
    """(hop, window length, the window of n_fft values or None for all 1)."""
    hop = n_fft // 4 if hop_length is None else hop_length
    size = n_fft if win_length is None else win_length
    if hop <= 0:
        raise RuntimeError(f"{op}: expected hop_length > 0, but got hop_length={hop}")
    if not 0 < size <= n_fft:
        raise RuntimeError(f"{op}: expected 0 < win_length <= n_fft, but got win_length={size} and n_fft={n_fft}")
    if window is not None and (window.ndim != 1 or window.shape[0] != size):
        raise RuntimeError(
            f"{op}: expected a 1D window tensor of size equal to win_length={size}, but got window with size "
            f"{list(window.shape)}"
        )
    if size < n_fft:
        w = like.new_ones(size) if window is None else window
        left = (n_fft - size) // 2
        window = pad(w, (left, n_fft - size - left))
    return hop, size, window


def stft(
    input: Tensor, n_fft: int, hop_length: int | None = None, win_length: int | None = None,
    window: Tensor | None = None, center: bool = True, pad_mode: str = "reflect", normalized: bool = False,
    onesided: bool | None = None, return_complex: bool | None = None, align_to_window: bool | None = None,
) -> Tensor:  # fmt: skip
    """Spectra of windows of (L,) or (B, L), n_fft wide and hop_length apart: (B, frequencies, frames), complex.

    `center` pads n_fft // 2 on both sides; `onesided` keeps the frequencies up to the half (the default for real
    values); `normalized` divides by sqrt(n_fft). Source: torch.stft.
    """
    x: Any = check_tensor(input, "stft")
    real = x._a.dtype.kind != "c" and (window is None or window._a.dtype.kind != "c")
    if return_complex is None:
        if real:
            raise RuntimeError(
                "stft requires the return_complex parameter be given for real inputs, and will further require that "
                "return_complex=True in a future PyTorch release."
            )
        return_complex = True
    if align_to_window is not None and center:
        raise RuntimeError("stft align_to_window should only be set when center = false.")
    if x.ndim not in (1, 2):
        raise RuntimeError(f"stft: expected a 1D or 2D tensor, but got {x.ndim}D")
    if not (x.is_floating_point() or x.is_complex()):
        raise RuntimeError(f"stft: expected a tensor of floating point or complex values, got {x.dtype}")
    single = x.ndim == 1
    x = x.unsqueeze(0) if single else x
    if center:
        x = pad(x.unsqueeze(1), (n_fft // 2, n_fft // 2), mode=pad_mode).squeeze(1)
    length = x.shape[-1]
    hop, size, w = _framing("stft", n_fft, hop_length, win_length, window, x)
    if not 0 < n_fft <= length + (n_fft - size if align_to_window else 0):
        raise RuntimeError(f"stft: expected 0 < n_fft <= {length}, but got n_fft={n_fft}")
    if align_to_window and size < n_fft:  # the first window starts at 0, whatever lies around it
        left = (n_fft - size) // 2
        x = pad(x, (left, n_fft - size - left))
    onesided = real if onesided is None else onesided
    if onesided and not real:
        raise RuntimeError("Cannot have onesided output if window or input is complex")
    frames = x.unfold(-1, n_fft, hop)
    if w is not None:
        frames = frames * w
    norm = "ortho" if normalized else None
    r = rfft(frames, dim=-1, norm=norm) if onesided else fft(frames, dim=-1, norm=norm)
    r = r.transpose(1, 2)
    if single:
        r = r.squeeze(0)
    return r if return_complex else view_as_real(r)  # type: ignore[no-any-return]


def istft(
    input: Tensor, n_fft: int, hop_length: int | None = None, win_length: int | None = None,
    window: Tensor | None = None, center: bool = True, normalized: bool = False, onesided: bool | None = None,
    length: int | None = None, return_complex: bool = False,
) -> Tensor:  # fmt: skip
    """The signal whose stft comes nearest: overlapping windows are added and divided by the squares of the window.

    RuntimeError where the windows leave gaps. Source: torch.istft.
    """
    x: Any = check_tensor(input, "istft")
    if not x.is_complex():
        raise RuntimeError("istft requires a complex-valued input tensor matching the output from stft with "
                           "return_complex=True.")  # fmt: skip
    if x.numel() == 0:
        raise RuntimeError("istft: input tensor cannot be empty.")
    if x.ndim not in (2, 3):
        raise RuntimeError(f"istft: expected a tensor with 2 or 3 dimensions, but got {x.ndim}")
    single = x.ndim == 2
    x = x.unsqueeze(0) if single else x
    onesided = x.shape[1] != n_fft if onesided is None else onesided
    if onesided and x.shape[1] != n_fft // 2 + 1:
        raise RuntimeError(
            f"istft: expected the frequency dimension (3rd to the last) of the input tensor to match n_fft / 2 + 1 when "
            f"onesided=True, but got {x.shape[1]}"
        )
    if not onesided and x.shape[1] != n_fft:
        raise RuntimeError(
            "istft: expected the frequency dimension (3rd to the last) of the input tensor to match n_fft when "
            f"onesided=False, but got {x.shape[1]}"
        )
    size = n_fft if win_length is None else win_length
    hop = n_fft // 4 if hop_length is None else hop_length
    if not 0 < hop <= size:
        raise RuntimeError("istft: expected 0 < hop_length <= win_length")
    real = x.dtype.to_real()
    hop, size, w = _framing("istft", n_fft, hop, size, window, zeros(0, dtype=real, device=x.device))
    w = ones(n_fft, dtype=real, device=x.device) if w is None else w
    if w.is_complex() and not return_complex:
        raise RuntimeError("Complex windows are incompatible with return_complex=False")
    batch, _, count = x.shape
    norm = "ortho" if normalized else None
    x = x.transpose(1, 2)
    if return_complex:
        if onesided:
            raise RuntimeError("cannot have onesided output if window or input is complex")
        frames = ifft(x, dim=-1, norm=norm)
    else:
        if not onesided:
            x = x[..., : n_fft // 2 + 1]
        frames = irfft(x, n_fft, dim=-1, norm=norm)
    frames = frames * w
    whole = n_fft + hop * (count - 1)
    at = (arange(count, device=x.device).unsqueeze(1) * hop + arange(n_fft, device=x.device)).reshape(-1)
    y = frames.new_zeros((batch, whole)).index_add(1, at, frames.reshape(batch, -1))
    squares = (w * w).expand(count, n_fft).reshape(-1)
    envelope = squares.new_zeros(whole).index_add(0, at, squares)
    start = n_fft // 2 if center else 0
    end = start + length if length is not None else whole - n_fft // 2 if center else whole
    y, envelope = y[:, start:end], envelope[start:end]
    if x._dev.backend.asynchronous:
        text = "window overlap add min is not above 1e-11"
        x._dev.backend.require((envelope.abs() > 1e-11)._a, RuntimeError, text)
    elif not bool(envelope.abs().min() > 1e-11):
        raise RuntimeError(f"window overlap add min: {envelope.abs().min() > 1e-11}")
    y = y / envelope
    if length is not None and end > whole:
        warnings.warn(
            "The length of signal is shorter than the length parameter. Result is being padded with zeros in the tail. "
            "Please check your center and hop_length settings.",
            UserWarning,
            stacklevel=2,
        )
        y = pad(y, (0, length - y.shape[1]))
    return y.squeeze(0) if single else y  # type: ignore[no-any-return]


attach("stft", stft)
attach("istft", istft)
