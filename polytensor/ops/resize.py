"""Interpolation, sampling at grid points, pixel and channel shuffles, windows as columns. Source: torch.nn.functional."""

from __future__ import annotations

import operator
import warnings
from math import floor, prod
from typing import Any

from .. import dtypes
from ..backends.conv import out_size
from ..backends.resample import Plan, antialias_plan, cubic_plan, fixed_point, linear_plan, nearest_plan
from ..tensor import Tensor
from . import pointwise as pw
from .activations import hardtanh
from .arranging import meshgrid
from .clamps import clamp
from .convolution import ntuple
from .creation import arange, linspace, ones, zeros
from .joining import stack
from .pooling import adaptive_avg_pool1d, adaptive_avg_pool2d, adaptive_avg_pool3d
from .products import matmul
from .scattering import index_select
from .shape import contiguous, permute, reshape, squeeze, unsqueeze
from .table import F, check_tensor, named, no_kernel, primitive, renamed, type_name

__all__ = ["channel_shuffle", "native_channel_shuffle", "pixel_shuffle", "pixel_unshuffle"]

MODES = {3: ("nearest", "nearest-exact", "area", "linear"),
         4: ("nearest", "nearest-exact", "area", "bilinear", "bicubic", "lanczos"),
         5: ("nearest", "nearest-exact", "area", "trilinear")}  # fmt: skip
WIDE = 8  # channels from which on grid_sample reads them by rows


def _resize_plan(mode: str, n: int, size: int, factor: Any, align: bool, antialias: bool, single: bool) -> Plan:
    if mode in ("nearest", "nearest-exact"):
        return nearest_plan(n, size, factor, mode == "nearest-exact", single)
    if antialias:
        return antialias_plan(n, size, factor, align, mode)
    return (cubic_plan if mode == "bicubic" else linear_plan)(n, size, factor, align, single)


def interpolate(
    input: Tensor, size: Any = None, scale_factor: Any = None, mode: str = "nearest", align_corners: bool | None = None,
    recompute_scale_factor: bool | None = None, antialias: bool = False,
) -> Tensor:  # fmt: skip
    """(N, C, ...) to `size`, or times scale_factor. Source: torch.nn.functional.interpolate.

    mode: nearest, nearest-exact, area, and by the number of dimensions linear, bilinear, bicubic, trilinear; lanczos for
    four dimensions with antialias. Gradients are those of the forward pass also where a scale_factor does not divide:
    PyTorch's for nearest, bicubic and antialias are then of other positions, and its 2-D nearest depends on the layout.
    """
    x = check_tensor(input, "interpolate")
    n = x._a.ndim - 2
    if mode in ("nearest", "area", "nearest-exact"):
        if align_corners is not None:
            raise ValueError(
                "align_corners option can only be set with the interpolating modes: linear | bilinear | bicubic | trilinear"
            )
    align = bool(align_corners)
    if size is not None and scale_factor is not None:
        raise ValueError("only one of size or scale_factor should be defined")
    if size is None and scale_factor is None:
        raise ValueError("either size or scale_factor should be defined")
    shape = x._a.shape[2:]
    factors: Any = [None] * n
    if size is not None:
        sizes = list(size) if isinstance(size, (tuple, list)) else [size] * len(shape)
        if len(sizes) != len(shape):
            raise ValueError(
                "Input and output must have the same number of spatial dimensions, but got input with spatial dimensions of "
                f"{list(shape)} and output size of {size}. Please provide input tensor in (N, C, d1, d2, ...,dK) format and "
                "output size in (o1, o2, ...,oK) format."
            )
        if recompute_scale_factor:
            raise ValueError("recompute_scale_factor is not meaningful with an explicit size.")
        try:
            sizes = [operator.index(s) for s in sizes]
        except TypeError:
            raise TypeError(
                f"expected size to be one of int or Tuple[int, ...], but got size with types {[type(s) for s in sizes]}"
            ) from None
    else:
        factors = list(scale_factor) if isinstance(scale_factor, (tuple, list)) else [scale_factor] * len(shape)
        if len(factors) != len(shape):
            raise ValueError(
                "Input and scale_factor must have the same number of spatial dimensions, but got input with spatial dimensions "
                f"of {list(shape)} and scale_factor of shape {scale_factor}. Please provide input tensor in (N, C, d1, d2, "
                "...,dK) format and scale_factor in (s1, s2, ...,sK) format."
            )
        sizes = [floor(m * f) for m, f in zip(shape, factors, strict=True)]
        if recompute_scale_factor or mode == "area":
            factors = [None] * n
    if antialias and not (mode in ("bilinear", "bicubic", "lanczos") and n == 2):
        raise ValueError(
            "Anti-alias option is restricted to bilinear, bicubic, and lanczos modes and requires a 4-D tensor as input"
        )
    needs = {"linear": 3, "bilinear": 4, "trilinear": 5}.get(mode)
    if needs and n in (1, 2, 3) and n + 2 != needs:
        raise NotImplementedError(f"Got {n + 2}D input, but {mode} mode needs {needs}D input")
    if n not in (1, 2, 3) or mode not in MODES[n + 2]:
        raise NotImplementedError(
            "Input Error: Only 3D, 4D and 5D input Tensors supported (got "
            f"{n + 2}D) for the modes: nearest | linear | bilinear | bicubic | trilinear | lanczos | area | nearest-exact (got "
            f"{mode})"
        )
    if mode == "lanczos" and not antialias:
        raise ValueError("Lanczos mode requires antialias=True")
    if mode == "lanczos" and align:
        raise ValueError("Lanczos mode does not support align_corners=True")
    if mode == "area":
        return (adaptive_avg_pool1d, adaptive_avg_pool2d, adaptive_avg_pool3d)[n - 1](x, sizes)
    if min(sizes) <= 0 or min(shape) <= 0:
        raise RuntimeError(
            f"Input and output sizes should be greater than 0, but got input {list(shape)} and output {sizes}"
        )
    if 0 in x._a.shape[1:]:
        raise RuntimeError(
            f"Non-empty {n + 2}D data tensor expected but got a tensor with sizes {list(x._a.shape)}"
        )  # fmt: skip
    dtype = x._a.dtype
    if dtype.kind in "biuc" and not (
        x.dtype is dtypes.uint8 and (mode.startswith("nearest") or (n == 2 and mode != "area"))
    ):
        raise no_kernel(f"compute_indices_weights_{mode.split('-')[0]}", x)
    wide = dtype.itemsize == 2 or (dtype.kind == "u" and not mode.startswith("nearest"))
    y = F.cast(x, dtypes.float32.array) if wide else x
    whole = wide and dtype.kind == "u"
    for i in reversed(range(n)):
        single = not whole and y._a.dtype.itemsize == 4
        plan = _resize_plan(mode, shape[i], sizes[i], factors[i], align, antialias, single)
        y = F.resample(y, 2 + i, fixed_point(plan) if whole else plan)
        if whole:  # PyTorch keeps bytes between the dimensions
            y = clamp(pw.floor(pw.add(y, 0.5)), 0, 255)
    if wide:
        y = F.cast(y, dtype)
    kind = "NearestExact" if mode == "nearest-exact" else mode.capitalize()
    return renamed(y, f"Upsample{kind}{n}D{'Aa' if antialias else ''}Backward0")


def upsample(
    input: Tensor, size: Any = None, scale_factor: Any = None, mode: str = "nearest", align_corners: bool | None = None
) -> Tensor:
    """The old name of interpolate."""
    warnings.warn(
        "`nn.functional.upsample` is deprecated. Use `nn.functional.interpolate` instead.", UserWarning, stacklevel=2
    )
    return interpolate(input, size, scale_factor, mode, align_corners)


def upsample_nearest(input: Tensor, size: Any = None, scale_factor: Any = None) -> Tensor:
    """interpolate with mode nearest."""
    warnings.warn(
        "`nn.functional.upsample_nearest` is deprecated. Use `nn.functional.interpolate` instead.",
        UserWarning,
        stacklevel=2,
    )
    return interpolate(input, size, scale_factor, mode="nearest")


def upsample_bilinear(input: Tensor, size: Any = None, scale_factor: Any = None) -> Tensor:
    """interpolate with mode bilinear and aligned corners."""
    warnings.warn(
        "`nn.functional.upsample_bilinear` is deprecated. Use `nn.functional.interpolate` instead.",
        UserWarning,
        stacklevel=2,
    )
    return interpolate(input, size, scale_factor, mode="bilinear", align_corners=True)


# ---- sampling ----------------------------------------------------------------------------------------------------------
def affine_grid(theta: Tensor, size: Any, align_corners: bool | None = None) -> Tensor:
    """Grid points of an affine map: theta (N, 2, 3) for size (N, C, H, W), or (N, 3, 4) for (N, C, D, H, W)."""
    if align_corners is None:
        warnings.warn(
            "Default grid_sample and affine_grid behavior has changed to align_corners=False since 1.3.0. Please specify "
            "align_corners=True if the old behavior is desired. See the documentation of grid_sample for details.",
            UserWarning,
            stacklevel=2,
        )
        align_corners = False
    if theta.dtype.category < dtypes.FLOAT:
        raise ValueError(f"Expected theta to have floating point type, but got {theta.dtype}")
    size = tuple(int(s) for s in size)
    n = len(size) - 2
    if n not in (2, 3):
        raise NotImplementedError(
            f"affine_grid only supports 4D and 5D sizes, for 2D and 3D affine transforms, respectively. Got size {size}"
        )
    if theta._a.ndim != 3 or theta._a.shape[1:] != (n, n + 1):
        raise ValueError(
            f"Expected a batch of {n}D affine matrices of shape Nx{n}x{n + 1} for size {size}. Got {tuple(theta._a.shape)}."
        )
    if min(size[2:]) < 1:
        raise ValueError(f"Expected non-zero, positive output size. Got {size}")
    axes = []
    for m in size[2:]:
        ends = (m - 1) / m if not align_corners else 1.0
        axis = (
            linspace(-ends, ends, m, dtype=theta.dtype, device=theta._dev)
            if m > 1
            else zeros(1, dtype=theta.dtype, device=theta._dev)
        )
        axes.append(axis)
    points = list(reversed(meshgrid(*axes, indexing="ij")))
    base = stack([*points, ones(*size[2:], dtype=theta.dtype, device=theta._dev)], -1)
    flat = matmul(reshape(base, (1, -1, n + 1)), theta.transpose(1, 2))
    return reshape(flat, (theta._a.shape[0], *size[2:], n))


def _reflect(x: Tensor, low: int, high: int) -> Tensor:
    """Fold coordinates into [low / 2, high / 2]."""
    if low == high:
        return pw.mul(x, 0)
    start, span = low / 2, (high - low) / 2
    x = pw.abs(pw.sub(x, start))
    turns = pw.floor(pw.div(x.detach(), span))
    rest = pw.sub(x, pw.mul(turns, span))
    even = pw.eq(pw.remainder(turns, 2), 0)
    return pw.add(pw.where(even, rest, pw.sub(span, rest)), start)


def _placed(x: Tensor, n: int, padding_mode: str, align: bool) -> Tensor:
    if padding_mode == "zeros":
        return x
    if padding_mode == "reflection":
        x = _reflect(x, 0, 2 * (n - 1)) if align else _reflect(x, -1, 2 * n - 1)
    return hardtanh(x, 0.0, float(n - 1))  # no gradient at the borders


def grid_sample(
    input: Tensor, grid: Tensor, mode: str = "bilinear", padding_mode: str = "zeros", align_corners: bool | None = None
) -> Tensor:
    """input (N, C, H, W) or (N, C, D, H, W) at the points grid (N, ..., 2 or 3), whose coordinates are in [-1, 1], x first.

    mode: bilinear, nearest, bicubic (4-d only); padding_mode: zeros, border, reflection.
    """
    x, g = check_tensor(input, "grid_sampler"), check_tensor(grid, "grid_sampler", "grid")
    for name, value, known in (("mode", mode, ("bilinear", "nearest", "bicubic")),
                               ("padding_mode", padding_mode, ("zeros", "border", "reflection"))):  # fmt: skip
        if value not in known:
            options = " or ".join([", ".join(f"'{k}'" for k in known[:-1]), f"'{known[-1]}'"])
            raise ValueError(f"nn.functional.grid_sample(): expected {name} to be {options}, but got: '{value}'")
    if align_corners is None:
        warnings.warn(
            "Default grid_sample and affine_grid behavior has changed to align_corners=False since 1.3.0. Please specify "
            "align_corners=True if the old behavior is desired. See the documentation of grid_sample for details.",
            UserWarning,
            stacklevel=2,
        )
    align = bool(align_corners)
    n, sizes = x._a.ndim - 2, f"input with sizes {list(x._a.shape)} and grid with sizes {list(g._a.shape)}"
    for wrong, wanted in (
        (g._a.shape[0] != x._a.shape[0], "grid and input to have same batch size"),
        (g._a.shape[-1] != n, f"grid to have size {n} in last dimension"),
        (n not in (2, 3) or g._a.ndim != n + 2, "4D or 5D input and grid with same number of dimensions"),
        (0 in x._a.shape[2:], "input to have non-empty spatial dimensions"),
        (x._a.dtype != g._a.dtype, f"scalar type {type_name(x)} of grid but found {type_name(g)}"),
    ):
        if wrong:
            raise RuntimeError(f"grid_sampler(): expected {wanted}, but got {sizes}")
    if mode == "bicubic" and n == 3:
        raise RuntimeError("grid_sampler(): bicubic interpolation only supports 4D input")
    batch, channels, *shape = x._a.shape
    points = prod(g._a.shape[1:-1])
    size, wide = prod(shape), channels >= WIDE
    if wide:  # a point's channels side by side: one place names them all
        source = reshape(permute(x, (0, *range(2, n + 2), 1)), (batch * size, channels))
        first = unsqueeze(pw.mul(arange(batch, device=x.device), size), 1)
    else:
        source = reshape(x, (batch, channels, size))
    coordinates = []  # per input dimension, slowest first
    for i, m in enumerate(shape):
        c = reshape(g.select(-1, n - 1 - i), (batch, points))
        c = pw.mul(pw.add(c, 1), (m - 1) / 2) if align else pw.div(pw.sub(pw.mul(pw.add(c, 1), m), 1), 2)
        coordinates.append(c if mode == "bicubic" else _placed(c, m, padding_mode, align))
    taps: list[list[tuple[Tensor, Tensor]]] = []  # per dimension: (position, weight)
    for c, m in zip(coordinates, shape, strict=True):
        if mode == "nearest":
            flat_weight = pw.add(hardtanh(c, 0.0, 0.0), 1.0)  # 1, with the gradient 0 that PyTorch gives the grid
            taps.append([(pw.round(c.detach()), flat_weight)])
            continue
        low = pw.floor(c.detach())
        t = pw.sub(c, low)
        if mode == "bilinear":
            taps.append([(low, pw.sub(1, t)), (pw.add(low, 1), t)])
        else:
            places = [_placed(pw.add(low, k), m, padding_mode, align) for k in (-1, 0, 1, 2)]
            taps.append(list(zip(places, _cubic_weights(t), strict=True)))
    out: Any = None
    for corner in _corners(taps):
        index: Any = None
        inside: Any = None
        weight: Any = None
        for (at, w), m in zip(corner, shape, strict=True):
            here = pw.logical_and(pw.ge(at, 0), pw.le(at, m - 1))
            inside = here if inside is None else pw.logical_and(inside, here)
            safe = F.cast(pw.where(here, at, 0.0), dtypes.int64.array)
            index = safe if index is None else pw.add(pw.mul(index, m), safe)
            weight = w if weight is None else pw.mul(weight, w)
        weight = pw.where(inside, weight, 0.0)
        if wide:
            values = index_select(source, 0, reshape(pw.add(index, first), -1))
            part = pw.mul(values, reshape(weight, (-1, 1)))
        else:
            values = source.gather(2, unsqueeze(index, 1).expand(batch, channels, points))
            part = pw.mul(values, unsqueeze(weight, 1))
        out = part if out is None else pw.add(out, part)
    if wide:
        out = contiguous(permute(reshape(out, (batch, *g._a.shape[1:-1], channels)), (0, n + 1, *range(1, n + 1))))
    else:
        out = reshape(out, (batch, channels, *g._a.shape[1:-1]))
    return renamed(out, f"GridSampler{n}DBackward0")


def _cubic_weights(t: Tensor) -> list[Tensor]:
    """The four weights of the cubic kernel with A = -0.75 at 1 + t, t, 1 - t and 2 - t."""
    a = -0.75

    def near(x: Tensor) -> Tensor:
        return pw.add(pw.mul(pw.mul(pw.sub(pw.mul(x, a + 2), a + 3), x), x), 1)

    def far(x: Tensor) -> Tensor:
        return pw.sub(pw.mul(pw.add(pw.mul(pw.sub(pw.mul(x, a), 5 * a), x), 8 * a), x), 4 * a)

    return [far(pw.add(t, 1)), near(t), near(pw.sub(1, t)), far(pw.sub(2, t))]


def _corners(taps: list[Any]) -> Any:
    if not taps:
        yield ()
        return
    for tap in taps[0]:
        for rest in _corners(taps[1:]):
            yield (tap, *rest)


# ---- shuffles ----------------------------------------------------------------------------------------------------------
@named("PixelShuffleBackward0")
def pixel_shuffle(input: Tensor, upscale_factor: int) -> Tensor:
    """(*, C r^2, H, W) to (*, C, H r, W r)."""
    x, r = check_tensor(input, "pixel_shuffle"), upscale_factor
    if x._a.ndim < 3:
        raise RuntimeError(
            f"pixel_shuffle expects input to have at least 3 dimensions, but got input with {x._a.ndim} dimension(s)"
        )
    if r <= 0:
        raise RuntimeError(f"pixel_shuffle expects a positive upscale_factor, but got {r}")
    *lead, c, h, w = x._a.shape
    if c % (r * r):
        raise RuntimeError(
            "pixel_shuffle expects its input's 'channel' dimension to be divisible by the square of upscale_factor, but "
            f"input.size(-3)={c} is not divisible by {r * r}"
        )
    k = len(lead)
    x = reshape(x, (*lead, c // (r * r), r, r, h, w))
    x = permute(x, (*range(k), k, k + 3, k + 1, k + 4, k + 2))
    return reshape(contiguous(x), (*lead, c // (r * r), h * r, w * r))


def pixel_unshuffle(input: Tensor, downscale_factor: int) -> Tensor:
    """(*, C, H r, W r) to (*, C r^2, H, W)."""
    x, r = check_tensor(input, "pixel_unshuffle"), downscale_factor
    if x._a.ndim < 3:
        raise RuntimeError(
            f"pixel_unshuffle expects input to have at least 3 dimensions, but got input with {x._a.ndim} dimension(s)"
        )
    if r <= 0:
        raise RuntimeError(f"pixel_unshuffle expects a positive downscale_factor, but got {r}")
    *lead, c, h, w = x._a.shape
    for name, m, d in (("height", h, -2), ("width", w, -1)):
        if m % r:
            raise RuntimeError(
                f"pixel_unshuffle expects {name} to be divisible by downscale_factor, but input.size({d})={m} is not divisible "
                f"by {r}"
            )
    k = len(lead)
    x = reshape(x, (*lead, c, h // r, r, w // r, r))
    x = permute(x, (*range(k), k, k + 2, k + 4, k + 1, k + 3))
    return reshape(contiguous(x), (*lead, c * r * r, h // r, w // r))


def channel_shuffle(input: Tensor, groups: int) -> Tensor:
    """Channels (dimension 1) in the order 0, C/g, 2C/g, ..., 1, C/g + 1, ..."""
    x = check_tensor(input, "channel_shuffle")
    if x._a.ndim < 3:
        raise RuntimeError(f"channel_shuffle expects input with > 2 dims, but got input with sizes {list(x._a.shape)}")
    if groups <= 0:
        raise RuntimeError(f"Number of groups to divide channels in must be positive. Value of groups:{groups}")
    n, c, *rest = x._a.shape
    if c % groups:
        raise RuntimeError(f"Number of channels must be divisible by groups. Got {c} channels and {groups} groups.")
    return reshape(contiguous(reshape(x, (n, groups, c // groups, *rest)).transpose(1, 2)), (n, c, *rest))


native_channel_shuffle = channel_shuffle

# ---- windows as columns ------------------------------------------------------------------------------------------------
_unfold = primitive(
    "unfold_windows",
    "x",
    (
        lambda F, g, x_shape, kernel, dilation, padding, stride: F.fold_windows(
            g, x_shape, kernel, dilation, padding, stride
        ),
    ),
    "kernel dilation padding stride",
    node="Im2ColBackward0",
)
_fold = primitive(
    "fold_windows",
    "x",
    (lambda F, g, kernel, dilation, padding, stride: F.unfold_windows(g, kernel, dilation, padding, stride),),
    "shape kernel dilation padding stride",
    node="Col2ImBackward0",
)


def _window(kernel_size: Any, dilation: Any, padding: Any, stride: Any) -> tuple[Any, Any, Any, Any]:
    kernel, dilation = ntuple(kernel_size, 2, "kernel_size"), ntuple(dilation, 2, "dilation")
    padding, stride = ntuple(padding, 2, "padding"), ntuple(stride, 2, "stride")
    for name, v in (("kernel_size", kernel), ("dilation", dilation), ("stride", stride)):
        if min(v) <= 0:
            raise RuntimeError(f"{name.replace('_', ' ')} should be greater than zero, but got {list(v)}")
    if min(padding) < 0:
        raise RuntimeError(f"padding should be non-negative, but got {list(padding)}")
    return kernel, dilation, padding, stride


def unfold(input: Tensor, kernel_size: Any, dilation: Any = 1, padding: Any = 0, stride: Any = 1) -> Tensor:
    """(N, C, H, W) to (N, C kh kw, windows): each window of the padded input as a column."""
    x = check_tensor(input, "im2col")
    if x._a.dtype.kind in "iu":
        raise no_kernel("im2col_out_cpu", x)
    kernel, dilation, padding, stride = _window(kernel_size, dilation, padding, stride)
    if x._a.ndim not in (3, 4) or 0 in x._a.shape[-3:]:
        raise (IndexError if x._a.ndim < 3 else RuntimeError)(
            "Expected 3D or 4D (batch mode) tensor with possibly 0 batch size and other non-zero dimensions for input, but "
            f"got: {list(x._a.shape)}"
        )
    size = [out_size(*a) for a in zip(x._a.shape[-2:], kernel, stride, padding, dilation, strict=True)]
    if min(size) < 1:
        raise RuntimeError(
            f"Given input with spatial size {x._a.shape[-2:]}, kernel_size={kernel}, dilation={dilation}, "
            f"padding={padding}, calculated shape of the array of sliding blocks as {tuple(size)}, but its components must be at "
            "least one."
        )
    if x._a.ndim == 3:
        return squeeze(_unfold(unsqueeze(x, 0), kernel, dilation, padding, stride), 0)
    return _unfold(x, kernel, dilation, padding, stride)  # type: ignore[no-any-return]


def fold(
    input: Tensor, output_size: Any, kernel_size: Any, dilation: Any = 1, padding: Any = 0, stride: Any = 1
) -> Tensor:
    """(N, C kh kw, windows) to (N, C, H, W): the adjoint of unfold, overlapping windows add up."""
    x = check_tensor(input, "col2im")
    if x._a.dtype.kind in "iu":
        raise no_kernel("col2im_out_cpu", x)
    size = ntuple(output_size, 2, "output_size")
    kernel, dilation, padding, stride = _window(kernel_size, dilation, padding, stride)
    if x._a.ndim not in (2, 3) or 0 in x._a.shape[-2:]:
        raise RuntimeError(
            "Expected 2D or 3D (batch mode) tensor for input with possibly 0 batch size and non-zero dimensions for input, "
            f"but got: {list(x._a.shape)}"
        )
    area = prod(kernel)
    if x._a.shape[-2] % area:
        raise RuntimeError(
            "Expected size of input's dimension 1 to be divisible by the product of kernel_size, but got "
            f"input.size(1)={x._a.shape[-2]} and kernel_size={kernel}."
        )
    blocks = [out_size(*a) for a in zip(size, kernel, stride, padding, dilation, strict=True)]
    given = f"Given output_size={size}, kernel_size={kernel}, dilation={dilation}, padding={padding}, stride={stride}, "
    if min(blocks) < 1:
        raise RuntimeError(
            f"{given}calculated shape of the array of sliding blocks as {tuple(blocks)}, but its components must be at least one."
        )
    if prod(blocks) != x._a.shape[-1]:
        raise RuntimeError(
            f"{given}expected size of input's dimension 2 to match the calculated number of sliding blocks {blocks[0]} * {blocks[1]} "
            f"= {prod(blocks)}, but got input.size(2)={x._a.shape[-1]}."
        )
    y = unsqueeze(x, 0) if x._a.ndim == 2 else x
    shape = (y._a.shape[0], y._a.shape[1] // area, *size)
    r = _fold(y, shape, kernel, dilation, padding, stride)
    return squeeze(r, 0) if x._a.ndim == 2 else r
