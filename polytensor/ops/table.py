"""What a family file needs to define its ops: `primitive`, `unary` and `binary` make a function of a row (rows.py).

Around a kernel stands the front: operands become Tensors of one dtype on one device, results go to `out=` or back in place,
and errors say what PyTorch's say.
"""

from __future__ import annotations

import warnings
from collections.abc import Callable
from functools import wraps
from itertools import combinations
from math import copysign
from typing import Any, TypeVar

from .. import devices, dtypes
from ..autograd.modes import InferenceCell, mode
from ..autograd.node import Guarded, Node
from ..autograd.watch import Packed
from ..backends.base import DTYPE_OF, UFUNC
from ..tensor import LEAF, Tensor, check_apart, check_overlap, rebase, wrap
from .halves import FLOAT32 as FLOAT32
from .halves import WIDE, held, is_half, wide_number
from .operands import NoOperandError, asked, foreign, operand
from .operands import check_tensor as check_tensor
from .rows import ROWS as ROWS
from .rows import F as F
from .rows import Row as Row
from .rows import apart
from .rows import is_complex as is_complex
from .rows import placed as placed
from .rows import primitive as primitive
from .rows import raw as raw
from .rows import raw_dtype as raw_dtype

PROMOTE, FLOAT, COMPARE = range(3)  # of unary and binary: the dtype that a kernel computes in


def renamed(r: Tensor, name: str) -> Tensor:
    """`r` with the node name that PyTorch gives to this overload of an op (SumBackward1 for a sum over dims)."""
    fn = r._fn
    if fn is not None and fn.is_node:
        cls = type(fn)
        found = _renamed.get((cls, name))
        if found is None:
            found = _renamed[cls, name] = type(name, (cls,), {"__slots__": ()})
        fn.__class__ = found
    return r


def fresh(r: Tensor) -> Tensor:
    """`r`, a view of a result that nobody else sees, as a tensor of its own (detach_() refuses views)."""
    r._v = None
    return r


def guard(r: Tensor, *used: Any) -> Tensor:
    """Backward refuses `r`'s node where one of `used`, Tensors that its attributes share memory with, was written to."""
    fn = r._fn
    if fn is not None and fn.is_node:
        if fn.hooks is None:
            fn.hooks = {}
        fn.hooks["guard"] = [Guarded(t) for t in used if isinstance(t, Tensor)]
    return r


Fn = TypeVar("Fn", bound=Callable[..., Any])
_renamed: dict[Any, Any] = {}


class _Underived(Node):
    """The node of an op without a derivative: backward raises what PyTorch raises."""

    __slots__ = ()
    light = True
    error: Exception

    def run(self, g: Any, tensors: bool, wanted: Any) -> Any:
        raise self.error


def undifferentiable(node: str, error: Exception, inputs: Any, *outs: Tensor) -> None:
    """Let floating `outs` require grad, through a node named `node` whose backward raises `error`, if any input does."""
    if not mode.grad or all(x is None or x._fn is None for x in inputs):
        return
    n: Any = type(node, (_Underived,), {"__slots__": (), "error": error})()
    n.edges = tuple((x if x._fn is LEAF else x._fn) for x in inputs if x is not None)
    n.nrs = tuple(x._nr for x in inputs if x is not None)
    n.hooks = n.saved = n.shapes = n.vers = None
    n.dev = outs[0]._dev
    for nr, r in enumerate(outs):
        if r._a.dtype.kind not in "biu":
            r._fn, r._nr = n, nr


def named(node: str) -> Callable[[Fn], Fn]:
    """Decorator of a composite: what it made goes by the name of PyTorch's node for the whole function."""

    def decorate(fn: Fn) -> Fn:
        @wraps(fn)
        def call(*args: Any, **kwargs: Any) -> Any:
            r = fn(*args, **kwargs)
            first = r[0] if isinstance(r, tuple) else r
            made = getattr(first, "_fn", None)
            if made is not None and made.is_node and all(made is not getattr(x, "_fn", None) for x in args):
                renamed(first, node)
            return r

        return call  # type: ignore[return-value]

    return decorate


def negative_zero(value: Any) -> bool:
    """Whether a zero has a sign, which a table keyed by value would lose."""
    if isinstance(value, complex):
        return negative_zero(value.real) or negative_zero(value.imag)
    return bool(value == 0) and copysign(1, value) < 0


# ---- what the front does around a kernel ----------------------------------------------------------------------------
def constant(dev: Any, dtype: Any, value: Any) -> Tensor:
    """A Python number as a cached 0-d tensor of an array dtype."""
    constants = dev.backend.constants
    table = constants.get(dtype)
    if table is None:
        table = constants[dtype] = {}
    found = table.get(value)
    if found is None or (value == 0 and negative_zero(value)):
        found = wrap(dev.backend.scalar(value, dtype), dev)
        found._s = None  # it outlives inference mode
        if len(table) < 256 and not negative_zero(value):
            table[value] = found
    return found  # type: ignore[no-any-return]


def shape_error(*arrays: Any) -> RuntimeError:
    """PyTorch's message for shapes that do not broadcast: for the first two that do not."""
    for a, b in combinations(arrays, 2):
        for i in range(1, min(a.ndim, b.ndim) + 1):
            m, n = a.shape[-i], b.shape[-i]
            if m != n and 1 not in (m, n):
                return RuntimeError(
                    f"The size of tensor a ({m}) must match the size of tensor b ({n}) at non-singleton dimension "
                    f"{max(a.ndim, b.ndim) - i} (shapes {list(a.shape)} and {list(b.shape)})"
                )
    return RuntimeError(f"shapes {' and '.join(str(list(a.shape)) for a in arrays)} do not fit together")


def same_device(op: str, *tensors: Tensor) -> Any:
    """The device on which an op on these tensors runs; RuntimeError if they are on different ones."""
    dev = tensors[0]._dev
    for t in tensors[1:]:
        if t._dev is not dev:
            if t._dev == dev:  # cpu on numpy and on numba share the memory; the current one computes
                dev = devices.cpu_device() if dev.type == "cpu" else dev
            else:
                raise apart(op, dev, t._dev)
    return dev


def result_type(*xs: Any) -> dtypes.dtype:
    """PyTorch's promotion over tensors with dimensions, 0-dim tensors and numbers."""
    ranks: list[Any] = [None, None, None]
    for x in xs:
        if isinstance(x, Tensor):
            k, d = (0 if x._a.ndim else 1), DTYPE_OF[x._a.dtype]
        else:
            k, d = 2, dtypes.scalar_dtype(x)
        ranks[k] = d if ranks[k] is None else dtypes.promote_types(ranks[k], d)
    return dtypes.result_dtype(*ranks)


OF_NUMBERS = {"add", "sub", "mul", "div", "div_floor", "div_trunc", "floor_divide"}  # which take two numbers too


def prepare(op: str, kind: int, *xs: Any) -> list[Tensor]:
    """Operands as Tensors of one dtype on one device: the general path of every pointwise op."""
    xs = tuple(operand(x, op) for x in xs)
    tensors = [x for x in xs if isinstance(x, Tensor)]
    if not tensors and op in OF_NUMBERS:
        tensors = [constant(devices.cpu_device(), dtypes.scalar_dtype(x).array, x) for x in xs]
        xs = tuple(tensors)
    if not tensors:
        raise TypeError(f"{op}(): argument 'input' must be Tensor, not {type(xs[0]).__name__}")
    # tensors of the CPU without dimensions go along
    dims = [t for t in tensors if t._a.ndim] or [t for t in tensors if t._dev.type != "cpu"] or tensors
    dev = same_device(op, *dims)
    target = result_type(*xs)
    if kind == FLOAT:
        target = dtypes.to_float(target)
    array = target.array
    result = []
    for x in xs:
        if not isinstance(x, Tensor):
            result.append(constant(dev, array, x))
            continue
        if x._dev is not dev:
            if x._dev != dev and x._dev.type != "cpu":
                same_device(op, dims[0], x)
            from .convert import to_device

            x = to_device(x, dev, along=True)
        result.append(x if x._a.dtype is array or x._a.dtype == array else F.cast(x, array))
    return result


def type_name(x: Any) -> str:
    """The dtype of a Tensor, or a dtype, as PyTorch's messages name it: Float, Long, ..."""
    return dtypes.TYPE_NAMES[(DTYPE_OF[x._a.dtype] if isinstance(x, Tensor) else x).name]


def cpp_name(x: Any) -> str:
    """The same in the words of other messages: float, long int, ..."""
    return dtypes.CPP_NAMES[(DTYPE_OF[x._a.dtype] if isinstance(x, Tensor) else x).name]


def no_cast(have: Any, want: Any) -> RuntimeError:
    """The error of a result, or its dtype, that another tensor or dtype cannot take."""
    return RuntimeError(f"result type {type_name(have)} can't be cast to the desired output type {type_name(want)}")


def no_kernel(kernel: str, x: Any) -> NotImplementedError:
    """The error of an op that has no kernel for a Tensor's dtype, or for a dtype."""
    return NotImplementedError(f"\"{kernel}\" not implemented for '{type_name(x)}'")


def write_out(out: Tensor, r: Tensor, exact: bool = False) -> Tensor:
    """Store a result in `out=`, resizing it as PyTorch does; `exact`: out must have the result's dtype."""
    if not isinstance(out, Tensor):
        raise TypeError(f"argument 'out' must be Tensor, not {type(out).__name__}")
    # what gives bools has no derivative
    if out._fn is not None and mode.grad and r._a.dtype.kind != "b" or r._fn is not None:
        raise RuntimeError(
            "functions with out=... arguments don't support automatic differentiation, but one of the arguments "
            "requires grad."
        )
    have, want = DTYPE_OF[r._a.dtype], DTYPE_OF[out._a.dtype]
    if exact and have is not want:
        raise RuntimeError(f"Expected out tensor to have dtype {cpp_name(have)}, but got {cpp_name(want)} instead")
    if not dtypes.can_cast(have, want):
        raise no_cast(have, want)
    if out._a.shape != r._a.shape:
        if out._a.size:
            warnings.warn(
                f"An output with one or more elements was resized since it had shape {list(out._a.shape)}, which does not "
                f"match the required output shape {list(r._a.shape)}. This behavior is deprecated, "
                "and in a future PyTorch release outputs will not be resized unless they have zero elements. You can "
                "explicitly reuse an out tensor t by resizing it, inplace, to zero elements with t.resize_(0).",
                UserWarning,
                stacklevel=4,
            )
        out._a = out._dev.backend.empty(r._a.shape, out._a.dtype)
    check_overlap(out._a)
    out._dev.backend.write(out._a, r._a)
    out._bump()
    return out


def give(r: Tensor, out: Tensor | None, exact: bool = False) -> Tensor:
    """The result, in `out` where one is given."""
    return r if out is None else write_out(out, r, exact)


def no_fit(have: Any, want: Any, op: str) -> RuntimeError:
    return RuntimeError(f"output with shape {list(have)} doesn't match the broadcast shape {list(want)} (in {op})")


def check_grows(a: Any, b: Any, op: str) -> None:
    """RuntimeError if an array would have to grow, or to change, to take another one in place."""
    n = max(a.ndim, b.ndim)
    pairs = list(zip((1,) * (n - a.ndim) + a.shape, (1,) * (n - b.ndim) + b.shape, strict=True))
    if any(i != j and 1 not in (i, j) for i, j in pairs):
        raise shape_error(a, b)
    full = [max(i, j) if i and j else 0 for i, j in pairs]
    if full != list(a.shape):
        raise no_fit(a.shape, full, op)


def finish_inplace(x: Tensor, r: Tensor, op: str) -> Tensor:
    """Write the result `r` into the memory of `x`, count the write, take over the history."""
    a, v = x._a, r._a
    if v.shape != a.shape:
        raise no_fit(a.shape, v.shape, op)
    if r._dev is not x._dev and r._dev != x._dev:
        raise apart(op, x._dev, r._dev)
    if v.dtype != a.dtype:
        have, want = DTYPE_OF[v.dtype], DTYPE_OF[a.dtype]
        if not dtypes.can_cast(have, want):
            raise no_cast(have, want)
        r = F.cast(r, a.dtype)
        v = r._a
    fn = r._fn
    if fn is not None and x._v is not None and mode.grad:
        x._check_view()
    x._dev.backend.write(a, v)
    x._bump()
    if fn is not None and fn is not LEAF:
        if fn.row is not None and fn.row.saves_out and fn.saved is not None:
            saved, vers = list(fn.saved), list(fn.vers)
            for k, (kind, _) in enumerate(fn.row.save_spec):
                if kind == "out" and saved[k].__class__ is not Packed:
                    saved[k] = x._alias(None, 0)
                    vers[k] = x._s[0]  # type: ignore[index]
            fn.saved, fn.vers = tuple(saved), tuple(vers)
        rebase(x, r)
    return x


# operands of these may share a part of the memory, as in PyTorch
UNCHECKED = {"addmm_", "addmv_", "baddbmm_", "bernoulli_", "index_fill_", "masked_fill_", "masked_scatter_"}


def inplace(fn: Callable[..., Any], name: str, row: Row | None = None) -> Callable[..., Any]:
    """The in-place method of an op: compute, write, rebase. PyTorch's checks come first.

    `row`: that of the op, if fn calls no other.
    """
    saves = row is None or any(kind == "in" for kind, _ in row.save_spec)
    apart = name not in UNCHECKED

    def method(self: Tensor, *args: Any, **kwargs: Any) -> Tensor:
        self._check_inplace()
        if apart:
            check_apart(self, *args)
        old = self
        if mode.grad and (self._fn is not None or any(isinstance(t, Tensor) and t._fn is not None for t in args)):
            old = self._alias(self._fn, self._nr)
            old._s = None
            if saves:  # what the op saves of self must outlive the write
                old._a = self._dev.backend.copy(self._a)
            args = tuple(old if t is self else t for t in args)
        r = fn(old, *args, **kwargs)
        return finish_inplace(self, r, name) if isinstance(r, Tensor) else r  # what another class made of an operator

    method.__name__ = name
    method.__doc__ = f"In-place {name[:-1]}."
    return method


def attach(name: str, fn: Callable[..., Any], method: bool = True, in_place: bool = False) -> Any:
    """Hang a function on Tensor under its PyTorch name, with its in-place form."""
    if method:
        setattr(Tensor, name, fn)
    if in_place:
        setattr(Tensor, name + "_", inplace(fn, name + "_"))
    return fn


# ---- constructors -----------------------------------------------------------------------------------------------------
def unary(
    name: str,
    rule: Callable[..., Any] | None,
    kind: int = PROMOTE,
    node: str | None = None,
    method: bool = True,
    refuse: str = "",
    real: bool = False,
    exact: bool = False,
) -> Callable[..., Tensor]:
    """A pointwise function of one tensor; kind FLOAT takes integers to the default dtype.

    `refuse`: the error for bool; `real`: complex numbers are refused; `exact`: out= must have the dtype of the result.
    """
    row = Row(name, "x", None if rule is None else (rule,), node=node)
    rejected = ("b" if refuse else "") + ("c" if real else "")
    unusual = "".join(sorted(set("biu" if kind == FLOAT else "") | set(rejected)))  # dtype kinds

    def text(out: bool) -> list[str]:
        lines = [f"def {name}(input, *, out=None):", " if out is not None: return general(input, out=out)"]
        lines = [*(lines if out else [f"def {name}(input):"]), " try: _a = input._a; _dev = input._dev"]
        lines.append(" except AttributeError: return slow(input)")
        if unusual:
            lines.append(f" if _a.dtype is not FLOAT32 and _a.dtype.kind in {unusual!r}: return slow(input)")
        lines.append(f" {row.call('_a')}")
        return lines + row.finish(["input"], [])

    def slow(input: Any) -> Any:
        try:
            a = check_tensor(input, name)._a
        except TypeError as error:
            return asked(op, {"input": input}, error)
        if kind == FLOAT and a.dtype.kind in "biu":
            return fast(F.cast(input, dtypes.get_default_dtype().array))  # type: ignore[no-any-return]
        if a.dtype.kind == "c":
            raise NotImplementedError(f"{name} is not supported for complex inputs")
        raise (NotImplementedError if "implemented" in refuse else RuntimeError)(refuse)

    def general(input: Tensor, *, out: Tensor | None = None) -> Tensor:
        if exact and out is not None:
            have = check_tensor(input, name)._a.dtype
            if out._a.dtype != have and not (have.kind == "c" and name == "abs"):
                raise RuntimeError(f"Found dtype {type_name(out)} but expected {type_name(input)}")
        if out is None:
            return fast(input)  # type: ignore[no-any-return]
        check_apart(out, input)
        return write_out(out, fast(input))

    fast = row.written(name, lambda: text(False), general, FLOAT32=FLOAT32, slow=slow)
    op = row.written(name, lambda: text(True), general, FLOAT32=FLOAT32, slow=slow)
    setattr(F, name, fast)
    if method:
        attach(name, fast)
        if kind != COMPARE:
            setattr(Tensor, name + "_", inplace(fast, name + "_", row if kind == PROMOTE else None))
    return op


def binary(
    name: str,
    rules: tuple[Callable[..., Any] | None, ...] | None,
    kind: int = PROMOTE,
    node: str | None = None,
    refuse: str = "",
    method: bool = True,
    message: tuple[str, str] | None = None,
    refusal: type[Exception] = NotImplementedError,
) -> Callable[..., Tensor]:
    """A pointwise function of two operands with broadcasting and promotion.

    `refuse`: dtype kinds that it rejects, with an error of class `refusal`; `message`: the errors for one bool operand
    and for two.
    """
    row, wide = Row(name, "x y", rules, node=node, broadcast=True), name in WIDE
    taken = "".join(sorted(set("fcV" if kind == FLOAT else "biufcV") - set(refuse)))  # dtype kinds

    def text(out: bool) -> list[str]:
        exact = " and (_a.dtype.char != 'e' or held(other, _a.dtype))" if wide else ""
        lines = [
            f"def {name}(input, other, *, out=None):",
            " if out is not None: return general(input, other, out=out)",
        ]
        lines = [
            *(lines if out else [f"def {name}(input, other):"]),
            " try:",
            "  _a = input._a; _dev = input._dev; _c = other.__class__",
            f"  if _c is not Tensor and (_c is float or _c is int) and (_a.dtype is FLOAT32 or _a.dtype.kind in 'fc'{exact}):",
            "   other = constant(_dev, _a.dtype, other)",
            "  _b = other._a",
            " except AttributeError: return slow(input, other)",
            " _d = _a.dtype",
            " if _d is not _b.dtype or _dev is not other._dev: return slow(input, other)",
        ]
        if len(taken) < 6:
            usual = "_d is not FLOAT32 and " if "f" in taken else ""
            lines.append(f" if {usual}_d.kind not in {taken!r}: return slow(input, other)")
        lines.append(f" try: {row.call('_a', '_b')}")
        lines.append(" except ValueError: raise shape_error(_a, _b) from None")
        return lines + row.finish(["input", "other"], [])

    def slow(input: Any, other: Any, out: Tensor | None = None) -> Tensor:
        try:
            if wide and isinstance(input, Tensor) and is_half(input._a.dtype):
                other = operand(other, name)
                value = wide_number(input, other)
                if value is not None:
                    r = beside(input, other, value)
                    return r if out is None else write_out(out, r)
            x, y = prepare(name, kind, input, other)
        except TypeError as error:
            return foreign(name, input, other, error)  # type: ignore[no-any-return]
        if message and (is_bool(input) or is_bool(other)):
            raise RuntimeError(message[is_bool(input) and is_bool(other)])
        if x._a.dtype.kind in refuse:
            if out is not None and kind == PROMOTE and not dtypes.can_cast(x.dtype, out.dtype):
                raise no_cast(x, out)
            raise refusal(str(no_kernel(f"{name}_cpu", x)))
        if out is not None:
            check_apart(out, input, other)
        r = fast(x, y)
        return r if out is None else write_out(out, r)

    def beside(x: Tensor, other: Any, value: float) -> Tensor:
        """16-bit x with a number that their dtype does not hold."""
        tracked = isinstance(other, Tensor) and other._fn is not None
        if name in ("mul", "div") and not tracked:
            return getattr(F, f"{name}_number")(x, value)  # type: ignore[no-any-return]
        r = F.cast(fast(F.cast(x, FLOAT32), other if tracked else value), x._a.dtype)
        return renamed(r, row.node.__name__)

    def general(input: Tensor, other: Any, *, out: Tensor | None = None) -> Tensor:
        return slow(input, other, out)

    def compare(input: Tensor, other: Any) -> Any:
        if isinstance(other, (Tensor, float, int, complex)) or hasattr(other, "__array__"):
            return slow(input, other)
        if hasattr(type(other), "__torch_function__"):
            try:
                return foreign(name, input, other, NoOperandError())
            except TypeError:
                pass
        return NotImplemented

    def made(out: bool, slow: Callable[..., Any]) -> Callable[..., Any]:
        names = {"Tensor": Tensor, "constant": constant, "held": held, "shape_error": shape_error, "slow": slow}
        return row.written(name, lambda: text(out), general, FLOAT32=FLOAT32, **names)

    fast, op = made(False, slow), made(True, slow)
    if hasattr(object, f"__{name}__"):
        setattr(Tensor, f"__{name}__", made(False, compare))
    setattr(F, name, fast)
    attach(name, fast, method)
    by_copy = inplace(fast, name + "_", row)
    exact = name in ("add", "sub", "mul")  # on integers: what NumPy computes is what PyTorch does

    def in_place(self: Tensor, other: Any) -> Tensor:
        # the plain case: write straight into self
        v = self._v
        if self._fn is None and (v is None or v[0]._fn is None) and self._s.__class__ is not InferenceCell:
            a = self._a
            c = other.__class__
            if c is float or c is int:
                d = a.dtype
                if (
                    d is FLOAT32 or d.kind == "f" and (not wide or d.char != "e" or held(other, d))
                    or exact and c is int and d.kind == "i"
                ):  # fmt: skip
                    other = constant(self._dev, d, other)
            elif isinstance(other, Tensor) and (a.base is not None or other._a.base is not None):
                check_apart(self, other)
            if isinstance(other, Tensor) and other._fn is None and other._dev is self._dev:
                b = other._a
                kernel = getattr(self._dev.backend, name)
                kernel = kernel if kernel.__class__ is UFUNC else getattr(kernel, "into", None)
                if (
                    kernel is not None and a.dtype is b.dtype and 0 not in a.strides and a.dtype.kind in taken
                    and kind != COMPARE and (b.ndim == 0 or b.shape == a.shape) and kernel(a, b, a) is not None
                ):  # fmt: skip
                    self._bump()
                    return self
        try:
            return by_copy(self, other)  # type: ignore[no-any-return]
        except NotImplementedError:  # that the result does not fit is said first
            if isinstance(other, Tensor):
                check_grows(self._a, other._a, name + "_")
            want = dtypes.to_float(result_type(self, other)) if kind == FLOAT else result_type(self, other)
            have = DTYPE_OF[self._a.dtype]
            if kind != COMPARE and not dtypes.can_cast(want, have):
                raise no_cast(want, have) from None
            raise

    in_place.__name__ = name + "_"
    if method:
        setattr(Tensor, name + "_", in_place)
    return op


def is_bool(x: Any) -> bool:
    return x.__class__ is bool or (isinstance(x, Tensor) and x._a.dtype.kind == "b")
