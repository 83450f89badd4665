"""vmap: a function of one example, mapped over a dimension of its inputs. Source: torch.vmap."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial, wraps
from typing import Any

from ..ops.joining import stack
from ..ops.shape import select
from ..random import default_generator
from ..tensor import Tensor
from .modes import mode
from .pytree import broadcast_to_and_flatten, tree_flatten, tree_leaves, tree_unflatten


def vmap(
    func: Callable[..., Any],
    in_dims: Any = 0,
    out_dims: Any = 0,
    randomness: str = "error",
    *,
    chunk_size: int | None = None,
) -> Callable[..., Any]:
    """`func` mapped over dimension `in_dims` of its inputs (an int, None for what is not mapped, or a tree of them).

    The results are stacked along `out_dims`. `randomness`: random ops are an 'error', draw 'different' numbers for each
    example, or the 'same'. `chunk_size` is accepted. `func` runs once per example, so that Python code in it may look at
    values, which PyTorch refuses. ValueError as in PyTorch for dims that do not fit. Source: torch.vmap.
    """
    if randomness not in ("error", "different", "same"):
        raise RuntimeError(f"Only allowed values for randomness are 'error', 'different', or 'same'. Got {randomness}")
    if chunk_size is not None and chunk_size <= 0:
        raise ValueError(f"vmap: chunk_size should be None or greater than 0. (got {chunk_size})")

    @wraps(func)
    def mapped(*args: Any, **kwargs: Any) -> Any:
        _check_out_dims(out_dims, func)
        size, dims, flat, spec = batched_inputs(in_dims, args, func)
        with level(randomness):
            if size == 0:
                return _empty(func, dims, flat, spec, kwargs, out_dims)
            start, outer = default_generator.clone_state(), mode.rows_left
            rows = []
            for k in range(size):
                if k and randomness == "same":
                    default_generator._counter = start._counter
                row = [x if d is None else select(x, d, k) for x, d in zip(flat, dims, strict=True)]
                mode.rows_left = outer or k < size - 1
                rows.append(func(*tree_unflatten(row, spec), **kwargs))
        return joined(rows, out_dims, func)

    return mapped


@contextmanager
def level(randomness: str) -> Iterator[None]:
    """Within a transform: what random ops may do (an outer 'error' stays)."""
    before = mode.randomness, mode.levels, mode.rows_left
    mode.levels += 1
    if mode.randomness != "error":
        mode.randomness = randomness
    try:
        yield
    finally:
        mode.randomness, mode.levels, mode.rows_left = before


def name_of(func: Any) -> str:
    if hasattr(func, "__name__"):
        return str(func.__name__)
    if isinstance(func, partial):
        return f"functools.partial({name_of(func.func)}, ...)"
    return repr(func)


def _check_out_dims(out_dims: Any, func: Any) -> None:
    for d in tree_leaves(out_dims):
        if d is not None and not isinstance(d, int):
            raise ValueError(
                f"vmap({name_of(func)}, ..., out_dims={out_dims}): `out_dims` must be an int, None or a python collection of "
                "ints representing where in the outputs the vmapped dimension should appear."
            )


def batched_inputs(in_dims: Any, args: tuple[Any, ...], func: Any) -> tuple[int, list[Any], list[Any], Any]:
    """Batch size, dims (not negative) and leaves of the inputs, and their structure; PyTorch's checks and messages."""
    name = name_of(func)
    said = f"vmap({name}, in_dims={in_dims}, ...)(<inputs>): "
    if not isinstance(in_dims, (int, tuple)):
        raise ValueError(
            f"{said}expected `in_dims` to be int or a (potentially nested) tuple matching the structure of inputs, got: "
            f"{type(in_dims)}."
        )
    if not args:
        raise ValueError(
            f"vmap({name})(<inputs>): got no inputs. Maybe you forgot to add inputs, or you are trying to vmap over a "
            "function with no inputs. The latter is unsupported."
        )
    flat, spec = tree_flatten(args)
    dims = broadcast_to_and_flatten(in_dims, spec)
    if dims is None:
        raise ValueError(
            f"{said}in_dims is not compatible with the structure of `inputs`. in_dims has structure "
            f"{tree_flatten(in_dims)[1]!r} but inputs has structure {spec!r}."
        )
    for i, (x, d) in enumerate(zip(flat, dims, strict=True)):
        if d is None:
            continue
        if not isinstance(d, int):
            raise ValueError(
                f"{said}Got in_dim={d} for an input but in_dim must be either an integer dimension or None."
            )
        if not isinstance(x, Tensor):
            raise ValueError(
                f"{said}Got in_dim={d} for an input but the input is of type {type(x)}. We cannot vmap over non-Tensor "
                "arguments, please use None as the respective in_dim"
            )
        n = x.dim()
        if not -n <= d < n:
            raise ValueError(
                f"{said}Got in_dim={d} for some input, but that input is a Tensor of dimensionality {n} so expected in_dim to "
                f"satisfy -{n} <= in_dim < {n}."
            )
        dims[i] = d % n
    sizes = [x.shape[d] for x, d in zip(flat, dims, strict=True) if d is not None]
    if not sizes:
        raise ValueError("vmap: Expected at least one Tensor to vmap over")
    if any(n != sizes[0] for n in sizes):
        raise ValueError(
            f"vmap: Expected all tensors to have the same size in the mapped dimension, got sizes {sizes} for the mapped "
            "dimension"
        )
    return sizes[0], dims, flat, spec


def flat_out_dims(out: Any, out_dims: Any, func: Any) -> tuple[list[Any], list[Any], Any]:
    """Leaves of one output, their out_dims, and the structure. ValueError where `out_dims` does not fit it."""
    flat, spec = tree_flatten(out)
    if isinstance(out, Tensor):
        if isinstance(out_dims, tuple) and len(out_dims) == 1:
            out_dims = out_dims[0]
        dims = [out_dims] if out_dims is None or isinstance(out_dims, int) else None
    else:
        dims = broadcast_to_and_flatten(out_dims, spec)
    if dims is None:
        raise ValueError(
            f"vmap({name_of(func)}, ..., out_dims={out_dims})(<inputs>): out_dims is not compatible with the structure of "
            f"`outputs`. out_dims has structure {tree_flatten(out_dims)[1]!r} but outputs has structure {spec!r}."
        )
    name = name_of(func)
    for x, d in zip(flat, dims, strict=True):
        if d is not None and not isinstance(x, Tensor):
            raise ValueError(
                f"vmap({name}, ...): `{name}` must only return Tensors, got type {type(x)}. Did you mean to set out_dims= to "
                "None for output?"
            )
    return flat, dims, spec


def joined(rows: list[Any], out_dims: Any, func: Any) -> Any:
    """The outputs of all examples, stacked."""
    _, dims, spec = flat_out_dims(rows[0], out_dims, func)
    columns = zip(*(tree_flatten(row)[0] for row in rows), strict=True)
    name = name_of(func)
    result = []
    for column, d in zip(columns, dims, strict=True):
        if d is not None:
            result.append(stack(column, d))
            continue
        if isinstance(column[0], Tensor) and any(x is not column[0] for x in column):
            raise ValueError(f"vmap({name}, ...): `{name}` can not return a BatchedTensor when out_dim is None")
        result.append(column[0])
    return tree_unflatten(result, spec)


def _empty(func: Any, dims: list[Any], flat: list[Any], spec: Any, kwargs: Any, out_dims: Any) -> Any:
    """No example at all: one made of zeros says what the outputs look like."""
    row = [
        x if d is None else x.new_zeros([n for i, n in enumerate(x.shape) if i != d])
        for x, d in zip(flat, dims, strict=True)
    ]
    outs, dims, out_spec = flat_out_dims(func(*tree_unflatten(row, spec), **kwargs), out_dims, func)
    return tree_unflatten(
        [x if d is None else stack([x], d).narrow(d, 0, 0) for x, d in zip(outs, dims, strict=True)], out_spec
    )
