"""torch.utils: data, checkpoint and others, each imported at its first use (data brings multiprocessing)."""

from __future__ import annotations

import weakref
from importlib import import_module
from typing import TYPE_CHECKING, Any

from ..absent import lacks

if TYPE_CHECKING:
    from ..tensor import Tensor

__all__ = ["_pytree", "benchmark", "checkpoint", "data", "deterministic", "dlpack", "flop_counter", "hooks", "model_zoo", "progress",
           "snapshots", "swap_tensors", "tensorboard"]  # fmt: skip


def __getattr__(name: str) -> Any:
    if name in __all__:
        return import_module(f"{__name__}.{name}")
    raise lacks(__name__, name)


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})


def swap_tensors(t1: Tensor, t2: Tensor) -> None:
    """Exchange what two tensors are: values, device, class, attributes; each name keeps its object.

    RuntimeError if one is referred to weakly. Graphs recorded before do not follow. Source: torch.utils.swap_tensors.
    """
    from ..tensor import Tensor

    views = [
        {id(r()): i for i, r in enumerate(t._s or ()) if i > 1} for t in (t1, t2)
    ]  # what shares memory knows of them
    for name, t, known in (("t1", t1, views[0]), ("t2", t2, views[1])):
        if weakref.getweakrefcount(t) and id(t) not in known:
            raise RuntimeError(f"Cannot swap {name} because it has weakref associated with it")
    for t, other, known in ((t1, t2, views[0]), (t2, t1, views[1])):
        if id(t) in known:
            t._s[known[id(t)]] = weakref.ref(other)
    t1.__class__, t2.__class__ = t2.__class__, t1.__class__
    for slot in Tensor.__slots__:
        if slot != "__weakref__":
            kept = getattr(t1, slot)
            setattr(t1, slot, getattr(t2, slot))
            setattr(t2, slot, kept)
