"""What outlives a call: modes belong to their thread, and a step of training leaves nothing behind."""

import gc
import subprocess
import sys
import threading

import pytest

import polytensor
from polytensor import nn


def in_thread(fn):
    """What fn() gives in a new thread."""
    result = []
    thread = threading.Thread(target=lambda: result.append(fn()))
    thread.start()
    thread.join()
    return result[0]


def modes(t):
    x = t.ones(1, requires_grad=True)
    return (
        t.is_grad_enabled(), t.is_inference_mode_enabled(), t.is_autocast_enabled("cpu"), (x * 2).requires_grad,
        str(t.get_default_device()),
    )  # fmt: skip


@pytest.mark.parametrize("mode", ["no_grad", "inference", "autocast", "device", "default"])
def test_modes_hold_for_their_thread_only(both, mode):
    t = both.module
    other = t.device("meta") if t is not polytensor else polytensor.devices.backend_device("checked")
    fresh = modes(t)
    if mode == "default":
        t.set_default_device("cpu")
        assert in_thread(lambda: t.set_default_device(other)) is None
        assert modes(t) == fresh
        t.set_default_device(None)
        return
    context = {
        "no_grad": t.no_grad, "inference": t.inference_mode, "autocast": lambda: t.autocast("cpu"), "device": lambda: other,
    }[mode]()  # fmt: skip
    with context:
        assert in_thread(lambda: modes(t)) == fresh
    assert modes(t) == fresh


def test_backends_of_two_threads_do_not_mix():
    before = polytensor.current_backend()
    inside, outside = threading.Event(), threading.Event()

    def other():
        with polytensor.use_backend("checked"):
            inside.set()
            outside.wait(10)
            return polytensor.current_backend()

    found = []
    thread = threading.Thread(target=lambda: found.append(other()))
    thread.start()
    inside.wait(10)
    with polytensor.use_backend("numpy"):
        outside.set()
        thread.join()
    assert found == ["checked"] and polytensor.current_backend() == before


def forward_backward(make, *inputs):
    model = make()
    optimizer = polytensor.optim.SGD(model.parameters(), lr=1e-3)

    def step():
        optimizer.zero_grad()
        y = model(*inputs)
        (y[0] if isinstance(y, tuple) else y).square().mean().backward()
        optimizer.step()

    return step


def hooked():
    y = W.exp()
    y.register_hook(lambda g: g * 2)
    y.retain_grad()
    y[0].mul(2).sum().backward()


def written():
    y = W * 2
    y.view(-1)[1:].mul_(3)  # the graph is dropped without a backward pass


def refused():
    with pytest.raises(RuntimeError):
        W.exp() @ polytensor.ones(5, 5)


W = polytensor.ones(2, 3, requires_grad=True)
STEPS = {
    "lstm": lambda: forward_backward(lambda: nn.LSTM(3, 4, 2, bidirectional=True), polytensor.ones(3, 2, 3)),
    "conv": lambda: forward_backward(
        lambda: nn.Sequential(nn.Conv2d(1, 2, 3), nn.BatchNorm2d(2), nn.ReLU(), nn.MaxPool2d(2), nn.Flatten(), nn.Linear(2, 2)),
        polytensor.ones(2, 1, 4, 4),
    ),
    "transformer": lambda: forward_backward(
        lambda: nn.Transformer(4, 2, 1, 1, 8, batch_first=True), polytensor.ones(2, 3, 4), polytensor.ones(2, 3, 4)
    ),
    "double": lambda: lambda: polytensor.autograd.grad(W.exp().sum(), W, create_graph=True)[0].sum(),
    "hooks": lambda: hooked,
    "views": lambda: written,
    "error": lambda: refused,
    "func.grad": lambda: lambda: polytensor.func.grad(lambda x: x.exp().sum())(W),
    "vmap": lambda: lambda: polytensor.vmap(lambda x: x.exp().sum())(W),
    "jacrev": lambda: lambda: polytensor.func.jacrev(lambda x: x.exp())(W),
    "load_state_dict": lambda: lambda: nn.Linear(2, 3).load_state_dict({"weight": W.detach().T.exp(), "bias": W.detach()[0].exp()}),
    "multi_dot": lambda: lambda: polytensor.linalg.multi_dot([W, W.T, W]),
    "scatter": lambda: lambda: nn.parallel.scatter_gather.gather(
        nn.parallel.scatter_gather.scatter((W.exp(), [W.exp()]), ["cpu"]), "cpu"
    ),
    "functional": lambda: lambda: polytensor.autograd.functional.hessian(lambda x: x.pow(3).sum(), W.detach()),
    "checkpoint": lambda: lambda: polytensor.utils.checkpoint.checkpoint(
        lambda x: x.exp().sum(), W, use_reentrant=False
    ).backward(),
}  # fmt: skip


def living():
    return sum(issubclass(type(x), polytensor.Tensor) for x in gc.get_objects())


@pytest.mark.parametrize("name", STEPS)
def test_a_step_leaves_no_tensors(name):
    """Graphs go by reference counts alone: with the collector off, nothing piles up."""
    step = STEPS[name]()
    step()
    gc.collect()
    gc.disable()
    try:
        before = living()
        for _ in range(20):
            step()
        assert living() <= before + 2
    finally:
        gc.enable()


def test_import_is_light():
    """`import polytensor` brings NumPy and ml_dtypes, and nothing that only some programs need."""
    text = (
        "import sys, polytensor; print([m for m in ('numba', 'cupy', 'scipy', 'PIL', 'pytest', 'multiprocessing', "
        "'polytensor.vision', 'polytensor.testing', 'polytensor.profiler') if m in sys.modules])"
    )
    assert subprocess.run([sys.executable, "-c", text], capture_output=True, text=True).stdout.strip() == "[]"
