"""torch.cuda on a machine of two fake devices: its names, devices, streams and events, exchange with other libraries."""

import ast
import inspect
import io
import threading
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest

pytest.importorskip("cupy")

from cupy_twin import signature_in_doc  # noqa: E402
from fake_cuda import Machine, pretend  # noqa: E402
from test_cupy import called, signature_of, used_names  # noqa: E402

import polytensor as torch  # noqa: E402
from polytensor import devices  # noqa: E402
from polytensor.backends.cupy.capture import CaptureKernels  # noqa: E402

# ---- what is used of CuPy is there ----------------------------------------------------------------------------------
CUPY = Path(devices.__file__).parent / "backends" / "cupy"
MINE = ("memory.py", "placement.py", "runtime.py")


@pytest.mark.parametrize("file", MINE)
def test_names_and_arguments_fit_cupy(file):
    import cupy

    missing, wrong, seen = [], [], 0
    for parts in used_names(CUPY / file):
        found = cupy
        for part in parts:
            found = getattr(found, part, None)
        if found is None:
            missing.append(".".join(parts))
    for node in ast.walk(ast.parse((CUPY / file).read_text())):
        if not isinstance(node, ast.Call) or (name := called(node.func)) is None or not name[1] or name[0] != "xp":
            continue
        if (known := signature_of(cupy, *name)) is not None:
            seen += 1
            try:
                known.bind(*node.args, **{k.arg: k.value for k in node.keywords})
            except TypeError as error:
                wrong.append(f"{ast.unparse(node)}: {error}")
    assert not missing and not wrong and seen


def test_attributes_of_cupys_objects():
    """What is used of objects, which the check of names does not see."""
    import cupy

    for owner, names in (
        (cupy.cuda.MemoryPointer, "device_id mem ptr copy_from_device_async"), (cupy.cuda.BaseMemory, "device_id ptr size"),
        (cupy.cuda.MemoryPool, "malloc used_bytes total_bytes get_limit set_limit free_all_blocks"),
        (cupy.cuda.Stream, "use done synchronize wait_event is_capturing priority from_external record"),
        (cupy.cuda.Event, "record done synchronize"), (cupy.cuda.Device, "use id synchronize pci_bus_id"),
        (cupy.ndarray, "get data device nbytes __cuda_array_interface__ __dlpack__"), (cupy.cuda.nvtx, "available RangePush RangePop"),
        (cupy.cuda.nvtx, "Mark RangeStart RangeEnd"), (type(cupy.get_default_pinned_memory_pool()), "free_all_blocks"),
    ):  # fmt: skip
        assert [n for n in names.split() if not hasattr(owner, n)] == []
    if not devices.started("cupy"):  # which puts its own in CuPy's place
        assert cupy.cuda.get_allocator().__self__ is cupy.get_default_memory_pool()
    assert cupy.ndarray.__weakrefoffset__ > 0  # record_stream waits for the end of an array
    for fn, arguments in (
        (cupy.ndarray.get, {"out": 0, "blocking": 0}), (cupy.asarray, {"a": 0, "blocking": 0}),
        (cupy.ndarray.__dlpack__, {"stream": 0, "max_version": 0, "dl_device": 0, "copy": 0}),
        (cupy.cuda.MemoryPool.set_limit, {"size": 0}), (cupy.cuda.get_current_stream, {"device_id": 0}),
    ):  # fmt: skip
        try:
            known = inspect.signature(fn)
        except ValueError:  # compiled
            known = signature_in_doc(fn)
        assert set(arguments) <= set(known.parameters), fn


# ---- devices --------------------------------------------------------------------------------------------------------
def test_devices(machine):
    cuda = torch.cuda
    assert cuda.is_available() and cuda.device_count() == 2 and cuda.current_device() == 0
    with cuda.device("cuda:1"):
        assert cuda.current_device() == 1 and torch.ones(2, device="cuda").device == torch.device("cuda:1")
        with cuda.device(-1):
            assert cuda.current_device() == 1
    assert cuda.current_device() == 0
    x = torch.ones(2, device="cuda:1")
    with cuda.device_of(x):
        assert cuda.current_device() == 1
    cuda.set_device(1)
    assert cuda.current_device() == 1 and cuda.get_device_name() == "Fake 1"
    cuda.set_device(torch.device("cuda:0"))
    assert cuda.get_device_capability(1) == (9, 0) and cuda.can_device_access_peer(0, 1)
    far = torch.device("cuda:2")  # may be named, but not used
    assert repr(far) == "device(type='cuda', index=2)" and far != torch.device("cuda:1")
    file = io.BytesIO()
    torch.save(x, file)
    for use in (lambda: torch.ones(1, device=far), lambda: torch.load(file, map_location=far)):
        file.seek(0)
        with pytest.raises(RuntimeError, match="invalid device ordinal"):
            use()
    with pytest.raises(RuntimeError, match="invalid device ordinal"):
        cuda.set_device(far)
    with pytest.raises(ValueError, match="Expected a cuda device"):
        cuda.get_device_name("cpu")
    cuda.synchronize("cuda:1")
    assert machine.calls["deviceSynchronize"] == 1


def test_ops_run_on_their_operands_device(machine):
    x = torch.arange(6.0, device="cuda:1").reshape(2, 3).requires_grad_()
    w = torch.ones(3, 2, device="cuda:1", requires_grad=True)
    y = ((x @ w).relu() + 1).softmax(1)
    assert y.device == torch.device("cuda:1") and machine.current == 0
    (y * y).sum().backward()
    assert x.grad.device == x.device and w.grad[0].tolist() is not None
    assert x[torch.tensor([1, 0], device="cuda:1")].shape == (2, 3) and (x > 2).sum().item() == 3
    with pytest.raises(RuntimeError, match="two devices, cuda:1 and cuda:0!"):
        x + torch.ones(3, device="cuda:0")
    assert (x + torch.tensor(1.0)).device == x.device  # a 0-dim tensor of the CPU goes along
    one, two = torch.tensor(1.0), torch.tensor(2.0, device="cuda:1")
    for y in (one + two, two + one, torch.maximum(one, two), torch.where(two > one, one, one)):
        assert y.device == two.device and y.dim() == 0
    for y in (torch.where(x > 2, one, two), torch.where(x > 2, one, one), torch.where(one > 0, x, one)):
        assert y.device == x.device and y.shape == x.shape
    with pytest.raises(RuntimeError, match="two devices, cpu and cuda:1!"):
        one.add_(two)
    assert torch.histc(x.detach().t(), 2).tolist() == [3, 3]
    loss = torch.nn.functional.cross_entropy(x, torch.tensor([0, 2], device="cuda:1"))
    torch.autograd.grad(loss, x, create_graph=True)[0].square().sum().backward()
    z = torch.ones(2, 2, device=1)
    z += 1
    z[0] = 5
    assert z.tolist() == [[5, 5], [2, 2]]


def test_copies_between_devices(machine):
    x = torch.arange(6.0).reshape(2, 3).to("cuda:0").requires_grad_()
    y = x.t().to("cuda:1")
    assert y.device.index == 1 and y.tolist() == [[0, 3], [1, 4], [2, 5]] and machine.calls["peer"] == 1
    (y * torch.tensor([1.0, 2.0], device="cuda:1")).sum().backward()
    assert x.grad.device.index == 0 and x.grad.tolist() == [[1, 1, 1], [2, 2, 2]] and machine.calls["peer"] == 2
    with pytest.warns(UserWarning, match="To copy construct"):
        assert torch.tensor(y.detach(), device="cuda:0").device.index == 0
    z = torch.zeros(3, 2, device="cuda:0")
    z.copy_(y)
    assert z.tolist() == y.tolist() and y.cuda() is not y and y.cuda(1) is y and y.to("cuda:1") is y
    assert torch.as_tensor(y, device="cpu").device.type == "cpu"
    assert torch.ones_like(y).device.index == 1 and y.new_ones(2).device.index == 1


APART = {
    "add": lambda t, F, x, w, i: x + w, "where": lambda t, F, x, w, i: t.where(x > 0, x, w), "matmul": lambda t, F, x, w, i: x @ w,
    "cross_entropy": lambda t, F, x, w, i: F.cross_entropy(x, i), "mse_loss": lambda t, F, x, w, i: F.mse_loss(x, w),
    "embedding": lambda t, F, x, w, i: F.embedding(i, x), "embedding_bag": lambda t, F, x, w, i: F.embedding_bag(i, x, i[:1] * 0),
    "layer_norm": lambda t, F, x, w, i: F.layer_norm(x, (3,), w[0]), "linear": lambda t, F, x, w, i: F.linear(x, w),
    "batch_norm": lambda t, F, x, w, i: F.batch_norm(x, None, None, w[0], w[0], True),
    "group_norm": lambda t, F, x, w, i: F.group_norm(x, 1, w[0], w[0]), "prelu": lambda t, F, x, w, i: F.prelu(x, w[0]),
    "masked_fill": lambda t, F, x, w, i: x.masked_fill(w > 0, 1.0), "gather": lambda t, F, x, w, i: x.gather(0, i[:, None]),
    "index_select": lambda t, F, x, w, i: x.index_select(0, i), "index_fill": lambda t, F, x, w, i: x.index_fill(0, i, 1.0),
    "masked_scatter": lambda t, F, x, w, i: x.masked_scatter(x > 0, w), "cdist": lambda t, F, x, w, i: t.cdist(x, w),
    "bucketize": lambda t, F, x, w, i: t.bucketize(x, w[0]), "searchsorted": lambda t, F, x, w, i: t.searchsorted(x[0], w[0]),
    "isin": lambda t, F, x, w, i: t.isin(x, w), "cat": lambda t, F, x, w, i: t.cat([x, w]), "cross": lambda t, F, x, w, i: t.cross(x, w),
    "bce": lambda t, F, x, w, i: F.binary_cross_entropy(x, w), "equal": lambda t, F, x, w, i: t.equal(x, w),
    "segment_reduce": lambda t, F, x, w, i: t.segment_reduce(x, "sum", lengths=i),
    "histogram": lambda t, F, x, w, i: t.histogram(w, x[0]), "meshgrid": lambda t, F, x, w, i: t.meshgrid(x[0], w[0]),
    "bernoulli_": lambda t, F, x, w, i: x.bernoulli_(w), "mse_loss, CPU first": lambda t, F, x, w, i: F.mse_loss(w, x),
    "pinv": lambda t, F, x, w, i: t.linalg.pinv(x[None], atol=w[0, :1]), "rank": lambda t, F, x, w, i: t.linalg.matrix_rank(x[None], atol=w[0, :1]),
    "bincount": lambda t, F, x, w, i: t.bincount(x[0].long(), w[0]), "index": lambda t, F, x, w, i: w[x[0].long() * 0],
}  # fmt: skip


@pytest.mark.parametrize("name", APART)
def test_tensors_of_two_devices_are_told_of(machine, name):
    x, w, i = torch.full((3, 3), 0.5, device="cuda"), torch.ones(3, 3), torch.tensor([0, 2, 1])
    with pytest.raises(RuntimeError, match="same device") as told:
        APART[name](torch, torch.nn.functional, x, w, i)
    assert name == "meshgrid" or "cpu" in str(told.value)


def test_numbers_of_the_cpu_go_along(machine):
    x = torch.eye(3, device="cuda")
    assert (
        torch.linalg.matrix_rank(x, atol=torch.tensor(0.5)).item()
        == 3
        == torch.linalg.pinv(x, atol=torch.tensor(0.5)).sum().item()
    )


def test_gradients_of_another_device(machine):
    x, g = torch.ones(2, device="cuda", requires_grad=True), torch.ones(2)
    with pytest.raises(RuntimeError, match="invalid gradient at index 0 - expected device cuda:0 but got cpu"):
        (x * 2).backward(g)
    with pytest.raises(RuntimeError, match="gradient with device type 'cpu' to a tensor with device type 'cuda'"):
        x.grad = g
    x.sum().backward(torch.tensor(3.0))  # a number goes along
    assert x.grad.device.type == "cuda" and x.grad.tolist() == [3.0, 3.0]


def test_indices_of_the_cpu_reach_a_device(machine):
    x = torch.arange(12.0).reshape(3, 4)
    i, m = torch.tensor([2, 0]), torch.tensor([True, False, True])
    for key in (i, m, (i, i), (slice(1), i), torch.tensor(1), torch.tensor(True), (0, i)):
        y, z = x.to("cuda:1"), x.clone()
        assert y[key].device == y.device and y[key].tolist() == x[key].tolist()
        y[key], z[key] = 7.0, 7.0
        assert y.tolist() == z.tolist()
    assert x.cuda().index_put((i, i), torch.ones(2, device="cuda"), accumulate=True)[2, 2].item() == 11


EMPTY = {
    "put": lambda x, i, v: x.put(i, v), "put_": lambda x, i, v: x.put_(i, v, True), "write": lambda x, i, v: x.__setitem__(i, 1.0),
    "index": lambda x, i, v: x[i], "gather": lambda x, i, v: x.gather(0, i[:, None]), "select": lambda x, i, v: x.index_select(0, i),
    "embedding": lambda x, i, v: torch.nn.functional.embedding(i, x), "scatter": lambda x, i, v: x.scatter(0, i[:, None], 1.0),
    "index_add": lambda x, i, v: x.index_add(0, i, v.reshape(2, 1).expand(2, 4)), "index_fill": lambda x, i, v: x.index_fill(0, i, 1.0),
}  # fmt: skip


@pytest.mark.parametrize("name", EMPTY)
def test_indices_into_nothing_are_refused_at_once(machine, name):
    """A kernel that went on would touch memory that is not the tensor's."""
    i, v = torch.tensor([0, 1], device="cuda"), torch.ones(2, device="cuda")
    with pytest.raises((IndexError, RuntimeError)) as told:
        EMPTY[name](torch.zeros(0, 4, device="cuda"), i, v)
    assert "found when" not in str(told.value)


ORDERS = {
    "transposed": lambda t, x: x.mT, "permuted": lambda t, x: x.permute(2, 0, 1), "steps": lambda t, x: x[:, ::2],
    "part of a transposed": lambda t, x: x.mT[:, 1:], "part of a permuted": lambda t, x: x.permute(2, 0, 1)[::2],
    "channels last": lambda t, x: x.reshape(2, 3, 2, 2).to(memory_format=t.channels_last),
}  # fmt: skip


@pytest.mark.parametrize("name", ORDERS)
def test_copies_keep_the_order_in_memory(machine, oracle, name):
    make = ORDERS[name]
    strides = make(oracle, oracle.arange(24.0).reshape(2, 3, 4)).to("meta").stride()
    x = make(torch, torch.arange(24.0).reshape(2, 3, 4).requires_grad_())
    y = x.to("cuda:1")
    for moved in (y, y.cpu(), y.to("cuda:0"), x.to("cuda:0", non_blocking=True)):
        assert moved.stride() == strides and moved.tolist() == x.tolist()
    assert torch.autograd.grad(y.sum(), x)[0].tolist() == torch.ones(x.shape).tolist()


def test_a_peer_copy_keeps_the_order_of_both_streams(machine):
    source = torch.ones(4, device="cuda:0")
    machine.deferred = True
    side = torch.cuda.Stream(0)
    with torch.cuda.stream(side):
        moved = source.to("cuda:1")
    done = torch.cuda.Event()
    done.record(side)
    assert machine.queues[1, 0]
    done.synchronize()  # the source's stream waits for the copy, so the source may be freed in its order
    assert moved._a.view(np.ndarray).tolist() == [1, 1, 1, 1]


def test_one_device_costs_nothing():
    with pretend(Machine(devices=1)) as machine:
        backend = devices.get_backend("cupy")
        assert devices.resolve("cuda:0").backend is backend and torch.cuda.device_count() == 1
        assert torch.ones(2, device="cuda").add(1).tolist() == [2, 2] and machine.calls["peer"] == 0


# ---- streams and events ---------------------------------------------------------------------------------------------
def test_streams(machine):
    cuda = torch.cuda
    s, t = cuda.Stream(), cuda.Stream("cuda:1", priority=-1)
    assert (
        isinstance(s, cuda.Stream) and s.device == torch.device("cuda:0") and t.device_index == 1 and t.priority == -1
    )
    assert cuda.current_stream() == cuda.default_stream() and cuda.current_stream().cuda_stream == 0
    with cuda.stream(s) as nothing:
        assert nothing is None and cuda.current_stream() == s and cuda.current_stream(1) != t
        with t:
            assert cuda.current_stream() == t and cuda.current_device() == 1
        assert cuda.current_stream() == s and cuda.current_device() == 0
    assert cuda.current_stream() == cuda.default_stream() != s
    cuda.set_stream(t)
    assert cuda.current_device() == 1 and cuda.current_stream() == t
    cuda.set_stream(cuda.default_stream(1))
    cuda.set_device(0)
    assert len({s, t, cuda.Stream._of(s.base, 0)}) == 2 and "device=cuda:1" in repr(t)
    mine = cuda.ExternalStream(s.cuda_stream, device="cuda:0")
    assert mine == s and isinstance(mine, cuda.Stream) and cuda.get_stream_from_external(s.cuda_stream, 0) == s
    assert s.__cuda_stream__() == (0, s.cuda_stream) and not cuda.is_current_stream_capturing()
    with cuda.stream(None):
        assert cuda.current_device() == 0
    assert isinstance(torch.Stream("cuda:1"), cuda.Stream) and torch.Stream("cuda:1").device_index == 1
    assert isinstance(s, torch.Stream) and isinstance(torch.Event("cuda", enable_timing=True), cuda.Event)
    assert isinstance(torch.Stream(), cuda.Stream) and torch.Stream("cpu").query()


def test_constants_of_a_graph_leave_the_stream_that_is_in_use(machine):
    """CuPy's `with stream` ends with the stream of the `with` around it, whatever use() has set since."""
    out = SimpleNamespace(set=lambda host, stream: streams.append(stream))
    streams = []
    xp = SimpleNamespace(cuda=machine.cuda, ndarray=lambda shape, dtype: out)
    with torch.cuda.stream(torch.cuda.Stream()):
        here = machine.stream()
        made = CaptureKernels._beside(
            SimpleNamespace(xp=xp, _current_stream=machine.stream), SimpleNamespace(outer=None), np.ones(2)
        )
        assert made is out and machine.stream() is here and streams != [here]


def test_a_forked_child_is_told_of_the_fork(machine, monkeypatch):
    children = []
    monkeypatch.setattr("os.register_at_fork", lambda *, after_in_child: children.append(after_in_child))
    x, y = torch.ones(2, device="cuda:0"), torch.ones(2, device="cuda:1")
    assert len(children) == 1
    children[0]()  # as in a child
    for use in (
        lambda: x * 2,
        lambda: y.cpu(),
        lambda: torch.ones(2, device="cuda"),
        lambda: torch.cuda.device_count(),
    ):
        with pytest.raises(
            RuntimeError, match="^Cannot re-initialize CUDA in forked subprocess. To use CUDA with multipro"
        ):
            use()
    assert torch.ones(2).sum().item() == 2.0


def test_a_default_stream_for_each_device(machine):
    machine.queues[1, 0].append(lambda: None)
    here, there = torch.cuda.default_stream(0), torch.cuda.default_stream(1)
    assert here.query() and not there.query() and here != there
    here.synchronize()
    assert not there.query()
    there.synchronize()
    assert there.query()


def test_streams_belong_to_threads(machine):
    seen = []
    with torch.cuda.stream(torch.cuda.Stream()):
        thread = threading.Thread(target=lambda: seen.append(torch.cuda.current_stream().cuda_stream))
        thread.start()
        thread.join()
    assert seen == [0]


def test_events(machine):
    cuda = torch.cuda
    s, order = cuda.Stream(), []
    start, end = cuda.Event(enable_timing=True), cuda.Event(enable_timing=True)
    assert start.query() and repr(start) == "<torch.cuda.Event uninitialized>"
    with pytest.raises(ValueError, match="recorded before"):
        start.elapsed_time(end)
    start.record(s)
    s.base.queue.append(lambda: order.append("work"))
    end.record(s)
    assert not end.query() and not s.query()
    other = cuda.Stream("cuda:1")
    other.wait_event(end)
    other.base.queue.append(lambda: order.append("after"))
    other.synchronize()
    assert order == ["work", "after"] and end.query() and start.elapsed_time(end) > 0
    with pytest.raises(RuntimeError, match="does not match recording stream's device"):
        end.record(other)
    with pytest.raises(ValueError, match="enable_timing"):
        cuda.Event().elapsed_time(end)
    s.base.queue.append(lambda: order.append("first"))
    other.wait_stream(s)
    other.base.queue.append(lambda: order.append("second"))
    other.synchronize()
    assert order[2:] == ["first", "second"] and s.record_event().device == torch.device("cuda:0")


# ---- DLPack and the CUDA array interface ----------------------------------------------------------------------------
class Foreign:
    """Another library's array on a device."""

    def __init__(self, array, index):
        self.array, self.index, self.asked = array, index, []

    def __dlpack_device__(self):
        return 2, self.index

    def __dlpack__(self, **kwargs):
        self.asked.append(kwargs)
        return self.array


def test_dlpack(machine, monkeypatch):
    from cupy_twin import Array

    seen = []

    def export(self, *, stream=None, max_version=None, dl_device=None, copy=None):
        seen.append((machine.current, stream, max_version, dl_device, copy))
        return "capsule"

    monkeypatch.setattr(Array, "__dlpack__", export)
    x = torch.ones(2, device="cuda:1")
    assert x.__dlpack_device__() == (2, 1) and torch.ones(2).__dlpack_device__() == (1, 0)
    assert x.__dlpack__(stream=77, max_version=(1, 0)) == "capsule" == torch.utils.dlpack.to_dlpack(x)
    x.__dlpack__(stream=None, copy=True)
    x.__dlpack__(dl_device=(1, 0), copy=True)
    assert seen == [(1, 77, (1, 0), None, None), (1, -1, None, None, None), (1, None, None, None, None),
                    (1, -1, None, (1, 0), True)]  # fmt: skip
    assert machine.current == 0
    for error, call in (
        (TypeError, lambda: x.__dlpack__(stream="a")), (AssertionError, lambda: x.__dlpack__(stream=0)),
        (BufferError, lambda: x.requires_grad_().__dlpack__()), (AssertionError, lambda: torch.ones(2).__dlpack__(stream=5)),
        (RuntimeError, lambda: torch.from_dlpack(type("F", (Foreign,), {"__dlpack_device__": lambda s: (4, 0)})(0, 0))),
    ):  # fmt: skip
        with pytest.raises(error):
            call()
    backend = devices.resolve("cuda:1").backend
    array = backend.from_numpy(np.arange(3.0))
    monkeypatch.setattr(backend, "from_dlpack", lambda f: f.__dlpack__(stream=1))
    f = Foreign(array, 1)
    y = torch.from_dlpack(f)
    assert y.device == torch.device("cuda:1") and y._a is array and f.asked == [{"stream": 1}]


def test_versioned_capsules_tell_their_device():
    capsule = np.arange(3.0).__dlpack__(max_version=(1, 0))
    assert "versioned" in repr(capsule) and torch.from_dlpack(capsule).tolist() == [0, 1, 2]
    with pytest.raises(RuntimeError, match="only once"):
        torch.from_dlpack(capsule)


def test_objects_of_other_libraries_on_the_device(machine):
    backend = devices.resolve("cuda:1").backend
    array = backend.from_numpy(np.arange(3.0))

    class Other:
        __cuda_array_interface__ = {"version": 3}

    plain = devices.get_backend("cupy").xp.asarray
    for b in (devices.get_backend("cupy"), backend, devices.resolve("cuda:0").backend):
        taking = lambda x, *a, **k: array if isinstance(x, Other) else plain(x, *a, **k)  # noqa: E731
        b.xp.__dict__["asarray"] = b.asarray = taking
    shared, copied = torch.as_tensor(Other()), torch.tensor(Other())
    assert shared._a is array and shared.device == copied.device == torch.device("cuda:1") and copied._a is not array
    assert torch.as_tensor(Other(), device="cpu").tolist() == [0, 1, 2]
    with pytest.raises(RuntimeError, match="requires grad"):
        _ = shared.requires_grad_().__cuda_array_interface__


# ---- the rest of the namespace --------------------------------------------------------------------------------------
def test_accelerator(machine):
    a = torch.accelerator
    assert a.is_available() and a.device_count() == 2 and a.current_accelerator() == torch.device("cuda:0")
    with a.device_index(1):
        assert a.current_device_index() == 1
    a.set_device_index(1)
    assert a.current_stream() == torch.cuda.current_stream(1)
    a.set_stream(torch.cuda.default_stream(0))
    assert a.current_device_index() == 0 and torch.bfloat16 in a.get_device_capability()["supported_dtypes"]
    x = machine.cuda.get_allocator()
    a.synchronize()
    assert a.memory_allocated() == a.max_memory_allocated() == 0 and a.get_memory_info(1) == (
        machine.room,
        machine.room,
    )
    assert a.memory_reserved() == a.max_memory_reserved() == 0 and a.memory_stats()["num_ooms"] == 0 and x
    a.reset_peak_memory_stats()
    a.reset_accumulated_memory_stats()
    a.empty_cache()
    a.empty_host_cache()
    assert machine.calls["free pinned"] == 1


def test_libraries_and_profilers(machine, monkeypatch):
    from polytensor.__main__ import cuda_libraries
    from polytensor.backends.cupy import runtime

    line = cuda_libraries()
    assert line.startswith("CuPy fake; driver 13.1; runtime 13.0; NVRTC 13.5; cuBLAS ") and "\n" not in line
    torch.cuda.profiler.start()
    torch.cuda.profiler.stop()
    c = torch.cuda.cudart()
    torch.cuda.check_error(c.cudaProfilerStart())
    torch.cuda.check_error(c.cudaProfilerStop())
    assert c.cudaMemGetInfo(1) == torch.cuda.mem_get_info(1)
    with pytest.raises(torch.cuda.CudaError, match="2"):
        torch.cuda.check_error(2)
    with torch.cuda.profiler.profile():
        assert machine.calls["start"] == 3
    marks = []
    fake = type("Nvtx", (), {n: staticmethod(lambda *a, n=n: marks.append((n, *a)) or 5)
                             for n in ("Mark", "RangePush", "RangePop", "RangeStart", "RangeEnd")})  # fmt: skip
    monkeypatch.setattr(runtime, "nvtx", lambda: fake)
    nvtx = torch.cuda.nvtx
    with nvtx.range("step {}", 3):
        assert nvtx.range_push("inner") == 1 and nvtx.range_pop() == 1
    nvtx.range_end(nvtx.range_start("a"))
    nvtx.mark("b")
    assert [m[0] for m in marks] == ["RangePush", "RangePush", "RangePop", "RangePop", "RangeStart", "RangeEnd", "Mark"]
    assert marks[0][1] == "step 3" and marks[5][1] == 5
    assert torch.cuda.current_solver_handle() == 8
    assert torch.cuda.default_generators == (torch.default_generator,) * 2


def test_the_handle_of_products(machine):
    """cuBLAS's handle is the one that matrix products use on the current device and stream."""
    for index in range(2):
        with torch.cuda.device(index), torch.cuda.stream(torch.cuda.Stream()):
            x = torch.ones(2, 2, device="cuda")
            handle = torch.cuda.current_blas_handle()
            entries = x.device.backend._blas.entries
            x @ x
            assert [args[0] for name, args in entries.calls if "Gemm" in name][-1] == handle
            assert entries.handles[handle]["stream"] == torch.cuda.current_stream().cuda_stream


def test_what_the_management_library_tells(machine, monkeypatch):
    import sys
    from types import SimpleNamespace

    with pytest.raises(ModuleNotFoundError, match="nvidia-ml-py"):
        torch.cuda.utilization()
    assert torch.cuda.list_gpu_processes().startswith("pynvml module not found")
    nvml = SimpleNamespace(
        nvmlInit=lambda: None, nvmlDeviceGetHandleByPciBusId=lambda b: b,
        nvmlDeviceGetUtilizationRates=lambda h: SimpleNamespace(gpu=30, memory=20), NVML_TEMPERATURE_GPU=0, NVML_CLOCK_SM=1,
        nvmlDeviceGetMemoryInfo=lambda h: SimpleNamespace(used=99), nvmlDeviceGetTemperature=lambda h, k: 50,
        nvmlDeviceGetPowerUsage=lambda h: 7000, nvmlDeviceGetClockInfo=lambda h, k: 1500,
        nvmlDeviceGetComputeRunningProcesses=lambda h: [SimpleNamespace(pid=12, usedGpuMemory=1 << 20)],
    )  # fmt: skip
    monkeypatch.setitem(sys.modules, "pynvml", nvml)
    c = torch.cuda
    assert [f(1) for f in (c.utilization, c.memory_usage, c.device_memory_used, c.temperature, c.power_draw, c.clock_rate)] == [
        30, 20, 99, 50, 7000, 1500,
    ]  # fmt: skip
    assert "12 uses        1.000 MB" in c.list_gpu_processes()


def test_waits_are_told(machine):
    x, c = torch.ones(2, device="cuda:1"), torch.cuda
    try:
        c.set_sync_debug_mode("warn")
        assert c.get_sync_debug_mode() == 1
        for call in (lambda: x.sum().item(), x.cpu, x.tolist):
            with pytest.warns(UserWarning, match="called a synchronizing CUDA operation"):
                call()
        c.set_sync_debug_mode(2)
        y = x + 1
        with pytest.raises(RuntimeError, match="called a synchronizing CUDA operation"):
            y.cpu()
        assert y.to("cpu", non_blocking=True).is_pinned()
    finally:
        c.set_sync_debug_mode("default")
    assert x.tolist() == [1, 1]
    for wrong in (3, "loud"):
        with pytest.raises(RuntimeError, match="invalid value"):
            c.set_sync_debug_mode(wrong)


USED = """
AcceleratorError CudaError DeferredCudaCallError Event ExternalStream OutOfMemoryError Stream StreamContext amp
can_device_access_peer clock_rate current_blas_handle current_device current_stream default_generators default_stream device
device_count device_memory_used device_of empty_cache get_allocator_backend get_arch_list get_device_capability
get_device_name get_device_properties get_gencode_flags get_per_process_memory_fraction get_rng_state get_rng_state_all
get_stream_from_external has_half has_magma host_memory_stats init initial_seed ipc_collect is_available is_bf16_supported
is_current_stream_capturing is_initialized is_tf32_supported list_gpu_processes manual_seed manual_seed_all
max_memory_allocated max_memory_cached max_memory_reserved mem_get_info memory memory_allocated memory_cached
memory_reserved memory_snapshot memory_stats memory_stats_as_nested_dict memory_summary memory_usage nccl nvtx power_draw profiler
MemPool caching_allocator_alloc caching_allocator_delete cudart check_error use_mem_pool set_sync_debug_mode get_sync_debug_mode
reset_accumulated_memory_stats reset_max_memory_allocated reset_max_memory_cached reset_peak_memory_stats seed seed_all
set_device set_per_process_memory_fraction set_rng_state set_rng_state_all set_stream stream streams synchronize
temperature utilization reset_accumulated_host_memory_stats reset_peak_host_memory_stats FloatTensor HalfTensor BFloat16Tensor
""".split()


def test_what_is_not_there_says_so():
    c = torch.cuda
    for refused in (
        c.memory_snapshot, c.memory._record_memory_history, c.memory._dump_snapshot, c.memory.CUDAPluggableAllocator,
        c.memory._snapshot, c.caching_allocator_alloc, c.nccl.version, c.nccl.all_reduce, c.nccl.unique_id,
    ):  # fmt: skip
        with pytest.raises(NotImplementedError, match=rf"PolyTensor has no torch\.cuda\.\w+\.{refused.__name__}: "):
            refused()
    with pytest.warns(UserWarning, match="NCCL"):
        assert not c.nccl.is_available([torch.ones(2)])


def test_names_of_the_namespace():
    """Without a device too, so that scripts import and look before they leap."""
    assert [n for n in USED if not hasattr(torch.cuda, n)] == [] and set(USED) <= set(dir(torch.cuda))
    oracle = pytest.importorskip("torch")
    assert [n for n in USED if not hasattr(oracle.cuda, n)] == []
