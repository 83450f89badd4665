"""cuDNN's frontend without a GPU: graphs of one operation, computed with NumPy at the addresses that a plan is given.

It refuses what the frontend refuses: unknown names of arguments, outputs without shape, a pack without all tensors.
"""

import ctypes
from types import SimpleNamespace

import numpy as np

from polytensor import dtypes
from polytensor.backends.numpy import NumpyBackend

KINDS = {"HALF": np.dtype("float16"), "BFLOAT16": dtypes.bfloat16.array, "FLOAT": np.dtype("float32"), "DOUBLE": np.dtype("float64")}  # fmt: skip
data_type = SimpleNamespace(**{k: k for k in KINDS})
numerical_note = SimpleNamespace(NONDETERMINISTIC="nondeterministic", TENSOR_CORE="tensor core")
heur_mode = SimpleNamespace(A="A", B="B", FALLBACK="FALLBACK")
build_plan_policy = SimpleNamespace(ALL="ALL", HEURISTICS_CHOICE="HEURISTICS_CHOICE")
SPACE = 64
base = NumpyBackend()


class cudnnGraphNotSupportedError(RuntimeError):
    pass


class Handle:
    stream = 0


def backend_version():
    return 91200


def create_handle():
    return Handle()


def set_stream(*, stream, handle):
    handle.stream = stream


class Tensor:
    def __init__(self, uid, dim=None, stride=None, kind=None):
        self.uid, self.dim, self.stride, self.kind, self.output = uid, dim, stride, kind, False

    def get_uid(self):
        return self.uid

    def set_output(self, value):
        self.output = value
        return self

    def set_dim(self, dim):
        self.dim = dim
        return self

    def set_stride(self, stride):
        self.stride = stride
        return self

    def set_data_type(self, kind):
        self.kind = kind
        return self

    def at(self, address):
        """The array that lies at an address."""
        assert address % 16 == 0
        kind = KINDS[self.kind]
        reach = kind.itemsize * (1 + sum((n - 1) * s for n, s in zip(self.dim, self.stride, strict=True)))
        flat = np.frombuffer((ctypes.c_uint8 * reach).from_address(address), kind)
        return np.lib.stride_tricks.as_strided(flat, self.dim, [s * kind.itemsize for s in self.stride])


class pygraph:
    made = []  # all graphs
    refuses = ()  # names of operations that have no plan; "bias": none with a bias

    def __init__(self, *, name, io_data_type, intermediate_data_type, compute_data_type, handle):
        assert isinstance(handle, Handle) and io_data_type in KINDS and intermediate_data_type == compute_data_type
        self.wide, self.count, self.node, self.barred, self.runs, self.built = (
            KINDS[compute_data_type],
            0,
            None,
            [],
            [],
            None,
        )
        pygraph.made.append(self)

    def _new(self, *args):
        self.count += 1
        return Tensor(self.count, *args)

    def tensor(self, *, dim, stride, data_type):
        assert all(type(v) is int for v in (*dim, *stride)) and len(dim) == len(stride)
        return self._new(dim, stride, data_type)

    def _set(self, op, inputs, outputs, options):
        assert self.node is None
        self.node = SimpleNamespace(op=op, inputs=inputs, outputs=[self._new() for _ in range(outputs)], **options)
        return self.node.outputs

    def conv_fprop(self, image, weight, *, padding, stride, dilation, name=""):
        options = dict(padding=padding, stride=stride, dilation=dilation)
        return self._set("conv_fprop", [image, weight], 1, options)[0]

    def conv_dgrad(self, loss, filter, *, padding, stride, dilation, name=""):
        options = dict(padding=padding, stride=stride, dilation=dilation)
        return self._set("conv_dgrad", [loss, filter], 1, options)[0]

    def conv_wgrad(self, image, loss, *, padding, stride, dilation, name=""):
        options = dict(padding=padding, stride=stride, dilation=dilation)
        return self._set("conv_wgrad", [image, loss], 1, options)[0]

    def bias(self, *, name, input, bias):
        assert input is self.node.outputs[0]
        self.node.inputs.append(bias)
        return input

    def sdpa(self, q, k, v, *, attn_scale, generate_stats, use_causal_mask, name=""):
        assert generate_stats
        return self._set("sdpa", [q, k, v], 2, dict(scale=attn_scale, causal=use_causal_mask))

    def sdpa_backward(
        self, q, k, v, o, dO, stats, *, attn_scale, use_causal_mask, use_deterministic_algorithm, name=""
    ):
        return self._set("sdpa_backward", [q, k, v, o, dO, stats], 3, dict(scale=attn_scale, causal=use_causal_mask))

    def validate(self):
        for t in self.node.outputs:
            assert t.output and t.dim is not None and t.stride is not None and t.kind is not None

    def build_operation_graph(self):
        pass

    def create_execution_plans(self, modes):
        self.modes = modes

    def deselect_numeric_notes(self, notes):
        self.barred = list(notes)

    def deselect_workspace_greater_than(self, size):
        assert size >= SPACE

    def check_support(self):
        if self.node.op in self.refuses or ("bias" in self.refuses and len(self.node.inputs) == 3):
            raise cudnnGraphNotSupportedError(f"no plan for {self.node.op}")

    def build_plans(self, policy):
        self.built = policy

    def get_workspace_size(self):
        return SPACE

    def get_execution_plan_count(self):
        return 3

    def get_workspace_size_plan_at_index(self, index):
        return SPACE

    def plans(self):
        """Of three plans the first is for tensor cores, the second cannot be built."""
        found = [2] if numerical_note.TENSOR_CORE in self.barred else [0, 2]
        return found if self.built == build_plan_policy.ALL else found[:1]

    def execute(self, pack, workspace, handle):
        self.execute_plan_at_index(pack, workspace, self.plans()[0], handle)

    def execute_plan_at_index(self, pack, workspace, index, handle):
        if index not in self.plans():
            raise RuntimeError("this plan is not built")
        assert workspace and isinstance(handle, Handle)
        tensors = [*self.node.inputs, *self.node.outputs]
        assert sorted(pack) == sorted(t.uid for t in tensors)
        arrays = [t.at(pack[t.uid]) for t in tensors]
        inputs, outputs = arrays[: len(self.node.inputs)], arrays[len(self.node.inputs) :]
        found = getattr(self, "_" + self.node.op)(*(a.astype(self.wide) for a in inputs))
        for out, value in zip(outputs, found, strict=True):
            assert out.shape == value.shape
            out[...] = value
        self.runs.append((index, handle.stream))

    def _attrs(self, x, w):
        n, groups = self.node, x.shape[1] // w.shape[1]
        return tuple(n.stride), tuple(n.padding), tuple(n.dilation), groups

    def _conv_fprop(self, x, w, b=None):
        two = x.ndim == 4
        return ((base.conv2d if two else base.convnd)(x, w, None if b is None else b.reshape(-1), *self._attrs(x, w)),)

    def _conv_dgrad(self, g, w):
        shape = tuple(self.node.outputs[0].dim)
        attrs = self._attrs(np.empty(shape, np.uint8), w)
        return ((base.conv2d_grad_input if g.ndim == 4 else base.convnd_grad_input)(g, w, shape, *attrs),)

    def _conv_wgrad(self, x, g):
        shape = tuple(self.node.outputs[0].dim)
        attrs = self._attrs(x, np.empty(shape, np.uint8))
        return ((base.conv2d_grad_weight if g.ndim == 4 else base.convnd_grad_weight)(g, x, shape, *attrs),)

    def _scores(self, q, k):
        scores = np.matmul(q, k.swapaxes(2, 3)) * self.node.scale
        if self.node.causal:
            scores[..., np.triu(np.ones(scores.shape[2:], bool), 1)] = -np.inf
        return scores

    def _sdpa(self, q, k, v):
        scores = self._scores(q, k)
        top = scores.max(-1, keepdims=True)
        logs = top + np.log(np.exp(scores - top).sum(-1, keepdims=True))
        return np.matmul(np.exp(scores - logs), v), logs

    def _sdpa_backward(self, q, k, v, o, g, logs):
        weights = np.exp(self._scores(q, k) - logs)
        d = weights * (np.matmul(g, v.swapaxes(2, 3)) - (g * o).sum(-1, keepdims=True)) * self.node.scale
        return np.matmul(d, k), np.matmul(d.swapaxes(2, 3), q), np.matmul(weights.swapaxes(2, 3), g)
