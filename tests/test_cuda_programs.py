"""Whole programs on a machine of two fake devices: every op on the second one, mixed precision, training."""

import copy
import dataclasses
import pickle
import warnings
from contextlib import suppress

import pytest

pytest.importorskip("cupy")

import test_ops  # noqa: E402
from cupy_watch import watching  # noqa: E402
from fake_cuda import Machine, pretend  # noqa: E402
from test_cupy import FAMILIES  # noqa: E402

import polytensor as torch  # noqa: E402
from polytensor import devices  # noqa: E402


# ---- every op on a device that is not the current one ---------------------------------------------------------------
@pytest.mark.filterwarnings("ignore::RuntimeWarning", "ignore::UserWarning")
@pytest.mark.parametrize("part", range(4))
def test_samples_on_the_second_device(part):
    """The first case of each op, on cuda:1 while cuda:0 is current: no array is used on another device than its own."""
    wrong = []
    with pretend(Machine(room=1 << 40)) as machine:
        dev = devices.resolve("cuda:1")
        for cases in list(FAMILIES.values())[part::4]:
            sample = dataclasses.replace(cases[0], strides=False)
            if (
                "pin_memory" in sample.name or "dlpack" in sample.name
            ):  # of CPU tensors; by NumPy, which knows no devices
                continue
            expected = test_ops.on("numpy", sample)
            devices.set_default_device(dev)
            try:
                actual = test_ops.outcome(torch, sample, dev, sample.grad)
            finally:
                devices.set_default_device(None)
                with suppress(Exception):  # a check that failed beside the one that was told
                    dev.backend.synchronize()
            try:
                assert machine.current == 0, f"{sample.name} leaves another device as the current one"
                test_ops.compare(sample, actual, expected, exact_layout=False)
            except AssertionError as error:
                wrong.append(f"{sample.name}: {error}")
    if wrong:
        pytest.fail("\n".join(wrong), pytrace=False)


# ---- mixed precision ------------------------------------------------------------------------------------------------
def transformer_losses(device, scaled, steps=4):
    """Losses of a small encoder under bfloat16 autocast, and the places that waited for the device in the last step."""
    torch.manual_seed(0)
    layer = torch.nn.TransformerEncoderLayer(16, 2, 32, dropout=0.0, batch_first=True)
    model = torch.nn.Sequential(
        torch.nn.TransformerEncoder(layer, 1, enable_nested_tensor=False), torch.nn.Linear(16, 4)
    )
    x, y = torch.randn(4, 6, 16), torch.randint(4, (4, 6))
    model, x, y = model.to(device), x.to(device), y.to(device)
    optimizer = torch.optim.AdamW(model.parameters(), lr=0.01)
    scaler = torch.amp.GradScaler(torch.device(device).type, enabled=scaled)
    losses = []
    for _ in range(steps):
        with watching() as watch:
            optimizer.zero_grad()
            with torch.autocast(torch.device(device).type, dtype=torch.bfloat16):
                out = model(x)
                loss = torch.nn.functional.cross_entropy(out.flatten(0, 1).float(), y.flatten())
            scaler.scale(loss).backward()
            scaler.step(optimizer)
            scaler.update()
        assert out.dtype is torch.bfloat16
        losses.append(loss.detach())
    return [round(x.item(), 6) for x in losses], [place for _, place in watch.found]


@pytest.mark.parametrize("scaled", [False, True])
def test_bfloat16_training_of_a_transformer(scaled):
    expected, _ = transformer_losses("cpu", scaled)
    assert expected[-1] < expected[0]
    with pretend(Machine(devices=1, room=1 << 40)):
        losses, waits = transformer_losses("cuda", scaled)
    assert losses == pytest.approx(expected, rel=0.03)
    assert len(waits) == scaled, waits  # the scaler asks once whether to step


@pytest.mark.filterwarnings("ignore::RuntimeWarning")
def test_the_scale_follows_infinite_gradients(machine):
    p = torch.nn.Parameter(torch.ones(3, device="cuda:1"))
    q = torch.nn.Parameter(torch.ones(3, device="cuda:0"))
    optimizer = torch.optim.SGD([p, q], lr=1.0)
    scaler = torch.amp.GradScaler("cuda", init_scale=8.0, growth_interval=1)
    for factor, scale in ((1.0, 16.0), (float("inf"), 8.0), (1.0, 16.0)):
        before = q.detach().clone()
        optimizer.zero_grad()
        scaler.scale((p.sum() * factor).to("cuda:0") + q.sum()).backward()
        scaler.step(optimizer)
        scaler.update()
        assert scaler.get_scale() == scale and torch.equal(before, q.detach()) == (factor == float("inf"))
    assert p.tolist() == q.tolist() == [-1, -1, -1]


def test_a_captured_step_is_taken_back_on_the_device(machine, monkeypatch):
    """That of an optimizer which does not look at found_inf by itself."""
    backend = type(devices.resolve("cuda:0").backend)

    class Mine(torch.optim.AdamW):
        def step(self, closure=None):
            return super().step(closure)

    def run(captured):
        torch.manual_seed(0)
        p = torch.nn.Parameter(torch.arange(1.0, 4.0, device="cuda"))
        optimizer = Mine([p], lr=0.1, capturable=True)
        scaler = torch.amp.GradScaler("cuda", init_scale=4.0)
        for i, factor in enumerate((1.0, 2.0, float("inf"), 3.0)):
            with monkeypatch.context() as patch, watching() as watch:
                patch.setattr(backend, "capturing", captured and i > 0)
                optimizer.zero_grad()
                scaler.scale((p * factor).sum()).backward()
                scaler.step(optimizer)
                scaler.update()
            assert len(watch.found) == (not captured or i == 0)
        s = optimizer.state[p]
        return p.tolist(), s["step"].item(), s["exp_avg"].tolist(), scaler.get_scale()

    with warnings.catch_warnings():
        warnings.simplefilter("ignore", RuntimeWarning)
        assert run(True) == run(False) and run(True)[1] == 3


SCALED = {
    "sgd": lambda ps: torch.optim.SGD(ps, lr=0.1),
    "momentum": lambda ps: torch.optim.SGD(ps, lr=0.1, momentum=0.9, nesterov=True, weight_decay=0.1),
    "dampened": lambda ps: torch.optim.SGD(ps, lr=0.1, momentum=0.9, dampening=0.2, fused=True),
    "adam": lambda ps: torch.optim.Adam(ps, lr=0.1, fused=True, amsgrad=True),
    "adamw": lambda ps: torch.optim.AdamW(ps, lr=0.1, **({"capturable": True} if ps[0].is_cuda else {})),
}


@pytest.mark.parametrize("name", SCALED)
def test_a_step_with_infinite_gradients_is_left_out_on_the_device(machine, name):
    """Without a wait, but where dampening tells a first step from others; parameters and state are those of the CPU."""

    def run(device, second):
        ps = [torch.nn.Parameter(torch.arange(1.0, 8.0).to(d)) for d in (device, device, second)]
        optimizer = SCALED[name](ps)
        scaler = torch.amp.GradScaler(torch.device(device).type, init_scale=4.0, growth_interval=2)
        waits, scales = [], []
        for factor in (float("inf"), 1.0, 2.0, float("nan"), float("inf"), 3.0):
            with watching() as watch:
                optimizer.zero_grad()
                (
                    scaler.scale(ps[0].sum() * factor) + scaler.scale((ps[1] * ps[1]).sum() + ps[2].sum().to(device))
                ).backward()
                ps[1].grad = torch.stack([ps[1].grad] * 2, -1)[..., 0]  # with gaps: by itself
                scaler.step(optimizer)
                scaler.update()
            waits.append(len(watch.found))
            scales.append(scaler.get_scale())
            assert optimizer.found_inf is None and optimizer.grad_scale is None
        state = [v.cpu() for p in ps for _, v in sorted(optimizer.state[p].items()) if v is not None]
        return [p.detach().cpu() for p in ps] + state, scales, waits

    found, scales, waits = run("cuda:1", "cuda:0")
    expected, wanted, _ = run("cpu", "cpu")
    assert scales == wanted == [2, 2, 4, 2, 1, 1] and waits == [int(name == "dampened")] * 2 + [0] * 4
    for a, b in zip(found, expected, strict=True):
        torch.testing.assert_close(a, b, rtol=1e-6, atol=1e-6)


@pytest.mark.parametrize("name", ["Adam", "AdamW", "SGD"])
def test_a_learning_rate_on_another_device(machine, monkeypatch, name):
    """A capturable step takes it as a number from the CPU, and moves it from a device, without a wait."""
    monkeypatch.setattr(type(devices.resolve("cuda:1").backend), "capturing", name == "SGD")
    found = []
    for lr in (0.25, torch.tensor(0.25), torch.tensor([0.25], device="cuda:0"), torch.tensor(0.25, device="cuda:1")):
        p = torch.nn.Parameter(torch.arange(1.0, 4.0, device="cuda:1"))
        optimizer = getattr(torch.optim, name)([p], lr=lr, **({} if name == "SGD" else {"capturable": True}))
        with watching() as watch:
            for _ in range(2):
                p.grad = torch.ones(3, device="cuda:1")
                optimizer.step()
        assert not watch.found and optimizer.param_groups[0]["lr"] is lr
        found.append(p)
    for p in found[1:]:
        torch.testing.assert_close(p, found[0])


# ---- training -------------------------------------------------------------------------------------------------------
def trained(device, make):
    torch.manual_seed(0)
    model = torch.nn.Sequential(
        torch.nn.Conv2d(1, 3, 3, bias=False), torch.nn.BatchNorm2d(3), torch.nn.GELU(), torch.nn.MaxPool2d(2), torch.nn.Flatten(),
        torch.nn.Linear(27, 8), torch.nn.LayerNorm(8), torch.nn.Dropout(0.2), torch.nn.Linear(8, 4),
    )  # fmt: skip
    x, y = torch.randn(6, 1, 8, 8), torch.randint(4, (6,))
    model, x, y = model.to(device), x.to(device), y.to(device)
    optimizer = make(list(model.parameters()))
    torch.manual_seed(1)
    for _ in range(3):
        optimizer.zero_grad()
        loss = torch.nn.functional.cross_entropy(model(x), y)
        loss.backward()
        torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        optimizer.step()
    state = optimizer.state_dict()
    return torch.cat([p.detach().cpu().flatten() for p in model.parameters()]), model, state


OPTIMIZERS = {
    "sgd": lambda t, ps: t.optim.SGD(ps, 0.1, momentum=0.9), "adam": lambda t, ps: t.optim.Adam(ps, 0.01, weight_decay=0.1),
    "adamw": lambda t, ps: t.optim.AdamW(ps, 0.01, amsgrad=True), "rmsprop": lambda t, ps: t.optim.RMSprop(ps, 0.01),
    "adagrad": lambda t, ps: t.optim.Adagrad(ps, 0.01), "adadelta": lambda t, ps: t.optim.Adadelta(ps),
    "nadam": lambda t, ps: t.optim.NAdam(ps), "radam": lambda t, ps: t.optim.RAdam(ps),
    "adamax": lambda t, ps: t.optim.Adamax(ps), "asgd": lambda t, ps: t.optim.ASGD(ps), "rprop": lambda t, ps: t.optim.Rprop(ps),
}  # fmt: skip


@pytest.mark.parametrize("name", OPTIMIZERS)
def test_training_on_the_second_device(name, tmp_path):
    make = lambda ps: OPTIMIZERS[name](torch, ps)  # noqa: E731
    expected, _, _ = trained("cpu", make)
    with pretend(Machine(room=1 << 40)) as machine:
        found, model, state = trained("cuda:1", make)
        assert machine.current == 0 and (found - expected).abs().max().item() < 1e-4
        other = copy.deepcopy(model)
        assert {p.device for p in other.parameters()} == {torch.device("cuda:1")}
        torch.save({"model": model.state_dict(), "optimizer": state}, tmp_path / "a.pt")
        for place, wanted in ((None, "cuda:1"), ("cpu", "cpu"), ("cuda:0", "cuda:0"), ({"cuda:1": "cuda:0"}, "cuda:0")):
            loaded = torch.load(tmp_path / "a.pt", map_location=place)
            assert {str(t.device) for t in loaded["model"].values()} == {wanted}
        moved = model.to("cuda:0")
        assert torch.equal(torch.cat([p.detach().cpu().flatten() for p in moved.parameters()]), found)
        x = pickle.loads(pickle.dumps(torch.arange(3.0, device="cuda:1")))
        assert x.device.index == 1 and x.untyped_storage().to("cuda:0").device.index == 0
