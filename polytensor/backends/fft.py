"""Fourier transforms over an array namespace; lengths and scaling arrive resolved."""

from __future__ import annotations

from typing import Any

import numpy as np

Array = Any
NORMS = ("backward", "ortho", "forward")


class FftKernels:
    """Mixed into Backend. `norm`: 0 no scaling of the forward transform, 1 orthonormal, 2 all of it forward."""

    xp: Any

    def fft_c2c(self, x: Array, dims: tuple[int, ...], norm: int, forward: bool) -> Array:
        """Complex to complex over `dims`, without scaling for norm 0 in either direction."""
        fft = self.xp.fft.fftn if forward else self.xp.fft.ifftn
        return fft(x, axes=dims, norm=NORMS[norm]).astype(x.dtype, copy=False)

    def fft_r2c(self, x: Array, dims: tuple[int, ...], norm: int, onesided: bool) -> Array:
        """Real to complex, forward; one-sided in the last of `dims`."""
        kind = np.complex64 if x.dtype.itemsize == 4 else np.complex128
        fft = self.xp.fft.rfftn if onesided else self.xp.fft.fftn
        return fft(x, axes=dims, norm=NORMS[norm]).astype(kind, copy=False)

    def fft_c2r(self, x: Array, dims: tuple[int, ...], norm: int, last: int) -> Array:
        """One-sided complex to real, inverse; `last` is the length of the result in the last of `dims`."""
        kind = np.float32 if x.dtype.itemsize == 8 else np.float64
        s = [x.shape[d] for d in dims[:-1]] + [last]
        return self.xp.fft.irfftn(x, s=s, axes=dims, norm=NORMS[norm]).astype(kind, copy=False)
