"""torch.compiler: marks for a compiler; torch.compile hands functions back as they are. Source: torch.compiler."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from .settings import compile as compile

__all__ = ["allow_in_graph", "assume_constant_result", "compile", "cudagraph_mark_step_begin", "disable", "is_compiling",
           "is_dynamo_compiling", "is_exporting", "list_backends", "nested_compile_region", "reset", "set_stance",
           "substitute_in_graph"]  # fmt: skip


def disable(fn: Callable[..., Any] | None = None, recursive: bool = True, *, reason: str | None = None) -> Any:
    """The function itself: nothing is compiled. Source: torch.compiler.disable."""
    return (lambda f: f) if fn is None else fn


def allow_in_graph(fn: Any) -> Any:
    return fn


assume_constant_result = allow_in_graph


def is_compiling() -> bool:
    """False. Source: torch.compiler.is_compiling."""
    return False


is_dynamo_compiling = is_exporting = is_compiling


def reset() -> None:
    """Nothing is kept. Source: torch.compiler.reset."""


def cudagraph_mark_step_begin() -> None:
    """No CUDA graphs are recorded. Source: torch.compiler.cudagraph_mark_step_begin."""


_MODES = ["default", "lite", "reduce-overhead", "max-autotune-no-cudagraphs", "max-autotune"]
_BACKENDS: dict[str, tuple[str, ...]] = {  # and their tags: functions run eagerly, whichever is named
    **dict.fromkeys(("cudagraphs", "inductor", "openxla", "tvm"), ()),
    **dict.fromkeys(("aot_eager", "aot_ts", "eager", "eager_debug", "eager_noexcept", "pre_dispatch_eager", "ts"), ("debug",)),
    "openxla_eval": ("experimental",),
}  # fmt: skip


def list_backends(exclude_tags: Any = ("debug", "experimental")) -> list[str]:
    """The names that torch.compile takes; each comes to running eagerly. Source: torch.compiler.list_backends."""
    return sorted(name for name, tags in _BACKENDS.items() if not set(exclude_tags or ()) & set(tags))


def register_backend(compiler_fn: Any = None, name: str | None = None, tags: Any = ()) -> Any:
    """A further name for torch.compile's `backend`; `compiler_fn` is never called. A decorator, too."""
    if compiler_fn is None:
        return lambda fn: register_backend(fn, name, tags)
    _BACKENDS[name or compiler_fn.__name__] = tuple(tags)
    return compiler_fn


def check(backend: Any, mode: Any, options: Any) -> None:
    """RuntimeError for arguments of torch.compile that name nothing."""
    if mode is not None and options is not None:
        raise RuntimeError("Either mode or options can be specified, but both can't be specified at the same time.")
    if backend == "inductor" and mode is not None and mode not in _MODES:
        raise RuntimeError(f"Unrecognized mode={mode}, should be one of: {', '.join(_MODES)}")
    if isinstance(backend, str) and backend not in _BACKENDS:
        from ._dynamo.exc import InvalidBackend

        raise InvalidBackend(backend)


def nested_compile_region(fn: Callable[..., Any] | None = None, **options: Any) -> Any:
    """The function itself. Source: torch.compiler.nested_compile_region."""
    return disable(fn)


def substitute_in_graph(original_fn: Any, **options: Any) -> Any:
    """A decorator that returns its function: calls of `original_fn` stay calls of it."""
    return lambda fn: fn


class set_stance:
    """Whether torch.compile compiles: every stance comes to running eagerly. A function, context manager and decorator.

    Source: torch.compiler.set_stance.
    """

    def __init__(
        self, stance: str = "default", *, skip_guard_eval_unsafe: bool = False, force_backend: Any = None
    ) -> None:
        if force_backend is not None and stance != "default":
            raise RuntimeError("non-default stance cannot have force_backend set")

    def __call__(self, fn: Any) -> Any:
        return fn

    def __enter__(self) -> None:
        pass

    def __exit__(self, *exc: object) -> None:
        pass
