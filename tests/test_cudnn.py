"""cuDNN's plans without a GPU: the ops of the table through a stand-in for its frontend (fake_cudnn.py)."""

from types import SimpleNamespace

import fake_cudnn
import pytest
import test_cupy
import test_ops

import polytensor as torch
from polytensor import backends, devices
from polytensor.backends.cupy import cudnn

pytest.importorskip("cupy")
F = torch.nn.functional
FAMILIES = [f for f in test_cupy.FAMILIES if f.startswith(("conv", "scaled_dot_product"))]


class Event:
    clock = 0

    def record(self):
        Event.clock += 1
        self.time = Event.clock

    def synchronize(self):
        pass


@pytest.fixture
def twin(monkeypatch):
    """The backend over fake arrays with cuDNN's stand-in."""
    from cupy_twin import TwinBackend

    devices.register_backend("twin", TwinBackend)
    backend = devices.get_backend("twin")
    stream = SimpleNamespace(ptr=7)
    parts = {
        "runtime": SimpleNamespace(getDevice=lambda: 0), "get_current_stream": lambda: stream, "Event": Event,
        "get_elapsed_time": lambda a, b: b.time - a.time,
    }  # fmt: skip
    monkeypatch.setitem(backend.xp.__dict__, "cuda", SimpleNamespace(**parts))
    monkeypatch.setattr(cudnn, "library", lambda: fake_cudnn)
    monkeypatch.setattr(cudnn, "status", lambda: ("9.12.0", ""))
    monkeypatch.setattr(cudnn, "_local", SimpleNamespace())
    monkeypatch.setattr(fake_cudnn.pygraph, "made", [])
    with devices.use_backend("twin"):
        yield backend


def made(op=None):
    return [g for g in fake_cudnn.pygraph.made if op in (None, g.node.op)]


def arrays(*shapes, dtype=torch.float32):
    torch.manual_seed(0)
    return [torch.randn(s).to(dtype).requires_grad_() for s in shapes]


@test_cupy.QUIET
@pytest.mark.parametrize("family", FAMILIES)
def test_samples(twin, family):
    def run(sample):
        return test_ops.on("twin", sample)

    for sample in test_cupy.FAMILIES[family]:
        test_cupy.check(run, sample)
        if "[f32" in sample.name:
            for dtype in ("float16", "bfloat16"):
                test_cupy.check(run, test_cupy.in_half(sample, dtype))


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16])
@pytest.mark.parametrize("causal", [False, True])
def test_attention_in_half(twin, dtype, causal):
    q, k, v = arrays((2, 3, 5, 8), (2, 3, 7, 8), (2, 3, 7, 16), dtype=dtype)
    out = F.scaled_dot_product_attention(q, k, v, is_causal=causal)
    g = torch.randn(out.shape).to(dtype)
    grads = torch.autograd.grad(out, (q, k, v), g)
    assert [len(made("sdpa")), len(made("sdpa_backward"))] == [1, 1]
    wide = [t.detach().double().requires_grad_() for t in (q, k, v)]
    expected = F.scaled_dot_product_attention(*wide, is_causal=causal)
    close = dict(rtol=0, atol=2e-2 if dtype is torch.bfloat16 else 3e-3)
    torch.testing.assert_close(out.double(), expected, **close)
    for a, b in zip(grads, torch.autograd.grad(expected, wide, g.double()), strict=True):
        torch.testing.assert_close(a.double(), b, **close)


def test_plans_are_cached_by_shape_and_switches(twin):
    x, w = arrays((2, 3, 8, 8), (4, 3, 3, 3))
    for _ in range(3):
        F.conv2d(x, w)
    assert len(made()) == 1 and len(made()[0].runs) == 3 and made()[0].runs[0] == (2, 7)
    F.conv2d(x[:, :, 1:], w)
    F.conv2d(x, w, padding=1)
    assert len(made()) == 3
    assert made()[0].barred == [fake_cudnn.numerical_note.TENSOR_CORE]  # no TF32
    with backends.cudnn.flags(allow_tf32=True, deterministic=True):
        F.conv2d(x, w)
    assert len(made()) == 4 and made()[3].barred == [fake_cudnn.numerical_note.NONDETERMINISTIC]
    assert made()[3].runs == [(0, 7)]
    with backends.cudnn.flags(enabled=False):
        F.conv2d(x, w)
    assert sum(len(g.runs) for g in made()) == 6


def test_arrays_that_begin_anywhere(twin):
    """Parts of arrays lie as cuDNN wants them, or are copied."""
    x, w = arrays((3, 3, 5, 5), (4, 3, 3, 3))
    flat = torch.randn(1 + w.numel())
    part = flat[1:].view(w.shape).copy_(w)
    assert all(t.is_contiguous() and t.data_ptr() % 16 for t in (x[1:], part))
    with backends.cudnn.flags(enabled=False):
        expected = F.conv2d(x[1:], part)
    torch.testing.assert_close(F.conv2d(x[1:], part), expected)
    assert len(made()) == 1 and len(made()[0].runs) == 1


def test_deterministic_algorithms(twin):
    x, w = arrays((2, 3, 8, 8), (4, 3, 3, 3))
    torch.use_deterministic_algorithms(True)
    try:
        F.conv2d(x, w)
    finally:
        torch.use_deterministic_algorithms(False)
    assert fake_cudnn.numerical_note.NONDETERMINISTIC in made()[0].barred


def test_benchmark_takes_a_plan_that_runs(twin):
    x, w = arrays((2, 3, 8, 8), (4, 3, 3, 3))
    with backends.cudnn.flags(benchmark=True, allow_tf32=True):
        y = F.conv2d(x, w)
        again = F.conv2d(x, w)
    assert len(made()) == 1 and made()[0].built == "ALL"
    assert {index for index, _ in made()[0].runs} == {0, 2} and torch.equal(y, again)


def test_a_capture_does_not_search(twin, monkeypatch):
    x, w = arrays((2, 3, 8, 8), (4, 3, 3, 3))
    monkeypatch.setattr(type(twin), "capturing", True)
    with backends.cudnn.flags(benchmark=True):
        F.conv2d(x, w)
    assert len(made()) == 1 and made()[0].built == "HEURISTICS_CHOICE"


def test_without_a_plan_our_own_kernels_compute(twin, monkeypatch):
    x, w = arrays((2, 3, 8, 8), (4, 3, 3, 3))
    expected = F.conv2d(x, w)
    twin._cudnn_plans.clear()
    monkeypatch.setattr(fake_cudnn.pygraph, "refuses", ("conv_fprop",))
    torch.testing.assert_close(F.conv2d(x, w), expected)
    assert made()[-1].runs == []


def test_a_bias_that_no_plan_adds(twin, monkeypatch):
    x, w, b = arrays((2, 3, 8, 8), (4, 3, 3, 3), (4,))
    expected = F.conv2d(x, w, b)
    twin._cudnn_plans.clear()
    monkeypatch.setattr(fake_cudnn.pygraph, "refuses", ("bias",))
    torch.testing.assert_close(F.conv2d(x, w, b), expected)
    assert len(made()[-1].runs) == 1 and len(made()[-1].node.inputs) == 2


def test_empty_batches_ask_for_no_plan(twin):
    x, w = arrays((0, 3, 8, 8), (4, 3, 3, 3))
    F.conv2d(x, w).sum().backward()
    assert not made() and torch.equal(w.grad, torch.zeros_like(w))


def test_absence_is_told():
    cudnn.library.cache_clear(), cudnn.status.cache_clear()
    version, reason = cudnn.status()
    assert version or "cudnn" in reason
    assert backends.cudnn.is_available() == (version is not None and torch.cuda.is_available())


def test_attention_with_a_mask_is_our_own(twin):
    q, k, v = arrays((1, 2, 5, 8), (1, 2, 7, 8), (1, 2, 7, 8), dtype=torch.float16)
    mask = torch.ones(5, 7, dtype=torch.bool).tril()
    out = F.scaled_dot_product_attention(q, k, v, attn_mask=mask)
    wide = F.scaled_dot_product_attention(q.double(), k.double(), v.double(), attn_mask=mask)
    assert not made() and (out.double() - wide).abs().max().item() < 3e-3
