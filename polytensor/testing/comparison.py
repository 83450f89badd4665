"""assert_close with PyTorch's defaults and messages. Source: torch.testing.assert_close."""

from __future__ import annotations

import warnings
from cmath import isfinite, isnan
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np

from .. import dtypes
from ..ops.from_data import as_tensor
from ..tensor import Tensor

# (rtol, atol) by dtype: the one table of tolerances; dtypes that are not listed compare exactly
TOLERANCES: dict[dtypes.dtype, tuple[float, float]] = {
    dtypes.float16: (1e-3, 1e-5),
    dtypes.bfloat16: (1.6e-2, 1e-5),
    dtypes.float32: (1.3e-6, 1e-5),
    dtypes.float64: (1e-7, 1e-7),
    dtypes.complex64: (1.3e-6, 1e-5),
    dtypes.complex128: (1e-7, 1e-7),
}
_NUMBER_DTYPE: dict[type, dtypes.dtype] = {
    int: dtypes.int64,
    float: dtypes.float64,
    complex: dtypes.complex128,
}


class _Mismatch(Exception):
    """An error on its way out, with the path of the item in nested containers."""

    def __init__(self, kind: type[Exception], text: str) -> None:
        self.kind, self.text, self.path = kind, text, ""


def assert_close(
    actual: Any,
    expected: Any,
    *,
    allow_subclasses: bool = True,
    rtol: float | None = None,
    atol: float | None = None,
    equal_nan: bool = False,
    check_device: bool = True,
    check_dtype: bool = True,
    check_layout: bool = True,
    check_stride: bool = False,
    msg: str | Callable[[str], str] | None = None,
) -> None:
    """AssertionError unless ``|actual - expected| <= atol + rtol * |expected|`` in every element.

    Takes tensors, array-likes of one type, Python numbers, and sequences and mappings of them. Tolerances default to
    `TOLERANCES` by dtype (the looser of the two); give both or neither. `msg` replaces the message or is called on it.
    """
    __tracebackhide__ = True
    options = {
        "rtol": rtol, "atol": atol, "equal_nan": equal_nan, "device": check_device, "dtype": check_dtype,
        "stride": check_stride, "subclasses": allow_subclasses,
    }  # fmt: skip
    try:
        _compare(actual, expected, options)
        return
    except _Mismatch as error:
        text = error.text + (f"\n\nThe failure occurred for item {error.path}" if error.path else "")
        kind = error.kind
    raise kind(msg(text) if callable(msg) else text if msg is None else msg)


_OLD_TOLERANCES = {dtypes.float16: (1e-3, 1e-3), dtypes.float32: (1e-4, 1e-5), dtypes.float64: (1e-5, 1e-8)}


def assert_allclose(
    actual: Any, expected: Any, rtol: float | None = None, atol: float | None = None, equal_nan: bool = True, msg: str = ""
) -> None:  # fmt: skip
    """assert_close as it once was: NaNs are equal, dtypes do not count, tolerances are wider; warns."""
    warnings.warn(
        "`torch.testing.assert_allclose()` is deprecated since 1.12 and will be removed in a future release. Please use "
        "`torch.testing.assert_close()` instead.",
        FutureWarning,
        stacklevel=2,
    )
    actual, expected = as_tensor(actual), as_tensor(expected)
    if rtol is None and atol is None:
        rows = [_OLD_TOLERANCES.get(t.dtype, (0.0, 0.0)) for t in (actual, expected)]
        rtol, atol = max(r for r, _ in rows), max(a for _, a in rows)
    assert_close(actual, expected, rtol=rtol, atol=atol, equal_nan=equal_nan, check_dtype=False, msg=msg or None)


def _compare(actual: Any, expected: Any, o: dict[str, Any]) -> None:
    if isinstance(actual, Mapping) and isinstance(expected, Mapping):
        if actual.keys() != expected.keys():
            raise _Mismatch(
                AssertionError,
                "The keys of the mappings do not match:\n"
                f"Missing keys in the actual mapping: {sorted(expected.keys() - actual.keys(), key=str)}\n"
                f"Additional keys in the actual mapping: {sorted(actual.keys() - expected.keys(), key=str)}",
            )
        _compare_items(((k, actual[k], expected[k]) for k in expected), o)
    elif _is_sequence(actual) and _is_sequence(expected):
        if len(actual) != len(expected):
            raise _Mismatch(AssertionError, f"The length of the sequences mismatch: {len(actual)} != {len(expected)}")
        _compare_items(((i, a, e) for i, (a, e) in enumerate(zip(actual, expected, strict=True))), o)
    elif actual is None or expected is None:
        if actual is not expected:
            raise _Mismatch(AssertionError, f"None mismatch: {actual} is not {expected}")
    elif isinstance(actual, (bool, np.bool_)) and isinstance(expected, (bool, np.bool_)):
        if bool(actual) is not bool(expected):
            raise _Mismatch(AssertionError, f"Booleans mismatch: {bool(actual)} is not {bool(expected)}")
    elif _is_number(actual) and _is_number(expected):
        _compare_numbers(actual, expected, o)
    else:
        _compare_tensors(actual, expected, o)


def _compare_items(items: Any, o: dict[str, Any]) -> None:
    for key, a, e in items:
        try:
            _compare(a, e, o)
        except _Mismatch as error:
            error.path = f"[{key!r}]{error.path}"
            raise


def _is_sequence(x: Any) -> bool:
    return isinstance(x, Sequence) and not isinstance(x, (str, bytes))


def _is_number(x: Any) -> bool:
    return isinstance(x, (int, float, complex, np.number)) and not isinstance(x, bool)


def _tolerances(o: dict[str, Any], *of: dtypes.dtype) -> tuple[float, float]:
    rtol, atol = o["rtol"], o["atol"]
    if (rtol is None) != (atol is None):
        missing = "rtol" if rtol is None else "atol"
        raise _Mismatch(
            ValueError, f"Both 'rtol' and 'atol' must be either specified or omitted, but got no {missing}."
        )
    if rtol is not None:
        return rtol, atol
    pairs = [TOLERANCES.get(d, (0.0, 0.0)) for d in of]
    return max(p[0] for p in pairs), max(p[1] for p in pairs)


def _header(name: str, extra: str, a: tuple[Any, ...], r: tuple[Any, ...], tol: tuple[float, float]) -> str:
    """The message: (difference, index or None) absolute and relative, against (rtol, atol)."""
    rtol, atol = tol
    exact = rtol == 0 and atol == 0
    lines = [f"{name} are not {'equal' if exact else 'close'}!", "", extra]
    for kind, (diff, index), limit in (("absolute", a, atol), ("relative", r, rtol)):
        where = f"{kind.title()} difference: {diff}"
        if index is not None:
            where = f"Greatest {kind} difference: {diff} at index {index}"
        lines.append(where + ("" if exact else f" (up to {limit} allowed)"))
    return "\n".join(lines)


def _scalar_message(actual: Any, expected: Any, tol: tuple[float, float]) -> str:
    diff = abs(actual - expected)
    relative = float("inf") if expected == 0 else diff / abs(expected)
    return _header("Scalars", f"Expected {expected} but got {actual}.", (diff, None), (relative, None), tol)


def _compare_numbers(actual: Any, expected: Any, o: dict[str, Any]) -> None:
    actual, expected = (x.item() if isinstance(x, np.number) else x for x in (actual, expected))
    tol = _tolerances(o, _NUMBER_DTYPE[type(actual)], _NUMBER_DTYPE[type(expected)])
    if o["dtype"] and type(actual) is not type(expected):
        raise _Mismatch(AssertionError, f"The (d)types do not match: {type(actual)} != {type(expected)}.")
    if actual == expected or (o["equal_nan"] and isnan(actual) and isnan(expected)):
        return
    diff = abs(actual - expected)
    if not (isfinite(diff) and diff <= tol[1] + tol[0] * abs(expected)):
        raise _Mismatch(AssertionError, _scalar_message(actual, expected, tol))


def _compare_tensors(actual: Any, expected: Any, o: dict[str, Any]) -> None:
    related = isinstance(actual, type(expected)) or isinstance(expected, type(actual))
    if not related or (not o["subclasses"] and type(actual) is not type(expected)):
        raise _Mismatch(
            TypeError,
            f"No comparison pair was able to handle inputs of type {type(actual)} and {type(expected)}.",
        )
    a, e = _as_tensor(actual), _as_tensor(expected)
    tol = _tolerances(o, a.dtype, e.dtype)
    for name, check, x, y in (
        ("shape", True, a.shape, e.shape),
        ("stride()", o["stride"], a.stride(), e.stride()),
        ("device", o["device"], a.device, e.device),
        ("dtype", o["dtype"], a.dtype, e.dtype),
    ):
        if check and x != y:
            raise _Mismatch(AssertionError, f"The values for attribute '{name}' do not match: {x} != {y}.")
    if a.is_meta or e.is_meta:  # no values to compare
        return
    common = dtypes.promote_types(a.dtype, e.dtype)
    _compare_arrays(_to_numpy(a, common), _to_numpy(e, common), tol, o["equal_nan"], common is dtypes.bool_)


def _as_tensor(x: Any) -> Tensor:
    if isinstance(x, Tensor):
        return x
    from ..ops.from_data import as_tensor

    try:
        return as_tensor(x)
    except (TypeError, ValueError, RuntimeError):
        raise _Mismatch(
            TypeError, f"No comparison pair was able to handle inputs of type {type(x)} and {type(x)}."
        ) from None


def _to_numpy(t: Any, common: dtypes.dtype) -> Any:
    a = np.asarray(t.device.backend.to_numpy(t.detach()._a))
    return a.astype(common.array, copy=False) if common.category >= dtypes.FLOAT else a.astype(np.int64)


def _compare_arrays(a: Any, e: Any, tol: tuple[float, float], equal_nan: bool, masks: bool) -> None:
    rtol, atol = tol
    with np.errstate(all="ignore"):
        diff = np.asarray(abs(a - e))
        close = np.asarray(a == e)
        if rtol or atol:
            # in float64, since the sum of small tolerances would round away in float16
            limit = atol + rtol * abs(e.astype(np.complex128 if e.dtype.kind == "c" else np.float64))
            close = close | (np.isfinite(diff) & (diff <= limit))
        if equal_nan:
            close = close | (np.isnan(a) & np.isnan(e))
        if close.all():
            return
        if a.ndim == 0:
            pair = (bool(a), bool(e)) if masks else (a.item(), e.item())
            raise _Mismatch(AssertionError, _scalar_message(*pair, tol))
        bad = int(close.size - np.count_nonzero(close))
        diff = np.where(close, 0, diff)
        exact = diff.dtype.kind == "i"  # PyTorch divides integers in float32
        relative = np.where(close, 0, np.divide(diff, abs(e), dtype=np.float32 if exact else None))
    found = []
    for d in (diff, relative):
        where = np.unravel_index(int(np.argmax(d)), d.shape)
        found.append((d[where].item(), tuple(int(i) for i in where)))
    extra = f"Mismatched elements: {bad} / {close.size} ({bad / close.size:.1%})"
    raise _Mismatch(AssertionError, _header("Tensor-likes", extra, found[0], found[1], tol))
