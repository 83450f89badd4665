"""Discrete Fourier transforms: three rows (complex to complex, real to complex, complex to real) and torch.fft on top."""

from __future__ import annotations

from typing import Any

from .. import devices, dtypes
from ..tensor import Tensor, check_dim, wrap
from . import pointwise as pw
from . import shape as sh
from .creation import array_dtype
from .joining import cat
from .operands import several
from .table import F, check_tensor, give, primitive, type_name

__all__: list[str] = []  # polytensor/fft.py has the names

NORMS = ("backward", "ortho", "forward")


def _part(ndim: int, dim: int, index: slice) -> tuple[slice, ...]:
    return tuple(index if i == dim else slice(None) for i in range(ndim))


def _real_rule(F: Any, g: Any, x_shape: Any, dims: tuple[int, ...], norm: int, onesided: bool) -> Any:
    if onesided:
        g = F.slice_backward(g, tuple(x_shape), _part(len(x_shape), dims[-1], slice(0, g.shape[dims[-1]])))
    return F.real(F.fft_c2c(g, dims, 2 - norm, False))


def _half_rule(F: Any, g: Any, dims: tuple[int, ...], norm: int, last: int) -> Any:
    r = F.fft_r2c(g, dims, 2 - norm, True)
    twice = last - r.shape[dims[-1]]
    if twice > 0:  # frequencies that stand for their mirror image too
        index = _part(len(r.shape), dims[-1], slice(1, 1 + twice))
        r = F.add(r, F.slice_backward(F.slice(r, index), tuple(r.shape), index))
    return r


_c2c = primitive(
    "fft_c2c",
    "x",
    (lambda F, g, dims, norm, forward: F.fft_c2c(g, dims, 2 - norm, not forward),),
    "dims norm forward",
    node="FftC2CBackward0",
)
_r2c = primitive("fft_r2c", "x", (_real_rule,), "dims norm onesided", node="FftR2CBackward0")
_c2r = primitive("fft_c2r", "x", (_half_rule,), "dims norm last", node="FftC2RBackward0")


# ---- arguments --------------------------------------------------------------------------------------------------------
def _input(x: Any, op: str) -> Tensor:
    """Integers as the default dtype; RuntimeError for float16 and bfloat16."""
    a = check_tensor(x, op)._a
    if a.dtype.kind in "biu":
        return F.cast(x, dtypes.get_default_dtype().array)  # type: ignore[no-any-return]
    if a.dtype.itemsize == 2:
        raise RuntimeError(f"Unsupported dtype {type_name(x)}")
    return x  # type: ignore[no-any-return]


def _complex(x: Tensor) -> Tensor:
    kind = x._a.dtype.kind
    if kind == "c":
        return x
    return F.cast(x, (dtypes.complex64 if x._a.dtype.itemsize == 4 else dtypes.complex128).array)  # type: ignore[no-any-return]


def _norm(norm: str | None, forward: bool) -> int:
    """0: no factor where `forward` transforms have none; 1: 1 / sqrt(n); 2: 1 / n. As the kernels count it."""
    if norm is None:
        return 0
    if norm not in NORMS:
        raise RuntimeError(f'Invalid normalization mode: "{norm}"')
    return NORMS.index(norm)


def _dim(x: Tensor, dim: int) -> int:
    if not x._a.ndim:
        raise IndexError(f"Dimension specified as {dim} but tensor has no dimensions")
    return check_dim(dim, x._a.ndim)


def _resize(x: Tensor, d: int, n: int) -> Tensor:
    """Zeros after the end, or the end cut off."""
    have = x._a.shape[d]
    if n < 1:
        raise RuntimeError(f"Invalid number of data points ({n}) specified")
    if n < have:
        return sh.narrow(x, d, 0, n)
    if n > have:
        shape = tuple(n if i == d else m for i, m in enumerate(x._a.shape))
        return F.slice_backward(x, shape, _part(x._a.ndim, d, slice(0, have)))  # type: ignore[no-any-return]
    return x


def _sizes(x: Tensor, s: Any, dim: Any) -> tuple[tuple[int, ...], list[int]]:
    """The dims of an n-dimensional transform, and the length in each (-1: as it is)."""
    ndim = x._a.ndim
    s = s if s is None else several(s)
    if dim is not None:
        given = several(dim)
        dims = tuple(_dim(x, d) for d in given)
        if len(set(dims)) != len(dims):
            raise RuntimeError("FFT dims must be unique")
        if s is not None and len(s) != len(dims):
            raise RuntimeError("When given, dim and shape arguments must have the same length")
    elif s is not None:
        if len(s) > ndim:
            raise RuntimeError(f"Got shape with {len(s)} values but input tensor only has {ndim} dimensions.")
        dims = tuple(range(ndim - len(s), ndim))
    else:
        dims = tuple(range(ndim))
    if s is None:
        return dims, [-1] * len(dims)
    for n in s:
        if n != -1 and n < 1:
            raise RuntimeError(f"Invalid number of data points ({n}) specified")
    return dims, list(s)


def _fitted(x: Tensor, dims: tuple[int, ...], lengths: list[int]) -> Tensor:
    for d, n in zip(dims, lengths, strict=True):
        x = _resize(x, d, x._a.shape[d] if n == -1 else n)
    return x


def _conj(x: Tensor) -> Tensor:
    return F.conj(x)  # type: ignore[no-any-return]


# ---- one dimension ----------------------------------------------------------------------------------------------------
def _transform(x: Tensor, dims: tuple[int, ...], norm: str | None, forward: bool) -> Tensor:
    """Two-sided, of real or complex input that has its final size."""
    k = _norm(norm, forward)
    if not dims:
        return _complex(x)
    if x._a.dtype.kind == "c":
        return _c2c(x, dims, k, forward)  # type: ignore[no-any-return]
    if forward:
        return _r2c(x, dims, k, False)  # type: ignore[no-any-return]
    return _conj(_r2c(x, dims, 2 - k, False))


def fft(
    input: Tensor, n: int | None = None, dim: int = -1, norm: str | None = None, *, out: Tensor | None = None
) -> Tensor:
    """Discrete Fourier transform along `dim`, cut or padded with zeros to `n`; complex. Source: torch.fft.fft."""
    x = _input(input, "fft_fft")
    d = _dim(x, dim)
    return give(_transform(_resize(x, d, x._a.shape[d] if n is None else n), (d,), norm, True), out)


def ifft(
    input: Tensor, n: int | None = None, dim: int = -1, norm: str | None = None, *, out: Tensor | None = None
) -> Tensor:
    """Inverse of fft. Source: torch.fft.ifft."""
    x = _input(input, "fft_ifft")
    d = _dim(x, dim)
    return give(_transform(_resize(x, d, x._a.shape[d] if n is None else n), (d,), norm, False), out)


def _one_sided(x: Tensor, n: int | None, dim: int, norm: int) -> Tensor:
    d = _dim(x, dim)
    return _r2c(_resize(x, d, x._a.shape[d] if n is None else n), (d,), norm, True)  # type: ignore[no-any-return]


def _to_real(x: Tensor, n: int | None, dim: int, norm: int) -> Tensor:
    d = _dim(x, dim)
    length = 2 * (x._a.shape[d] - 1) if n is None else n
    if length < 1:
        raise RuntimeError(f"Invalid number of data points ({length}) specified")
    return _c2r(_resize(x, d, length // 2 + 1), (d,), norm, length)  # type: ignore[no-any-return]


def rfft(
    input: Tensor, n: int | None = None, dim: int = -1, norm: str | None = None, *, out: Tensor | None = None
) -> Tensor:
    """Transform of real input: its n // 2 + 1 frequencies from 0 up. Source: torch.fft.rfft."""
    if check_tensor(input, "fft_rfft")._a.dtype.kind == "c":
        raise RuntimeError(f"rfft expects a real input tensor, but got {type_name(input)}")
    return give(_one_sided(_input(input, "fft_rfft"), n, dim, _norm(norm, True)), out)


def irfft(
    input: Tensor, n: int | None = None, dim: int = -1, norm: str | None = None, *, out: Tensor | None = None
) -> Tensor:
    """Inverse of rfft; real, of length `n` (default 2 * (frequencies - 1)). Source: torch.fft.irfft."""
    return give(_to_real(_complex(_input(input, "fft_irfft")), n, dim, _norm(norm, False)), out)


def hfft(
    input: Tensor, n: int | None = None, dim: int = -1, norm: str | None = None, *, out: Tensor | None = None
) -> Tensor:
    """Transform of a Hermitian-symmetric signal, given by its first half; real. Source: torch.fft.hfft."""
    x = _conj(_complex(_input(input, "fft_hfft")))
    return give(_to_real(x, n, dim, 2 - _norm(norm, True)), out)


def ihfft(
    input: Tensor, n: int | None = None, dim: int = -1, norm: str | None = None, *, out: Tensor | None = None
) -> Tensor:
    """Inverse of hfft, of real input. Source: torch.fft.ihfft."""
    if check_tensor(input, "fft_ihfft")._a.dtype.kind == "c":
        raise RuntimeError(f"ihfft expects a real input tensor, but got {type_name(input)}")
    return give(_conj(_one_sided(_input(input, "fft_ihfft"), n, dim, 2 - _norm(norm, False))), out)


# ---- several dimensions -----------------------------------------------------------------------------------------------
def fftn(
    input: Tensor, s: Any = None, dim: Any = None, norm: str | None = None, *, out: Tensor | None = None
) -> Tensor:
    """fft over several dims (default: all, or the last len(s)). Source: torch.fft.fftn."""
    x = _input(input, "fft_fftn")
    dims, lengths = _sizes(x, s, dim)
    return give(_transform(_fitted(x, dims, lengths), dims, norm, True), out)


def ifftn(
    input: Tensor, s: Any = None, dim: Any = None, norm: str | None = None, *, out: Tensor | None = None
) -> Tensor:
    """Inverse of fftn. Source: torch.fft.ifftn."""
    x = _input(input, "fft_ifftn")
    dims, lengths = _sizes(x, s, dim)
    return give(_transform(_fitted(x, dims, lengths), dims, norm, False), out)


def _some(dims: tuple[int, ...], op: str) -> None:
    if not dims:
        raise RuntimeError(f"{op} must transform at least one axis")


def rfftn(
    input: Tensor, s: Any = None, dim: Any = None, norm: str | None = None, *, out: Tensor | None = None
) -> Tensor:
    """rfft over the last of the dims, fft over the others. Source: torch.fft.rfftn."""
    if check_tensor(input, "fft_rfftn")._a.dtype.kind == "c":
        raise RuntimeError(f"rfftn expects a real-valued input tensor, but got {type_name(input)}")
    x = _input(input, "fft_rfftn")
    dims, lengths = _sizes(x, s, dim)
    _some(dims, "rfftn")
    return give(_r2c(_fitted(x, dims, lengths), dims, _norm(norm, True), True), out)


def _half_sizes(x: Tensor, s: Any, dim: Any, op: str) -> tuple[Tensor, tuple[int, ...], int]:
    """One-sided input at its final size, the dims, and the length of the real result in the last."""
    dims, lengths = _sizes(x, s, dim)
    _some(dims, op)
    last = 2 * (x._a.shape[dims[-1]] - 1) if lengths[-1] == -1 else lengths[-1]
    if last < 1:
        raise RuntimeError(f"Invalid number of data points ({last}) specified")
    return _fitted(x, dims, [*lengths[:-1], last // 2 + 1]), dims, last


def irfftn(
    input: Tensor, s: Any = None, dim: Any = None, norm: str | None = None, *, out: Tensor | None = None
) -> Tensor:
    """Inverse of rfftn; real. Source: torch.fft.irfftn."""
    x, dims, last = _half_sizes(_complex(_input(input, "fft_irfftn")), s, dim, "irfftn")
    return give(_c2r(x, dims, _norm(norm, False), last), out)


def hfftn(
    input: Tensor, s: Any = None, dim: Any = None, norm: str | None = None, *, out: Tensor | None = None
) -> Tensor:
    """hfft over the last of the dims, fft over the others; real. Source: torch.fft.hfftn."""
    x, dims, last = _half_sizes(_complex(_input(input, "fft_hfftn")), s, dim, "hfftn")
    return give(_c2r(_conj(x), dims, 2 - _norm(norm, True), last), out)


def ihfftn(
    input: Tensor, s: Any = None, dim: Any = None, norm: str | None = None, *, out: Tensor | None = None
) -> Tensor:
    """Inverse of hfftn, of real input. Source: torch.fft.ihfftn."""
    if check_tensor(input, "fft_ihfftn")._a.dtype.kind == "c":
        raise RuntimeError(f"ihfftn: Only supports floating-point dtypes, but found: {type_name(input)}")
    x = _input(input, "fft_ihfftn")
    dims, lengths = _sizes(x, s, dim)
    _some(dims, "ihfftn")
    return give(_conj(_r2c(_fitted(x, dims, lengths), dims, 2 - _norm(norm, False), True)), out)


def _plane(name: str, nd: Any) -> Any:
    def op(
        input: Tensor, s: Any = None, dim: Any = (-2, -1), norm: str | None = None, *, out: Tensor | None = None
    ) -> Tensor:
        return nd(input, s, dim, norm, out=out)  # type: ignore[no-any-return]

    op.__name__ = op.__qualname__ = name
    op.__doc__ = f"{nd.__name__} over the last two dims. Source: torch.fft.{name}."
    return op


fft2, ifft2, rfft2 = _plane("fft2", fftn), _plane("ifft2", ifftn), _plane("rfft2", rfftn)
irfft2, hfft2, ihfft2 = _plane("irfft2", irfftn), _plane("hfft2", hfftn), _plane("ihfft2", ihfftn)


# ---- frequencies, shifts ----------------------------------------------------------------------------------------------
def _frequencies(name: str, half: bool) -> Any:
    def op(
        n: int, d: float = 1.0, *, out: Tensor | None = None, dtype: Any = None, layout: Any = None, device: Any = None,
        requires_grad: bool = False,
    ) -> Tensor:  # fmt: skip
        kind = dtypes.get_default_dtype() if dtype is None else dtype
        if kind.category < dtypes.FLOAT:
            raise RuntimeError(f"{name} requires a floating point or complex dtype")
        dev = devices.resolve(device)
        array = array_dtype(kind)
        backend = dev.backend
        top = n // 2 + 1 if half else (n + 1) // 2
        values = backend.arange(top, 0, 1, array)
        if not half and n > 1:
            values = backend.cat([values, backend.arange(n // 2, -(n // 2), 1, array)], 0)
        r = pw.mul(wrap(values, dev), 1 / (n * d) if n * d else float("inf"))
        if requires_grad:
            r.requires_grad_()
        return give(r, out)

    op.__name__ = op.__qualname__ = name
    op.__doc__ = f"The frequencies of {'rfft' if half else 'fft'} over n points, spaced by d. Source: torch.fft.{name}."
    return op


fftfreq, rfftfreq = _frequencies("fftfreq", False), _frequencies("rfftfreq", True)


def _shift(input: Tensor, dim: Any, inverse: bool) -> Tensor:
    x = check_tensor(input, "fft_fftshift")
    if dim is None:
        dims: tuple[int, ...] = tuple(range(x._a.ndim))
    else:
        dims = tuple(_dim(x, d) for d in several(dim))
    if not dims:
        raise RuntimeError("`shifts` required")
    for d in dims:
        n = x._a.shape[d]
        k = n // 2 if inverse else (n + 1) // 2  # the element that comes first
        if n > 1:
            x = cat([sh.narrow(x, d, k, n - k), sh.narrow(x, d, 0, k)], d)
    return sh.clone(x) if x is input else sh.contiguous(x)


def fftshift(input: Tensor, dim: Any = None) -> Tensor:
    """Frequency 0 moved to the middle of each dim. Source: torch.fft.fftshift."""
    return _shift(input, dim, False)


def ifftshift(input: Tensor, dim: Any = None) -> Tensor:
    """Inverse of fftshift. Source: torch.fft.ifftshift."""
    return _shift(input, dim, True)
