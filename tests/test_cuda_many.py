"""Gradients by the list on CUDA: clipped and unscaled in few launches, with the values of the plain way."""

import numpy as np
import pytest

import polytensor as torch
from polytensor import devices, dtypes

pytest.importorskip("cupy")
cuda_emulator = pytest.importorskip("cuda_emulator")
from polytensor.backends.cupy import launch  # noqa: E402

if not cuda_emulator.COMPILER:
    pytest.skip("g++ is not installed", allow_module_level=True)

KINDS = {"float32": np.float32, "float64": np.float64, "float16": np.float16, "bfloat16": dtypes.bfloat16.array}
NEAR = {"float16": 2e-3, "bfloat16": 1e-2, "float32": 1e-5, "float64": 1e-12}
SIZES = [(3,), (9000,), (), (0,), (64, 70), (1,)]


@pytest.fixture(scope="module")
def twin():
    from cupy_twin import TwinBackend

    devices.register_backend("twin", TwinBackend)
    yield devices.backend_device("twin")
    devices._factories.pop("twin")


def drawn(backend, kind):
    """Arrays of several sizes on a backend, one of them by columns, one not aligned to 16 bytes; and on the host."""
    rng = np.random.default_rng(5)
    host = [np.asarray(rng.standard_normal(s) * 2).astype(kind) for s in SIZES]
    there = [backend.from_numpy(a) for a in host]
    room = backend.from_numpy(np.zeros(9001, kind))
    room[1:] = there[1]
    there[1] = room[1:]
    there[4], host[4] = backend.from_numpy(host[4].T.copy()).T, host[4]
    return there, host


@pytest.mark.parametrize("name", KINDS)
@pytest.mark.parametrize("ord", [1.0, 2.0, float("inf")])
def test_norms(twin, name, ord):
    there, host = drawn(twin.backend, KINDS[name])
    flat = np.concatenate([a.astype(np.float64).ravel() for a in host])
    found = twin.backend.norm_many(there, ord)
    assert found.dtype == KINDS[name] and found.shape == ()
    np.testing.assert_allclose(np.float64(found), np.linalg.norm(flat, ord), NEAR[name])
    for bad in (np.nan, np.inf):
        there[1][4097] = bad
        np.testing.assert_equal(float(twin.backend.norm_many(there, ord)), bad)


def test_norms_left_to_others(twin):
    a, b = (twin.backend.from_numpy(np.ones(4, d)) for d in (np.float32, np.float64))
    gaps = twin.backend.from_numpy(np.ones(8))[::2]
    for arrays, ord in (([a], 3.0), ([a, b], 2.0), ([b, gaps], 2.0), ([a[:0]], 2.0), ([], 2.0)):
        assert twin.backend.norm_many(arrays, ord) is None


@pytest.mark.parametrize("name", KINDS)
def test_scaled(twin, name):
    backend = twin.backend
    there, host = drawn(backend, KINDS[name])
    there.append(backend.from_numpy(np.ones(8, KINDS[name]))[::2])
    factor, found = backend.from_numpy(np.float32(0.3)), backend.from_numpy(np.float32(0))
    assert backend.scale_many(there, factor, found) == [6] and float(found) == 0
    for a, b in zip(there, host, strict=False):
        np.testing.assert_array_equal(np.array(a), b * np.float32(0.3).astype(KINDS[name]))
    for bad in (np.nan, -np.inf):
        there[1][5000] = bad
        backend.scale_many(there[:3], factor, None)
        assert float(found) == 0
        backend.scale_many(there[:3], factor, found)
        assert float(found) == 1
        there[1][5000] = found[...] = 0


def leaves(device, count=30):
    ps = [torch.nn.Parameter(torch.zeros(3, i + 1, device=device)) for i in range(count)]
    for i, p in enumerate(ps):
        p.grad = torch.arange(3.0 * (i + 1)).sin().reshape(3, i + 1).to(device)
    return ps


def test_clipping_takes_three_launches(twin, launches):
    ps, plain = leaves(twin), leaves("cpu")
    versions = [p.grad._version for p in ps]
    for limit in (0.5, 1e6):
        launches.clear()
        total, expected = (torch.nn.utils.clip_grad_norm_(x, limit) for x in (ps, plain))
        factor = ["two_add", "two_mul", "map_clamp_between"]  # of 1 / (total + 1e-6), which is one of CuPy's
        assert launches == ["norm_many", "norm_end", *factor, "scale_many"]
        torch.testing.assert_close(total.cpu(), expected)
    for p, q in zip(ps, plain, strict=True):
        torch.testing.assert_close(p.grad.cpu(), q.grad)
    assert all(p.grad._version > v for p, v in zip(ps, versions, strict=True))
    ps[3].data = torch.zeros(1, 4, device=twin)
    ps[3].grad = torch.ones(4, 3, device=twin)[:, ::3].T  # with gaps: by itself
    torch.nn.utils.clip_grads_with_norm_(ps, 1.0, torch.tensor(4.0, device=twin))
    torch.testing.assert_close(ps[3].grad.cpu(), torch.full((1, 4), 1 / (4.0 + 1e-6)))


@pytest.mark.parametrize("bad", [None, float("inf"), float("nan")])
@pytest.mark.parametrize("gaps", [False, True])
def test_unscaling_takes_one_launch(twin, launches, bad, gaps):
    ps, plain = leaves(twin), leaves("cpu")
    for x, device in ((ps, twin), (plain, "cpu")):
        if gaps:
            x[3].data, x[3].grad = torch.zeros(1, 4, device=device), torch.ones(4, 3, device=device)[:, ::3].T
        if bad is not None:
            x[3 if gaps else 20].grad[0, 1] = bad
        optimizer = torch.optim.SGD(x, lr=0.1)
        scaler = torch.amp.GradScaler("cpu", init_scale=8.0)
        scaler.scale(torch.ones((), device=device))
        launches.clear()
        scaler.unscale_(optimizer)
        if x is ps:
            assert launches.count("scale_many") == 1
        found = scaler._found_inf_per_device(optimizer)
        assert [f.item() for f in found.values()] == [float(bad is not None)]
        assert all(f.dtype is torch.float32 and f.shape == () for f in found.values())
        scaler.step(optimizer)
        scaler.update()
        if x is ps:
            several = [n for n in launches if n.endswith(("_many", "_scale"))]
            assert several == ["scale_many", "sgd_many", "update_scale"] and (
                gaps or several == [n for n in launches if n != "convert"]
            )
        assert scaler.get_scale() == (8.0 if bad is None else 4.0)
    for p, q in zip(ps, plain, strict=True):
        torch.testing.assert_close(p.grad.cpu(), q.grad, equal_nan=True)
        torch.testing.assert_close(p.detach().cpu(), q.detach())


OPTIMIZERS = {
    "Adagrad": dict(lr=0.1, lr_decay=0.1, weight_decay=0.1), "Adadelta": dict(weight_decay=0.1), "RMSprop": dict(),
    "RMSprop centered": dict(centered=True, momentum=0.9, maximize=True, weight_decay=0.1), "Rprop": dict(),
    "NAdam": dict(weight_decay=0.1, decoupled_weight_decay=True), "RAdam": dict(lr=0.1), "ASGD": dict(t0=2, lambd=0.1),
    "Adamax": dict(weight_decay=0.1),
}  # fmt: skip


@pytest.mark.parametrize("name", OPTIMIZERS)
@pytest.mark.parametrize("dtype", [torch.float32, torch.float64], ids=str)
def test_rules_step_all_parameters_at_once(twin, launches, name, dtype):
    found = []
    for device in (twin, "cpu"):
        ps = [torch.nn.Parameter(p.detach().to(dtype) + 0.5) for p in leaves(device, 12)]
        ps.append(torch.nn.Parameter(torch.zeros(0, dtype=dtype, device=device)))
        optimizer = getattr(torch.optim, name.split()[0])(ps, **OPTIMIZERS[name])
        for step in range(7):
            for i, p in enumerate(ps):
                p.grad = torch.arange(float(p.numel())).add(i + step * 1.7).sin().reshape(p.shape).to(device, dtype)
                if i == 3:  # with gaps: by itself
                    p.grad = torch.stack([p.grad, p.grad], -1)[..., 0]
            launches.clear()
            before = [p._version for p in ps]
            optimizer.step()
            if device is twin:
                assert len([n for n in launches if n.startswith("rule_")]) == 1
            assert all(p._version > v for p, v in zip(ps, before, strict=True))
        found.append([*ps, *(v for p in ps for v in optimizer.state[p].values())])
    few = 16 * torch.finfo(dtype).eps  # the same operations on numbers of about 1
    for a, b in zip(*found, strict=True):
        torch.testing.assert_close(a.detach().cpu(), b.detach(), rtol=few, atol=few)


@pytest.mark.parametrize("arch", ["sm_80", "sm_90"])
def test_rules_compile(arch, request):
    import cupy
    from test_cupy import test_source_compiles

    from polytensor.backends.cupy import rules

    for name, options in OPTIMIZERS.items():
        p = torch.nn.Parameter(torch.ones(2))
        optimizer = getattr(torch.optim, name.split()[0])([p], **options)
        p.grad = torch.ones(2)
        optimizer.step()
        group, state = optimizer.param_groups[0], optimizer.state[p]
        kept = tuple(k for k in state if k not in optimizer.counters)
        for t in (1.0, 100.0):
            rest = (0.1, group, *optimizer._numbers(state, t, 0.1, group))
            kernel = rules.kernel_of(rules.traced(optimizer._whole, kept, rest), 2 + len(kept))
            assert kernel in launch.KERNELS
            test_source_compiles(cupy, kernel, arch, request)


def test_rules_that_are_no_arithmetic_on_elements(twin):
    def sums(F, p, g, s, lr):
        p -= lr * F.sum(g, None, False)

    def decides(F, p, g, s, lr):
        if g > 0:
            p -= lr

    p, g = (twin.backend.from_numpy(np.ones(3, np.float32)) for _ in range(2))
    for rule in (sums, decides):
        assert twin.backend.rule_many(rule, [p], [g], [{}], (0.1,)) == [0]
    assert twin.backend.rule_many(lambda F, p, g, s, lr: None, [p], [g], [{}], (g,)) == []
    assert twin.backend.rule_many(lambda F, p, g, s, lr: p - lr, [p], [g], [{}], (g,)) == [0]
    assert np.array(p).tolist() == [1, 1, 1]


def test_clipping_by_value_and_averages_take_one_launch(twin, launches):
    found = []
    for device in (twin, "cpu"):
        ps = leaves(device, 10)
        ps[0].grad[0, 0] = float("nan")
        launches.clear()
        torch.nn.utils.clip_grad_value_(ps, 0.5)
        averages = [torch.ones_like(p) for p in ps]
        counts = [torch.tensor(3, device=device)]
        torch.optim.swa_utils.get_ema_multi_avg_fn(0.9)(averages, [p.grad for p in ps], 0)
        torch.optim.swa_utils.get_swa_multi_avg_fn()([*averages, *counts], [*ps, torch.tensor(9, device=device)], 2)
        if device is twin:
            assert len([n for n in launches if n.startswith("rule_")]) == 3
        whole = [torch.full_like(p, 0.1) for p in ps]
        torch.optim.swa_utils.get_swa_multi_avg_fn()(whole, [p.grad for p in ps], 0)
        assert all(torch.equal(a[:, 1:], p.grad[:, 1:]) for a, p in zip(whole, ps, strict=True))
        found.append([*averages, *counts, *(p.grad for p in ps)])
    for a, b in zip(*found, strict=True):
        torch.testing.assert_close(a.detach().cpu(), b.detach(), equal_nan=True)
    assert all(x._version > 0 for x in found[0][:10])
