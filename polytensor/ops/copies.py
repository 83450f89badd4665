"""The views as copies: the result owns its memory. Source: torch.*_copy."""

from __future__ import annotations

from typing import Any

from ..layouts import contiguous_format
from ..tensor import Tensor
from .table import attach, check_tensor, write_out

__all__ = [
    "alias_copy", "as_strided_copy", "detach_copy", "diagonal_copy", "expand_copy", "narrow_copy", "permute_copy",
    "select_copy", "slice_copy", "split_copy", "split_with_sizes_copy", "squeeze_copy", "t_copy", "transpose_copy",
    "unbind_copy", "unfold_copy", "unsqueeze_copy", "view_as_complex_copy", "view_as_real_copy", "view_copy",
]  # fmt: skip


def _of(x: Any, op: str) -> Any:
    return check_tensor(x, op)


def _copy(view: Any, out: Any) -> Any:
    """A copy of a view, or of each of several, into `out` where given."""
    if isinstance(view, (tuple, list)):
        if out is None:
            return tuple(_copy(v, None) for v in view)
        if len(out) != len(view):
            raise RuntimeError(f"split_copy: out= holds {len(out)} tensors, but the result {len(view)}")
        for o, v in zip(out, view, strict=True):
            write_out(o, v)
        return None
    return view.clone(memory_format=contiguous_format) if out is None else write_out(out, view)


def alias_copy(input: Tensor, *, out: Tensor | None = None) -> Tensor:
    """A copy. Source: torch.alias_copy."""
    return _copy(_of(input, "alias_copy"), out)  # type: ignore[no-any-return]


def as_strided_copy(
    input: Tensor, size: Any, stride: Any, storage_offset: int | None = None, *, out: Tensor | None = None
) -> Tensor:
    """as_strided as a copy. Source: torch.as_strided_copy."""
    return _copy(_of(input, "as_strided_copy").as_strided(size, stride, storage_offset), out)  # type: ignore[no-any-return]


def detach_copy(input: Tensor, *, out: Tensor | None = None) -> Tensor:
    """detach as a copy. Source: torch.detach_copy."""
    return _copy(_of(input, "detach_copy").detach(), out)  # type: ignore[no-any-return]


def diagonal_copy(input: Tensor, offset: int = 0, dim1: int = 0, dim2: int = 1, *, out: Tensor | None = None) -> Tensor:
    """diagonal as a copy. Source: torch.diagonal_copy."""
    return _copy(_of(input, "diagonal_copy").diagonal(offset, dim1, dim2), out)  # type: ignore[no-any-return]


def expand_copy(input: Tensor, size: Any, *, implicit: bool = False, out: Tensor | None = None) -> Tensor:
    """expand as a copy. Source: torch.expand_copy."""
    return _copy(_of(input, "expand_copy").expand(size), out)  # type: ignore[no-any-return]


def narrow_copy(input: Tensor, dim: int, start: int, length: int, *, out: Tensor | None = None) -> Tensor:
    """narrow as a copy. Source: torch.narrow_copy."""
    return _copy(_of(input, "narrow_copy").narrow(dim, start, length), out)  # type: ignore[no-any-return]


def permute_copy(input: Tensor, dims: Any, *, out: Tensor | None = None) -> Tensor:
    """permute as a copy. Source: torch.permute_copy."""
    return _copy(_of(input, "permute_copy").permute(dims), out)  # type: ignore[no-any-return]


def select_copy(input: Tensor, dim: int, index: int, *, out: Tensor | None = None) -> Tensor:
    """select as a copy. Source: torch.select_copy."""
    return _copy(_of(input, "select_copy").select(dim, index), out)  # type: ignore[no-any-return]


def slice_copy(
    input: Tensor, dim: int = 0, start: int | None = None, end: int | None = None, step: int = 1, *,
    out: Tensor | None = None,
) -> Tensor:  # fmt: skip
    """x[start:end:step] along a dimension, as a copy. Source: torch.slice_copy."""
    x = _of(input, "slice_copy")
    n = x.ndim
    if not -n <= dim < n:
        raise IndexError(f"Dimension out of range (expected to be in range of [{-n}, {n - 1}], but got {dim})")
    if step <= 0:
        raise RuntimeError("slice step must be positive")
    return _copy(x[(slice(None),) * (dim % n) + (slice(start, end, step),)], out)  # type: ignore[no-any-return]


def split_copy(input: Tensor, split_size: int, dim: int = 0, *, out: Any = None) -> Any:
    """split into copies; None with `out`. Source: torch.split_copy."""
    return _copy(_of(input, "split_copy").split(split_size, dim), out)


def split_with_sizes_copy(input: Tensor, split_sizes: Any, dim: int = 0, *, out: Any = None) -> Any:
    """split_with_sizes into copies; None with `out`. Source: torch.split_with_sizes_copy."""
    return _copy(_of(input, "split_with_sizes_copy").split_with_sizes(split_sizes, dim), out)


def squeeze_copy(input: Tensor, dim: Any = None, *, out: Tensor | None = None) -> Tensor:
    """squeeze as a copy. Source: torch.squeeze_copy."""
    x = _of(input, "squeeze_copy")
    return _copy(x.squeeze() if dim is None else x.squeeze(dim), out)  # type: ignore[no-any-return]


def t_copy(input: Tensor, *, out: Tensor | None = None) -> Tensor:
    """t as a copy. Source: torch.t_copy."""
    return _copy(_of(input, "t_copy").t(), out)  # type: ignore[no-any-return]


def transpose_copy(input: Tensor, dim0: int, dim1: int, *, out: Tensor | None = None) -> Tensor:
    """transpose as a copy. Source: torch.transpose_copy."""
    return _copy(_of(input, "transpose_copy").transpose(dim0, dim1), out)  # type: ignore[no-any-return]


def unbind_copy(input: Tensor, dim: int = 0, *, out: Any = None) -> Any:
    """unbind into copies; None with `out`. Source: torch.unbind_copy."""
    return _copy(_of(input, "unbind_copy").unbind(dim), out)


def unfold_copy(input: Tensor, dimension: int, size: int, step: int, *, out: Tensor | None = None) -> Tensor:
    """Tensor.unfold as a copy. Source: torch.unfold_copy."""
    return _copy(_of(input, "unfold_copy").unfold(dimension, size, step), out)  # type: ignore[no-any-return]


def unsqueeze_copy(input: Tensor, dim: int, *, out: Tensor | None = None) -> Tensor:
    """unsqueeze as a copy. Source: torch.unsqueeze_copy."""
    return _copy(_of(input, "unsqueeze_copy").unsqueeze(dim), out)  # type: ignore[no-any-return]


def view_as_complex_copy(input: Tensor, *, out: Tensor | None = None) -> Tensor:
    """view_as_complex as a copy. Source: torch.view_as_complex_copy."""
    from .complexes import view_as_complex

    return _copy(view_as_complex(_of(input, "view_as_complex_copy")), out)  # type: ignore[no-any-return]


def view_as_real_copy(input: Tensor, *, out: Tensor | None = None) -> Tensor:
    """view_as_real as a copy. Source: torch.view_as_real_copy."""
    from .complexes import view_as_real

    return _copy(view_as_real(_of(input, "view_as_real_copy")), out)  # type: ignore[no-any-return]


def view_copy(input: Tensor, size: Any = None, dtype: Any = None, *, out: Tensor | None = None) -> Tensor:
    """view as a copy: by a size or, as the second argument too, by a dtype. Source: torch.view_copy."""
    return _copy(_of(input, "view_copy").view(size if dtype is None else dtype), out)  # type: ignore[no-any-return]


attach("narrow_copy", narrow_copy)
