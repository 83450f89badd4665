"""Views and shape ops. Views share storage and version; see `make_view` and `rebase` in tensor.py."""

from __future__ import annotations

from math import prod
from typing import Any

from ..autograd.modes import mode
from ..backends.base import DTYPE_OF
from ..size import Size
from ..tensor import LEAF, Tensor, check_dim, new, wrap
from .table import (
    ROWS,
    F,
    Row,
    attach,
    check_tensor,
    primitive,
    raw_dtype,
    renamed,
    result_type,
    same_device,
    write_out,
)

_view = primitive(
    "reshape", "x", (lambda F, g, x_shape: F.reshape(g, x_shape),), "shape", node="ViewBackward0", view=True
)
_clone_shape = primitive(
    "reshape_copy", "x", (lambda F, g, x_shape: F.reshape_copy(g, x_shape),), "shape", node="UnsafeViewBackward0"
)


def _inverse(dims: tuple[int, ...]) -> tuple[int, ...]:
    inverse = [0] * len(dims)
    for i, d in enumerate(dims):
        inverse[d] = i
    return tuple(inverse)


_permute = primitive("permute", "x", (lambda F, g, dims: F.permute(g, _inverse(dims)),), "dims", view=True)
_expand = primitive("expand", "x", (lambda F, g, x_shape: F.sum_to(g, x_shape),), "shape", view=True)
_slice = primitive(
    "slice", "x", (lambda F, g, x_shape, index: F.slice_backward(g, x_shape, index),), "index", view=True
)  # fmt: skip
_select = primitive(
    "select", "x", (lambda F, g, x_shape, index: F.slice_backward(g, x_shape, index),), "index", view=True
)  # fmt: skip
primitive("slice_backward", "x", (lambda F, g, index: F.slice(g, index),), "shape index")
primitive(
    "view_replay",
    "x",
    (lambda F, g, x_shape, chain: _unview(F, g, x_shape, chain),),
    "chain",
    node="AsStridedBackward0",
)
primitive(
    "view_scatter",
    "x src",
    (
        lambda F, g, src, chain, order: F.view_scatter(g, F.mul(F.view_replay(g, chain), 0), chain, order),
        lambda F, g, chain: F.view_replay(g, chain),
    ),
    "chain order",
    node="CopySlices",
)
_contiguous = primitive("copy", "x", (lambda F, g: g,), node="CloneBackward0")


def _unview(F: Any, g: Any, shape: tuple[int, ...], chain: Any) -> Any:
    """The adjoint of a view: g put into zeros of the base's shape, as the sum over writes that the view makes."""
    shapes = [tuple(shape)]
    for name, attrs in chain:
        shapes.append(_view_shape(shapes[-1], name, attrs))
    for (name, attrs), before in zip(reversed(chain), reversed(shapes[:-1]), strict=True):
        if name in ("reshape", "squeeze", "unsqueeze"):
            g = F.reshape(g, before)
        elif name == "permute":
            g = F.permute(g, _inverse(attrs[0]))
        elif name in ("transpose", "t"):
            g = getattr(F, name)(g, *attrs)
        elif name == "expand":
            g = F.sum_to(g, before)
        elif name in ("slice", "select"):
            g = F.slice_backward(g, before, attrs[0])
        elif name in ("real", "imag"):
            g = F.cast(g, DTYPE_OF[raw_dtype(g)].to_complex().array)
            g = F.mul(g, 1j) if name == "imag" else g
        elif name == "view_as_real":
            g = F.view_as_complex(F.copy(g))
        elif name == "view_as_complex":
            g = F.view_as_real(g)
    return g


def _view_shape(shape: tuple[int, ...], name: str, attrs: Any) -> tuple[int, ...]:
    if name in ("reshape", "expand", "squeeze", "unsqueeze"):
        return tuple(attrs[0])
    if name == "t":
        return shape[::-1]
    if name == "transpose":
        order = list(range(len(shape)))
        order[attrs[0]], order[attrs[1]] = attrs[1], attrs[0]
        return tuple(shape[i] for i in order)
    if name == "permute":
        return tuple(shape[d] for d in attrs[0])
    if name in ("alias", "real", "imag"):
        return shape
    if name == "view_as_real":
        return (*shape, 2)
    if name == "view_as_complex":
        return shape[:-1]
    result = []
    position = 0
    for i in attrs[0]:
        if i is None:
            result.append(1)
        elif isinstance(i, slice):
            result.append(len(range(*i.indices(shape[position]))))
            position += 1
        else:
            position += 1
    return (*result, *shape[position:])


def replay(root: Tensor, view: Tensor) -> None:
    """Give a view the history of its base, which was written since the view was made."""
    if root._fn is None:
        return
    assert view._v is not None
    ROWS["view_replay"].record((root,), (view._v[1],), (view,))


def copy_slices(root: Tensor, r: Tensor, chain: Any) -> None:
    """The base takes the history 'old base with a region overwritten by r'."""
    a = root._a
    order = tuple(sorted(range(a.ndim), key=lambda i: (-abs(a.strides[i]), i)))
    old = root._alias(root._fn, root._nr)
    holder = root._alias(None, 0)
    ROWS["view_scatter"].record((old, r), (chain, order), (holder,))
    root._fn, root._nr = holder._fn, 0


def sum_to(g: Any, shape: tuple[int, ...]) -> Any:
    """Sum over broadcast dimensions, on Tensors; backends have the same for arrays."""
    have = g._a.shape
    extra = len(have) - len(shape)
    dims = tuple(i for i in range(len(have)) if i < extra or (shape[i - extra] == 1 and have[i] != 1))
    return F.reshape(F.sum(g, dims, False) if dims else g, shape)


F.sum_to = sum_to


def _infer(shape: tuple[int, ...], size: int) -> tuple[int, ...]:
    """Fill in a -1."""
    if shape.count(-1) > 1:
        raise RuntimeError("only one dimension can be inferred")
    for n in shape:
        if n < -1:
            raise RuntimeError(f"invalid shape dimension {n}")
    if -1 in shape:
        rest = prod(n for n in shape if n != -1)
        if rest == 0:
            raise RuntimeError(
                f"cannot reshape tensor of 0 elements into shape {list(shape)} because the unspecified dimension size -1 "
                "can be any value and is ambiguous"
            )
        if size % rest:
            raise RuntimeError(f"shape '{list(shape)}' is invalid for input of size {size}")
        shape = tuple(size // rest if n == -1 else n for n in shape)
    if prod(shape) != size:
        raise RuntimeError(f"shape '{list(shape)}' is invalid for input of size {size}")
    return shape


def sizes(args: tuple[Any, ...]) -> tuple[int, ...]:
    """A shape given as one sequence or as separate ints."""
    if len(args) == 1 and isinstance(args[0], (tuple, list)):
        args = tuple(args[0])
    try:
        return tuple([n if n.__class__ is int else n.__index__() for n in args])
    except AttributeError:
        raise TypeError(f"expected a shape of ints, got {args!r}") from None


def _shape_for(a: Any, args: tuple[Any, ...]) -> tuple[int, ...]:
    """The shape that `args` ask of an array, a -1 filled in."""
    if len(args) == 1 and args[0].__class__ is tuple:
        args = args[0]
    size = 1
    for n in args:
        if n.__class__ is not int or n < 0:
            return _infer(sizes(args), a.size)
        size *= n
    return args if size == a.size else _infer(args, a.size)


def _can_view(x: Any, shape: tuple[int, ...]) -> bool:
    """Whether an array can take `shape` without a copy."""
    if x.flags.c_contiguous or x.size == 0:
        return True
    # group the old dimensions into runs that are contiguous among themselves; new ones must not cross a run
    strides = [s // x.dtype.itemsize for s in x.strides]
    runs: list[int] = []
    expected = None
    for n, s in reversed([(n, s) for n, s in zip(x.shape, strides, strict=True) if n != 1]):
        if expected is not None and s == expected:
            runs[-1] *= n
        else:
            runs.append(n)
        expected = s * n
    for run in runs:
        left = run
        while left > 1:
            if not shape:
                return False
            n, shape = shape[-1], shape[:-1]
            if left % n:
                return False
            left //= n
    return True


def view(input: Tensor, *shape: Any) -> Tensor:
    """The same memory in another shape (or, for a dtype, reinterpreted at equal item size). Source: torch.Tensor.view."""
    a = input._a
    if len(shape) == 1 and hasattr(shape[0], "array"):
        if shape[0].itemsize != a.dtype.itemsize:
            raise RuntimeError("view(dtype) between item sizes is not supported; sizes must match")
        r = input._alias(None, 0)
        r._a, r._s = a.view(shape[0].array), input._cell()
        return r
    new = _shape_for(a, shape)
    if not a.flags.c_contiguous and not _can_view(a, new):
        raise RuntimeError(
            "view size is not compatible with input tensor's size and stride (at least one dimension spans across two "
            "contiguous subspaces). Use .reshape(...) instead."
        )
    return _view(input, new)  # type: ignore[no-any-return]


def reshape(input: Tensor, *shape: Any, **kwargs: Any) -> Tensor:
    """A view where the layout allows it, else a copy. Source: torch.reshape."""
    if "shape" in kwargs:
        shape = (kwargs["shape"],)
    a = input._a
    new = _shape_for(a, shape)
    return _view(input, new) if a.flags.c_contiguous or _can_view(a, new) else _clone_shape(input, new)  # type: ignore[no-any-return]


def view_as(input: Tensor, other: Tensor) -> Tensor:
    return view(input, other._a.shape)


def reshape_as(input: Tensor, other: Tensor) -> Tensor:
    return reshape(input, other._a.shape)


def permute(input: Tensor, *dims: Any) -> Tensor:
    """Dimensions in another order, as a view. Source: torch.permute."""
    dims = sizes(dims)
    n = input._a.ndim
    if len(dims) != n:
        raise RuntimeError(
            f"permute(sparse_coo): number of dimensions in the tensor input does not match the length of the desired "
            f"ordering of dimensions i.e. input.dim() = {n} is not equal to len(dims) = {len(dims)}"
        )
    order = tuple(check_dim(d, n) for d in dims)
    if len(set(order)) != n:
        raise RuntimeError("permute(): duplicate dims are not allowed.")
    return _permute(input, order)  # type: ignore[no-any-return]


_swap = primitive("transpose", "x", (lambda F, g, d0, d1: F.transpose(g, d0, d1),), "d0 d1", view=True)
_t = primitive("t", "x", (lambda F, g: F.t(g),), view=True)


def transpose(input: Tensor, dim0: int, dim1: int) -> Tensor:
    """Swap two dimensions, as a view. Source: torch.transpose."""
    n = input._a.ndim
    return _swap(input, check_dim(dim0, n), check_dim(dim1, n))  # type: ignore[no-any-return]


def t(input: Tensor) -> Tensor:
    """The transpose of a matrix; a vector stays. Source: torch.t."""
    if input._a.ndim > 2:
        raise RuntimeError(f"t() expects a tensor with <= 2 dimensions, but self is {input._a.ndim}D")
    return _t(input) if input._a.ndim == 2 else view(input, input._a.shape)  # type: ignore[no-any-return]


def _reversed_dims(self: Tensor) -> Tensor:
    return _permute(self, tuple(reversed(range(self._a.ndim))))  # type: ignore[no-any-return]


def movedim(input: Tensor, source: Any, destination: Any) -> Tensor:
    """Move dimensions to new places. Source: torch.movedim."""
    n = input._a.ndim
    src = [check_dim(d, n) for d in ([source] if isinstance(source, int) else source)]
    dst = [check_dim(d, n) for d in ([destination] if isinstance(destination, int) else destination)]
    order = [d for d in range(n) if d not in src]
    for d, s in sorted(zip(dst, src, strict=True)):
        order.insert(d, s)
    return _permute(input, tuple(order))  # type: ignore[no-any-return]


_squeeze = primitive("squeeze", "x", (lambda F, g, x_shape: F.reshape(g, x_shape),), "shape", view=True)
_unsqueeze = primitive("unsqueeze", "x", (lambda F, g, x_shape: F.reshape(g, x_shape),), "shape", view=True)


def squeeze(input: Tensor, dim: Any = None) -> Tensor:
    """Without dimensions of size 1: all, or those named. Source: torch.squeeze."""
    shape = input._a.shape
    if dim is None:
        return _squeeze(input, tuple(n for n in shape if n != 1))  # type: ignore[no-any-return]
    drop = {check_dim(d, len(shape)) for d in (dim if isinstance(dim, (tuple, list)) else (dim,))}
    return renamed(
        _squeeze(input, tuple(n for i, n in enumerate(shape) if n != 1 or i not in drop)), "SqueezeBackward1"
    )


def unsqueeze(input: Tensor, dim: int) -> Tensor:
    """With a dimension of size 1 inserted at `dim`. Source: torch.unsqueeze."""
    shape = input._a.shape
    d = check_dim(dim, len(shape) + 1)
    return _unsqueeze(input, (*shape[:d], 1, *shape[d:]))  # type: ignore[no-any-return]


def flatten(input: Tensor, start_dim: int = 0, end_dim: int = -1) -> Tensor:
    """Dimensions start_dim to end_dim as one. Source: torch.flatten."""
    shape = input._a.shape
    n = len(shape)
    start, end = check_dim(start_dim, n), check_dim(end_dim, n)
    if start > end:
        raise RuntimeError("flatten() has invalid args: start_dim cannot come after end_dim")
    if n == 0:
        return reshape(input, 1)
    if start == end:
        return input
    return reshape(input, (*shape[:start], prod(shape[start : end + 1]), *shape[end + 1 :]))


def unflatten(input: Tensor, dim: int, sizes: Any) -> Tensor:
    """One dimension as several. Source: torch.unflatten."""
    shape = input._a.shape
    d = check_dim(dim, len(shape))
    return view(input, (*shape[:d], *_infer(tuple(sizes), shape[d]), *shape[d + 1 :]))


def ravel(input: Tensor) -> Tensor:
    return reshape(input, -1)


def expand(input: Tensor, *size: Any) -> Tensor:
    """Repeat dimensions of size 1 without copying; -1 keeps one. Source: torch.Tensor.expand."""
    new = sizes(size)
    shape = input._a.shape
    extra = len(new) - len(shape)
    if extra < 0:
        raise RuntimeError(
            f"expand(torch.{input._a.dtype}{list(shape)}, size={list(new)}): the number of sizes provided ({len(new)}) must "
            f"be greater or equal to the number of dimensions in the tensor ({len(shape)})"
        )
    full = []
    for i, n in enumerate(new):
        have = shape[i - extra] if i >= extra else None
        if n == -1:
            if have is None:
                raise RuntimeError(
                    f"The expanded size of the tensor (-1) isn't allowed in a leading, non-existing dimension {i}"
                )
            n = have
        elif have is not None and have not in (1, n):
            raise RuntimeError(
                f"The expanded size of the tensor ({n}) must match the existing size ({have}) at non-singleton dimension "
                f"{i}.  Target sizes: {list(new)}.  Tensor sizes: {list(shape)}"
            )
        full.append(n)
    return _expand(input, tuple(full))  # type: ignore[no-any-return]


def expand_as(input: Tensor, other: Tensor) -> Tensor:
    return expand(input, other._a.shape)


def broadcast_to(input: Tensor, shape: Any) -> Tensor:
    return expand(input, shape)


def broadcast_shapes(*shapes: Any) -> Size:
    """The shape that arrays of these shapes broadcast to. RuntimeError if they do not."""
    n = max(map(len, shapes), default=0)
    result = [1] * n
    for shape in shapes:
        for i in range(1, len(shape) + 1):
            if shape[-i] != 1:
                if result[-i] not in (1, shape[-i]):
                    raise RuntimeError(
                        f"The size of tensor a ({result[-i]}) must match the size of tensor b ({shape[-i]}) at non-singleton "
                        f"dimension {n - i} (shapes {', '.join(str(list(s)) for s in shapes)})"
                    )
                result[-i] = shape[-i]
    return Size(result)


def broadcast_tensors(*tensors: Tensor) -> tuple[Tensor, ...]:
    shape = broadcast_shapes(*(t._a.shape for t in tensors))
    return tuple(expand(t, shape) for t in tensors)


def contiguous(input: Tensor, memory_format: Any = None) -> Tensor:
    """self if already C-contiguous, else a copy that is."""
    return input if input._a.flags.c_contiguous else _contiguous(input)  # type: ignore[no-any-return]


def clone(input: Tensor, *, memory_format: Any = None) -> Tensor:
    """A copy with the same history. Source: torch.clone."""
    return _contiguous(input)  # type: ignore[no-any-return]


def repeat(input: Tensor, *reps: Any) -> Tensor:
    """Tile along each dimension. Source: torch.Tensor.repeat."""
    reps = sizes(reps)
    shape = input._a.shape
    if len(reps) < len(shape):
        raise RuntimeError("Number of dimensions of repeat dims can not be smaller than number of dimensions of tensor")
    shape = (1,) * (len(reps) - len(shape)) + tuple(shape)
    x = view(contiguous(input), [n for pair in zip([1] * len(shape), shape, strict=True) for n in pair])
    x = expand(x, [n for pair in zip(reps, shape, strict=True) for n in pair])
    return reshape(x, [r * n for r, n in zip(reps, shape, strict=True)])


_flip = primitive("flip", "x", (lambda F, g, dims: F.flip(g, dims),), "dims")


def flip(input: Tensor, *dims: Any) -> Tensor:
    """Reversed along `dims`, as a copy. Source: torch.flip."""
    return _flip(input, tuple(check_dim(d, input._a.ndim) for d in sizes(dims)))  # type: ignore[no-any-return]


def _cat_row(count: int) -> Row:
    """The row of `cat` for a number of tensors."""
    row = _cat_rows.get(count)
    if row is None:
        names = " ".join(f"x{i}" for i in range(count))

        def joint(F: Any, g: Any, need: Any, dim: int, lengths: tuple[int, ...]) -> Any:
            grads, start = [], 0
            for wanted, n in zip(need, lengths, strict=True):
                index = (*(slice(None),) * dim, slice(start, start + n))
                grads.append(F.slice(g, index) if wanted else None)
                start += n
            return grads

        row = _cat_rows[count] = Row(f"cat{count}", names, joint, "dim lengths", node="CatBackward0")
        del ROWS[f"cat{count}"]
    return row


_cat_rows: dict[int, Row] = {}


def _cat(tensors: list[Tensor], dim: int) -> Tensor:
    dev = tensors[0]._dev
    for t in tensors:
        if t._dev is not dev:
            dev = same_device("cat", *tensors)
    r = wrap(dev.backend.cat([t._a for t in tensors], dim), dev)
    if any([t._fn is not None for t in tensors]) and mode.grad:
        lengths = tuple(t._a.shape[dim] for t in tensors)
        _cat_row(len(tensors)).record(tuple(tensors), (dim, lengths), (r,))
    return r


def cat(tensors: Any, dim: int = 0, *, out: Tensor | None = None) -> Tensor:
    """Tensors joined along an existing dimension, promoted to one dtype. Source: torch.cat."""
    if isinstance(tensors, Tensor):
        raise TypeError("cat(): argument 'tensors' (position 1) must be tuple of Tensors, not Tensor")
    tensors = list(tensors)
    if out is None and tensors and dim.__class__ is int:
        dev = ndim = dtype = None
        arrays = []
        grad = False
        for x in tensors:  # the plain case: one device, one dtype, no number of dimensions that differs
            if x.__class__ is not Tensor:
                break
            a = x._a
            if dev is None:
                dev, dtype, ndim = x._dev, a.dtype, a.ndim
            elif x._dev is not dev or a.dtype is not dtype or a.ndim != ndim:
                break
            arrays.append(a)
            if x._fn is not None:
                grad = True
        else:
            if 0 <= dim < ndim and (ndim > 1 or arrays[0].size):  # type: ignore[operator]
                try:
                    r: Tensor = new(Tensor)
                    r._a = dev.backend.cat(arrays, dim)  # type: ignore[union-attr]
                    r._dev = dev  # type: ignore[assignment]
                    r._s = r._fn = r._v = r._x = None
                    r._nr = 0
                    if grad and mode.grad:
                        _cat_row(len(tensors)).record(
                            tuple(tensors), (dim, tuple([b.shape[dim] for b in arrays])), (r,)
                        )
                    return r
                except ValueError:
                    pass  # said below, in PyTorch's words
    for x in tensors:
        check_tensor(x, "cat", "tensors")
    if not tensors:
        raise ValueError("torch.cat(): expected a non-empty list of Tensors")
    target = result_type(*tensors).array
    kept = [x for x in tensors if x._a.shape != (0,)] or tensors[:1]
    first = kept[0]._a.shape
    if not first:
        raise RuntimeError("zero-dimensional tensor (at position 0) cannot be concatenated")
    d = check_dim(dim, len(first))
    for i, x in enumerate(kept):
        shape = x._a.shape
        if len(shape) != len(first):
            raise RuntimeError(f"Tensors must have same number of dimensions: got {len(first)} and {len(shape)}")
        for k, (m, n) in enumerate(zip(first, shape, strict=True)):
            if k != d and m != n:
                raise RuntimeError(
                    f"Sizes of tensors must match except in dimension {d}. Expected size {m} but got size {n} for tensor "
                    f"number {i} in the list. (shapes {list(first)} and {list(shape)})"
                )
    r = _cat([x if x._a.dtype == target else F.cast(x, target) for x in kept], d)
    return r if out is None else write_out(out, r)


concat = concatenate = cat


def stack(tensors: Any, dim: int = 0, *, out: Tensor | None = None) -> Tensor:
    """Tensors of one shape joined along a new dimension. Source: torch.stack."""
    tensors = list(tensors)
    if not tensors:
        raise RuntimeError("stack expects a non-empty TensorList")
    first = tensors[0]._a.shape
    for i, x in enumerate(tensors):
        if x._a.shape != first:
            raise RuntimeError(
                f"stack expects each tensor to be equal size, but got {list(first)} at entry 0 and {list(x._a.shape)} at "
                f"entry {i}"
            )
    r = cat([unsqueeze(x, dim) for x in tensors], check_dim(dim, len(first) + 1), out=out)
    return renamed(r, "StackBackward0")


def _several(views: tuple[Tensor, ...], name: str) -> tuple[Tensor, ...]:
    """Mark views that came from one call: PyTorch refuses to write to them in place under autograd."""
    for v in views:
        v._v = (*v._v[:2], name)  # type: ignore[index]
    return views


def unbind(input: Tensor, dim: int = 0) -> tuple[Tensor, ...]:
    """The slices along `dim`, as views. Source: torch.unbind."""
    d = check_dim(dim, input._a.ndim)
    before = (slice(None),) * d
    return _several(tuple(_select(input, (*before, i)) for i in range(input._a.shape[d])), "UnbindBackward0")


def split(tensor: Tensor, split_size_or_sections: Any, dim: int = 0) -> tuple[Tensor, ...]:
    """Pieces of a size (the last may be smaller) or of given sizes, as views. Source: torch.split."""
    d = check_dim(dim, tensor._a.ndim)
    n = tensor._a.shape[d]
    if isinstance(split_size_or_sections, int):
        size = split_size_or_sections
        if size < 0 or (size == 0 and n):
            raise RuntimeError(f"split expects split_size be non-negative, but got split_size={size}")
        sections = [min(size, n - i) for i in range(0, n, size)] if n else [0]
    else:
        sections = list(split_size_or_sections)
        if sum(sections) != n:
            raise RuntimeError(
                f"split_with_sizes expects split_sizes to sum exactly to {n} (input tensor's size at dimension {d}), but "
                f"got split_sizes={sections}"
            )
    result, start = [], 0
    for size in sections:
        result.append(_slice(tensor, (*(slice(None),) * d, slice(start, start + size))))
        start += size
    return _several(tuple(result), "SplitBackward0")


def chunk(input: Tensor, chunks: int, dim: int = 0) -> tuple[Tensor, ...]:
    """At most `chunks` pieces of equal size. Source: torch.chunk."""
    if chunks <= 0:
        raise RuntimeError(f"chunk expects `chunks` to be greater than 0, got: {chunks}")
    n = input._a.shape[check_dim(dim, input._a.ndim)]
    return split(input, max(1, -(-n // chunks)), dim)


def narrow(input: Tensor, dim: int, start: int, length: int) -> Tensor:
    """The slice [start, start + length) along `dim`, as a view. Source: torch.narrow."""
    d = check_dim(dim, input._a.ndim)
    n = input._a.shape[d]
    start = start + n if start < 0 else start
    if start + length > n or start < 0:
        raise RuntimeError(f"start ({start}) + length ({length}) exceeds dimension size ({n}).")
    return _slice(input, (*(slice(None),) * d, slice(start, start + length)))  # type: ignore[no-any-return]


def select(input: Tensor, dim: int, index: int) -> Tensor:
    """One slice along `dim`, without that dimension, as a view. Source: torch.select."""
    d = check_dim(dim, input._a.ndim)
    n = input._a.shape[d]
    if not -n <= index < n:
        raise IndexError(
            f"select(): index {index} out of range for tensor of size {list(input._a.shape)} at dimension {d}"
        )
    return _select(input, (*(slice(None),) * d, index))  # type: ignore[no-any-return]


def meshgrid(*tensors: Any, indexing: str = "ij") -> tuple[Tensor, ...]:
    """Coordinate grids of 1-D tensors. Source: torch.meshgrid."""
    if len(tensors) == 1 and isinstance(tensors[0], (tuple, list)):
        tensors = tuple(tensors[0])
    if indexing == "xy":
        grids = meshgrid(*reversed(tensors[:2]), *tensors[2:])
        return tuple(transpose(g, 0, 1) for g in (*reversed(grids[:2]), *grids[2:]))
    shape = [x.numel() for x in tensors]
    return tuple(
        expand(view(x, [n if i == k else 1 for i, n in enumerate(shape)]), shape) for k, x in enumerate(tensors)
    )


for _name in (
    "view", "view_as", "reshape", "reshape_as", "permute", "transpose", "t", "movedim", "flatten", "unflatten", "ravel",
    "expand", "expand_as", "broadcast_to", "contiguous", "clone", "repeat", "flip", "unbind", "split", "chunk",
    "narrow", "select", "squeeze", "unsqueeze",
):  # fmt: skip
    attach(_name, globals()[_name])
Tensor.swapaxes = transpose  # type: ignore[attr-defined]
swapaxes = swapdims = transpose
moveaxis = movedim
Tensor.T = property(_reversed_dims)  # type: ignore[attr-defined]
Tensor.mT = property(lambda self: transpose(self, -2, -1))  # type: ignore[attr-defined]


def _rename(x: Tensor, r: Tensor) -> Tensor:
    """An in-place change of shape: self takes the view's array and history."""
    if mode.grad and x._fn is LEAF:
        raise RuntimeError("a leaf Variable that requires grad is being used in an in-place operation.")
    x._a, x._fn, x._nr, x._v = r._a, r._fn, r._nr, r._v
    x._bump()
    return x


Tensor.t_ = lambda self: _rename(self, t(self))  # type: ignore[attr-defined]
Tensor.squeeze_ = lambda self, dim=None: _rename(self, squeeze(self, dim))  # type: ignore[attr-defined]
Tensor.unsqueeze_ = lambda self, dim: _rename(self, unsqueeze(self, dim))  # type: ignore[attr-defined]
Tensor.transpose_ = lambda self, dim0, dim1: _rename(self, transpose(self, dim0, dim1))  # type: ignore[attr-defined]
