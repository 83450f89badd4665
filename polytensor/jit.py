"""torch.jit: TorchScript is not here. Asking whether it runs is answered; script and trace raise NotImplementedError."""

from __future__ import annotations

from typing import Any

from .absent import missing, refuse

_INSTEAD = "TorchScript compiles to PyTorch's own runtime; call the function or module as it is"


def is_scripting() -> bool:
    return False


def is_tracing() -> bool:
    return False


def ignore(fn: Any = None, **kwargs: Any) -> Any:
    """The function itself."""
    return (lambda f: f) if fn is None or not callable(fn) else fn


unused = export = script_if_tracing = ignore
script = refuse("torch.jit.script", _INSTEAD)
trace = refuse("torch.jit.trace", _INSTEAD)
trace_module = refuse("torch.jit.trace_module", _INSTEAD)
save = refuse("torch.jit.save", "use torch.save with a state_dict")
load = refuse("torch.jit.load", "use torch.load with a state_dict")
freeze = refuse("torch.jit.freeze", _INSTEAD)


class ScriptModule:
    """No module is an instance of it."""

    __init__ = refuse("torch.jit.ScriptModule", _INSTEAD)


__getattr__ = missing("torch.jit", _INSTEAD)
