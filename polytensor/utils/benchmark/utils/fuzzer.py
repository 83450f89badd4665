"""Random inputs for benchmarks, from rules. Source: torch.utils.benchmark.utils.fuzzer.

The numbers come from Python's generator, so a seed gives other inputs than in PyTorch.
"""

from __future__ import annotations

import math
import random
from collections.abc import Callable, Iterator
from typing import Any

from ....dtypes import float32
from ....ops.random_ops import rand, randint
from ....random import manual_seed

__all__ = ["FuzzedParameter", "FuzzedTensor", "Fuzzer", "ParameterAlias"]


class ParameterAlias:
    """A value of a FuzzedParameter's distribution: whatever another parameter is."""

    def __init__(self, alias_to: str) -> None:
        self.alias_to = alias_to

    def __repr__(self) -> str:
        return f"ParameterAlias[alias_to: {self.alias_to}]"


class FuzzedParameter:
    """A named random number: 'uniform' or 'loguniform' from minval to maxval, or {value: probability}.

    A strict one is drawn once, and not again when a set of parameters is refused.
    """

    def __init__(
        self, name: str, minval: Any = None, maxval: Any = None, distribution: Any = None, strict: bool = False
    ) -> None:
        if isinstance(distribution, dict):
            if any(p < 0 for p in distribution.values()):
                raise AssertionError("Probabilities cannot be negative")
            for what, value in (("minval", minval), ("maxval", maxval)):
                if value is not None:
                    raise AssertionError(f"When passing a custom distribution, '{what}' must be None")
        elif distribution not in ("loguniform", "uniform"):
            raise AssertionError(f"Unknown distribution: {distribution}")
        self.name, self.strict = name, strict
        self._low, self._high, self._distribution = minval, maxval, distribution

    def sample(self, state: random.Random) -> Any:
        low, high, distribution = self._low, self._high, self._distribution
        if isinstance(distribution, dict):
            return state.choices(list(distribution), list(distribution.values()))[0]
        if distribution == "loguniform":
            return min(max(int(2 ** state.uniform(math.log2(low), math.log2(high))), low), high)
        return state.randint(low, high) if isinstance(low, int) and isinstance(high, int) else state.uniform(low, high)


class FuzzedTensor:
    """A named random Tensor. Entries of `size` and `steps` are integers or names of parameters.

    `steps` slices a larger Tensor; `dim_parameter` names the number of dimensions; limits on elements and bytes refuse a
    set of parameters; with 1 - probability_contiguous the dimensions lie in another order.
    """

    def __init__(
        self, name: str, size: tuple[str | int, ...], steps: tuple[str | int, ...] | None = None,
        probability_contiguous: float = 0.5, min_elements: int | None = None, max_elements: int | None = None,
        max_allocation_bytes: int | None = None, dim_parameter: str | None = None, roll_parameter: str | None = None,
        dtype: Any = float32, cuda: bool = False, tensor_constructor: Callable[..., Any] | None = None,
    ) -> None:  # fmt: skip
        self.name = name
        self._size, self._steps, self._dim = size, steps or (), dim_parameter
        self._contiguous = probability_contiguous
        self._limits = min_elements or 0, math.inf if max_elements is None else max_elements
        self._bytes = math.inf if max_allocation_bytes is None else max_allocation_bytes
        self._dtype, self._cuda = dtype, cuda
        self._make = tensor_constructor or self.default_tensor_constructor

    @staticmethod
    def default_tensor_constructor(size: Any, dtype: Any, **kwargs: Any) -> Any:
        if dtype.is_floating_point or dtype.is_complex:
            return rand(size, dtype=dtype, device="cpu")
        return randint(1, 127, size, dtype=dtype, device="cpu")

    def _sizes(self, params: dict[str, Any]) -> tuple[Any, Any, Any]:
        dim = len(self._size) if self._dim is None else params[self._dim]
        size, steps = (
            (*(params.get(v, v) for v in values[:dim]), *(1,) * (dim - len(values)))
            for values in (self._size, self._steps)
        )
        return size, steps, tuple(n * k for n, k in zip(size, steps, strict=True))

    def satisfies_constraints(self, params: dict[str, Any]) -> bool:
        size, _, allocated = self._sizes(params)
        low, high = self._limits
        return low <= math.prod(size) <= high and math.prod(allocated) * self._dtype.itemsize <= self._bytes

    def _tensor(self, params: dict[str, Any], state: random.Random) -> tuple[Any, dict[str, Any]]:
        size, steps, allocated = self._sizes(params)
        x = self._make(size=allocated, dtype=self._dtype, **params)
        if self._cuda:
            x = x.cuda()
        order = list(range(len(size)))
        if state.random() > self._contiguous and len(size) > 1:
            while order == sorted(order):
                state.shuffle(order)
            back = [order.index(d) for d in range(len(size))]
            x = x.permute(order).contiguous().permute(back)
        x = x[tuple(slice(0, n * k, k) for n, k in zip(size, steps, strict=True))]
        said = {"numel": x.numel(), "order": order, "steps": steps, "is_contiguous": x.is_contiguous(),
                "dtype": str(self._dtype)}  # fmt: skip
        return x, said


def _unpacked(values: Any, cls: type) -> list[Any]:
    return [v for value in values for v in ([value] if isinstance(value, cls) else value)]


class Fuzzer:
    """Random parameters and the Tensors made of them; `constraints` are called with the parameters by name.

    Source: torch.utils.benchmark.Fuzzer.
    """

    def __init__(
        self, parameters: Any, tensors: Any, constraints: list[Callable[..., Any]] | None = None,
        seed: int | None = None,
    ) -> None:  # fmt: skip
        self._seed = random.randrange(2**32) if seed is None else seed
        self._parameters, self._tensors = _unpacked(parameters, FuzzedParameter), _unpacked(tensors, FuzzedTensor)
        self._constraints = constraints or ()
        overlap = {p.name for p in self._parameters} & {t.name for t in self._tensors}
        if overlap:
            raise ValueError(f"Duplicate names in parameters and tensors: {overlap}")
        self._rejections = self._total = 0

    def take(self, n: int) -> Iterator[tuple[dict[str, Any], dict[str, Any], dict[str, Any]]]:
        """n times: Tensors, what they are like, parameters; all by name."""
        state = random.Random(self._seed)
        manual_seed(state.randrange(2**63))
        for _ in range(n):
            params = self._generate(state)
            made = {t.name: t._tensor(params, state) for t in self._tensors}
            yield {k: x for k, (x, _) in made.items()}, {k: said for k, (_, said) in made.items()}, params

    @property
    def rejection_rate(self) -> float:
        """How many sets of parameters were refused."""
        return self._rejections / self._total if self._total else 0.0

    def _generate(self, state: random.Random) -> dict[str, Any]:
        strict: dict[str, Any] = {}
        for _ in range(1000):
            drawn = {p.name: strict[p.name] if p.name in strict else p.sample(state) for p in self._parameters}
            strict.update({p.name: drawn[p.name] for p in self._parameters if p.strict})
            params = _resolved(drawn)
            self._total += 1
            if all(f(params) for f in self._constraints) and all(
                t.satisfies_constraints(params) for t in self._tensors
            ):
                return params
            self._rejections += 1
        raise ValueError("Failed to generate a set of valid parameters.")


def _resolved(params: dict[str, Any]) -> dict[str, Any]:
    out = {}
    for name in params:
        value, steps = params[name], 0
        while isinstance(value, ParameterAlias):
            value, steps = params[value.alias_to], steps + 1
            if steps > len(params):
                raise ValueError(f"ParameterAlias cycle detected\n{params}")
        out[name] = value
    return out
