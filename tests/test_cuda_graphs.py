"""torch.cuda graphs on a twin that records and repeats: whole training steps, random draws, what cannot be captured."""

import warnings
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest

import polytensor as torch
from polytensor import devices

pytest.importorskip("cupy")
from polytensor.cuda import graphs  # noqa: E402


@pytest.fixture
def cuda(monkeypatch):
    """A device whose work can be captured; torch.cuda's streams are stand-ins that do nothing."""
    from cuda_capture import CaptureTwin

    devices.register_backend("twin", CaptureTwin)
    dev = devices.backend_device("twin")
    stream = SimpleNamespace(wait_stream=lambda other: None)

    class Block:
        def __init__(self, stream):
            pass

        def __enter__(self):
            return self

        def __exit__(self, *exc):
            return None

    monkeypatch.setattr(graphs.graph, "default_capture_stream", None)  # the one of another device, or a stand-in
    monkeypatch.setattr(graphs, "_backend", lambda: dev.backend)
    monkeypatch.setattr(graphs, "Stream", lambda *args: stream)
    monkeypatch.setattr(graphs, "current_stream", lambda: stream)
    monkeypatch.setattr(graphs, "stream", Block)
    monkeypatch.setattr(torch.cuda, "synchronize", lambda device=None: dev.backend.synchronize())
    graphs._told.clear()
    yield dev
    assert dev.backend._capture is None, "a capture was left open"
    assert torch.random.thread_generator() is None
    devices._factories.pop("twin")


OPTIMIZERS = {
    "sgd": lambda ps: torch.optim.SGD(ps, lr=0.1),
    "momentum": lambda ps: torch.optim.SGD(ps, lr=0.1, momentum=0.9, nesterov=True, weight_decay=0.01),
    "adam": lambda ps: torch.optim.Adam(ps, lr=0.05, capturable=True, weight_decay=0.01),
    "amsgrad": lambda ps: torch.optim.Adam(ps, lr=0.05, capturable=True, amsgrad=True, maximize=True),
    "adamw": lambda ps: torch.optim.AdamW(ps, lr=0.05, capturable=True),
}


def model(dev, drop=0.0):
    torch.manual_seed(3)
    n = torch.nn
    return n.Sequential(
        n.Linear(6, 8), n.LayerNorm(8), n.ReLU(), n.Dropout(drop), n.Linear(8, 8), n.GELU(), n.Linear(8, 3)
    ).to(dev)


def batches(dev, count):
    rng = np.random.default_rng(0)
    return [(torch.from_numpy(rng.normal(size=(5, 6)).astype("float32")).to(dev),
             torch.from_numpy(rng.integers(0, 3, 5)).to(dev)) for _ in range(count)]  # fmt: skip


def stepping(net, opt):
    def step(x, y):
        opt.zero_grad()
        loss = torch.nn.functional.cross_entropy(net(x), y)
        loss.backward()
        opt.step()
        return loss

    return step


def check_a_training_step(dev, name, drop):
    """A captured step is made of the same kernels: losses, parameters and the random stream are those of eager steps.

    Nothing is said about a fallback.
    """
    data = batches(dev, 6)
    results = []
    for graphed in (False, True):
        net = model(dev, drop)
        step = stepping(net, OPTIMIZERS[name](list(net.parameters())))
        torch.manual_seed(5)
        losses = [step(*data[0]).item() for _ in range(2)]
        if graphed:
            with warnings.catch_warnings():
                warnings.simplefilter("error")
                step = graphs.graphed_step(step, data[0], num_warmup_iters=0)
            assert step.graph._blocks == (2 * drop * 5)
        losses += [step(*b).item() for b in data]
        state = [p.detach().cpu().numpy() for p in net.parameters()]
        results.append((losses, state, torch.random.default_generator.get_offset()))
    (eager, weights, offset), (replayed, after, moved) = results
    assert replayed == eager and offset == moved and len(set(eager)) == len(eager)
    for a, b in zip(after, weights, strict=True):
        np.testing.assert_array_equal(a, b)


@pytest.mark.parametrize("name", OPTIMIZERS)
@pytest.mark.parametrize("drop", [0.0, 0.5])
def test_a_training_step_replays_as_it_runs(cuda, name, drop):
    check_a_training_step(cuda, name, drop)


@pytest.mark.parametrize("name", ["momentum", "amsgrad", "adamw"])
def test_a_training_step_in_mixed_precision_is_captured_whole(cuda, monkeypatch, name):
    """Autocast, scaled losses, a step that is left out for a gradient that is not finite, and the scale's growth."""
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    data = batches(cuda, 5)
    data[2][0][0, 0] = float("inf")
    runs = []
    for graphed in (False, True):
        net, scaler = model(cuda), torch.amp.GradScaler("cuda", init_scale=64.0, growth_interval=2)
        optimizer = OPTIMIZERS[name](list(net.parameters()))

        def step(x, y, net=net, optimizer=optimizer, scaler=scaler):
            optimizer.zero_grad()
            with torch.autocast("cuda", dtype=torch.float16):
                loss = torch.nn.functional.cross_entropy(net(x).float(), y)
            scaler.scale(loss).backward()
            scaler.step(optimizer)
            scaler.update()
            return loss

        for _ in range(2):
            step(*data[0])
        if graphed:
            with warnings.catch_warnings():
                warnings.simplefilter("error")
                step = graphs.graphed_step(step, data[0], num_warmup_iters=0)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", RuntimeWarning)
            losses = [step(*b).item() for b in data]
        tensors = [*net.parameters(), *(v for s in optimizer.state.values() for v in s.values())]
        runs.append((losses, scaler.get_scale(), scaler._get_growth_tracker(), [t.detach().cpu() for t in tensors]))
    (losses, *numbers, state), (replayed, *later, after) = runs
    np.testing.assert_array_equal(replayed, losses)
    assert numbers == later == [256.0, 0] and all(t.isfinite().all() for t in after)
    for a, b in zip(after, state, strict=True):
        assert torch.equal(a, b)


def test_replays_draw_on(cuda):
    torch.manual_seed(1)
    expected = [torch.rand(7, device=cuda).tolist() for _ in range(4)]
    torch.manual_seed(1)
    made, out = torch.cuda.CUDAGraph(), None
    with torch.cuda.graph(made):
        out = torch.rand(7, device=cuda)
    found = []
    for _ in range(2):
        made.replay()
        found.append(out.tolist())
    found.append(torch.rand(7, device=cuda).tolist())  # an eager draw between replays takes its share
    made.replay()
    assert [*found, out.tolist()] == expected
    torch.manual_seed(1)
    made.replay()
    assert out.tolist() == expected[0]


def test_a_learning_rate_on_the_device(cuda):
    """A tensor as learning rate is read at each replay."""
    for make in (
        lambda p, lr: torch.optim.SGD([p], lr=lr),
        lambda p, lr: torch.optim.Adam([p], lr=lr, capturable=True),
    ):
        p, rate = torch.ones(4, device=cuda, requires_grad=True), torch.tensor(0.5, device=cuda)
        p.grad = torch.ones(4, device=cuda)
        opt = make(p, rate)
        opt.step()
        made = torch.cuda.CUDAGraph()
        with torch.cuda.graph(made):
            opt.step()
        before = p.detach().cpu()
        rate.fill_(0.0)
        made.replay()
        assert torch.equal(p.detach().cpu(), before)
        rate.fill_(0.25)
        made.replay()
        np.testing.assert_allclose((before - p.detach().cpu()).numpy(), 0.25, rtol=1e-5)


def test_graphed_callables(cuda):
    """Forward and backward of a module and of a function as graphs."""
    net = torch.nn.Sequential(torch.nn.Linear(4, 4), torch.nn.Tanh()).to(cuda)
    plain = [torch.nn.Sequential(torch.nn.Linear(4, 4), torch.nn.Tanh()).to(cuda)]
    plain[0].load_state_dict(net.state_dict())
    x = torch.ones(3, 4, device=cuda, requires_grad=True)
    double = lambda a: (a * a).sum(1)  # noqa: E731
    graphed, squared = torch.cuda.make_graphed_callables((net, double), ((x,), (x.detach().clone().requires_grad_(),)))
    assert graphed is net
    for scale in (1.0, -2.0):
        inputs = [(torch.arange(12.0).reshape(3, 4) * scale / 7).to(cuda).requires_grad_() for _ in range(2)]
        net.zero_grad(), plain[0].zero_grad()
        squared(graphed(inputs[0])).sum().backward()
        double(plain[0](inputs[1])).sum().backward()
        np.testing.assert_allclose(inputs[0].grad.cpu().numpy(), inputs[1].grad.cpu().numpy(), rtol=1e-5)
        for a, b in zip(net.parameters(), plain[0].parameters(), strict=True):
            np.testing.assert_allclose(a.grad.cpu().numpy(), b.grad.cpu().numpy(), rtol=1e-5)
    net.eval()
    assert torch.allclose(net(x), plain[0](x))


def test_numbers_of_the_cpu_go_along_with_the_value_that_they_have(cuda):
    x, number, made = torch.ones(3, device=cuda), torch.tensor(2.0), torch.cuda.CUDAGraph()
    with torch.cuda.graph(made):
        y = torch.where(x > number, x * number, number)
    number.fill_(5.0)
    x.copy_(torch.tensor([1.0, 2.0, 3.0]))
    made.replay()
    assert y.tolist() == [2.0, 2.0, 6.0]


def test_what_cannot_be_captured(cuda):
    x = torch.ones(3, device=cuda)
    for fn, text in [
        (lambda: x.sum().item(), "waits for the device"), (lambda: x.cpu(), "waits for the device"),
        (lambda: torch.nonzero(x), "cudaErrorStreamCaptureUnsupported"),
        (lambda: torch.ones(3).to(cuda), "a copy of a CPU tensor"),
        (lambda: torch.rand(3, device=cuda, generator=torch.Generator()), "not in capture mode"),
    ]:  # fmt: skip
        made = torch.cuda.CUDAGraph()
        with pytest.raises(RuntimeError, match=text), torch.cuda.graph(made):
            fn()
        with pytest.raises(RuntimeError, match="without a preceding successful capture"):
            made.replay()
    p = torch.ones(3, device=cuda, requires_grad=True)
    p.grad = torch.ones(3, device=cuda)
    for opt, text in [
        (torch.optim.Adam([p]), "for an instance of Adam but param_groups' capturable is False"),
        (torch.optim.RMSprop([p], capturable=True), "step\\(\\) of RMSprop cannot be part of a CUDA graph"),
        (torch.optim.SGD([p], lr=0.1, momentum=0.9), "run a step before the capture"),
    ]:
        with pytest.raises(RuntimeError, match=text), torch.cuda.graph(torch.cuda.CUDAGraph()):
            opt.step()


def test_falls_back_to_eager_and_says_why_once(cuda):
    calls = []

    def step(x):
        calls.append(1)
        return (x * 2).sum().item()

    x = torch.ones(3, device=cuda)
    with pytest.warns(UserWarning, match="step runs eagerly, without a CUDA graph: .*item\\(\\) waits for the device"):
        run = graphs.graphed_step(step, (x,))
    assert run is step and run(x) == 6
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert graphs.graphed_step(step, (x,)) is step
    with pytest.warns(UserWarning, match="make_graphed_callables"):
        fn = lambda a: a[a > 0]  # noqa: E731
        assert torch.cuda.make_graphed_callables(fn, (x,)) is fn


def test_host_values_are_constants_of_the_graph(cuda):
    """Small arrays of the host that kernels make are copied once, beside the capture."""
    made = torch.cuda.CUDAGraph()
    x = torch.ones(2, 1, 5, 5, device=cuda)
    with torch.cuda.graph(made):
        y = torch.nn.functional.interpolate(x, size=(8, 8), mode="bilinear", align_corners=False) * torch.tensor(
            3.0, device=cuda
        )
    x.fill_(2.0)
    made.replay()
    np.testing.assert_allclose(y.cpu().numpy(), 6.0)


def test_the_counter_of_adam_lives_on_the_device(cuda):
    """capturable=True gives what capturable=False gives; the state is on the device and comes back from a state_dict."""
    runs = []
    for capturable in (False, True):
        p = torch.linspace(-1, 1, 6).to(cuda).requires_grad_()
        opt = torch.optim.AdamW([p], lr=0.1, capturable=capturable)
        for k in range(4):
            p.grad = torch.linspace(1, 2, 6).to(cuda) * (k - 1)
            opt.step()
        other = torch.optim.AdamW([p], lr=0.1, capturable=capturable)
        other.load_state_dict(opt.state_dict())
        other.step()
        step = other.state[p]["step"]
        assert step.item() == 5 and (step.device.type == "cuda") == capturable
        runs.append(p.detach().cpu().numpy())
    np.testing.assert_allclose(runs[1], runs[0], rtol=1e-5)


def test_modes_and_pools(cuda):
    made, pool = torch.cuda.CUDAGraph(), torch.cuda.graph_pool_handle()
    with (
        pytest.raises(RuntimeError, match="Unknown capture error mode"),
        torch.cuda.graph(made, capture_error_mode="strict"),
    ):
        pass
    with torch.cuda.graph(made, pool=pool):
        pass
    assert made.pool() is pool
    with pytest.raises(RuntimeError, match="there is no memory pool"):
        torch.cuda.CUDAGraph().capture_begin(pool=(0, 0))
    with pytest.raises(RuntimeError, match="already owns a captured graph"):
        made.capture_begin()
    made.reset()
    with pytest.raises(RuntimeError, match="without a preceding successful capture"):
        made.replay()


def small_models(n):
    """Small kin of the benchmarks' models: name -> (net, input's shape, or the number of words and a shape)."""

    class Block(n.Module):
        def __init__(self):
            super().__init__()
            self.conv, self.norm, self.relu = (
                n.Conv2d(4, 4, 3, padding=1, bias=False),
                n.BatchNorm2d(4),
                n.ReLU(inplace=True),
            )

        def forward(self, x):
            return self.relu(self.norm(self.conv(x)) + x)

    class Words(n.Module):
        def __init__(self, inside):
            super().__init__()
            self.embed, self.inside, self.head = n.Embedding(9, 8), inside, n.Linear(8, 3)

        def forward(self, x):
            out = self.inside(self.embed(x))
            return self.head((out[0] if isinstance(out, tuple) else out).mean(1))

    layer = n.TransformerEncoderLayer(8, 2, 16, dropout=0.1, activation="gelu", batch_first=True)
    return {
        "LeNet": (n.Sequential(n.Conv2d(2, 4, 3), n.ReLU(), n.MaxPool2d(2, 2), n.Flatten(), n.Linear(36, 3)), (2, 2, 8, 8)),
        "ResNet": (n.Sequential(n.Conv2d(2, 4, 3, padding=1), Block(), n.AdaptiveAvgPool2d(1), n.Flatten(), n.Linear(4, 3)), (2, 2, 6, 6)),
        "Transformer": (Words(n.TransformerEncoder(layer, 1, enable_nested_tensor=False)), (9, (2, 5))),
        "GRU": (Words(n.GRU(8, 8, num_layers=2, batch_first=True)), (9, (2, 5))),
        "LSTM": (Words(n.LSTM(8, 8, batch_first=True)), (9, (2, 5))),
    }  # fmt: skip


@pytest.mark.parametrize("name", ["LeNet", "ResNet", "Transformer", "GRU", "LSTM"])
def test_models_are_captured(cuda, monkeypatch, name):
    """No op of these training steps waits for the device or reads a number that changes. By the benchmarks' own function."""
    monkeypatch.syspath_prepend(str(Path(__file__).parents[1] / "benchmarks"))
    import gpu
    from cases import _step

    monkeypatch.setattr(torch.cuda, "Stream", lambda: graphs.Stream())
    monkeypatch.setattr(torch.cuda, "current_stream", lambda: graphs.current_stream())
    monkeypatch.setattr(torch.cuda, "stream", lambda s: graphs.stream(s))
    runs = []
    for graph in (False, True):
        torch.manual_seed(0)
        with torch.device(cuda):
            net, shape = small_models(torch.nn)[name]
            x = torch.randint(0, *shape) if shape[0] == 9 else torch.randn(*shape)
            y = torch.randint(0, 3, (2,))
        step = _step(
            torch, net, torch.nn.CrossEntropyLoss(), torch.optim.SGD(net.parameters(), lr=0.05, momentum=0.9), x, y
        )
        replay = gpu.graphed(torch, step) if graph else step
        for _ in range(2 if graph else 5):
            replay()
        state = [*net.parameters(), *(b for b in net.buffers() if b.is_floating_point())]
        runs.append([p.detach().cpu().numpy() for p in state])
    for a, b in zip(*runs, strict=True):
        np.testing.assert_array_equal(b, a)  # the same kernels on the same numbers


@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a CUDA device")
@pytest.mark.parametrize("name", OPTIMIZERS)
def test_on_a_card(name):
    """Captured by CUDA itself."""
    check_a_training_step(torch.device("cuda"), name, 0.5)


def test_a_graph_keeps_what_caches_may_drop(cuda):
    """Tables of addresses and of windows outlive their cache as long as the graph."""
    p = torch.ones(4, device=cuda, requires_grad=True)
    p.grad, opt = torch.ones(4, device=cuda), torch.optim.SGD([p], lr=1.0)
    x = torch.ones(1, 1, 7, 7, device=cuda)
    made = torch.cuda.CUDAGraph()
    for _ in range(2):
        opt.step()
        torch.nn.functional.interpolate(x, size=(3, 3), mode="bilinear")
    with torch.cuda.graph(made):
        opt.step()
        torch.nn.functional.interpolate(x, size=(3, 3), mode="bilinear")
    tables = cuda.backend._small_tables()
    assert tables.graph is None and tables.kept
    assert all(any(k is found for k in made._made.kept) for found in tables.kept.values())
    assert any(isinstance(k, tuple) for k in made._made.kept)
