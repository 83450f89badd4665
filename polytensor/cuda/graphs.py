"""CUDA graphs: a piece of work is captured once and replayed with one launch. Source: torch.cuda.graphs.

A graph reads and writes the memory of its capture: write new inputs into the same tensors (`copy_`), read results from
those of the capture, and keep both. Steps before the capture ("warm-up") compile kernels and make gradients and states.
Random draws go on from replay to replay as in eager steps, by the default generator. An optimizer's number of steps must
live on the device (`capturable=True`), a learning rate that changes must be a tensor there.

Captures are always in CUDA's relaxed mode, since the memory pool asks the driver for memory; `capture_error_mode` is checked.
"""

from __future__ import annotations

import gc
import warnings
from collections.abc import Callable
from typing import Any

from .. import autograd, devices, random
from ..nn import Module
from ..tensor import Tensor
from ..utils._pytree import tree_flatten, tree_unflatten
from .memory import MemPool
from .streams import Stream, current_stream, is_current_stream_capturing, stream

__all__ = [
    "CUDAGraph", "graph", "graph_pool_handle", "graphed_step", "is_current_stream_capturing", "make_graphed_callables",
]  # fmt: skip
MODES = ("global", "thread_local", "relaxed")


class Pool:
    """A memory pool that graphs may share; a MemPool, or its id, may stand in its place."""

    def __init__(self) -> None:
        self.base = _backend().new_pool()


def _backend() -> Any:
    from . import current_device

    return devices.resolve("cuda", current_device()).backend


def graph_pool_handle() -> Pool:
    """A pool for CUDAGraph(pool=...), so that several graphs may share memory. Source: torch.cuda.graph_pool_handle."""
    return Pool()


class _Draws(random.Generator):
    """The default generator of a thread that captures: it counts what the graph draws."""

    captures = True

    def __init__(self, origin: random.Generator) -> None:
        super().__init__()
        self.origin = origin
        self._seed, self._counter = origin._seed, origin._counter


class CUDAGraph:
    """A captured piece of work. Source: torch.cuda.CUDAGraph."""

    def __init__(self, keep_graph: bool = False) -> None:
        self._pool: Any = None
        self._made: Any = None
        self._draws: _Draws | None = None
        self._blocks = 0
        self._at: tuple[int, int] | None = None
        self._home: Any = None

    def capture_begin(
        self, pool: Any = None, capture_error_mode: str = "global", check_input_liveness: bool = False
    ) -> None:
        """Record all work that this thread queues on the current stream, which must not be the default one."""
        if capture_error_mode not in MODES:
            raise RuntimeError(
                "Unknown capture error mode. Expected `global`, `thread_local`, or `relaxed`, got " + capture_error_mode
            )
        if self._made is not None or self._draws is not None:
            raise RuntimeError(
                "This CUDAGraph instance already owns a captured graph. To capture a new graph, create a new instance."
            )
        self._home = _backend()
        if isinstance(pool, tuple):  # a MemPool's id
            if pool not in MemPool._known:
                raise RuntimeError(f"there is no memory pool {pool}")
            pool = MemPool._known[pool]
        self._pool = Pool() if pool is None else pool
        own = random.thread_generator()
        draws = _Draws(random.default_generator if own is None else own)
        self._home.begin_capture(self._pool.base, draws._seed, draws._counter)
        self._draws, self._outer = draws, own
        random.set_thread_generator(draws)

    def capture_end(self) -> None:
        """Make the graph of what was recorded."""
        draws = self._draws
        if draws is None:
            raise RuntimeError("capture_end() was called without capture_begin()")
        random.set_thread_generator(self._outer)
        self._draws = None
        start = draws.origin._counter
        self._made = self._home.end_capture()
        self._origin, self._blocks = draws.origin, draws._counter - start
        self._at = (draws._seed, start)

    def instantiate(self) -> None:
        """Nothing is left to do: a graph is ready when its capture ends."""

    def replay(self) -> None:
        """Queue the captured work once more, on the current stream."""
        if self._made is None:
            raise RuntimeError("Called CUDAGraph::replay without a preceding successful capture.")
        if self._blocks:
            seed, first = self._origin.reserve(self._blocks)
            if (seed, first) != self._at:
                self._home.put_words(self._made.words, seed, first)
                self._at = (seed, first)
        self._home.launch_graph(self._made.graph)

    def reset(self) -> None:
        """Let go of the graph and its memory."""
        self._made = self._at = self._pool = None
        self._blocks = 0

    def pool(self) -> Any:
        """The memory pool, for other graphs."""
        if self._pool is None:
            raise RuntimeError("Called CUDAGraph::pool() without a preceding successful capture.")
        return self._pool

    def register_generator_state(self, generator: random.Generator) -> None:
        """The default generator is known; draws of another one cannot be captured (RuntimeError)."""
        if generator is not random.default_generator:
            raise RuntimeError("only draws from the default generator can be captured")

    def enable_debug_mode(self) -> None:
        """Nothing to do: debug_dump works for every graph."""

    def debug_dump(self, debug_path: str) -> None:
        """Write the graph's nodes as text for Graphviz."""
        if self._made is None:
            raise RuntimeError("debug_dump() needs a captured graph")
        with open(debug_path, "w") as file:
            file.write(self._made.graph.debug_dot_str())

    def raw_cuda_graph(self) -> int:
        return int(self._made.graph.graph)

    def raw_cuda_graph_exec(self) -> int:
        return int(self._made.graph.graphExec)


class graph:
    """A context that captures its block into a CUDAGraph, on a stream of its own. Source: torch.cuda.graph.

    What cannot be captured raises RuntimeError with the reason; `graphed_step` and `make_graphed_callables` run eagerly then.
    """

    default_capture_stream: Any = None

    def __init__(
        self, cuda_graph: CUDAGraph, pool: Any = None, stream: Stream | None = None,
        capture_error_mode: str = "global", enable_annotations: bool = False, check_input_liveness: bool = False,
    ) -> None:  # fmt: skip
        if stream is None:
            if graph.default_capture_stream is None:
                graph.default_capture_stream = Stream()
            stream = graph.default_capture_stream
        self.cuda_graph, self.pool, self.capture_stream, self.mode = cuda_graph, pool, stream, capture_error_mode

    def __enter__(self) -> None:
        from . import synchronize

        synchronize()
        gc.collect()
        _backend().empty_cache()  # the warm-up's blocks are of no use to the graph, whose pool takes as much again
        self._stream = stream(self.capture_stream)
        self._stream.__enter__()
        try:
            self.cuda_graph.capture_begin(self.pool, self.mode)
        except BaseException:
            self._stream.__exit__(None, None, None)
            raise

    def __exit__(self, kind: Any, error: Any, trace: Any) -> None:
        try:
            self.cuda_graph.capture_end()
        except Exception:
            self.cuda_graph.reset()
            if error is None:
                raise
        else:
            if error is not None:  # a part of a step is no graph
                self.cuda_graph.reset()
        finally:
            self._stream.__exit__(None, None, None)


def _warm(run: Callable[[], Any], times: int) -> None:
    """Run on a side stream, so that nothing is left half done on the current one."""
    side = Stream()
    side.wait_stream(current_stream())
    with stream(side):
        for _ in range(times):
            run()
    current_stream().wait_stream(side)


_told: set[str] = set()


def _say(what: str, error: BaseException) -> None:
    """Warn, once for each reason, that work goes on without a graph."""
    text = f"{what} runs eagerly, without a CUDA graph: {error}"
    if text not in _told:
        _told.add(text)
        warnings.warn(text, UserWarning, stacklevel=3)


def graphed_step(
    step: Callable[..., Any], sample_args: tuple[Any, ...] = (), num_warmup_iters: int = 3
) -> Callable[..., Any]:
    """A whole training step (forward, backward and the optimizer's) as one graph: a function of tensors like sample_args.

    It copies its arguments into the tensors of the capture, replays, and hands back the results of the capture, whose memory
    the next call overwrites. The warm-up steps are real ones. Where the step cannot be captured, the step itself comes back, and
    a warning gives the reason once. An addition to PyTorch's functions.
    """
    inputs, shape = tree_flatten(tuple(sample_args))
    try:
        static = [x.detach().clone().requires_grad_(x.requires_grad) if isinstance(x, Tensor) else x for x in inputs]
        _warm(lambda: step(*tree_unflatten(static, shape)), num_warmup_iters)
        made = CUDAGraph()
        with graph(made):
            results = step(*tree_unflatten(static, shape))
    except (RuntimeError, NotImplementedError, AssertionError) as error:
        _say(getattr(step, "__name__", "step"), error)
        return step

    def run(*args: Any) -> Any:
        given = tree_flatten(args)[0]
        if len(given) != len(static):
            raise TypeError(f"the graphed step takes {len(static)} values, not {len(given)}")
        with autograd.no_grad():
            for x, y in zip(static, given, strict=True):
                if isinstance(x, Tensor) and x is not y:
                    x.copy_(y)  # type: ignore[attr-defined]
        made.replay()
        return results

    run.graph = made  # type: ignore[attr-defined]
    return run


def make_graphed_callables(
    callables: Any,
    sample_args: Any,
    num_warmup_iters: int = 3,
    allow_unused_input: bool = False,
    pool: Any = None,
) -> Any:
    """Functions or modules whose forward and backward passes are graphs. Source: torch.cuda.make_graphed_callables.

    sample_args: tensors as the callables will get them, of the same shapes and requires_grad. What cannot be captured comes back
    as it is, and a warning gives the reason once (PyTorch raises).
    """
    single = not isinstance(callables, tuple)
    many, samples = ((callables,), (sample_args,)) if single else (callables, sample_args)
    for c, args in zip(many, samples, strict=True):
        if isinstance(c, Module):
            if c._backward_hooks or c._forward_hooks or c._forward_pre_hooks:
                raise RuntimeError(
                    "Modules must not have hooks registered at the time they are passed. However, registering hooks on modules "
                    "after passing them through make_graphed_callables is allowed."
                )
            if any(b.requires_grad for b in c.buffers()):
                raise RuntimeError(
                    "In any :class:`~torch.nn.Module` passed to :func:`~make_graphed_callables`, only parameters may be trainable. "
                    "All buffers must have ``requires_grad=False``."
                )
        if not all(isinstance(x, Tensor) for x in tree_flatten(tuple(args))[0]):
            raise TypeError(
                "In the beta API, sample_args for each callable must contain only Tensors. Other types are not allowed."
            )
    try:
        made = _capture_all(many, samples, num_warmup_iters, allow_unused_input, Pool() if pool is None else pool)
    except (RuntimeError, NotImplementedError) as error:
        _say("make_graphed_callables: the callable", error)
        return callables
    results = tuple(_finished(c, fn) for c, fn in zip(many, made, strict=True))
    return results[0] if single else results


class _Captured:
    """The two graphs of a callable, and the tensors that they read and write."""

    def __init__(self, call: Any, args: Any) -> None:
        self.call = call
        self.inputs, self.shape = tree_flatten(tuple(args))
        self.weights = tuple(call.parameters()) if isinstance(call, Module) else ()
        self.all = (*self.inputs, *self.weights)
        self.wanted = [x for x in self.all if x.requires_grad]
        self.forward, self.backward = CUDAGraph(), CUDAGraph()
        self.outputs: Any = None
        self.grad_outputs: list[Any] = []
        self.grad_inputs: list[Any] = []

    def run(self) -> Any:
        return self.call(*tree_unflatten(self.inputs, self.shape))

    def grads(self, outputs: list[Any], given: list[Any], unused: bool) -> Any:
        roots = [y for y in outputs if y.requires_grad]
        if not roots or not self.wanted:
            return []
        return autograd.grad(roots, self.wanted, given, allow_unused=unused)


def _capture_all(many: Any, samples: Any, warmup: int, unused: bool, pool: Pool) -> list[Any]:
    parts = [_Captured(c, args) for c, args in zip(many, samples, strict=True)]

    def eager(part: _Captured) -> None:
        outputs = tree_flatten(part.run())[0]
        part.grads(outputs, [y.new_ones(y.shape) for y in outputs if y.requires_grad], unused)

    for part in parts:
        _warm(lambda part=part: eager(part), warmup)  # type: ignore[misc]
    for part in parts:
        with graph(part.forward, pool):
            result = part.run()
        part.outputs, part.result_shape = tree_flatten(result)  # type: ignore[attr-defined]
    for part in reversed(parts):
        part.grad_outputs = [y.new_ones(y.shape) for y in part.outputs if y.requires_grad]
        with graph(part.backward, pool):
            found = iter(part.grads(part.outputs, part.grad_outputs, unused))
        part.grad_inputs = [next(found, None) if x.requires_grad else None for x in part.all]
        part.outputs = [y.detach() if isinstance(y, Tensor) else y for y in part.outputs]
    return [_graphed(part) for part in parts]


def _graphed(part: _Captured) -> Callable[..., Any]:
    class Graphed(autograd.Function):
        @staticmethod
        def forward(ctx: Any, *inputs: Any) -> Any:
            for x, y in zip(part.inputs, inputs, strict=False):
                if x is not y and x.data_ptr() != y.data_ptr():
                    x.data.copy_(y)
            part.forward.replay()
            return tuple(y.detach() if isinstance(y, Tensor) else y for y in part.outputs)

        @staticmethod
        def backward(ctx: Any, *grads: Any) -> Any:
            for static, g in zip(part.grad_outputs, grads, strict=False):
                if g is not None and static.data_ptr() != g.data_ptr():
                    static.copy_(g)
            part.backward.replay()
            return tuple(None if g is None else g.detach() for g in part.grad_inputs)

    def call(*args: Any) -> Any:
        outputs = Graphed.apply(*tree_flatten(tuple(args))[0], *part.weights)
        return tree_unflatten(list(outputs), part.result_shape)  # type: ignore[attr-defined]

    return call


def _finished(call: Any, made: Callable[..., Any]) -> Any:
    """A module with the graphs for the mode in which it was captured, or the function."""
    if not isinstance(call, Module):
        return made
    mode, forward = call.training, call.forward
    call.forward = lambda *args: made(*args) if call.training == mode else forward(*args)  # type: ignore[method-assign]
    return call
