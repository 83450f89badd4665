"""Inputs for functions of two Tensors that broadcast. Source: torch.utils.benchmark.op_fuzzers.binary."""

from __future__ import annotations

from typing import Any

from ....dtypes import float32
from ..utils.fuzzer import FuzzedParameter, Fuzzer, ParameterAlias
from .unary import a_tensor, entropy, sizes, steps

__all__ = ["BinaryOpFuzzer"]


class BinaryOpFuzzer(Fuzzer):
    """x as for one Tensor; y of the same size, or of size 1 in some dimensions."""

    def __init__(self, seed: int | None, dtype: Any = float32, cuda: bool = False) -> None:
        other: list[Any] = [
            FuzzedParameter(f"y_k{i}", distribution={ParameterAlias(f"k{i}"): 0.8, 1: 0.2}, strict=True)
            for i in range(3)
        ]
        x = a_tensor("x", "k", dtype, cuda, min_elements=4 * 1024, max_elements=32 * 1024**2)
        y = a_tensor("y", "y_k", dtype, cuda)
        super().__init__([*sizes(), *other, *steps("x"), *steps("y"), entropy()], [x, y], seed=seed)
