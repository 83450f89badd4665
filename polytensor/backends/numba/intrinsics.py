"""What Numba cannot say: a fused product, the high half of a 64-bit product, and a tile turned over in registers."""

from __future__ import annotations

from typing import Any

from llvmlite import binding, ir
from numba import types
from numba.extending import intrinsic

_triple = binding.get_process_triple()
FUSED = bool(binding.get_host_cpu_features().get("fma")) or _triple.startswith(("aarch64", "arm64"))


@intrinsic  # type: ignore[misc]
def fma(typing: Any, a: Any, b: Any, c: Any) -> Any:
    """a * b + c, in one rounding where the processor can.

    Named here and never left to LLVM (as 'contract' would), so that serial and parallel forms have the same bits.
    """

    def codegen(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        if not FUSED:  # in software it would cost a hundred times as much
            return builder.fadd(builder.fmul(args[0], args[1]), args[2])
        return builder.fma(*args)

    return a(a, a, a), codegen


@intrinsic  # type: ignore[misc]
def wide_product(typing: Any, a: Any, b: Any) -> Any:
    """The high and the low 64 bits of a product of uint64, by one instruction."""
    both = types.UniTuple(types.uint64, 2)

    def codegen(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        wide, narrow = ir.IntType(128), ir.IntType(64)
        product = builder.mul(builder.zext(args[0], wide), builder.zext(args[1], wide))
        high = builder.trunc(builder.lshr(product, ir.Constant(wide, 64)), narrow)
        return context.make_tuple(builder, both, (high, builder.trunc(product, narrow)))

    return both(types.uint64, types.uint64), codegen


@intrinsic  # type: ignore[misc]
def turn_tile(typing: Any, x: Any, start: Any, stride: Any, out: Any, place: Any, step: Any) -> Any:
    """Copy a square tile of unsigned integers, 64 bytes wide, turned over: out[place + i * step + j] = x[start + i + j * stride].

    Stages of shuffles swap ever larger blocks off the diagonal (Eklundh, 1972).
    """
    bits = x.dtype.bitwidth
    width = 512 // bits

    def codegen(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        vector = ir.VectorType(ir.IntType(bits), width)

        def row(which: int, first: int, by: int, k: int) -> Any:
            data = context.make_array(signature.args[which])(context, builder, args[which]).data
            offset = builder.add(args[first], builder.mul(args[by], ir.Constant(ir.IntType(64), k)))
            return builder.bitcast(builder.gep(data, [offset]), vector.as_pointer())

        rows = [builder.load(row(0, 1, 2, k), align=bits // 8) for k in range(width)]
        s = 1
        while s < width:
            low = [width + k - s if k & s else k for k in range(width)]
            high = [width + k if k & s else k + s for k in range(width)]
            for i in range(width):
                if not i & s:
                    masks = (ir.Constant(ir.VectorType(ir.IntType(32), width), m) for m in (low, high))
                    rows[i], rows[i + s] = (builder.shuffle_vector(rows[i], rows[i + s], m) for m in masks)
            s *= 2
        for k in range(width):
            builder.store(rows[k], row(3, 4, 5, k), align=bits // 8)
        return context.get_dummy_value()

    integer = types.int64
    return types.void(x, integer, integer, out, integer, integer), codegen


@intrinsic  # type: ignore[misc]
def pointer(typing: Any, address: Any) -> Any:
    """A number as an address."""

    def codegen(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        return builder.inttoptr(args[0], ir.IntType(8).as_pointer())

    return types.voidptr(types.int64), codegen
