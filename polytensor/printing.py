"""repr of tensors, exactly as PyTorch prints them."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from math import ceil, floor, inf, isfinite
from typing import Any

PROFILES = {
    "default": {"precision": 4, "threshold": 1000, "edgeitems": 3, "linewidth": 80},
    "short": {"precision": 2, "threshold": 1000, "edgeitems": 2, "linewidth": 80},
    "full": {"precision": 4, "threshold": inf, "edgeitems": 3, "linewidth": 80},
}
options: dict[str, Any] = {**PROFILES["default"], "sci_mode": None}


def set_printoptions(
    precision: int | None = None,
    threshold: float | None = None,
    edgeitems: int | None = None,
    linewidth: int | None = None,
    profile: str | None = None,
    sci_mode: bool | None = None,
) -> None:
    """Digits after the point, elements before summarising, items at each edge, line width. Source: torch.set_printoptions."""
    options.update(PROFILES.get(profile or "", {}))
    given = dict(precision=precision, threshold=threshold, edgeitems=edgeitems, linewidth=linewidth)
    options.update({name: value for name, value in given.items() if value is not None})
    options["sci_mode"] = sci_mode


def get_printoptions() -> dict[str, Any]:
    """The options, as set_printoptions takes them."""
    return dict(options)


@contextmanager
def printoptions(**kwargs: Any) -> Iterator[None]:
    """Other options within the block. Source: torch._tensor_str.printoptions."""
    before = get_printoptions()
    set_printoptions(**kwargs)
    try:
        yield
    finally:
        set_printoptions(**before)


class _Formatter:
    """Finds one format for all elements of a real array: as they are, whole numbers, fixed point or scientific."""

    def __init__(self, array: Any) -> None:
        self.floating = array.dtype.kind not in "biu"
        self.int_mode = True
        self.sci_mode = False
        self.max_width = 1
        values = array.reshape(-1).tolist()
        if not self.floating:
            self.max_width = max([1, *(len(str(v)) for v in values)])
            return
        nonzero = [v for v in values if isfinite(v) and v != 0]
        if not nonzero:
            return
        largest, smallest = max(map(abs, nonzero)), min(map(abs, nonzero))
        self.int_mode = all(v == ceil(v) for v in nonzero)
        self.sci_mode = (
            (largest / smallest > 1000.0 or largest > 1.0e8 or smallest < 1.0e-4)
            if options["sci_mode"] is None
            else options["sci_mode"]
        )
        precision = options["precision"]
        if self.sci_mode:
            widths = [len(f"{v:.{precision}e}") for v in nonzero]
        elif self.int_mode:
            widths = [len(f"{v:.0f}") + 1 for v in nonzero]
        else:
            widths = [len(f"{v:.{precision}f}") for v in nonzero]
        self.max_width = max(self.max_width, *widths)

    def format(self, value: Any) -> str:
        if not self.floating:
            text = str(value)
        elif self.sci_mode:
            text = f"{value:{self.max_width}.{options['precision']}e}"
        elif self.int_mode:
            text = f"{value:.0f}"
            if isfinite(value):
                text += "."
        else:
            text = f"{value:.{options['precision']}f}"
        return text.rjust(self.max_width)


class _ComplexFormatter:
    """Real and imaginary parts have a format each."""

    def __init__(self, array: Any) -> None:
        self.real, self.imag = _Formatter(array.real), _Formatter(array.imag)
        self.max_width = self.real.max_width + self.imag.max_width + 1

    def format(self, value: complex) -> str:
        imag = (self.imag.format(value.imag) + "j").lstrip()
        return self.real.format(value.real) + (imag if imag[0] in "+-" else "+" + imag)


def _vector(array: Any, indent: int, summarize: bool, f: Any) -> str:
    per_line = max(1, floor((options["linewidth"] - indent) / (f.max_width + 2)))
    edge = options["edgeitems"]
    if summarize and not edge:
        items = ["..."]
    elif summarize and len(array) > 2 * edge:
        first, last = array[:edge].tolist(), array[-edge:].tolist()
        items = [f.format(v) for v in first] + [" ..."] + [f.format(v) for v in last]
    else:
        items = [f.format(v) for v in array.tolist()]
    lines = [items[i : i + per_line] for i in range(0, len(items), per_line)]
    return "[" + (",\n" + " " * (indent + 1)).join(", ".join(line) for line in lines) + "]"


def _nested(array: Any, indent: int, summarize: bool, f: Any) -> str:
    if array.ndim == 0:
        return f.format(array.item())  # type: ignore[no-any-return]
    if array.ndim == 1:
        return _vector(array, indent, summarize, f)
    edge = options["edgeitems"]
    if summarize and len(array) > 2 * edge:
        parts = [_nested(a, indent + 1, summarize, f) for a in array[:edge]]
        parts += ["..."]
        parts += [_nested(array[i], indent + 1, summarize, f) for i in range(len(array) - edge, len(array))]
    else:
        parts = [_nested(a, indent + 1, summarize, f) for a in array]
    return "[" + ("," + "\n" * (array.ndim - 1) + " " * (indent + 1)).join(parts) + "]"


def _edges(array: Any) -> Any:
    """Only the elements that a summary shows; without edge items of several dimensions, none."""
    edge = options["edgeitems"]
    if not edge and array.ndim > 1:
        return array[:0]
    for axis, n in enumerate(array.shape):
        if n > 2 * edge:
            array = array.take([*range(edge), *range(n - edge, n)], axis)
    return array


def format_array(array: Any, indent: int) -> str:
    """The elements of an array, brackets included, `indent` columns in."""
    if array.size == 0:
        return "[]"
    if array.dtype.kind == "V" or array.dtype.name in ("bfloat16", "float16"):
        array = array.astype("float32")
    summarize = array.size > options["threshold"]
    shown = _edges(array) if summarize else array
    f = _ComplexFormatter(shown) if array.dtype.kind == "c" else _Formatter(shown)
    return _nested(array, indent, summarize, f)


def _with_suffixes(text: str, suffixes: list[str], indent: int) -> str:
    parts = [text]
    last = len(text) - text.rfind("\n") + 1
    for suffix in suffixes:
        if last + len(suffix) + 2 > options["linewidth"]:
            parts.append(",\n" + " " * indent + suffix)
            last = indent + len(suffix)
        else:
            parts.append(", " + suffix)
            last += len(suffix) + 2
    return "".join(parts) + ")"


def tensor_str(t: Any, contents: str | None = None) -> str:
    """What repr(t) shows; `contents` stands for the elements."""
    from . import devices, dtypes
    from .tensor import Parameter, Tensor

    cls = type(t)
    prefix = "tensor(" if cls is Tensor or cls is Parameter else f"{cls.__name__}("
    indent = len(prefix)
    suffixes = []
    meta = t._dev.type == "meta"
    if (
        meta
        or t._dev.type != devices.current_device().type
        or (t._dev.type == "cuda" and t._dev != devices.resolve("cuda"))
    ):
        suffixes.append(f"device='{t._dev}'")
    default = dtypes.get_default_dtype()
    array = t._a
    if meta:
        contents = "..." if contents is None else contents
        suffixes.append(f"size={tuple(array.shape)}")
        if t.dtype is not default:
            suffixes.append(f"dtype={t.dtype}")
    elif array.size == 0:
        if array.ndim != 1:
            suffixes.append(f"size={tuple(array.shape)}")
        if t.dtype is not default:
            suffixes.append(f"dtype={t.dtype}")
    else:
        if not options["edgeitems"]:
            suffixes.append(f"size={tuple(array.shape)}")
        default_complex = dtypes.complex128 if default is dtypes.float64 else dtypes.complex64
        if t.dtype not in (default, default_complex, dtypes.int64, dtypes.bool_):
            suffixes.append(f"dtype={t.dtype}")
    if contents is None:
        contents = format_array(t._dev.backend.to_numpy(array), indent)
    fn = t.grad_fn
    if fn is not None:
        suffixes.append(f"grad_fn=<{fn.name().rsplit('::', 1)[-1]}>")
    elif t.requires_grad:
        suffixes.append("requires_grad=True")
    text = _with_suffixes(prefix + contents, suffixes, indent)
    return f"Parameter({text})" if isinstance(t, Parameter) and cls is not Parameter else text
