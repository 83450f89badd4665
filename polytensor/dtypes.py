"""Data types and type promotion: the only place in PolyTensor that promotes.

The rules are PyTorch's (``torch.result_type``): tensors with dimensions outrank 0-dim tensors, which outrank
Python numbers, and only a higher *category* (bool < integer < float < complex) of a lower rank changes the result.
"""

from __future__ import annotations

from typing import Any

BOOL, INT, FLOAT, COMPLEX = range(4)


class dtype:
    """A data type. Instances are singletons; ``repr`` is PyTorch's (``torch.float32``)."""

    __slots__ = ("array", "category", "itemsize", "name")

    def __init__(self, name: str, category: int, itemsize: int) -> None:
        self.name = name
        self.category = category
        self.itemsize = itemsize
        self.array: Any = None  # the array library's dtype, set by polytensor.backends.base

    @property
    def is_floating_point(self) -> bool:
        return self.category == FLOAT

    @property
    def is_complex(self) -> bool:
        return self.category == COMPLEX

    @property
    def is_signed(self) -> bool:
        return self.name not in ("bool", "uint8")

    def __repr__(self) -> str:
        return f"torch.{self.name}"

    def __reduce__(self) -> str:
        return self.name + "_" if self.name == "bool" else self.name


bool_ = dtype("bool", BOOL, 1)
uint8 = dtype("uint8", INT, 1)
int8 = dtype("int8", INT, 1)
int16 = short = dtype("int16", INT, 2)
int32 = int_ = dtype("int32", INT, 4)
int64 = long = dtype("int64", INT, 8)
float16 = half = dtype("float16", FLOAT, 2)
bfloat16 = dtype("bfloat16", FLOAT, 2)
float32 = float_ = dtype("float32", FLOAT, 4)
float64 = double = dtype("float64", FLOAT, 8)
complex64 = cfloat = dtype("complex64", COMPLEX, 8)
complex128 = cdouble = dtype("complex128", COMPLEX, 16)

ALL = (
    bool_, uint8, int8, int16, int32, int64, float16, bfloat16, float32, float64, complex64, complex128,
)  # fmt: skip
BY_NAME = {d.name: d for d in ALL}

_default = float32


def get_default_dtype() -> dtype:
    """The dtype of tensors made from Python floats (float32 unless changed). Source: torch.get_default_dtype."""
    return _default


def set_default_dtype(d: dtype) -> None:
    """Set the dtype of tensors made from Python floats. TypeError unless `d` is a floating dtype."""
    global _default
    if not isinstance(d, dtype) or d.category != FLOAT:
        raise TypeError(f"only floating-point types are supported as the default type, got {d}")
    _default = d


def _promote(a: dtype, b: dtype) -> dtype:
    if a is b:
        return a
    if a.category != b.category:
        low, high = (a, b) if a.category < b.category else (b, a)
        if high is complex64 and low is float64:
            return complex128
        return high
    if a.category == FLOAT and a.itemsize == b.itemsize:  # float16 with bfloat16
        return float32
    if a.category == INT and uint8 in (a, b):
        other = b if a is uint8 else a
        return int16 if other is int8 else other
    return a if a.itemsize > b.itemsize else b


_PROMOTE = {(a, b): _promote(a, b) for a in ALL for b in ALL}


def promote_types(a: dtype, b: dtype) -> dtype:
    """The smallest dtype that holds both kinds of values. Source: torch.promote_types."""
    return _PROMOTE[a, b]


def can_cast(from_: dtype, to: dtype) -> bool:
    """Whether PyTorch allows this conversion in an in-place result. Source: torch.can_cast."""
    return from_.category <= to.category


def scalar_dtype(value: object) -> dtype:
    """The dtype that a Python number stands for: bool, int64, the default dtype or its complex twin."""
    t = type(value)
    if t is float:
        return _default
    if t is bool:
        return bool_
    if t is int:
        return int64
    if isinstance(value, complex):
        return complex128 if _default is float64 else complex64
    if isinstance(value, bool):
        return bool_
    if isinstance(value, int):
        return int64
    if isinstance(value, float):
        return _default
    raise TypeError(f"expected a number or a Tensor, got {type(value).__name__}")


def result_dtype(dimmed: dtype | None, zerodim: dtype | None, scalar: dtype | None) -> dtype:
    """Combine the promoted dtypes of the three ranks of operands (None: no such operand)."""
    result = dimmed
    for lower in (zerodim, scalar):
        if lower is None:
            continue
        if result is None:
            result = lower
        elif lower.category > result.category:
            if lower.category == COMPLEX:  # the higher rank's floats keep their precision
                result = to_complex(result) if result.category == FLOAT else lower
            else:
                result = _PROMOTE[result, lower] if result.category != BOOL else lower
    assert result is not None
    return result


def to_float(d: dtype) -> dtype:
    """The dtype in which a float-valued op (exp, div, mean) answers for input dtype `d`."""
    return d if d.category >= FLOAT else _default


def to_complex(d: dtype) -> dtype:
    """The complex dtype whose parts have dtype `d`."""
    return complex128 if d is float64 else complex64


def to_real(d: dtype) -> dtype:
    """The dtype of the parts of a complex dtype; any other dtype itself."""
    return {complex64: float32, complex128: float64}.get(d, d)


class finfo:
    """Limits of a floating dtype. Source: torch.finfo."""

    def __init__(self, type: dtype | None = None) -> None:
        d = type or _default
        if d.category < FLOAT:
            raise TypeError(f"torch.finfo() requires a floating point input type. Use torch.iinfo to handle '{d}'")
        bits = {"float16": (10, 15), "bfloat16": (7, 127), "float32": (23, 127), "complex64": (23, 127)}
        mantissa, emax = bits.get(d.name, (52, 1023))
        self.dtype = d.name
        self.bits = 16 if d.itemsize == 2 else (32 if mantissa == 23 else 64)
        self.eps = 2.0**-mantissa
        self.max = (2 - 2.0**-mantissa) * 2.0**emax
        self.min = -self.max
        self.tiny = self.smallest_normal = 2.0 ** (1 - emax)
        self.resolution = 10.0 ** -{10: 3, 7: 2, 23: 6, 52: 15}[mantissa]

    def __repr__(self) -> str:
        return (
            f"finfo(resolution={self.resolution:g}, min={self.min:g}, max={self.max:g}, eps={self.eps:g}, "
            f"smallest_normal={self.tiny:g}, tiny={self.tiny:g}, dtype={self.dtype})"
        )


class iinfo:
    """Limits of an integer dtype. Source: torch.iinfo."""

    def __init__(self, type: dtype) -> None:
        if type.category != INT:
            raise TypeError(f"torch.iinfo() requires an integer input type. Use torch.finfo to handle '{type}'")
        self.dtype = type.name
        self.bits = 8 * type.itemsize
        signed = type.is_signed
        self.min = -(2 ** (self.bits - 1)) if signed else 0
        self.max = 2 ** (self.bits - signed) - 1

    def __repr__(self) -> str:
        return f"iinfo(min={self.min}, max={self.max}, dtype={self.dtype})"
