"""Data types and type promotion: the only place in PolyTensor that promotes.

The rules are PyTorch's (``torch.result_type``): tensors with dimensions outrank 0-dim tensors, which outrank
Python numbers, and only a higher *category* (bool < integer < float < complex) of a lower rank changes the result.
"""

from __future__ import annotations

from functools import cache
from typing import Any

BOOL, INT, FLOAT, COMPLEX = range(4)


class _DtypeType(type):
    def __call__(cls, *args: Any, **kwargs: Any) -> Any:
        raise TypeError("cannot create 'torch.dtype' instances")

    def __repr__(cls) -> str:
        return "<class 'torch.dtype'>"


class dtype(metaclass=_DtypeType):
    """A data type. Instances are singletons; ``repr`` is PyTorch's (``torch.float32``)."""

    __slots__ = ("array", "category", "itemsize", "name")
    name: str
    category: int
    itemsize: int
    array: Any  # the array library's dtype, set by polytensor.backends.base; None where it needs a missing package

    is_floating_point = property(lambda self: self.category == FLOAT)
    is_complex = property(lambda self: self.category == COMPLEX)
    is_signed = property(lambda self: self.name != "bool" and not self.name.startswith("uint"))

    @property
    def abbr(self) -> str:
        """f32, bf16, i64, b8, ..."""
        kind = {"bfloat": "bf", "complex": "c", "bool": "b"}.get(self.name.rstrip("0123456789"), self.name[0])
        return f"{kind}{8 * self.itemsize}"

    def to_real(self) -> dtype:
        """The dtype of the real part. Source: torch.dtype.to_real."""
        return {"complex32": float16, "complex64": float32, "complex128": float64}.get(self.name, self)

    def to_complex(self) -> dtype:
        """The complex dtype with parts of this one. RuntimeError for integers; float16 has none here."""
        if self.category == COMPLEX:
            return self
        if self.category != FLOAT:
            raise RuntimeError(f"Unknown Complex ScalarType for {TYPE_NAMES[self.name]}")
        if self is float16:
            raise NotImplementedError("torch.complex32 is not in PolyTensor: no array library computes in it")
        return complex128 if self is float64 else complex64

    def __repr__(self) -> str:
        return f"torch.{self.name}"

    def __copy__(self) -> dtype:
        return self

    def __deepcopy__(self, memo: Any) -> dtype:
        return self

    def __reduce__(self) -> str:
        return self.name + "_" if self.name == "bool" else self.name


class _NamedOnly(dtype):
    """A dtype that programs name and compare with; tensors of it raise NotImplementedError."""

    __slots__ = ()
    is_signed = property(lambda self: self.name not in ("float8_e8m0fnu", "quint8", "quint4x2", "quint2x4"))

    @property
    def array(self) -> Any:  # type: ignore[override]
        raise NotImplementedError(f"PolyTensor has no tensors of {self}: its array libraries do not compute in it")


def _make(name: str, category: int, itemsize: int) -> dtype:
    d = object.__new__(dtype)
    d.name, d.category, d.itemsize, d.array = name, category, itemsize, None
    return d


def _name(name: str, category: int, itemsize: int = 1) -> dtype:
    d = object.__new__(_NamedOnly)
    d.name, d.category, d.itemsize = name, category, itemsize
    return d


bool_ = _make("bool", BOOL, 1)
uint8 = _make("uint8", INT, 1)
int8 = _make("int8", INT, 1)
int16 = short = _make("int16", INT, 2)
int32 = int_ = _make("int32", INT, 4)
int64 = long = _make("int64", INT, 8)
uint16 = _make("uint16", INT, 2)  # as in PyTorch: storage, conversion and little arithmetic; no promotion with integers
uint32 = _make("uint32", INT, 4)
uint64 = _make("uint64", INT, 8)
float16 = half = _make("float16", FLOAT, 2)
bfloat16 = _make("bfloat16", FLOAT, 2)
float32 = float_ = _make("float32", FLOAT, 4)
float64 = double = _make("float64", FLOAT, 8)
complex64 = cfloat = _make("complex64", COMPLEX, 8)
complex128 = cdouble = _make("complex128", COMPLEX, 16)

float8_e4m3fn, float8_e5m2 = _name("float8_e4m3fn", FLOAT), _name("float8_e5m2", FLOAT)
float8_e4m3fnuz, float8_e5m2fnuz = _name("float8_e4m3fnuz", FLOAT), _name("float8_e5m2fnuz", FLOAT)
float8_e8m0fnu, complex32 = _name("float8_e8m0fnu", FLOAT), _name("complex32", COMPLEX, 4)
chalf = complex32
qint8, quint8, qint32 = _name("qint8", INT), _name("quint8", INT), _name("qint32", INT, 4)
quint4x2, quint2x4 = _name("quint4x2", INT), _name("quint2x4", INT)
NAMED_ONLY = (
    float8_e4m3fn, float8_e5m2, float8_e4m3fnuz, float8_e5m2fnuz, float8_e8m0fnu, complex32, qint8, quint8, qint32, quint4x2,
    quint2x4,
)  # fmt: skip

PROMOTING = (
    bool_, uint8, int8, int16, int32, int64, float16, bfloat16, float32, float64, complex64, complex128,
)  # fmt: skip
WIDE_UNSIGNED = (uint16, uint32, uint64)
ALL = PROMOTING + WIDE_UNSIGNED
TYPE_NAMES = {
    "bool": "Bool", "uint8": "Byte", "int8": "Char", "int16": "Short", "int32": "Int", "int64": "Long",
    "float16": "Half", "bfloat16": "BFloat16", "float32": "Float", "float64": "Double",
    "complex64": "ComplexFloat", "complex128": "ComplexDouble",
    "uint16": "UInt16", "uint32": "UInt32", "uint64": "UInt64",
}  # fmt: skip
CPP_NAMES = {
    "bool": "bool", "uint8": "unsigned char", "int8": "signed char", "int16": "short int", "int32": "int", "int64": "long int",
    "float16": "c10::Half", "bfloat16": "c10::BFloat16", "float32": "float", "float64": "double",
    "complex64": "c10::complex<float>", "complex128": "c10::complex<double>",
    "uint16": "short unsigned int", "uint32": "unsigned int", "uint64": "long unsigned int",
}  # fmt: skip
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
    need_array(d)
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


class _Promotions(dict[tuple[dtype, dtype], dtype]):
    def __missing__(self, pair: tuple[dtype, dtype]) -> dtype:
        """Pairs with a wide unsigned integer: floats win, all else is an error, as in PyTorch."""
        a, b = pair
        if not isinstance(a, dtype) or not isinstance(b, dtype):
            wrong = b if isinstance(a, dtype) else a
            raise TypeError(f"promote_types(): arguments must be torch.dtype, not {type(wrong).__name__}")
        if a is b:
            return a
        if a in NAMED_ONLY or b in NAMED_ONLY:
            raise NotImplementedError(
                f"PolyTensor has no tensors of {a if a in NAMED_ONLY else b}: nothing is promoted with it"
            )
        for d, other in (pair, pair[::-1]):
            if d.category == FLOAT and other.category == INT:
                return d
        raise RuntimeError(
            "Promotion for uint16, uint32, uint64 types is not supported, attempted to promote "
            f"{TYPE_NAMES[a.name]} and {TYPE_NAMES[b.name]}"
        )


_PROMOTE = _Promotions({(a, b): _promote(a, b) for a in PROMOTING for b in PROMOTING})


def promote_types(type1: dtype, type2: dtype) -> dtype:
    """The smallest dtype that holds both kinds of values. Source: torch.promote_types."""
    return _PROMOTE[type1, type2]


def can_cast(from_: dtype, to: dtype) -> bool:
    """Whether PyTorch allows this conversion in an in-place result. Source: torch.can_cast."""
    for name, d in (("from", from_), ("to", to)):
        if not isinstance(d, dtype):
            raise TypeError(f"can_cast(): argument '{name}' must be torch.dtype, not {type(d).__name__}")
    return from_.category <= to.category


def need_array(d: dtype) -> Any:
    """The array library's dtype. RuntimeError that says what to install where it is missing."""
    if d.array is None:
        raise RuntimeError(
            f"{d} needs the package ml_dtypes: pip install 'polytensor[bf16]' "
            "(polytensor.backends.capabilities() lists what each backend can do)"
        )
    return d.array


def of(spec: Any, fn: str = "dtype") -> dtype:
    """A dtype from ours or from a Python type (float is float64). TypeError for anything else."""
    if isinstance(spec, dtype):
        return spec
    found = _PYTHON.get(spec) if isinstance(spec, type) else None
    if found is None:
        raise TypeError(f"{fn}(): argument 'dtype' must be torch.dtype, not {type(spec).__name__}")
    return found


_PYTHON: dict[Any, dtype] = {float: float64, int: int64, bool: bool_, complex: complex128}


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
                result = lower if result.category != FLOAT else complex128 if result is float64 else complex64
            else:
                result = _PROMOTE[result, lower] if result.category != BOOL else lower
    assert result is not None
    return result


def to_float(d: dtype) -> dtype:
    """The dtype in which a float-valued op (exp, div, mean) answers for input dtype `d`."""
    return d if d.category >= FLOAT else _default


FLOAT8 = {  # eps, largest, smallest normal number
    "float8_e4m3fn": (2.0**-3, 448.0, 2.0**-6), "float8_e4m3fnuz": (2.0**-3, 240.0, 2.0**-7),
    "float8_e5m2": (2.0**-2, 57344.0, 2.0**-14), "float8_e5m2fnuz": (2.0**-3, 57344.0, 2.0**-15),
    "float8_e8m0fnu": (1.0, 2.0**127, 2.0**-127),
}  # fmt: skip


class _Info:
    __slots__ = ("bits", "dtype", "max", "min")
    bits: int
    dtype: str
    max: Any
    min: Any

    def __setattr__(self, name: str, value: Any) -> None:
        raise AttributeError(f"attribute '{name}' of 'torch.{type(self).__name__}' objects is not writable")

    def _set(self, **values: Any) -> None:
        for name, value in values.items():
            object.__setattr__(self, name, value)

    def __eq__(self, other: object) -> bool:
        return type(self) is type(other) and self.dtype == other.dtype  # type: ignore[attr-defined]

    def __hash__(self) -> int:
        return hash((type(self), self.dtype))


class finfo(_Info):
    """Limits of a floating dtype (of a complex one: of its parts). Source: torch.finfo."""

    __slots__ = ("eps", "resolution", "smallest_normal", "tiny")
    eps: float
    resolution: float
    smallest_normal: float
    tiny: float

    def __init__(self, type: dtype | None = None) -> None:
        d = _default if type is None else type
        if not isinstance(d, dtype):
            raise TypeError(f"finfo(): argument 'type' (position 1) must be torch.dtype, not {d.__class__.__name__}")
        if d.category < FLOAT:
            raise TypeError(f"torch.finfo() requires a floating point input type. Use torch.iinfo to handle '{d}'")
        d = d.to_real()
        if d in NAMED_ONLY:
            eps, largest, tiny = FLOAT8[d.name]
            least = tiny if d is float8_e8m0fnu else -largest
            self._set(
                dtype=d.name, bits=8, eps=eps, max=largest, min=least, tiny=tiny, smallest_normal=tiny, resolution=1.0
            )
            return
        mantissa, emax, digits = {
            "float16": (10, 15, 3), "bfloat16": (7, 127, 2), "float32": (23, 127, 6), "float64": (52, 1023, 15)
        }[d.name]  # fmt: skip
        largest = (2 - 2.0**-mantissa) * 2.0**emax
        tiny = 2.0 ** (1 - emax)
        self._set(dtype=d.name, bits=8 * d.itemsize, eps=2.0**-mantissa, max=largest, min=-largest)
        self._set(tiny=tiny, smallest_normal=tiny, resolution=float(f"1e-{digits}"))

    def __repr__(self) -> str:
        return (
            f"finfo(resolution={self.resolution:g}, min={self.min:g}, max={self.max:g}, eps={self.eps:g}, "
            f"smallest_normal={self.tiny:g}, tiny={self.tiny:g}, dtype={self.dtype})"
        )


_MISSING: Any = object()


class iinfo(_Info):
    """Limits of an integer dtype. Source: torch.iinfo."""

    __slots__ = ()

    def __init__(self, type: Any = _MISSING) -> None:
        if type is _MISSING:
            raise TypeError('iinfo() missing 1 required positional arguments: "type"')
        if not isinstance(type, dtype):
            raise TypeError(f"iinfo(): argument 'type' (position 1) must be torch.dtype, not {type.__class__.__name__}")
        if type.category > INT:
            raise TypeError(f"torch.iinfo() requires an integer input type. Use torch.finfo to handle '{type}'")
        if type is bool_:
            raise TypeError("torch.bool is not supported by torch.iinfo")
        bits, signed = 8 * type.itemsize, type.is_signed
        low = -(2 ** (bits - 1)) if signed else 0
        self._set(dtype=type.name, bits=bits, min=low, max=2 ** (bits - signed) - 1)

    def __repr__(self) -> str:
        return f"iinfo(min={self.min:g}, max={self.max:g}, dtype={self.dtype})"


float_limits, int_limits = cache(finfo), cache(iinfo)  # making one costs more than a small op
