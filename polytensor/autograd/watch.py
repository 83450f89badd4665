"""What special modes do to a Node right after it was recorded: saved-tensor hooks and anomaly mode.

`record` of every row calls `watched` while modes.WATCH is not empty; the plain path pays one test of that list.
"""

from __future__ import annotations

from typing import Any

from .modes import ANOMALY, mode

PACKED_IN_PLACE = (
    "A saved tensor pack hook is modifying its input in place. Tensors provided as input to pack hook cannot be "
    "modified by in-place operations as this can lead to unexpected side-effects. Please open an issue if you need to "
    "perform in-place operations on the input to a pack hook."
)


class Packed:
    """Stands for a saved tensor in Node.saved: what the pack hook returned, unpacked at each use.

    Outputs are handed to the pack hook without their history (PyTorch's have it), so that no cycle of references arises.
    As in PyTorch, versions are not checked: the hooks decide what is kept.
    """

    __slots__ = ("unpack", "value")
    _s = None
    _fn = False  # no history that one could compare

    def __init__(self, value: Any, unpack: Any) -> None:
        self.value, self.unpack = value, unpack

    def tensor(self) -> Any:
        from ..tensor import Tensor

        t = self.unpack(self.value)
        if not isinstance(t, Tensor):
            raise TypeError(
                "Output of saved tensor unpack_hook expected to be a Tensor but got result of type " + type(t).__name__
            )
        return t

    @property
    def _a(self) -> Any:
        return self.tensor()._a

    def _alias(self, fn: Any, nr: int) -> Any:
        return self.tensor()._alias(fn, nr)


def pack(t: Any, hooks: tuple[Any, Any]) -> Packed:
    """`t` through the pack hook."""
    before, mode.grad = mode.grad, False
    try:
        version = t._version
        value = hooks[0](t)
        if t._version != version:
            raise RuntimeError(PACKED_IN_PLACE)
    finally:
        mode.grad = before
    return Packed(value, hooks[1])


def watched(n: Any, inputs: tuple[Any, ...], outs: Any) -> None:
    """Look at the Node of an op that was just recorded."""
    if ANOMALY["on"]:
        stamp(n)
    if mode.saved_hooks and n.row.versioned:
        hooks = mode.saved_hooks[-1]
        spec = n.row.save_spec
        n.saved = tuple(
            pack(s, hooks) if s is not None and kind in ("in", "out") and not _number(s) else s
            for s, (kind, _) in zip(n.saved, spec, strict=True)
        )


def _number(s: Any) -> bool:
    """Whether a saved tensor is a Python number that the op was given."""
    a = s._a
    return a.ndim == 0 and s._fn is None and any(s is c for c in s._dev.backend.constants.get(a.dtype, {}).values())


def stamp(n: Any) -> None:
    """Note in a Node's metadata where it was made, and by which Node's backward."""
    from traceback import format_stack  # in anomaly mode alone

    n.metadata["traceback_"] = format_stack()[:-3]
    if mode.task is not None and mode.task.node is not None:
        n.metadata["parent_"] = mode.task.node
