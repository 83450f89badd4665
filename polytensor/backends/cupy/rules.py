"""Rules of optimizers as kernels: a rule runs once on stand-ins, which write down what is done with them as lines of C.

The kernel that they make takes all parameters in one launch. A rule that does more than arithmetic on elements (sums,
products of matrices, decisions by values) is left to the plain way.
"""

from __future__ import annotations

from collections.abc import Callable
from hashlib import sha256
from typing import Any

from . import launch
from .optim import FLOATS, MANY, numbers

Array = Any

HEAD = r"""
template <typename A> __device__ __forceinline__ A sign(A x) { return x != x ? x : (A)((x > 0) - (x < 0)); }
"""


class Untraceable(Exception):
    """The rule asks for something that is no line of a kernel."""


class Trace:
    """Lines of C so far, and the numbers that they take as parameters."""

    def __init__(self) -> None:
        self.lines: list[str] = []
        self.numbers: list[float] = []

    def text(self, x: Any) -> str:
        if isinstance(x, Value):
            return x.name
        if not isinstance(x, (int, float)):
            raise Untraceable
        self.numbers.append(float(x))
        return f"n{len(self.numbers) - 1}"

    def made(self, formula: str, *values: Any, kind: str = "A") -> Value:
        """The value of a formula with {} for each of the values."""
        name = f"v{len(self.lines)}"
        self.lines.append(f"{kind} {name} = {formula.format(*map(self.text, values))};")
        return Value(self, name)

    def put(self, x: Any, formula: str, *values: Any) -> Any:
        """Write over a value."""
        self.lines.append(f"{self.text(x)} = {formula.format(*map(self.text, values))};")
        return x


class Value:
    """Stands for an array in a rule."""

    __array_ufunc__ = None  # NumPy's numbers leave operators to this class

    def __init__(self, trace: Trace, name: str) -> None:
        self.trace, self.name = trace, name

    def __bool__(self) -> bool:
        raise Untraceable

    def __neg__(self) -> Value:
        return self.trace.made("-{}", self)

    def __abs__(self) -> Value:
        return self.trace.made("fabs({})", self)


def _operators(name: str, sign: str) -> None:
    formula = "{} " + sign + " {}"
    setattr(Value, f"__{name}__", lambda self, other: self.trace.made(formula, self, other))
    setattr(Value, f"__r{name}__", lambda self, other: self.trace.made(formula, other, self))
    setattr(Value, f"__i{name}__", lambda self, other: self.trace.put(self, formula, self, other))


for _name, _sign in (("add", "+"), ("sub", "-"), ("mul", "*"), ("truediv", "/")):
    _operators(_name, _sign)
for _name, _sign in (("lt", "<"), ("gt", ">"), ("le", "<="), ("ge", ">=")):
    setattr(
        Value,
        f"__{_name}__",
        lambda self, other, formula="{} " + _sign + " {}": self.trace.made(formula, self, other, kind="bool"),
    )


class Functions:
    """Stands for F in a rule."""

    def __init__(self, trace: Trace) -> None:
        made = trace.made
        self.sqrt = lambda x: made("sqrt({})", x)
        self.sign = lambda x: made("sign({})", x)
        self.maximum = lambda x, y: made("Max()({}, {})", x, y)
        self.clamp = lambda x, lo, hi: made("Min()(Max()({}, {}), {})", x, lo, hi)
        self.where = lambda condition, x, y: made("{} ? {} : {}", condition, x, y)
        self.fill = lambda x, value: made("{}", value)
        self.copy = lambda x: made("{}", x)
        self.assign = lambda x, value: trace.put(x, "{}", value)

    def __getattr__(self, name: str) -> Any:
        raise Untraceable


def traced(rule: Callable[..., Any], states: tuple[str, ...], rest: tuple[Any, ...]) -> Trace:
    """The lines of rule(F, p, g, states, *rest) on elements e[0] (p), e[1] (g) and e[2:] (the states)."""
    trace = Trace()
    p, g, *kept = (Value(trace, f"e[{i}]") for i in range(2 + len(states)))
    rule(Functions(trace), p, g, dict(zip(states, kept, strict=True)), *rest)
    return trace


def kernel_of(trace: Trace, arrays: int) -> str:
    """The name of the kernel, which is registered."""
    lines = "\n            ".join(trace.lines)
    name = "rule_" + sha256(f"{arrays} {len(trace.numbers)} {lines}".encode()).hexdigest()[:16]
    if name not in launch.KERNELS:
        given = "".join(f", acc_t<T> n{i}" for i in range(len(trace.numbers)))
        text = f"""
template <typename T>
__global__ void {name}(T* const* places, const i64* chunks, i64 tasks, i64 count{given}) {{
    typedef acc_t<T> A;
    each_chunk<T, {arrays}>(places, chunks, tasks, count, [=](i64) {{
        return [=](A (&e)[{arrays}]) {{
            {lines}
        }};
    }});
}}
"""
        launch.register(name, MANY + HEAD + text, [(c,) for c in FLOATS])
    return name


class CudaRules:
    """Mixed into CupyBackend, beside CudaOptim."""

    _many: Any

    def rule_many(
        self, rule: Callable[..., Any], params: list[Array], grads: list[Array], states: list[dict[str, Array]],
        rest: tuple[Any, ...],
    ) -> list[int]:  # fmt: skip
        names = tuple(states[0])
        if all([tuple(s) == names for s in states]):
            try:
                trace = traced(rule, names, rest)
            except (Untraceable, TypeError):
                return list(range(len(params)))
            lists = [params, grads, *([s[k] for s in states] for k in names)]
            kernel = kernel_of(trace, len(lists))
            left: list[int] = self._many(kernel, (), lists, lambda dtype, _: numbers(dtype, *trace.numbers))
            return left
        return list(range(len(params)))
