"""What the layers share: numbers repeated per dimension, and a layer's weight and bias."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any

from ..module import Module


def _ntuple(n: int) -> Callable[[Any], tuple[Any, ...]]:
    """An iterable as a tuple, whatever its length; anything else n times."""

    def spread(v: Any) -> tuple[Any, ...]:
        return tuple(v) if isinstance(v, Iterable) else (v,) * n

    return spread


_single, _pair, _triple, _quadruple = _ntuple(1), _ntuple(2), _ntuple(3), _ntuple(4)


def _reverse_repeat_tuple(t: tuple[Any, ...], n: int) -> tuple[Any, ...]:
    """From the last element back, each n times."""
    return tuple(v for v in reversed(t) for _ in range(n))


def consume_prefix_in_state_dict_if_present(state_dict: dict[str, Any], prefix: str) -> None:
    """Take a prefix such as DistributedDataParallel's "module." off the names of a state, in place.

    Source: torch.nn.modules.utils.
    """
    for key in [k for k in state_dict if k.startswith(prefix)]:
        state_dict[key.removeprefix(prefix)] = state_dict.pop(key)
    metadata = getattr(state_dict, "_metadata", {})
    for key in [k for k in metadata if f"{k}.".startswith(prefix)]:
        metadata[key[len(prefix) :]] = metadata.pop(key)


def held(module: Module) -> tuple[Any, Any]:
    """The layer's weight and bias: from its table, or, where something else provides them, its attributes."""
    p = module._parameters
    if "weight" in p and "bias" in p:
        return p["weight"], p["bias"]
    return module.weight, module.bias
