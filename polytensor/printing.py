"""repr of tensors, exactly as PyTorch prints them."""

from __future__ import annotations

from math import ceil, floor, isfinite
from typing import Any

PROFILES = {
    "default": {"precision": 4, "threshold": 1000, "edgeitems": 3, "linewidth": 80},
    "short": {"precision": 2, "threshold": 1000, "edgeitems": 2, "linewidth": 80},
    "full": {"precision": 4, "threshold": float("inf"), "edgeitems": 3, "linewidth": 80},
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
    if profile is not None:
        options.update(PROFILES[profile])
    for name, value in (
        ("precision", precision),
        ("threshold", threshold),
        ("edgeitems", edgeitems),
        ("linewidth", linewidth),
    ):
        if value is not None:
            options[name] = value
    options["sci_mode"] = sci_mode


class _Formatter:
    """Finds one format for all elements: integers, fixed point or scientific."""

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
        ratio = largest / smallest if smallest else float("inf")
        precision = options["precision"]
        self.sci_mode = (
            (ratio > 1000.0 or largest > 1.0e8 or (not self.int_mode and smallest < 1.0e-4))
            if options["sci_mode"] is None
            else options["sci_mode"]
        )
        if self.sci_mode:
            widths = [len(f"{v:.{precision}e}") for v in nonzero]
        elif self.int_mode:
            widths = [len(f"{v:.0f}") + 1 for v in nonzero]
        else:
            widths = [len(f"{v:.{precision}f}") for v in nonzero]
        self.max_width = max(self.max_width, *widths)

    def format(self, value: Any, pad: bool = True) -> str:
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
        return text.rjust(self.max_width) if pad else text


def _vector(array: Any, indent: int, summarize: bool, f: _Formatter) -> str:
    width = f.max_width + 2
    per_line = max(1, floor((options["linewidth"] - indent) / width))
    edge = options["edgeitems"]
    values = array.tolist()
    if summarize and len(values) > 2 * edge:
        items = [f.format(v) for v in values[:edge]] + [" ..."] + [f.format(v) for v in values[-edge:]]
    else:
        items = [f.format(v) for v in values]
    lines = [items[i : i + per_line] for i in range(0, len(items), per_line)]
    return "[" + (",\n" + " " * (indent + 1)).join(", ".join(line) for line in lines) + "]"


def _nested(array: Any, indent: int, summarize: bool, f: _Formatter) -> str:
    if array.ndim == 0:
        return f.format(array.item())
    if array.ndim == 1:
        return _vector(array, indent, summarize, f)
    edge = options["edgeitems"]
    if summarize and len(array) > 2 * edge:
        parts = [_nested(a, indent + 1, summarize, f) for a in array[:edge]]
        parts += ["..."]
        parts += [_nested(a, indent + 1, summarize, f) for a in array[-edge:]]
    else:
        parts = [_nested(a, indent + 1, summarize, f) for a in array]
    return "[" + ("," + "\n" * (array.ndim - 1) + " " * (indent + 1)).join(parts) + "]"


def _edges(array: Any) -> Any:
    """Only the elements that a summary shows."""
    import numpy as np

    edge = options["edgeitems"]
    for axis, n in enumerate(array.shape):
        if n > 2 * edge:
            array = np.take(array, [*range(edge), *range(n - edge, n)], axis)
    return array


def format_array(array: Any, indent: int) -> str:
    """The elements of an array, brackets included, `indent` columns in."""
    if array.dtype.kind == "V" or array.dtype.name in ("bfloat16", "float16"):
        array = array.astype("float32")
    summarize = array.size > options["threshold"]
    return _nested(array, indent, summarize, _Formatter(_edges(array) if summarize else array))


def _with_suffixes(text: str, suffixes: list[str], indent: int) -> str:
    parts = [text]
    last = len(text) - text.rfind("\n")
    for suffix in suffixes:
        if last + len(suffix) + 2 > options["linewidth"]:
            parts.append(",\n" + " " * indent + suffix)
            last = indent + len(suffix)
        else:
            parts.append(", " + suffix)
            last += len(suffix) + 2
    return "".join(parts) + ")"


def tensor_str(t: Any) -> str:
    """What repr(t) shows."""
    from . import dtypes

    array = t._dev.backend.to_numpy(t._a)
    prefix = "tensor("
    indent = len(prefix)
    suffixes = []
    if t._dev.type != "cpu":
        suffixes.append(f"device='{t._dev}'")
    plain = t.dtype in (dtypes.get_default_dtype(), dtypes.int64, dtypes.bool_)
    if array.size == 0:
        if array.ndim != 1:
            suffixes.append(f"size={tuple(array.shape)}")
        if t.dtype is not dtypes.get_default_dtype():
            suffixes.append(f"dtype={t.dtype}")
        text = "[]"
    else:
        if not plain:
            suffixes.append(f"dtype={t.dtype}")
        text = format_array(array, indent)
    fn = t.grad_fn
    if fn is not None:
        suffixes.append(f"grad_fn=<{fn.name()}>")
    elif t.requires_grad:
        suffixes.append("requires_grad=True")
    return _with_suffixes(prefix + text, suffixes, indent)
