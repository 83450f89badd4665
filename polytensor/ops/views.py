"""Views beyond those of shape.py, changes of shape in place, and what is built of shape ops alone."""

from __future__ import annotations

from math import prod
from typing import Any

from .. import devices, dtypes
from ..autograd.modes import mode
from ..backends.indexing import span
from ..dtypes import of as _dtype
from ..layouts import CHANNELS_LAST, axis_order, preserve_format
from ..storage import UntypedStorage
from ..tensor import LEAF, Tensor, check_dim, wrap
from .arguments import addressable
from .creation import array_dtype
from .joining import _pieces
from .rows import make_view
from .shape import (
    _diagonal,
    _permute,
    _slice,
    _unfold,
    contiguous,
    memory_order,
    replay,
    reshape,
    sizes,
    squeeze,
    sum_to,
    t,
    transpose,
    unsqueeze,
    view,
)  # fmt: skip
from .table import (
    ROWS,
    F,
    attach,
    check_tensor,
    cpp_name,
    give,
    no_kernel,
    placed,
    primitive,
    renamed,
    type_name,
    write_out,
)  # fmt: skip

__all__ = [
    "adjoint",
    "as_strided",
    "as_strided_scatter",
    "diag",
    "diag_embed",
    "diagflat",
    "diagonal",
    "diagonal_scatter",
    "dsplit",
    "hsplit",
    "select_scatter",
    "slice_scatter",
    "tensor_split",
    "tril",
    "tril_indices",
    "triu",
    "triu_indices",
    "unsafe_chunk",
    "unsafe_split",
    "unsafe_split_with_sizes",
    "vsplit",
]  # fmt: skip


def _dim_of(x: Tensor, dim: int) -> int:
    """Like check_dim, but a 0-dim tensor has no dimension at all."""
    if x._a.ndim == 0:
        raise IndexError(f"Dimension specified as {dim} but tensor has no dimensions")
    return check_dim(dim, x._a.ndim)


# ---- views ------------------------------------------------------------------------------------------------------------
def _geometry(x: Tensor) -> tuple[tuple[int, ...], int]:
    return x.stride(), x.storage_offset()


def _window(x: Tensor, size: Any, stride: Any, storage_offset: int | None) -> tuple[Any, ...]:
    """The attributes of as_strided on x, checked as PyTorch does."""
    size, stride = sizes((size,)), sizes((stride,))
    offset = x.storage_offset() if storage_offset is None else storage_offset
    if mode.levels and storage_offset is not None:  # an example of a batch counts from its own first element
        offset += x.storage_offset()
    if len(size) != len(stride):
        raise RuntimeError("mismatch in length of strides and shape")
    if any(s < 0 for s in stride):
        raise RuntimeError(f"as_strided: Negative strides are not supported at the moment, got strides: {list(stride)}")
    if offset < 0:
        raise RuntimeError(f"Tensor: invalid storage offset {offset}")
    if any(n < 0 for n in size):
        raise RuntimeError(f"Storage size calculation overflowed with sizes={list(size)} and strides={list(stride)}")
    item = x._a.dtype.itemsize
    have = x._dev.backend.storage(x._a).size
    need = (offset + span(size, stride)) * item
    if 0 not in size and need > have:
        raise RuntimeError(
            f"setStorage: sizes {list(size)}, strides {list(stride)}, storage offset {offset}, and itemsize {item} "
            f"requiring a storage size of {need} are out of bounds for storage of size {have}"
        )
    return size, stride, offset


def as_strided(input: Tensor, size: Any, stride: Any, storage_offset: int | None = None) -> Tensor:
    """Any window into the memory of input, as a view; counts in elements. Source: torch.as_strided."""
    window = _window(input, size, stride, storage_offset)
    attrs = (*window, _geometry(input))
    r = make_view(input, input._dev.backend.as_strided(input._a, *attrs), "as_strided", attrs)
    root = r._v[0]
    if root is not input:  # the memory is that of the base, so one step leads there
        r._v = (root, (("as_strided", (*window, _geometry(root))),), *r._v[2:])
    if input._fn is not None and mode.grad:
        ROWS["as_strided"].record((input,), attrs, (r,))
    return r


def unfold(input: Tensor, dimension: int, size: int, step: int) -> Tensor:
    """All windows of `size` along a dimension, every `step`, in a new last dimension; a view. Source: torch.Tensor.unfold."""
    d = check_dim(dimension, input._a.ndim)
    n = input._a.shape[d] if input._a.ndim else 1
    if size < 0:
        raise RuntimeError(f"size is {size} but must be >= 0")
    if size > n:
        raise RuntimeError(f"maximum size for tensor at dimension {d} is {n} but size is {size}")
    if step <= 0:
        raise RuntimeError(f"step is {step} but must be > 0")
    return _unfold(input, d, size, step)  # type: ignore[no-any-return]


def diagonal(input: Tensor, offset: int = 0, dim1: int = 0, dim2: int = 1) -> Tensor:
    """The diagonal over two dimensions as a last dimension, a view. Source: torch.diagonal."""
    check_tensor(input, "diagonal")
    n = input._a.ndim
    d1, d2 = _dim_of(input, dim1), _dim_of(input, dim2)
    if d1 == d2:
        raise RuntimeError(f"diagonal dimensions cannot be identical {dim1}, {dim2}")
    assert n > 1
    return _diagonal(input, offset, d1, d2)  # type: ignore[no-any-return]


def _matrices(x: Tensor, name: str) -> None:
    if x._a.ndim == 1:
        raise RuntimeError(f"tensor.{name} is only supported on matrices or batches of matrices. Got 1-D tensor.")


def _mT(self: Tensor) -> Tensor:
    _matrices(self, "mT")
    return transpose(self, -2, -1) if self._a.ndim else view(self, ())


def _mH(self: Tensor) -> Tensor:
    _matrices(self, "mH")
    return F.conj(transpose(self, -2, -1) if self._a.ndim else view(self, ()))  # type: ignore[no-any-return]


def _H(self: Tensor) -> Tensor:
    if self._a.ndim not in (0, 2):
        more = "" if self._a.ndim == 1 else " For batches of matrices, consider using tensor.mH"
        raise RuntimeError(f"tensor.H is only supported on matrices (2-D tensors). Got {self._a.ndim}-D tensor.{more}")
    return _mH(self)


def adjoint(input: Tensor) -> Tensor:
    """The conjugate transpose of the last two dimensions. Source: torch.adjoint."""
    check_tensor(input, "adjoint")
    _matrices(input, "adjoint()")
    return _mH(input)


def _cuts(name: str, *given: Any) -> Any:
    """The one of several names under which the places to cut are given."""
    found = [g for g in given if g is not None]
    if len(found) != 1:
        raise TypeError(f"{name}() received an invalid combination of arguments")
    cuts = found[0]
    return cuts if isinstance(cuts, Tensor) or not hasattr(cuts, "__index__") else cuts.__index__()


def tensor_split(
    input: Tensor, indices_or_sections: Any = None, dim: int = 0, *, indices: Any = None, sections: int | None = None,
    tensor_indices_or_sections: Tensor | None = None,
) -> tuple[Tensor, ...]:  # fmt: skip
    """Pieces of nearly equal size, or cut before the given indices, as views. Source: torch.tensor_split."""
    cuts = _cuts("tensor_split", indices_or_sections, indices, sections, tensor_indices_or_sections)
    if input._a.ndim == 0:
        raise RuntimeError("tensor_split expected at least a 1-dimensional tensor, but got a tensor with 0 dims")
    d = check_dim(dim, input._a.ndim)
    n = input._a.shape[d]
    if isinstance(cuts, Tensor):
        if cuts.dtype is not dtypes.int64:
            raise RuntimeError(
                f"tensor_split expected tensor_indices_or_sections to have dtype of long, but got {type_name(cuts)}"
            )
        if cuts._a.ndim > 1:
            raise RuntimeError(
                "tensor_split expected tensor_indices_or_sections to be a zero-dimensional or one-dimensional tensor, but "
                f"got a tensor with {cuts._a.ndim} dims"
            )
        cuts = cuts.tolist()
    if isinstance(cuts, int):
        if cuts <= 0:
            raise RuntimeError(f"number of sections must be larger than 0, got {cuts}")
        return _pieces(input, d, [n // cuts + (i < n % cuts) for i in range(cuts)])
    bounds = [slice(a, b) for a, b in zip((0, *cuts), (*cuts, n), strict=True)]
    before = (slice(None),) * d
    return tuple(_slice(input, (*before, b)) for b in bounds)


def _split_along(name: str, least: int, dim: int) -> Any:
    def op(
        input: Tensor, indices_or_sections: Any = None, *, indices: Any = None, sections: int | None = None
    ) -> tuple[Tensor, ...]:
        indices_or_sections = _cuts(name, indices_or_sections, indices, sections)
        if input._a.ndim < least:
            raise RuntimeError(
                f"torch.{name} requires a tensor with at least {least} dimension, but got a tensor with {input._a.ndim} "
                "dimensions!"
            )
        d = 0 if input._a.ndim == 1 else dim
        n = input._a.shape[d]
        if isinstance(indices_or_sections, int) and (not indices_or_sections or n % indices_or_sections):
            raise RuntimeError(
                f"torch.{name} attempted to split along dimension {d}, but the size of the dimension {n} is not divisible "
                f"by the split_size {indices_or_sections}!"
            )
        return tensor_split(input, indices_or_sections, d)

    op.__name__ = name
    op.__doc__ = f"tensor_split along dimension {dim}; sections must divide it. Source: torch.{name}."
    return op


hsplit, vsplit, dsplit = _split_along("hsplit", 1, 1), _split_along("vsplit", 2, 0), _split_along("dsplit", 3, 2)


def _untied(views: tuple[Tensor, ...], node: str) -> tuple[Tensor, ...]:
    """The same tensors, no longer known as views: writes to them neither count nor rebase the input's history."""
    for v in views:
        renamed(v, node)._v = v._s = None
    return views


def unsafe_split(input: Tensor, split_size: int, dim: int = 0) -> tuple[Tensor, ...]:
    """split without the bookkeeping of views: writing in place is allowed and not seen. Source: torch.unsafe_split."""
    return _untied(input.split(split_size, dim), "UnsafeSplitBackward0")


def unsafe_split_with_sizes(input: Tensor, split_sizes: Any, dim: int = 0) -> tuple[Tensor, ...]:
    """split_with_sizes without the bookkeeping of views. Source: torch.unsafe_split_with_sizes."""
    return _untied(input.split_with_sizes(split_sizes, dim), "UnsafeSplitWithSizesBackward0")


def unsafe_chunk(input: Tensor, chunks: int, dim: int = 0) -> tuple[Tensor, ...]:
    """chunk without the bookkeeping of views. Source: torch.unsafe_chunk."""
    return _untied(input.chunk(chunks, dim), "UnsafeSplitBackward0")


# ---- changes of shape in place ----------------------------------------------------------------------------------------
def _relayout(x: Tensor, r: Tensor, back: tuple[str, tuple[Any, ...]]) -> Tensor:
    """x takes the layout and history of its view `r`; `back` is the view kernel that undoes it."""
    x._check_inplace(overlap=False)
    if x._v is None or x._fn is LEAF:  # a base: its views so far begin with the way back
        for weak in x._cell()[2:]:
            other = weak()
            if other is not None and other is not r and other._v is not None and other._v[0] is x:
                other._v = (x, (back, *other._v[1]), *other._v[2:])
    else:
        x._v = (*r._v[:2], *x._v[2:])  # where x was made counts, not where its layout changed
    x._a = r._a
    if mode.grad:
        x._fn, x._nr = r._fn, r._nr
    elif x._fn is not None and x._fn is not LEAF and x._v is not None:
        replay(x._v[0], x)
    x._bump()
    return x


def t_(self: Tensor) -> Tensor:
    """In-place t."""
    return _relayout(self, renamed(t(self), "TBackward1"), ("permute", (tuple(reversed(range(self._a.ndim))),)))


def transpose_(self: Tensor, dim0: int, dim1: int) -> Tensor:
    """In-place transpose."""
    r = transpose(self, dim0, dim1)
    n = r._a.ndim
    back: Any = ("transpose", (check_dim(dim0, n), check_dim(dim1, n))) if n else ("permute", ((),))
    return _relayout(self, renamed(r, "TransposeBackward1"), back)


def swapaxes_(self: Tensor, axis0: int, axis1: int) -> Tensor:
    """In-place swapaxes."""
    return transpose_(self, axis0, axis1)


def squeeze_(self: Tensor, dim: Any = None) -> Tensor:
    """In-place squeeze."""
    name = f"SqueezeBackward{3 if dim is None else 4 if isinstance(dim, int) else 5}"
    return _relayout(self, renamed(squeeze(self, dim), name), ("reshape", (self._a.shape,)))


def unsqueeze_(self: Tensor, dim: int) -> Tensor:
    """In-place unsqueeze."""
    return _relayout(self, renamed(unsqueeze(self, dim), "UnsqueezeBackward1"), ("reshape", (self._a.shape,)))


def as_strided_(self: Tensor, size: Any, stride: Any, storage_offset: int | None = None) -> Tensor:
    """In-place as_strided."""
    before = _geometry(self)
    shape = self._a.shape
    r = as_strided(self, size, stride, storage_offset)
    return _relayout(self, renamed(r, "AsStridedBackward1"), ("as_strided", (shape, *before, _geometry(r))))


@placed
def resize_(self: Tensor, *args: Any, size: Any = None, memory_format: Any = None) -> Tensor:
    """Change the size in place, in a memory format; new elements are uninitialised. Source: torch.Tensor.resize_.

    Where the memory is too small, self gets memory of its own (in PyTorch tensors that share it follow).
    """
    shape = sizes(args if size is None else (size,), "resize_.size")
    if any(n < 0 for n in shape):
        raise RuntimeError(f"Trying to create tensor with negative dimension {min(shape)}: {list(shape)}")
    if self._fn is not None:
        raise RuntimeError("cannot resize variables that require grad")
    a, backend = self._a, self._dev.backend
    n, item = prod(addressable(shape)), a.dtype.itemsize
    if memory_format is preserve_format:
        raise RuntimeError("Unsupported memory format Preserve")
    order = axis_order(memory_format, None, shape) or range(len(shape))
    inner = {d: prod([shape[k] for k in list(order)[i + 1 :]]) for i, d in enumerate(order)}
    strides = tuple(inner[d] for d in range(len(shape)))
    memory = backend.storage(a)
    start = backend.data_ptr(a) - backend.data_ptr(memory)
    if a.shape == shape and memory_format is None:
        return self
    if start + n * item <= memory.size:
        self._a = backend.as_strided(a, shape, strides, start // item, _geometry(self))
        self._bump()
    else:
        fresh = backend.empty((n,), a.dtype)
        kept = memory[start : start + (memory.size - start) // item * item].view(a.dtype)
        fresh[: kept.size] = kept
        self._a = backend.as_strided(fresh, shape, strides, 0, ((1,), 0))
        self._v, self._s = None, [self._version + 1, 64]
    return self


def resize_as_(self: Tensor, the_template: Tensor, *, memory_format: Any = None) -> Tensor:
    """resize_ to the shape of another tensor. Source: torch.Tensor.resize_as_."""
    if memory_format is preserve_format:
        memory_format = next((f for f in CHANNELS_LAST if the_template.is_contiguous(memory_format=f)), None)
    return resize_(self, the_template._a.shape, memory_format=memory_format)  # type: ignore[no-any-return]


def set_(self: Tensor, source: Any = None, storage_offset: int = 0, size: Any = None, stride: Any = None) -> Tensor:
    """Look at the memory of a tensor or storage from now on; with nothing given be empty. Source: torch.Tensor.set_.

    RuntimeError for another dtype, and where the memory is too small (PyTorch makes it larger).
    """
    if mode.grad and self._fn is LEAF:
        raise RuntimeError("a leaf Variable that requires grad is being used in an in-place operation.")
    dev, d = self._dev, self._a.dtype
    if source is None:
        array = dev.backend.empty((0,), d)
    else:
        tensor = isinstance(source, Tensor)
        if not tensor and not isinstance(source, UntypedStorage):
            raise TypeError(f"set_(): argument 'source' must be Tensor or Storage, not {type(source).__name__}")
        if getattr(source, "dtype", self.dtype) is not self.dtype:
            raise RuntimeError(
                f"Could not set tensor of type {cpp_name(source.dtype)} to a tensor of type {cpp_name(self)}"
            )
        if source.device != dev:
            raise RuntimeError(f"set_: the source is on {source.device} and the tensor on {dev}")
        dev = source._dev if tensor else dev
        if tensor and size is None:
            array = source._a
        else:
            memory = source.untyped_storage()._bytes if tensor else _untyped(source)._bytes
            shape = (memory.size // d.itemsize - storage_offset,) if size is None else sizes((size,))
            steps = tuple(prod(shape[i + 1 :]) for i in range(len(shape))) if stride is None else sizes((stride,))
            if len(shape) != len(steps):
                raise RuntimeError(f"unequal size length ({len(shape)}) and stride length ({len(steps)})")
            need = (storage_offset + span(shape, steps)) * d.itemsize
            if storage_offset < 0:
                raise RuntimeError(f"Tensor: invalid storage offset {storage_offset}")
            if need > memory.size:
                raise RuntimeError(
                    f"setStorage: sizes {list(shape)}, strides {list(steps)}, storage offset {storage_offset}, and itemsize "
                    f"{d.itemsize} requiring a storage size of {need} are out of bounds for storage of size {memory.size}"
                )
            steps = tuple(s * d.itemsize for s in steps)
            array = dev.backend.strided_view(memory, shape, steps, storage_offset * d.itemsize, d)
    self._a, self._dev, self._v, self._s = array, dev, None, [self._version + 1, 64]
    return self


def _untyped(source: Any) -> Any:
    return source.untyped() if hasattr(source, "untyped") else source


def sum_to_size(self: Tensor, *args: Any, size: Any = None) -> Tensor:
    """Summed over the dimensions in which `size` would broadcast to self. Source: torch.Tensor.sum_to_size."""
    shape, have = sizes(args if size is None else (size,), "sum_to_size.size"), self._a.shape
    extra = len(have) - len(shape)
    if extra < 0 or any(n not in (1, m) for n, m in zip(shape, have[extra:], strict=True)):
        raise RuntimeError(f"size {{{list(shape)}}} is not expandable to size {{{list(have)}}}.")
    if not shape:
        return self.sum()  # type: ignore[attr-defined, no-any-return]
    return self if shape == have else sum_to(self, shape)


# ---- triangles and diagonals ------------------------------------------------------------------------------------------
def _triangle(name: str) -> Any:
    row = primitive(name, "x", (lambda F, g, diagonal: getattr(F, name)(g, diagonal),), "diagonal")

    def op(input: Tensor, diagonal: int = 0, *, out: Tensor | None = None) -> Tensor:
        if check_tensor(input, name)._a.ndim < 2:
            raise RuntimeError(f"{name}: input tensor must have at least 2 dimensions")
        return give(row(input, diagonal), out, True)

    op.__name__ = name
    op.__doc__ = f"Matrices with the other triangle set to 0. Source: torch.{name}."
    return op


tril, triu = _triangle("tril"), _triangle("triu")


def _triangle_indices(name: str) -> Any:
    def op(
        row: int, col: int, offset: int = 0, *, dtype: Any = None, layout: Any = None, device: Any = None,
        pin_memory: bool = False, requires_grad: bool = False,
    ) -> Tensor:  # fmt: skip
        dtype = dtypes.int64 if dtype is None else dtype
        for what, n in (("row", row), ("col", col)):
            if n < 0:
                raise RuntimeError(f"{what} must be non-negative, got{n}")
        d = array_dtype(_dtype(dtype))
        if d.kind not in "iu":
            raise no_kernel(name, _dtype(dtype))
        dev = devices.resolve(device)
        return wrap(dev.backend.cast(dev.backend.triangle_indices(name == "tril_indices", row, col, offset), d), dev)

    op.__name__ = name
    op.__doc__ = f"(2, n): row and column indices of a triangle, by rows. Source: torch.{name}."
    return op


tril_indices, triu_indices = _triangle_indices("tril_indices"), _triangle_indices("triu_indices")


def diag_embed(input: Tensor, offset: int = 0, dim1: int = -2, dim2: int = -1) -> Tensor:
    """The last dimension as the diagonal of new matrices over dim1 and dim2. Source: torch.diag_embed."""
    check_tensor(input, "diag_embed")
    shape = input._a.shape
    n = len(shape) + 1
    d1, d2 = check_dim(dim1, n), check_dim(dim2, n)
    if d1 == d2:
        raise RuntimeError(f"diagonal dimensions cannot be identical {dim1}, {dim2}")
    side = shape[-1] + abs(offset)
    full = list(shape[:-1])
    for d in sorted((d1, d2)):
        full.insert(d, side)
    return F.diagonal_backward(input, tuple(full), offset, d1, d2)  # type: ignore[no-any-return]


def diag(input: Tensor, diagonal: int = 0, *, out: Tensor | None = None) -> Tensor:
    """A vector as the diagonal of a matrix, or the diagonal of a matrix as a copy. Source: torch.diag."""
    check_tensor(input, "diag")
    n = input._a.ndim
    if n not in (1, 2):
        raise RuntimeError(f"diag(): Supports 1D or 2D tensors. Got {n}D")
    if n == 1:
        return give(diag_embed(input, diagonal), out, True)
    return give(renamed(_diagonal(input, diagonal, 0, 1).clone(), "DiagonalBackward0_copy"), out, True)


def diagflat(input: Tensor, offset: int = 0) -> Tensor:
    """All elements as the diagonal of a matrix. Source: torch.diagflat."""
    check_tensor(input, "diagflat")
    return diag_embed(reshape(contiguous(input), -1), offset)


def _scattered(x: Tensor, src: Tensor, step: tuple[str, tuple[Any, ...]], slice_shape: Any, name: str) -> Tensor:
    """A copy of x with the region that a view kernel shows replaced by src."""
    if src._a.shape != tuple(slice_shape):
        raise RuntimeError(
            f"expected src to have a size equal to the slice of self. src size = {list(src._a.shape)}, slice size = "
            f"{list(slice_shape)}"
        )
    if src._a.dtype != x._a.dtype:
        src = F.cast(src, x._a.dtype)
    order = memory_order(x._a) or tuple(range(x._a.ndim))
    return renamed(F.view_scatter(x, src, (step,), order), name)


def diagonal_scatter(input: Tensor, src: Tensor, offset: int = 0, dim1: int = 0, dim2: int = 1) -> Tensor:
    """input with a diagonal replaced by src. Source: torch.diagonal_scatter."""
    part = diagonal(input.detach(), offset, dim1, dim2)
    return _scattered(input, src, part._v[1][-1], part._a.shape, "DiagonalScatterBackward0")


def select_scatter(input: Tensor, src: Tensor, dim: int, index: int) -> Tensor:
    """input with one slice along `dim` replaced by src. Source: torch.select_scatter."""
    part = input.detach().select(dim, index)
    return _scattered(input, src, part._v[1][-1], part._a.shape, "SelectScatterBackward0")


def slice_scatter(
    input: Tensor, src: Tensor, dim: int = 0, start: int | None = None, end: int | None = None, step: int = 1, *,
    out: Tensor | None = None,
) -> Tensor:  # fmt: skip
    """input with input[start:end:step] along `dim` replaced by src. Source: torch.slice_scatter."""
    d = _dim_of(input, dim)
    if step <= 0:
        raise RuntimeError("slice step must be positive")
    part = _slice(input.detach(), (*(slice(None),) * d, slice(start, end, step)))
    r = _scattered(input, src, part._v[1][-1], part._a.shape, "SliceScatterBackward0")
    return r if out is None else write_out(out, r)


def as_strided_scatter(input: Tensor, src: Tensor, size: Any, stride: Any, storage_offset: int | None = None) -> Tensor:
    """input with the elements that as_strided shows replaced by src. Source: torch.as_strided_scatter.

    The gradient of input is that of the elements kept (PyTorch 2.13 gives that of the replaced ones).
    """
    window = _window(input, size, stride, storage_offset)
    return _scattered(input, src, ("as_strided", (*window, _geometry(input))), window[0], "AsStridedScatterBackward0")


for _name in (
    "adjoint", "as_strided", "as_strided_scatter", "diag", "diag_embed", "diagflat", "diagonal", "diagonal_scatter",
    "dsplit", "hsplit", "resize_", "resize_as_", "set_", "sum_to_size",
    "select_scatter", "slice_scatter", "squeeze_", "t_", "tensor_split", "transpose_", "unfold",
    "unsafe_chunk", "unsafe_split", "unsafe_split_with_sizes", "unsqueeze_", "vsplit", "as_strided_",
):  # fmt: skip
    attach(_name, globals()[_name])
for _name in ("tril", "triu"):
    attach(_name, globals()[_name], True, True)
Tensor.swapaxes_ = swapaxes_
Tensor.swapdims_ = transpose_
Tensor.T = property(lambda self: _permute(self, tuple(reversed(range(self._a.ndim)))))
Tensor.mT, Tensor.mH, Tensor.H = property(_mT), property(_mH), property(_H)
