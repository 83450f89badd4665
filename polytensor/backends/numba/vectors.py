"""Vectors in LLVM's own terms, for kernels that cannot be left to the vectoriser."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from llvmlite import binding, ir
from numba import types
from numba.core import cgutils
from numba.extending import intrinsic

WIDE = bool(binding.get_host_cpu_features().get("avx512f"))
BYTES = 64 if WIDE else 32  # of a vector
I1, I32, I64 = ir.IntType(1), ir.IntType(32), ir.IntType(64)


class Emit:
    """A few vector operations over an IR builder, for one element type."""

    def __init__(self, builder: Any, kind: Any) -> None:
        self.b = builder
        self.real = ir.FloatType() if kind == types.float32 else ir.DoubleType()
        self.size = 4 if kind == types.float32 else 8
        self.lanes = BYTES // self.size

    def vector(self, n: int) -> Any:
        return ir.VectorType(self.real, n)

    def _call(self, name: str, n: int, result: Any, kinds: list[Any], args: list[Any], suffix: str = "") -> Any:
        kind = ir.FunctionType(result, kinds)
        name = f"llvm.{name}.v{n}f{8 * self.size}{suffix}"
        return self.b.call(cgutils.get_or_insert_function(self.b.module, kind, name), args)

    def fma(self, x: Any, y: Any, z: Any) -> Any:
        v = self.vector(self.lanes)
        return self._call("fmuladd", self.lanes, v, [v, v, v], [x, y, z])

    def totals(self, xs: list[Any]) -> Any:
        """The sums of the lanes of each of some vectors (a power of two), as one vector: pairs are folded into one."""
        width = self.lanes
        while len(xs) > 1 or width > 1:
            half = width // 2
            first = [i for i in range(self.lanes if len(xs) > 1 else xs[0].type.count) if i % width < half]
            pairs = list(zip(xs[::2], xs[1::2], strict=True)) if len(xs) > 1 else [(xs[0], xs[0])]
            if len(xs) > 1:
                first += [i + self.lanes for i in first]
            xs = [
                self.b.fadd(*[self.b.shuffle_vector(x, y, self.constant(i + o for i in first)) for o in (0, half)])
                for x, y in pairs
            ]
            width = half
        return xs[0]

    @staticmethod
    def constant(values: Any) -> Any:
        values = list(values)
        return ir.Constant(ir.VectorType(I32, len(values)), values)

    def splat(self, scalar: Any, n: int) -> Any:
        kind = ir.VectorType(scalar.type, n)
        one = self.b.insert_element(ir.Constant(kind, ir.Undefined), scalar, I32(0))
        return self.b.shuffle_vector(one, ir.Constant(kind, ir.Undefined), self.constant([0] * n))

    def join(self, parts: list[Any]) -> Any:
        if len(parts) == 1:
            return parts[0]
        return self.b.shuffle_vector(parts[0], parts[1], self.constant(range(self.lanes)))

    def part(self, v: Any, i: int, n: int) -> Any:
        return v if n == self.lanes else self.b.shuffle_vector(v, v, self.constant(range(i * n, i * n + n)))

    def at(self, base: Any, i: Any, n: int) -> Any:
        return self.b.bitcast(self.b.gep(base, [i]), self.vector(n).as_pointer())

    def load(self, base: Any, i: Any, n: int) -> Any:
        return self.b.load(self.at(base, i, n), align=self.size)

    def store(self, v: Any, base: Any, i: Any, n: int) -> None:
        self.b.store(v, self.at(base, i, n), align=self.size)

    def mask(self, count: Any, n: int) -> Any:
        """The first `count` of n lanes."""
        lanes = ir.Constant(ir.VectorType(I32, n), list(range(n)))
        return self.b.icmp_signed("<", lanes, self.splat(self.b.trunc(count, I32), n))

    def masked_load(self, base: Any, i: Any, mask: Any, n: int) -> Any:
        """Zero in lanes that the mask leaves out; their memory is not touched."""
        v, m = self.vector(n), ir.VectorType(I1, n)
        args = [self.at(base, i, n), I32(self.size), mask, ir.Constant(v, None)]
        return self._call("masked.load", n, v, [v.as_pointer(), I32, m, v], args, ".p0")

    def masked_store(self, x: Any, base: Any, i: Any, mask: Any, n: int) -> None:
        """Also of integers of 64 bits."""
        real = x.type.element == self.real
        kind = f"v{n}f{8 * self.size}" if real else f"v{n}i64"
        at = self.b.bitcast(self.b.gep(base, [i]), x.type.as_pointer())
        function = ir.FunctionType(ir.VoidType(), [x.type, at.type, I32, ir.VectorType(I1, n)])
        store = cgutils.get_or_insert_function(self.b.module, function, f"llvm.masked.store.{kind}.p0")
        self.b.call(store, [x, at, I32(self.size if real else 8), mask])


def routine(names: str) -> Callable[[Callable[..., None]], Any]:
    """An intrinsic of arrays (capital names) and int64 scalars from a body that emits it: body(emit, namespace)."""

    def make(body: Callable[..., None]) -> Any:
        fields = names.split()

        def typed(*kinds: Any) -> Any:
            sig = types.void(*[k if n.isupper() else types.int64 for n, k in zip(fields, kinds, strict=True)])

            def generate(context: Any, builder: Any, signature: Any, args: Any) -> Any:
                values = {}
                for name, kind, value in zip(fields, signature.args, args, strict=True):
                    values[name] = context.make_array(kind)(context, builder, value).data if name.isupper() else value
                body(Emit(builder, signature.args[0].dtype), **values)
                return context.get_dummy_value()

            return sig, generate

        text = f"lambda context, {', '.join(fields)}: typed({', '.join(fields)})"
        return intrinsic(eval(text, {"typed": typed}))

    return make
