"""Switches of the whole program: determinism, matmul precision, denormals, warnings, typename, compile."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

_state: dict[str, Any] = {"deterministic": False, "warn_only": False, "precision": "highest", "warn_always": False}
_said: set[str] = set()


def use_deterministic_algorithms(mode: bool, *, warn_only: bool = False) -> None:
    """Ask for equal bits in each run. CPU backends always give them. On CUDA, sums and writes at equal indices (index_add,
    scatter, the gradients of indexing and embedding) are then sorted first, which takes longer.

    Source: torch.use_deterministic_algorithms.
    """
    if not isinstance(mode, bool):
        raise TypeError(
            f"_set_deterministic_algorithms(): argument 'mode' (position 1) must be bool, not {type(mode).__name__}"
        )
    _state["deterministic"], _state["warn_only"] = mode, bool(warn_only)


def are_deterministic_algorithms_enabled() -> bool:
    """What was asked for last. Source: torch.are_deterministic_algorithms_enabled."""
    return bool(_state["deterministic"])


def is_deterministic_algorithms_warn_only_enabled() -> bool:
    return bool(_state["warn_only"])


def get_deterministic_debug_mode() -> int:
    """0, 1 (warn) or 2 (error). Source: torch.get_deterministic_debug_mode."""
    return (1 if _state["warn_only"] else 2) if _state["deterministic"] else 0


def set_deterministic_debug_mode(debug_mode: int | str) -> None:
    """'default', 'warn' or 'error', or 0, 1, 2. Source: torch.set_deterministic_debug_mode."""
    if not isinstance(debug_mode, (int, str)):
        raise TypeError(f"debug_mode must be str or int, but got {type(debug_mode)}")
    names = {"default": 0, "warn": 1, "error": 2}
    mode = names.get(debug_mode, -1) if isinstance(debug_mode, str) else debug_mode
    if mode not in (0, 1, 2):
        if isinstance(debug_mode, str):
            raise RuntimeError(
                f"invalid value of debug_mode, expected one of `default`, `warn`, `error`, but got {debug_mode}"
            )
        raise RuntimeError(f"invalid value of debug_mode, expected 0, 1, or 2, but got {debug_mode}")
    use_deterministic_algorithms(mode > 0, warn_only=mode == 1)


def get_float32_matmul_precision() -> str:
    """What was set last. Source: torch.get_float32_matmul_precision."""
    return str(_state["precision"])


def set_float32_matmul_precision(precision: str) -> None:
    """'highest', 'high' or 'medium': how coarse float32 products may be: CUDA rounds the factors to TF32 below 'highest'.

    CPU backends compute in full anyway.

    Source: torch.set_float32_matmul_precision.
    """
    if precision not in ("highest", "high", "medium"):
        warnings.warn(
            f"{precision} is not one of 'highest', 'high', or 'medium'; the currentsetFloat32MatmulPrecision call has no "
            "effect.",
            stacklevel=2,
        )
        return
    _state["precision"] = precision


def set_flush_denormal(mode: bool) -> bool:
    """Whether the CPU is in that mode: denormals are kept, so True for False alone. Source: torch.set_flush_denormal.

    Unlike PyTorch, the mode belongs to the array libraries and stays as it is.
    """
    return not mode


def warn_once(text: str, stacklevel: int = 1) -> None:
    """A UserWarning that is given once, or each time after set_warn_always(True)."""
    if text not in _said or _state["warn_always"]:
        _said.add(text)
        warnings.warn(text, UserWarning, stacklevel=stacklevel + 1)


def set_warn_always(b: bool) -> None:
    """Whether warnings that are given once should come each time. Source: torch.set_warn_always."""
    _state["warn_always"] = bool(b)


def is_warn_always_enabled() -> bool:
    return bool(_state["warn_always"])


def compiled_with_cxx11_abi() -> bool:
    """True: there is no C++ here that could disagree."""
    return True


def is_vulkan_available() -> bool:
    return False


def is_storage(obj: Any) -> bool:
    """Whether `obj` is a storage object. Source: torch.is_storage."""
    from .storage import TypedStorage, UntypedStorage

    return isinstance(obj, (TypedStorage, UntypedStorage))


def is_distributed(input: Any) -> bool:
    """False: no tensor is spread over processes."""
    return False


def patcher(settings: dict[str, Any]) -> Any:
    """`patch` of a module of settings: patch(name=value), patch({name: value}) or patch("name", value), as a context manager
    and a decorator; what was there comes back after it."""
    missing = object()

    @contextmanager
    def patch(changes: Any = None, value: Any = missing, **more: Any) -> Iterator[None]:
        new = {changes: value} if value is not missing else dict(changes or {})
        new.update(more)
        before = {name: settings.get(name, missing) for name in new}
        settings.update(new)
        try:
            yield
        finally:
            for name, old in before.items():
                if old is missing:
                    del settings[name]
                else:
                    settings[name] = old

    return patch


_HOMES = {
    "torch.dtypes": "torch",
    "torch.nn.module": "torch.nn.modules.module",
    "torch.nn.containers": "torch.nn.modules.container",
    "torch.nn.lazy": "torch.nn.modules.lazy",
    "torch.nn.loss": "torch.nn.modules.loss",
}


def typename(obj: Any) -> str:
    """The type's name as PyTorch writes it: 'torch.FloatTensor' for tensors. Source: torch.typename."""
    from .tensor import Tensor

    if isinstance(obj, Tensor):
        return str(obj.type())  # type: ignore[attr-defined]
    cls = obj if isinstance(obj, type) else type(obj)
    module = (
        cls.__module__.replace("polytensor", "torch", 1) if cls.__module__.startswith("polytensor") else cls.__module__
    )
    module = _HOMES.get(module, module)
    return cls.__qualname__ if module == "builtins" else f"{module}.{cls.__qualname__}"


def compile(
    model: Callable[..., Any] | None = None, *, fullgraph: bool = False, dynamic: bool | None = None, backend: Any = None,
    mode: str | None = None, options: dict[str, Any] | None = None, name: str | None = None, disable: bool = False,
    recompile_limit: int | None = None, isolate_recompiles: bool = False, shapes_spec: Any = None,
) -> Any:  # fmt: skip
    """The function or module itself, and one warning that says so. Source: torch.compile.

    RuntimeError for a mode or the name of a backend that PyTorch does not have either.
    """
    from .compiler import check

    if model is None:
        return lambda fn: compile(fn, backend=backend, mode=mode, options=options)
    if not callable(model):
        raise AssertionError(f"A callable function is expected, but {type(model)} is provided.")
    check("inductor" if backend is None else backend, mode, options)
    warn_once("torch.compile returns its argument as it is: PolyTensor runs eagerly.", 2)
    return model
