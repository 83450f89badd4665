"""Whole models against PyTorch: its state_dict loads, and outputs, gradients and twenty AdamW steps agree."""

from functools import cache

import numpy as np
import pytest
from models_sequences import MODELS

import polytensor
from polytensor import devices

pytestmark = [  # PyTorch's, about speed
    pytest.mark.filterwarnings("ignore:LSTM with projections is not supported with oneDNN:UserWarning"),
    pytest.mark.filterwarnings("ignore:enable_nested_tensor is True:UserWarning"),
]
STEPS = 20
# dtype -> tolerance of the output, the gradients, and the losses over STEPS steps, relative to their scale
TOLERANCES = {"float64": (1e-11, 1e-10, 1e-9), "float32": (1e-5, 1e-4, 1e-3)}


@pytest.fixture(autouse=True)
def one_thread(oracle):
    """Such small work is slower by far with threads, above all beside other tests."""
    before = [(t, t.get_num_threads()) for t in (oracle, polytensor)]
    for t, _ in before:
        t.set_num_threads(1)
    yield
    for t, count in before:
        t.set_num_threads(count)


def flat(out):
    return [x for y in out for x in flat(y)] if isinstance(out, (tuple, list)) else [out.detach().cpu().numpy().copy()]


def run(torch, name, dtype, device=None, state=None):
    """Train; (state_dict at the start, outputs, gradients, losses, outputs in eval mode at the end)."""
    torch.manual_seed(0)
    model, arrays, loss_of = MODELS[name](torch)
    model.to(device=device, dtype=getattr(torch, dtype))
    if state is not None:
        tensors = {k: torch.from_numpy(v.copy()) for k, v in state.items()}
        assert list(model.state_dict()) == list(state)
        assert str(model.load_state_dict(tensors, strict=True)) == "<All keys matched successfully>"
    else:
        state = {k: v.numpy().copy() for k, v in model.state_dict().items()}
    batch = [
        torch.from_numpy(a).to(device=device, dtype=getattr(torch, dtype) if a.dtype.kind == "f" else torch.int64)
        for a in arrays(np.random.default_rng(1))
    ]
    optimizer = torch.optim.AdamW(model.parameters(), lr=2e-3)
    losses = []
    for step in range(STEPS):
        optimizer.zero_grad()
        out, loss = loss_of(model, *batch)
        loss.backward()
        if step == 0:
            first = flat(out)
            grads = {n: p.grad.cpu().numpy().copy() for n, p in model.named_parameters() if p.grad is not None}
        losses.append(loss.item())
        optimizer.step()
    model.eval()
    with torch.no_grad():
        last = flat(loss_of(model, *batch)[0])
    return state, first, grads, losses, last


@cache
def theirs(torch, name, dtype):
    return run(torch, name, dtype)


def agree(actual, expected, tolerance, what, floor=0.0):
    actual, expected = np.asarray(actual), np.asarray(expected)
    assert actual.dtype == expected.dtype and actual.shape == expected.shape, what
    scale = max(np.abs(expected).max(initial=0), floor)
    error = np.abs(actual - expected).max(initial=0)
    assert error <= tolerance * scale, f"{what}: off by {error:.2e}, at a scale of {scale:.2e}"


def compared(oracle, device, name, dtype):
    """Assert that a model gives on `device` what it gives in PyTorch."""
    state, first, grads, losses, last = theirs(oracle, name, dtype)
    _, our_first, our_grads, our_losses, our_last = run(polytensor, name, dtype, device, state)
    for_output, for_gradients, for_losses = TOLERANCES[dtype]
    assert len(our_first) == len(first) and list(our_grads) == list(grads)
    for i, (a, b) in enumerate(zip(our_first, first, strict=True)):
        agree(a, b, for_output, f"output {i}")
    # a gradient that is zero but for rounding (a bias before a norm) is measured by the others
    largest = max(np.abs(g).max() for g in grads.values())
    for key, g in grads.items():
        agree(our_grads[key], g, for_gradients, f"gradient of {key}", floor=1e-3 * largest)
    agree(our_losses, losses, for_losses, "losses")
    for i, (a, b) in enumerate(zip(our_last, last, strict=True)):
        agree(a, b, for_losses, f"output {i} in eval mode after training")


@pytest.mark.parametrize("dtype", TOLERANCES)
@pytest.mark.parametrize("name", MODELS)
def test_trains_as_in_pytorch(oracle, device, name, dtype):
    compared(oracle, device, name, dtype)


@pytest.fixture(scope="module")
def twin():
    """CupyBackend's code without a GPU, see cupy_twin.py."""
    pytest.importorskip("cupy")
    from cupy_twin import TwinBackend

    devices.register_backend("twin", TwinBackend)
    yield devices.backend_device("twin")
    devices._factories.pop("twin")


@pytest.mark.filterwarnings("ignore::RuntimeWarning")  # NumPy's, not given by CuPy
@pytest.mark.parametrize("name", MODELS)
def test_trains_on_cupys_code(oracle, twin, name):
    with devices.use_backend("twin"):
        compared(oracle, twin, name, "float64")


def test_thirty_models():
    assert len(MODELS) >= 30
