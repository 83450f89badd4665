"""Activation checkpoints: forward saves nothing, backward runs it again. Source: torch.utils.checkpoint."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager, nullcontext
from enum import Enum
from typing import Any
from weakref import finalize, ref

from ..amp import autocast_mode
from ..autograd import Function, engine
from ..autograd import backward as _backward
from ..autograd.graph import saved_tensors_hooks
from ..autograd.modes import enable_grad, mode, no_grad
from ..autograd.pytree import tree_leaves
from ..random import fork_rng, get_rng_state, set_rng_state
from ..tensor import Tensor

__all__ = [
    "CheckpointError", "CheckpointFunction", "CheckpointPolicy", "SelectiveCheckpointContext", "check_backward_validity",
    "checkpoint", "checkpoint_sequential", "create_selective_checkpoint_contexts", "detach_variable", "get_device_states",
    "noop_context_fn", "set_checkpoint_debug_enabled", "set_checkpoint_early_stop", "set_device_states",
]  # fmt: skip

DEFAULT = "default"
_early_stop: list[bool | None] = [None]
_debug: list[bool | None] = [None]


class CheckpointError(RuntimeError):
    """Forward and the run that backward makes of it saved different tensors."""


@contextmanager
def set_checkpoint_early_stop(enable: bool) -> Iterator[None]:
    """Whether recomputation of the checkpoints made inside stops as soon as it has what backward needs.

    Source: torch.utils.checkpoint.
    """
    before, _early_stop[0] = _early_stop[0], enable
    try:
        yield
    finally:
        _early_stop[0] = before


@contextmanager
def set_checkpoint_debug_enabled(enabled: bool | None) -> Iterator[None]:
    """Accepted for PyTorch's sake: the error of a mismatch says what differs in any case."""
    before, _debug[0] = _debug[0], enabled
    try:
        yield
    finally:
        _debug[0] = before


def checkpoint(
    function: Callable[..., Any],
    *args: Any,
    use_reentrant: bool | None = None,
    context_fn: Callable[[], Any] | None = None,
    determinism_check: str = DEFAULT,
    debug: bool = False,
    early_stop: bool = True,
    **kwargs: Any,
) -> Any:
    """function(*args, **kwargs) without keeping what it saves for backward, which runs it again.

    `preserve_rng_state` (True) gives both runs the same random numbers. `use_reentrant`: True runs a backward pass
    within the backward pass, and takes no keyword arguments; False (recommended) recomputes at the first use of a saved
    tensor. `determinism_check` 'default' compares shape, dtype and device of what both runs saved; 'none' does not.
    Source: torch.utils.checkpoint.checkpoint.
    """
    if use_reentrant is None:
        warnings.warn(
            "torch.utils.checkpoint: the use_reentrant parameter should be passed explicitly. Starting in PyTorch 2.9, "
            "calling checkpoint without use_reentrant will raise an exception. use_reentrant=False is recommended, but if "
            "you need to preserve the current default behavior, you can pass use_reentrant=True. Refer to docs for more "
            "details on the differences between the two variants.",
            stacklevel=2,
        )
        use_reentrant = True
    preserve = kwargs.pop("preserve_rng_state", True)
    if use_reentrant:
        if kwargs:
            raise ValueError("Unexpected keyword arguments: " + ",".join(kwargs))
        if context_fn is not None or debug is not False:
            raise ValueError("Passing `context_fn` or `debug` is only supported when use_reentrant=False.")
        return CheckpointFunction.apply(function, preserve, *args)
    if determinism_check not in ("default", "none"):
        raise ValueError(f"determinism_check should be one of ['default', 'none'], but got {determinism_check}")
    if not mode.grad:
        return function(*args, **kwargs)
    forward, again = (context_fn or noop_context_fn)()
    stops = early_stop if _early_stop[0] is None else _early_stop[0]
    frame = _Frame(function, args, kwargs, preserve, again, determinism_check == "default", stops)
    with saved_tensors_hooks(frame.pack, frame.unpack), forward:
        result = function(*args, **kwargs)
    frame.complete = True
    return result


def noop_context_fn() -> tuple[Any, Any]:
    """The two contexts, of forward and of the second run, that change nothing. Source: torch.utils.checkpoint."""
    return nullcontext(), nullcontext()


class CheckpointPolicy(Enum):
    """What a policy says of an op's result. Source: torch.utils.checkpoint.CheckpointPolicy."""

    MUST_SAVE = 0
    PREFER_SAVE = 1
    MUST_RECOMPUTE = 2
    PREFER_RECOMPUTE = 3
    MUST_CPU_OFFLOAD = 4
    PREFER_CPU_OFFLOAD = 5


class SelectiveCheckpointContext:
    """What a policy is told of the run. Source: torch.utils.checkpoint.SelectiveCheckpointContext."""

    def __init__(self, *, is_recompute: bool, op_output: Any = None) -> None:
        self.is_recompute, self.op_output = is_recompute, op_output


def create_selective_checkpoint_contexts(
    policy_fn_or_list: Any, allow_cache_entry_mutation: bool = False
) -> tuple[Any, Any]:
    """For `context_fn` of checkpoint: a policy of which results to keep.

    Here the second run computes all of them again, and asks no policy: the gradients are the same, the time is a plain
    checkpoint's. Source: torch.utils.checkpoint.create_selective_checkpoint_contexts.
    """
    if not isinstance(policy_fn_or_list, list) and not callable(policy_fn_or_list):
        raise TypeError("policy_fn_or_list must be either a function or a list of ops.")
    return noop_context_fn()


class _Place:
    """Stands in the graph for a tensor that was not kept."""

    __slots__ = ("__weakref__", "index", "value")

    def __init__(self, index: int) -> None:
        self.index = index
        self.value: Any = None


class _Stop(Exception):
    """Recomputation has all that backward needs."""


class _Frame:
    """One checkpointed call: how to run it again, and the places of what it would have saved."""

    def __init__(
        self, function: Any, args: Any, kwargs: Any, preserve: bool, again: Any, check: bool, early_stop: bool
    ) -> None:
        self.function, self.kwargs, self.again, self.check, self.early_stop = function, kwargs, again, check, early_stop
        self.args = args
        self.versions = [x._version if isinstance(x, Tensor) else 0 for x in args]
        self.state = get_rng_state() if preserve else None
        self.autocast = autocast_mode.state()
        self.places: list[Any] = []
        self.metas: list[Any] = []
        self.complete = False

    def pack(self, t: Any) -> Any:
        place = _Place(len(self.places))
        self.places.append(ref(place))
        self.metas.append(_meta(t))
        return place

    def unpack(self, place: Any) -> Any:
        if place.value is None:
            self.run_again()
        value, place.value = place.value, None
        if value is None:
            raise CheckpointError(
                "torch.utils.checkpoint: Unpack is being triggered for a tensor that was either never recomputed, or already "
                "unpacked once. If you are calling ctx.saved_tensors in backward, make sure to do so only once. Otherwise "
                "please open an issue with details on your use case."
            )
        return value

    def run_again(self) -> None:
        count = 0

        def keep(t: Any) -> Any:
            nonlocal count
            if count >= len(self.places):
                if self._stops():
                    raise _Stop
                count += 1
                return t
            place = self.places[count]()
            if place is not None:
                if self.check and _meta(t) != self.metas[count]:
                    raise CheckpointError(
                        "torch.utils.checkpoint: Recomputed values for the following tensors have different metadata than during "
                        f"the forward pass.\ntensor at position {count}:\nsaved metadata: {self.metas[count]}\nrecomputed "
                        f"metadata: {_meta(t)}\n"
                    )
                place.value = t.detach()
            count += 1
            if count == len(self.places) and self._stops():
                raise _Stop
            return t

        for x, version in zip(self.args, self.versions, strict=True):
            if isinstance(x, Tensor) and x._version != version:
                raise RuntimeError(
                    "one of the variables needed for gradient computation has been modified by an inplace operation: an "
                    f"input of a checkpointed function is at version {x._version}; expected version {version} instead."
                )
        levels, mode.saved_refused = mode.saved_refused, None
        try:
            with enable_grad(), fork_rng(enabled=self.state is not None), autocast_mode.resumed(self.autocast):
                if self.state is not None:
                    set_rng_state(self.state)
                inputs = [_again(x) for x in self.args]
                named = {k: _again(v) for k, v in self.kwargs.items()}
                with self.again, saved_tensors_hooks(keep, lambda t: t):
                    self.function(*inputs, **named)
        except _Stop:
            return
        finally:
            mode.saved_refused = levels
        if self.complete and count != len(self.places):
            raise CheckpointError(
                "torch.utils.checkpoint: A different number of tensors was saved during the original forward and "
                f"recomputation.\nNumber of tensors saved during forward: {len(self.places)}\nNumber of tensors saved during "
                f"recomputation: {count}.\n"
            )

    def _stops(self) -> bool:
        return self.early_stop and self.complete


def _again(x: Any) -> Any:
    """An input of the second run: the same memory, recorded by itself."""
    return x.detach().requires_grad_(x.requires_grad) if isinstance(x, Tensor) else x


def _meta(t: Any) -> dict[str, Any]:
    return {"shape": t.shape, "dtype": t.dtype, "device": t.device}


def detach_variable(inputs: tuple[Any, ...]) -> tuple[Any, ...]:
    """The tensors of a tuple as leaves over the same memory, that require grad as they do; the rest as it is.

    Source: torch.utils.checkpoint.detach_variable.
    """
    if not isinstance(inputs, tuple):
        raise RuntimeError(f"Only tuple of tensors is supported. Got Unsupported input type: {type(inputs).__name__}")
    return tuple(_again(x) for x in inputs)


def check_backward_validity(inputs: Iterable[Any]) -> None:
    """Warn if none of the tensors requires grad. Source: torch.utils.checkpoint.check_backward_validity."""
    if not any(x.requires_grad for x in inputs if isinstance(x, Tensor)):
        warnings.warn("None of the inputs have requires_grad=True. Gradients will be None", stacklevel=2)


class CheckpointFunction(Function):
    """The reentrant way: forward records nothing, backward runs it again and calls backward() on that."""

    @staticmethod
    def forward(ctx: Any, run_function: Any, preserve_rng_state: bool, *args: Any) -> Any:
        check_backward_validity(args)
        token = object()
        engine.ASKING.append(token)  # backward must know whether it is a grad()
        finalize(ctx, engine.ASKING.remove, token)
        ctx.run_function = run_function
        ctx.state = get_rng_state() if preserve_rng_state else None
        ctx.autocast = autocast_mode.state()
        ctx.inputs = [None if isinstance(x, Tensor) else x for x in args]
        ctx.places = [i for i, x in enumerate(args) if isinstance(x, Tensor)]
        ctx.save_for_backward(*(x for x in args if isinstance(x, Tensor)))
        with no_grad():
            return run_function(*args)

    @staticmethod
    def backward(ctx: Any, *grads: Any) -> Any:
        if mode.task is not None and mode.task.targets is not None:
            raise RuntimeError(
                "When use_reentrant=True, torch.utils.checkpoint is incompatible with .grad() or passing an `inputs` "
                "parameter to .backward(). To resolve this error, you can either set use_reentrant=False, or call .backward() "
                "without passing the `inputs` argument."
            )
        inputs = list(ctx.inputs)
        for i, x in zip(ctx.places, detach_variable(ctx.saved_tensors), strict=True):
            inputs[i] = x
        with fork_rng(enabled=ctx.state is not None):
            if ctx.state is not None:
                set_rng_state(ctx.state)
            with enable_grad(), autocast_mode.resumed(ctx.autocast):
                outs = ctx.run_function(*inputs)
        outs = (outs,) if isinstance(outs, Tensor) else outs
        pairs = [(y, g) for y, g in zip(outs, grads, strict=True) if isinstance(y, Tensor) and y.requires_grad]
        if not pairs:
            raise RuntimeError("none of output has requires_grad=True, this checkpoint() is not necessary")
        _backward([y for y, _ in pairs], [g for _, g in pairs])
        return (None, None, *(x.grad if isinstance(x, Tensor) else None for x in inputs))


def checkpoint_sequential(
    functions: Any, segments: int, input: Any, use_reentrant: bool | None = None, **kwargs: Any
) -> Any:
    """A chain of functions (or a Sequential) in `segments` pieces, each but the last a checkpoint.

    Source: torch.utils.checkpoint.checkpoint_sequential.
    """
    if use_reentrant is None:
        warnings.warn(
            "torch.utils.checkpoint.checkpoint_sequential: the use_reentrant parameter should be passed explicitly. In "
            "version 2.9 we will raise an exception if use_reentrant is not passed. use_reentrant=False is recommended, but "
            "if you need to preserve the current default behavior, you can pass use_reentrant=True. Refer to docs for more "
            "details on the differences between the two variants.",
            stacklevel=2,
        )
        use_reentrant = True
    preserve = kwargs.pop("preserve_rng_state", True)
    if kwargs:
        raise ValueError("Unexpected keyword arguments: " + ",".join(kwargs))
    chain = list(functions.children()) if hasattr(functions, "children") else list(functions)

    def piece(start: int, end: int) -> Callable[[Any], Any]:
        def run(x: Any) -> Any:
            for fn in chain[start:end]:
                x = fn(x)
            return x

        return run

    size = len(chain) // segments
    end = 0
    for start in range(0, size * (segments - 1), size):
        end = start + size
        input = checkpoint(piece(start, end), input, use_reentrant=use_reentrant, preserve_rng_state=preserve)
    return piece(end, len(chain))(input)


def get_device_states(*args: Any) -> tuple[list[int], list[Tensor]]:
    """Indices of the accelerators that hold the tensors, and the random states (one generator serves all devices).

    Source: torch.utils.checkpoint.get_device_states.
    """
    devices = [
        x.get_device() for x in tree_leaves(args) if isinstance(x, Tensor) and x.device.type not in ("cpu", "meta")
    ]
    return devices, [get_rng_state() for _ in devices]


def set_device_states(devices: list[int], states: list[Tensor], *, device_type: str | None = None) -> None:
    """Go back to the random states of get_device_states. Source: torch.utils.checkpoint.set_device_states."""
    for _, state in zip(devices, states, strict=False):
        set_rng_state(state)
