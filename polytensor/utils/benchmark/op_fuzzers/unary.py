"""Inputs for functions of one Tensor. Source: torch.utils.benchmark.op_fuzzers.unary."""

from __future__ import annotations

from typing import Any

from ....dtypes import float32
from ..utils.fuzzer import FuzzedParameter, FuzzedTensor, Fuzzer, ParameterAlias

__all__ = ["UnaryOpFuzzer"]

POWERS = [2**i for i in range(4, 14)]  # sizes up to 2**13
STEPS = {1: 0.8, 2: 0.06, 4: 0.06, 8: 0.04, 16: 0.04}


def sizes() -> list[Any]:
    """1 to 3 dimensions k0, k1, k2: any size, a power of two more often."""
    out: list[Any] = [FuzzedParameter("dim", distribution={1: 0.3, 2: 0.4, 3: 0.3}, strict=True)]
    for i in range(3):
        out.append(FuzzedParameter(f"k_any_{i}", 16, POWERS[-1], "loguniform"))
        out.append(FuzzedParameter(f"k_pow2_{i}", distribution=dict.fromkeys(POWERS, 1 / len(POWERS))))
        either = {ParameterAlias(f"k_any_{i}"): 0.8, ParameterAlias(f"k_pow2_{i}"): 0.2}
        out.append(FuzzedParameter(f"k{i}", distribution=either, strict=True))
    return out


def steps(name: str) -> list[Any]:
    return [FuzzedParameter(f"{name}_step_{i}", distribution=STEPS) for i in range(3)]


def a_tensor(name: str, dims: str, dtype: Any, cuda: bool, **limits: Any) -> FuzzedTensor:
    return FuzzedTensor(
        name,
        size=tuple(f"{dims}{i}" for i in range(3)),
        steps=tuple(f"{name}_step_{i}" for i in range(3)),
        probability_contiguous=0.75,
        dim_parameter="dim",
        dtype=dtype,
        cuda=cuda,
        max_allocation_bytes=2 * 1024**3,
        **limits,
    )


def entropy() -> FuzzedParameter:
    return FuzzedParameter("random_value", 0, 2**32 - 1, "uniform")


class UnaryOpFuzzer(Fuzzer):
    """x of 4 thousand to 32 million elements."""

    def __init__(self, seed: int | None, dtype: Any = float32, cuda: bool = False) -> None:
        x = a_tensor("x", "k", dtype, cuda, min_elements=4 * 1024, max_elements=32 * 1024**2)
        super().__init__([*sizes(), *steps("x"), entropy()], [x], seed=seed)
