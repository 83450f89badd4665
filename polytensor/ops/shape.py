"""Views and shape ops. Views share storage and version; see `_view` in rows.py and `rebase` in tensor.py."""

from __future__ import annotations

from math import prod
from typing import Any

from ..backends.base import DTYPE_OF
from ..layouts import axis_order, contiguous_format, preserve_format
from ..size import Size
from ..tensor import Tensor, check_dim
from .operands import check_tensors, several
from .table import ROWS, F, attach, check_tensor, primitive, raw_dtype, renamed, shape_error, type_name

_view, _ = (
    primitive(name, "x", (lambda F, g, x_shape: F.reshape(g, x_shape),), "shape", node="ViewBackward0", view=True)
    for name in ("view", "reshape")  # one for Tensors; one for rules, whose values may be scalars of NumPy
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
        lambda F, g, chain, order: F.view_scatter(g, F.zeros_of(F.view_replay(g, chain)), chain, order),
        lambda F, g, chain: F.view_replay(g, chain),
    ),
    "chain order",
    node="CopySlices",
)
primitive(
    "as_strided",
    "x",
    (
        lambda F, g, x_shape, size, stride, offset, geometry: F.as_strided_backward(
            g, x_shape, size, stride, offset, geometry
        ),
    ),
    "size stride offset geometry",
    view=True,
)
primitive(
    "as_strided_backward",
    "x",
    (lambda F, g, size, stride, offset, geometry: F.as_strided(g, size, stride, offset, geometry),),
    "shape size stride offset geometry",
)
_unfold = primitive(
    "unfold",
    "x",
    (lambda F, g, x_shape, dim, size, step: F.unfold_backward(g, x_shape, dim, size, step),),
    "dim size step",
    view=True,
)
primitive(
    "unfold_backward",
    "x",
    (lambda F, g, dim, size, step: F.unfold(g, dim, size, step),),
    "shape dim size step",
)
_diagonal = primitive(
    "diagonal",
    "x",
    (lambda F, g, x_shape, offset, dim1, dim2: F.diagonal_backward(g, x_shape, offset, dim1, dim2),),
    "offset dim1 dim2",
    view=True,
)
primitive(
    "diagonal_backward",
    "x",
    (lambda F, g, offset, dim1, dim2: F.diagonal(g, offset, dim1, dim2),),
    "shape offset dim1 dim2",
    node="DiagEmbedBackward0",
)
_view_dtype = primitive("view_dtype", "x", None, "dtype", view=True)
_contiguous = primitive("copy", "x", (lambda F, g: g,), node="CloneBackward0")
_clone = primitive("clone", "x", (lambda F, g: g,), "order")


def _unview(F: Any, g: Any, shape: tuple[int, ...], chain: Any) -> Any:
    """The adjoint of a view: g put into zeros of the base's shape, as the sum over writes that the view makes."""
    shapes = [tuple(shape)]
    for name, attrs in chain:
        shapes.append(_view_shape(shapes[-1], name, attrs))
    for (name, attrs), before in zip(reversed(chain), reversed(shapes[:-1]), strict=True):
        if name in ("view", "reshape", "squeeze", "unsqueeze"):
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
        elif name in ("unfold", "diagonal", "as_strided"):
            g = getattr(F, name + "_backward")(g, before, *attrs)
    return g


def _view_shape(shape: tuple[int, ...], name: str, attrs: Any) -> tuple[int, ...]:
    if name in ("view", "reshape", "expand", "squeeze", "unsqueeze", "as_strided"):
        return tuple(attrs[0])
    if name == "unfold":
        dim, size, step = attrs
        return (*shape[:dim], (shape[dim] - size) // step + 1, *shape[dim + 1 :], size) if shape else (size,)
    if name == "diagonal":
        offset, dim1, dim2 = attrs
        n, m = shape[dim1], shape[dim2]
        length = min(n, m - offset) if offset >= 0 else min(n + offset, m)
        return (*(s for i, s in enumerate(shape) if i not in (dim1, dim2)), max(length, 0))
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
    if any(name == "view_dtype" for name, _ in view._v[1]):  # no gradient passes a reinterpretation
        return
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
    for i, n in enumerate(shape):
        if n < -1:
            raise RuntimeError(f"invalid shape dimension {n} at index {i} of shape {list(shape)}")
    if -1 in shape:
        rest = prod(n for n in shape if n != -1)
        if rest == 0 == size:
            raise RuntimeError(
                f"cannot reshape tensor of 0 elements into shape {list(shape)} because the unspecified dimension size -1 "
                "can be any value and is ambiguous"
            )
        if rest == 0 or size % rest:
            raise RuntimeError(f"shape '{list(shape)}' is invalid for input of size {size}")
        shape = tuple(size // rest if n == -1 else n for n in shape)
    if prod(shape) != size:
        raise RuntimeError(f"shape '{list(shape)}' is invalid for input of size {size}")
    return shape


def sizes(args: tuple[Any, ...], needed: str = "") -> tuple[int, ...]:
    """A shape given as one sequence or as separate ints; `needed`: what an error says is missing if there is none."""
    if not args and needed:
        op, _, name = needed.partition(".")
        raise TypeError(f'{op}() missing 1 required positional arguments: "{name}"')
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
        if n.__class__ is not int or n < -1:
            return _infer(sizes(args), a.size)
        size *= n
    unknown = args.count(-1)
    if unknown == 1 and size and a.size % size == 0:
        rest = a.size // -size
        return tuple([rest if n == -1 else n for n in args])
    return args if size == a.size and not unknown else _infer(args, a.size)


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


def _check_item_sizes(input: Tensor, d: Any) -> None:
    """RuntimeError unless the memory of `input` can be read as dtype `d`."""
    a = input._a
    have, want = a.dtype.itemsize, d.itemsize
    if have == want:
        return
    what = f"to view {type_name(DTYPE_OF[a.dtype])} as {type_name(d)} (different element sizes)"
    if a.ndim == 0:
        raise RuntimeError(f"self.dim() cannot be 0 {what}")
    if a.strides[-1] != have and a.shape[-1] != 1 and a.size:
        raise RuntimeError(f"self.stride(-1) must be 1 {what}, but got {a.strides[-1] // have}")
    if want > have:
        ratio = want // have
        if a.shape[-1] % ratio:
            raise RuntimeError(f"self.size(-1) must be divisible by {ratio} {what}, but got {a.shape[-1]}")
        if input.storage_offset() % ratio:
            raise RuntimeError(
                f"self.storage_offset() must be divisible by {ratio} {what}, but got {input.storage_offset()}"
            )
        for i, s in enumerate(a.strides[:-1]):
            if s % want:
                raise RuntimeError(f"self.stride({i}) must be divisible by {ratio} {what}, but got {s // have}")


def view(input: Tensor, *shape: Any, size: Any = None, dtype: Any = None) -> Tensor:
    """The same memory in another shape or, for a dtype, reinterpreted (without gradient). Source: torch.Tensor.view."""
    a = input._a
    if size is None and dtype is None and a.flags.c_contiguous:
        wanted = shape if len(shape) != 1 or shape[0].__class__ is int else shape[0]
        if wanted.__class__ is tuple and -1 not in wanted:
            try:  # the plain case
                r = _view(input, wanted)
                if r._a.shape == wanted:
                    return r  # type: ignore[no-any-return]
            except (TypeError, ValueError):
                pass  # said below, in PyTorch's words
    if not shape and (size is not None or dtype is not None):
        shape = (size if dtype is None else dtype,)
    if len(shape) == 1 and hasattr(shape[0], "array"):
        _check_item_sizes(input, shape[0])
        r = _view_dtype(input, shape[0].array)
        r._v = None  # no gradient passes, so it counts as no view
        return r  # type: ignore[no-any-return]
    new = _shape_for(a, shape)
    if not a.flags.c_contiguous and not _can_view(a, new):
        raise RuntimeError(
            "view size is not compatible with input tensor's size and stride (at least one dimension spans across two "
            "contiguous subspaces). Use .reshape(...) instead."
        )
    return _view(input, new)  # type: ignore[no-any-return]


def reshape(input: Tensor, *shape: Any, **kwargs: Any) -> Tensor:
    """A view where the layout allows it, else a copy. Source: torch.reshape."""
    if kwargs:
        if shape or kwargs.keys() != {"shape"}:
            name = next((k for k in kwargs if k != "shape"), "shape")
            raise TypeError(f"reshape() got an unexpected keyword argument '{name}'")
        shape = (kwargs["shape"],)
    elif not shape:
        raise TypeError('reshape() missing 1 required positional arguments: "shape"')
    try:
        a = input._a
    except AttributeError:
        a = check_tensor(input, "reshape")._a
    new = _shape_for(a, shape)
    if a.flags.c_contiguous:
        return _view(input, new)  # type: ignore[no-any-return]
    if _can_view(a, new):
        return renamed(_view(input, new), "ReshapeAliasBackward0")
    return _clone_shape(input, new)  # type: ignore[no-any-return]


def view_as(input: Tensor, other: Tensor) -> Tensor:
    return view(input, other._a.shape)


def reshape_as(input: Tensor, other: Tensor) -> Tensor:
    return reshape(input, other._a.shape)


def permute(input: Tensor, *args: Any, dims: Any = None) -> Tensor:
    """Dimensions in another order, as a view. Source: torch.permute."""
    try:
        n = input._a.ndim
    except AttributeError:
        n = check_tensor(input, "permute")._a.ndim
    dims = sizes(args if dims is None else (dims,), "permute.dims")
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
    if dim0.__class__ is not int or dim1.__class__ is not int or not (0 <= dim0 < n and 0 <= dim1 < n):
        dim0, dim1 = check_dim(dim0, n), check_dim(dim1, n)
        if n == 0:  # which NumPy refuses
            return renamed(_permute(input, ()), "TransposeBackward0")
    return _swap(input, dim0, dim1)  # type: ignore[no-any-return]


def t(input: Tensor) -> Tensor:
    """The transpose of a matrix; a vector stays. Source: torch.t."""
    try:
        n = input._a.ndim
    except AttributeError:
        n = check_tensor(input, "t")._a.ndim
    if n > 2:
        raise RuntimeError(f"t() expects a tensor with <= 2 dimensions, but self is {input._a.ndim}D")
    return _t(input) if n == 2 else view(input, input._a.shape)  # type: ignore[no-any-return]


def movedim(input: Tensor, source: Any, destination: Any) -> Tensor:
    """Move dimensions to new places. Source: torch.movedim."""
    n = input._a.ndim
    sources, destinations = list(several(source)), list(several(destination))
    if len(sources) != len(destinations):
        raise RuntimeError(
            f"movedim: Invalid source or destination dims: source ({sources} dims) should contain the same number of "
            f"dims as destination ({destinations} dims)"
        )
    src, dst = [check_dim(d, n) for d in sources], [check_dim(d, n) for d in destinations]
    for what, given, dims in (("source", sources, src), ("destination", destinations, dst)):
        if len(set(dims)) != len(dims):
            raise RuntimeError(f"movedim: repeated dim in `{what}` ({given})")
    if n == 0:
        return view(input, ())
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
    dims = [check_dim(d, len(shape)) for d in (dim if isinstance(dim, (tuple, list)) else (dim,))]
    drop = set(dims)
    if len(drop) != len(dims):
        repeated = next(d for d in dims if dims.count(d) > 1)
        raise RuntimeError(f"dim {repeated} appears multiple times in the list of dims")
    r = _squeeze(input, tuple(n for i, n in enumerate(shape) if n != 1 or i not in drop))
    return renamed(r, f"SqueezeBackward{1 + isinstance(dim, (tuple, list))}")


def unsqueeze(input: Tensor, dim: int) -> Tensor:
    """With a dimension of size 1 inserted at `dim`. Source: torch.unsqueeze."""
    shape = input._a.shape
    d = check_dim(dim, len(shape) + 1)
    return _unsqueeze(input, (*shape[:d], 1, *shape[d:]))  # type: ignore[no-any-return]


def flatten(input: Tensor, start_dim: int = 0, end_dim: int = -1) -> Tensor:
    """Dimensions start_dim to end_dim as one. Source: torch.flatten."""
    try:
        shape = input._a.shape
    except AttributeError:
        shape = check_tensor(input, "flatten")._a.shape
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
    if not shape:
        raise RuntimeError(
            f"unflatten got an unexpected error:\nDimension specified as {dim} but tensor has no dimensions"
        )
    d = check_dim(dim, len(shape))
    new = tuple(sizes)
    if not new:
        raise RuntimeError("unflatten: sizes must be non-empty")
    known = prod(n for n in new if n != -1)
    if new.count(-1) > 1:
        raise RuntimeError("only one dimension can be inferred")
    if (-1 in new and (known == 0 or shape[d] % known)) or (-1 not in new and known != shape[d]):
        raise RuntimeError(
            f"unflatten: Provided sizes {list(new)} don't multiply up to the size of dim {d} ({shape[d]}) in the input "
            "tensor"
        )
    return view(input, (*shape[:d], *_infer(new, shape[d]), *shape[d + 1 :]))


def ravel(input: Tensor) -> Tensor:
    check_tensor(input, "ravel")
    return reshape(contiguous(input), -1)


def expand(input: Tensor, *args: Any, size: Any = None, implicit: bool = False) -> Tensor:
    """Repeat dimensions of size 1 without copying; -1 keeps one. Source: torch.Tensor.expand."""
    new = sizes(args if size is None else (size,), "expand.size")
    shape = input._a.shape
    extra = len(new) - len(shape)
    if extra < 0:
        raise RuntimeError(
            f"expand({input.type()}{{{list(shape)}}}, size={list(new)}): the number of sizes provided ({len(new)}) must "
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
            i = max(k for k in range(extra, len(new)) if shape[k - extra] not in (1, new[k]) and new[k] != -1)
            n, have = new[i], shape[i - extra]
            raise RuntimeError(
                f"The expanded size of the tensor ({n}) must match the existing size ({have}) at non-singleton dimension "
                f"{i}.  Target sizes: {list(new)}.  Tensor sizes: {list(shape)}"
            )
        full.append(n)
    return _expand(input, tuple(full))  # type: ignore[no-any-return]


def expand_as(input: Tensor, other: Tensor) -> Tensor:
    return expand(input, other._a.shape)


def broadcast_to(input: Tensor, *args: Any, size: Any = None) -> Tensor:
    """expand by NumPy's name. Source: torch.broadcast_to."""
    check_tensor(input, "broadcast_to")
    return expand(input, sizes(args if size is None else (size,), "broadcast_to.size"))


def broadcast_shapes(*shapes: Any) -> Size:
    """The shape that arrays of these shapes broadcast to. RuntimeError if they do not. Source: torch.broadcast_shapes."""
    shapes = tuple(several(s) for s in shapes)
    n = max(map(len, shapes), default=0)
    result = [1] * n
    for k, shape in enumerate(shapes):
        for i in range(1, len(shape) + 1):
            if shape[-i] < 0:
                raise ValueError("Attempting to broadcast a dimension with negative length!")
            if shape[-i] != 1:
                if result[-i] not in (1, shape[-i]):
                    raise RuntimeError(
                        f"Attempting to broadcast a dimension of length {shape[-i]} at -{i}! Mismatching argument at index "
                        f"{k} had {shape}; but expected shape should be broadcastable to {result}"
                    )
                result[-i] = shape[-i]
    return Size(result)


def broadcast_tensors(*tensors: Tensor) -> tuple[Tensor, ...]:
    """Each tensor expanded to the common shape; the tensor itself where it has that. Source: torch.broadcast_tensors."""
    check_tensors(tensors)
    try:
        shape = broadcast_shapes(*(t._a.shape for t in tensors))
    except RuntimeError:
        raise shape_error(*(t._a for t in tensors)) from None
    return tuple(t if t._a.shape == shape else expand(t, shape) for t in tensors)


def memory_order(a: Any, memory_format: Any = None) -> tuple[int, ...] | None:
    """The axis order in memory of a new tensor that is like array `a` (by default: as there); None for C order."""
    return axis_order(memory_format, a, a.shape)


def contiguous(input: Tensor, memory_format: Any = None) -> Tensor:
    """self if already contiguous in the memory format (C order), else a copy that is. Source: torch.Tensor.contiguous."""
    if memory_format is None or memory_format is contiguous_format:
        return input if input._a.flags.c_contiguous else _contiguous(input)  # type: ignore[no-any-return]
    order = memory_order(input._a, memory_format)
    if memory_format is preserve_format or input.is_contiguous(memory_format):
        return input
    return _clone(input, order)  # type: ignore[no-any-return]


def clone(input: Tensor, *, memory_format: Any = None) -> Tensor:
    """A copy with the same history and, unless told otherwise, the same order in memory. Source: torch.clone."""
    try:
        if memory_format is None and input._a.flags.c_contiguous:
            return _contiguous(input)  # type: ignore[no-any-return]
    except AttributeError:
        check_tensor(input, "clone")
        raise
    return _clone(input, memory_order(input._a, memory_format))  # type: ignore[no-any-return]


def narrow(input: Tensor, dim: int, start: Any, length: int) -> Tensor:
    """The slice [start, start + length) along `dim`, as a view; start may be a 0-dim tensor. Source: torch.narrow."""
    if input._a.ndim == 0:
        raise RuntimeError("narrow() cannot be applied to a 0-dim tensor.")
    if length < 0:
        raise RuntimeError("narrow(): length must be non-negative.")
    d = check_dim(dim, input._a.ndim)
    n = input._a.shape[d]
    if isinstance(start, Tensor):
        if start._a.ndim or start._a.dtype.kind not in "iu":
            raise RuntimeError("start must be an 0-dim integral Tensor.")
        start = start.item()
    if not -n <= start <= n:
        raise IndexError(f"start out of range (expected to be in range of [-{n}, {n}], but got {start})")
    start = start + n if start < 0 else start
    if start + length > n:
        raise RuntimeError(f"start ({start}) + length ({length}) exceeds dimension size ({n}).")
    return _slice(input, (*(slice(None),) * d, slice(start, start + length)))  # type: ignore[no-any-return]


def select(input: Tensor, dim: int, index: Any) -> Tensor:
    """One slice along `dim`, without that dimension, as a view. Source: torch.select."""
    if input._a.ndim == 0:
        raise IndexError("select() cannot be applied to a 0-dim tensor.")
    d = check_dim(dim, input._a.ndim)
    n = input._a.shape[d]
    index = index.__index__()
    if not -n <= index < n:
        raise IndexError(
            f"select(): index {index} out of range for tensor of size {list(input._a.shape)} at dimension {d}"
        )
    return _select(input, (*(slice(None),) * d, index))  # type: ignore[no-any-return]


def swapaxes(input: Tensor, axis0: int, axis1: int) -> Tensor:
    """transpose by another name. Source: torch.swapaxes."""
    return transpose(input, axis0, axis1)


swapdims = transpose
moveaxis = movedim
for _name in (
    "view", "view_as", "reshape", "reshape_as", "permute", "transpose", "t", "movedim", "flatten", "unflatten", "ravel",
    "expand", "expand_as", "broadcast_to", "contiguous", "clone",
    "narrow", "select", "squeeze", "unsqueeze", "moveaxis", "swapaxes", "swapdims",
):  # fmt: skip
    attach(_name, globals()[_name])
