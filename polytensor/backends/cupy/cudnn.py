"""Convolutions and attention by cuDNN, through the package nvidia-cudnn-frontend where it is installed.

A Plan is a built graph for one operation, dtype, set of shapes and strides. Where cuDNN has none, or is missing, the
kernels of the next class in line compute; `status()` says which is the case. Source: cuDNN's graph API.
"""

from __future__ import annotations

import threading
import warnings
from functools import cache
from math import prod
from typing import Any

import numpy as np

from ..conv import out_size
from .conv import prefer
from .launch import NAMES

Array = Any
Ints = tuple[int, ...]

TYPES = {"float16": "HALF", "bfloat16": "BFLOAT16", "float32": "FLOAT", "float64": "DOUBLE"}
WORKSPACE = 1 << 30  # bytes; plans that ask for more are left out
ALIGNED = 16  # bytes: the frontend tells cuDNN that all addresses are multiples of it
_local = threading.local()


@cache
def library() -> Any:
    """The frontend's module; ImportError or RuntimeError that says what is missing."""
    import cudnn

    cudnn.backend_version()  # loads libcudnn
    return cudnn


@cache
def status() -> tuple[str | None, str]:
    """(version of cuDNN, '') or (None, why it is not used)."""
    try:
        number = int(library().backend_version())
    except (ImportError, OSError, RuntimeError, AttributeError) as error:
        return None, f"{error or type(error).__name__} (pip install 'polytensor[cudnn12]' or 'polytensor[cudnn13]')"
    return f"{number // 10000}.{number % 10000 // 100}.{number % 100}", ""


class Plan:
    """A graph of one operation, and how to run it on arrays. index: of a plan among cuDNN's; None: the one that it chose,
    the first that is not barred and can be built."""

    def __init__(self, graph: Any, tensors: list[Any], space: int, index: int | None = None) -> None:
        self.graph = graph
        self.uids = [t.get_uid() for t in tensors]
        self.space = space
        self.index = index

    def run(self, xp: Any, handle: Any, arrays: tuple[Array, ...]) -> None:
        """Inputs and outputs in the order in which the tensors were given."""
        pack = {u: int(a.data.ptr) for u, a in zip(self.uids, arrays, strict=True)}
        space = xp.empty(max(self.space, 1), np.uint8)
        if self.index is None:
            self.graph.execute(pack, int(space.data.ptr), handle)
        else:
            self.graph.execute_plan_at_index(pack, int(space.data.ptr), self.index, handle)


class CudnnKernels:
    """Mixed into CupyBackend, before the kernels that it replaces. Arrays (N, C, *) are taken as they lie."""

    xp: Any

    def _cudnn_handle(self) -> Any:
        """cuDNN's handle of this thread and device, set to the current stream."""
        handles = _local.__dict__.setdefault("handles", {})
        device = self.xp.cuda.runtime.getDevice()
        if device not in handles:
            handles[device] = [library().create_handle(), None]
        handle, stream = handles[device]
        current = int(self.xp.cuda.get_current_stream().ptr)
        if stream != current:
            library().set_stream(stream=current, handle=handle)
            handles[device][1] = current
        return handle

    def _cudnn_run(
        self: Any, key: tuple[Any, ...], make: Any, inputs: tuple[Array, ...], outputs: tuple[Array, ...]
    ) -> tuple[Array, ...] | None:
        """Fill `outputs` by the plan of `make`, a function of a graph and its inputs; None where cuDNN has no plan.

        Plans are cached by `key`, dtypes, shapes, strides and the switches of torch.backends.cudnn.
        """
        from .. import cudnn as switches

        arrays, dtype = (*inputs, *outputs), inputs[0].dtype
        if not switches.enabled or NAMES[dtype] not in TYPES or not all(a.size for a in arrays) or status()[0] is None:
            return None
        inputs = tuple([a.copy() if a.data.ptr % ALIGNED else a for a in inputs])
        arrays = (*inputs, *outputs)
        flags = (
            bool(switches.benchmark),
            bool(switches.deterministic) or self._deterministic(),
            bool(switches.allow_tf32),
        )
        whole = (key, dtype, self.xp.cuda.runtime.getDevice(), flags, *((a.shape, a.strides) for a in arrays))
        plans: dict[Any, Plan | None] = self.__dict__.setdefault("_cudnn_plans", {})
        if whole not in plans:
            search = flags[0] and not self.capturing  # which waits for the device
            plans[whole] = self._cudnn_build(make, inputs, outputs, search, *flags[1:])
        plan = plans[whole]
        if plan is None:
            return None
        plan.run(self.xp, self._cudnn_handle(), arrays)
        return outputs

    def _deterministic(self) -> bool:
        from ...settings import are_deterministic_algorithms_enabled

        return are_deterministic_algorithms_enabled()

    def _cudnn_build(
        self,
        make: Any,
        inputs: tuple[Array, ...],
        outputs: tuple[Array, ...],
        search: bool,
        deterministic: bool,
        tf32: bool,
    ) -> Plan | None:
        cudnn, handle, dtype = library(), self._cudnn_handle(), NAMES[inputs[0].dtype]
        kinds, notes = cudnn.data_type, cudnn.numerical_note
        wide = kinds.DOUBLE if dtype == "float64" else kinds.FLOAT
        graph = cudnn.pygraph(
            io_data_type=getattr(kinds, TYPES[dtype]), intermediate_data_type=wide, compute_data_type=wide,
            handle=handle, name="polytensor",
        )  # fmt: skip
        tensors = []
        for a in inputs:
            kind = getattr(kinds, TYPES[NAMES[a.dtype]])
            tensors.append(graph.tensor(dim=list(a.shape), stride=steps(a), data_type=kind))
        for made, a in zip(make(graph, *tensors), outputs, strict=True):
            made.set_output(True).set_dim(list(a.shape)).set_stride(steps(a))
            tensors.append(made.set_data_type(getattr(kinds, TYPES[NAMES[a.dtype]])))
        unwanted = [notes.NONDETERMINISTIC] if deterministic else []
        if dtype == "float32" and not tf32:
            unwanted.append(notes.TENSOR_CORE)
        try:
            graph.validate()
            graph.build_operation_graph()
            graph.create_execution_plans([cudnn.heur_mode.A, cudnn.heur_mode.FALLBACK])
            if unwanted:
                graph.deselect_numeric_notes(unwanted)
            graph.deselect_workspace_greater_than(WORKSPACE)
            graph.check_support()
            graph.build_plans(cudnn.build_plan_policy.ALL if search else cudnn.build_plan_policy.HEURISTICS_CHOICE)
        except cudnn.cudnnGraphNotSupportedError:
            return None
        except RuntimeError as error:  # from the library under the frontend
            warnings.warn(f"cuDNN could not plan an operation, so our own kernel computes it: {error}", stacklevel=2)
            return None
        if not search:
            return Plan(graph, tensors, graph.get_workspace_size())
        return self._cudnn_search(graph, tensors, (*inputs, *outputs), handle)

    def _cudnn_search(self, graph: Any, tensors: list[Any], arrays: tuple[Array, ...], handle: Any) -> Plan | None:
        """The fastest of the first plans (benchmark_limit; 10), each run twice on the arrays themselves."""
        from .. import cudnn as switches

        xp, best = self.xp, None
        begin, end = xp.cuda.Event(), xp.cuda.Event()
        for index in range(min(graph.get_execution_plan_count(), switches.benchmark_limit or 10)):
            try:
                plan = Plan(graph, tensors, graph.get_workspace_size_plan_at_index(index), index)
                plan.run(xp, handle, arrays)
                begin.record()
                plan.run(xp, handle, arrays)
                end.record()
            except (RuntimeError, ValueError):  # barred, or not built
                continue
            end.synchronize()
            taken = float(xp.cuda.get_elapsed_time(begin, end))
            if best is None or taken < best[0]:
                best = taken, plan
        return best[1] if best else None

    # ---- convolution --------------------------------------------------------------------------------------------------
    def _cudnn_conv(
        self,
        op: str,
        x: Array,
        y: Array,
        shape: Ints,
        stride: Ints,
        padding: Ints,
        dilation: Ints,
        b: Array | None = None,
    ) -> Array | None:
        """One of cuDNN's three operations on two arrays, which gives one of `shape`; None where it has no plan."""
        if status()[0] is None:
            return None
        options = {"padding": list(padding), "stride": list(stride), "dilation": list(dilation)}

        def make(graph: Any, left: Any, right: Any, *bias: Any) -> list[Any]:
            made = getattr(graph, op)(left, right, name=op, **options)
            return [graph.bias(name="bias", input=made, bias=bias[0]) if bias else made]

        xp = self.xp
        inputs: tuple[Array, ...] = xp.ascontiguousarray(x), xp.ascontiguousarray(y)
        if b is not None:
            inputs += (xp.ascontiguousarray(b).reshape(1, -1, *[1] * (x.ndim - 2)),)
        found = self._cudnn_run((op, stride, padding, dilation), make, inputs, (xp.empty(shape, x.dtype),))
        return found and found[0]

    def _conv_forward(
        self, x: Array, w: Array, b: Array | None, stride: Ints, padding: Ints, dilation: Ints, groups: int
    ) -> Array | None:
        shape = (x.shape[0], w.shape[0], *sizes(x.shape, w.shape, stride, padding, dilation))
        y = self._cudnn_conv("conv_fprop", x, w, shape, stride, padding, dilation, b)
        if y is None and b is not None and x.dtype.itemsize > 2:  # there may be a plan that leaves the bias out
            y = self._cudnn_conv("conv_fprop", x, w, shape, stride, padding, dilation)
            if y is not None:
                y += b.reshape(-1, *[1] * (x.ndim - 2))
        return y

    def _grad_input(
        self, g: Array, w: Array, shape: Ints, stride: Ints, padding: Ints, dilation: Ints, groups: int
    ) -> Any:
        if g.shape[2:] != sizes(shape, w.shape, stride, padding, dilation):
            return None  # a transposed convolution may ask for more room, which cuDNN refuses
        return self._cudnn_conv("conv_dgrad", g, w, shape, stride, padding, dilation)

    def _grad_weight(
        self, g: Array, x: Array, shape: Ints, stride: Ints, padding: Ints, dilation: Ints, groups: int
    ) -> Any:
        if g.shape[2:] != sizes(x.shape, shape, stride, padding, dilation):
            return None
        return self._cudnn_conv("conv_wgrad", x, g, shape, stride, padding, dilation)

    # ---- attention ----------------------------------------------------------------------------------------------------
    def attend(self, q: Array, k: Array, v: Array, mask: Array, scale: float, causal: bool) -> tuple[Array, Array]:
        found = self._cudnn_attend(q, k, v, mask, scale, causal)
        return super().attend(q, k, v, mask, scale, causal) if found is None else found  # type: ignore[misc,no-any-return]

    def _cudnn_attend(self, q: Array, k: Array, v: Array, mask: Array, scale: float, causal: bool) -> Any:
        if not attends(q, v, mask):
            return None
        inputs = self._heads(q), self._heads(k), self._heads(v)
        out = self.xp.empty((*inputs[0].shape[:-1], v.shape[-1]), q.dtype)
        logs = self.xp.empty((*inputs[0].shape[:-1], 1), np.float32)

        def make(graph: Any, *tensors: Any) -> Any:
            return graph.sdpa(*tensors, attn_scale=scale, generate_stats=True, use_causal_mask=causal, name="sdpa")

        if self._cudnn_run(("sdpa", scale, causal), make, inputs, (out, logs)) is None:
            return None
        return out.reshape(*q.shape[:-1], v.shape[-1]), logs.reshape(q.shape[:-1])

    def attend_backward(
        self, g: Array, need: Any, q: Array, k: Array, v: Array, mask: Array, out: Array, logs: Array, scale: float,
        causal: bool,
    ) -> list[Array | None]:  # fmt: skip
        found: list[Array | None] | None = self._cudnn_attend_backward(g, q, k, v, mask, out, logs, scale, causal)
        if found is None:
            found = super().attend_backward(g, need, q, k, v, mask, out, logs, scale, causal)  # type: ignore[misc]
        return found

    def _cudnn_attend_backward(
        self, g: Array, q: Array, k: Array, v: Array, mask: Array, out: Array, logs: Array, scale: float, causal: bool
    ) -> Any:
        if not attends(q, v, mask):
            return None
        heads = [self._heads(a) for a in (q, k, v, out, g)]
        inputs = *heads, self.xp.ascontiguousarray(logs).reshape(*heads[0].shape[:-1], 1)
        outputs = tuple(map(self.xp.empty_like, heads[:3]))
        exact = self._deterministic()

        def make(graph: Any, *tensors: Any) -> Any:
            return graph.sdpa_backward(
                *tensors,
                attn_scale=scale,
                use_causal_mask=causal,
                use_deterministic_algorithm=exact,
                name="sdpa_backward",
            )

        if self._cudnn_run(("sdpa_backward", scale, causal, exact), make, inputs, outputs) is None:
            return None
        return [*(a.reshape(b.shape) for a, b in zip(outputs, (q, k, v), strict=True)), None]

    def _heads(self, x: Array) -> Array:
        """(*, L, E) as (batch, heads, L, E)"""
        lead = x.shape[:-2]
        return self.xp.ascontiguousarray(x).reshape(prod(lead[:-1]), lead[-1] if lead else 1, *x.shape[-2:])


for _form, _ndim in (("conv2d", 4), ("convnd", 5)):
    for _name, _mine in (("", "_conv_forward"), ("_grad_input", "_grad_input"), ("_grad_weight", "_grad_weight")):
        prefer(CudnnKernels, _form + _name, _mine, lambda x, n=_ndim: x.ndim == n)  # type: ignore[misc]


def attends(q: Array, v: Array, mask: Array) -> bool:
    """Whether cuDNN's attention takes them."""
    widths = q.shape[-1], v.shape[-1]
    return not mask.size and q.dtype.itemsize == 2 and max(widths) <= 256 and not any(n % 8 for n in widths)


def steps(a: Array) -> list[int]:
    """Strides in elements."""
    return [s // a.dtype.itemsize for s in a.strides]


def sizes(x: Ints, w: Ints, stride: Ints, padding: Ints, dilation: Ints) -> Ints:
    """The output's size of a convolution of an input and a weight of those shapes."""
    return tuple(out_size(*v) for v in zip(x[2:], w[2:], stride, padding, dilation, strict=True))
