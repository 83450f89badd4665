"""Optimizers against PyTorch: trajectories, states that move both ways, groups, hooks, errors."""

import copy
import pickle
from importlib import import_module

import numpy as np
import pytest

import polytensor as pt

MAKERS = {
    "sgd": lambda o, p: o.SGD(p, lr=0.1),
    "sgd.decay": lambda o, p: o.SGD(p, lr=0.1, momentum=0.9, weight_decay=0.01),
    "sgd.nesterov": lambda o, p: o.SGD(p, lr=0.1, momentum=0.9, nesterov=True, foreach=True),
    "sgd.dampening": lambda o, p: o.SGD(p, lr=0.1, momentum=0.9, dampening=0.5, maximize=True),
    "adam": lambda o, p: o.Adam(p, lr=0.01),
    "adam.amsgrad": lambda o, p: o.Adam(p, lr=0.01, weight_decay=0.1, amsgrad=True),
    "adam.maximize": lambda o, p: o.Adam(p, lr=0.01, maximize=True, betas=(0.5, 0.9)),
    "adam.fused": lambda o, p: o.Adam(p, lr=0.01, fused=True),
    "adamw": lambda o, p: o.AdamW(p, lr=0.01),
    "adamw.amsgrad": lambda o, p: o.AdamW(p, lr=0.01, amsgrad=True, weight_decay=0.3),
    "nadam": lambda o, p: o.NAdam(p),
    "nadam.decay": lambda o, p: o.NAdam(p, weight_decay=0.1, momentum_decay=0.01, maximize=True),
    "nadam.decoupled": lambda o, p: o.NAdam(p, weight_decay=0.1, decoupled_weight_decay=True),
    "radam": lambda o, p: o.RAdam(p, lr=0.01),
    "radam.decay": lambda o, p: o.RAdam(p, lr=0.01, weight_decay=0.1, decoupled_weight_decay=True),
    "radam.betas": lambda o, p: o.RAdam(p, lr=0.01, betas=(0.8, 0.95), weight_decay=0.1),
    "adamax": lambda o, p: o.Adamax(p),
    "adamax.decay": lambda o, p: o.Adamax(p, weight_decay=0.1, maximize=True),
    "adagrad": lambda o, p: o.Adagrad(p),
    "adagrad.decay": lambda o, p: o.Adagrad(p, lr_decay=0.1, weight_decay=0.1, initial_accumulator_value=0.2),
    "adadelta": lambda o, p: o.Adadelta(p),
    "adadelta.decay": lambda o, p: o.Adadelta(p, lr=0.5, rho=0.8, weight_decay=0.1, maximize=True),
    "rmsprop": lambda o, p: o.RMSprop(p),
    "rmsprop.centered": lambda o, p: o.RMSprop(p, centered=True, momentum=0.9, weight_decay=0.01),
    "rmsprop.momentum": lambda o, p: o.RMSprop(p, alpha=0.9, momentum=0.5, maximize=True),
    "rprop": lambda o, p: o.Rprop(p),
    "rprop.etas": lambda o, p: o.Rprop(p, lr=0.1, etas=(0.3, 1.5), step_sizes=(1e-3, 0.5)),
    "asgd": lambda o, p: o.ASGD(p),
    "asgd.average": lambda o, p: o.ASGD(p, lambd=0.1, t0=3, alpha=0.5, weight_decay=0.1),
    "adafactor": lambda o, p: o.Adafactor(p),
    "adafactor.decay": lambda o, p: o.Adafactor(p, lr=0.1, weight_decay=0.1, d=2.0, eps=(1e-6, 1e-2)),
    "muon": lambda o, p: o.Muon([q for q in p if q.ndim == 2], lr=0.02),
    "muon.plain": lambda o, p: o.Muon([q for q in p if q.ndim == 2], nesterov=False, adjust_lr_fn="match_rms_adamw"),
    "lr tensor": lambda o, p: o.RMSprop(p, lr=tensor_of(o)(0.01)),
}


def tensor_of(optim):
    return pt.tensor if optim is pt.optim else __import__("torch").tensor


def parameters(t, dtype):
    """Four leaves: a matrix, a transposed one, a vector and a 0-dim one."""
    rng = np.random.default_rng(0)
    arrays = [rng.standard_normal((5, 4)), rng.standard_normal((4, 3)).T, rng.standard_normal(3), np.array(0.5)]
    leaves = [t.from_numpy(np.ascontiguousarray(a.T) if i == 1 else a) for i, a in enumerate(arrays)]
    leaves[1] = leaves[1].T
    return [p.to(getattr(t, dtype)).requires_grad_() for p in leaves]


def loss_of(t, params, i):
    rng = np.random.default_rng(i)
    w, v, b, s = params
    x = t.from_numpy(rng.standard_normal((8, 5))).to(w.dtype).to(w.device)
    y = t.from_numpy(rng.standard_normal((8, 3))).to(w.dtype).to(w.device)
    return ((t.tanh(x @ w) @ v.T + b) * s - y).square().mean() if v.shape[0] == 3 else None


def contiguous(params):
    return [p.detach().clone().contiguous().requires_grad_() for p in params]


def run(t, opt, params, steps, start=0):
    for i in range(start, start + steps):
        opt.zero_grad()
        loss_of(t, params, i).backward()
        opt.step()


def near(ours, theirs, dtype, name):
    rtol, atol = (1e-12, 1e-13) if dtype == "float64" else (1e-6, 3e-7)
    if name.startswith("muon"):
        rtol, atol = 1e-3, 1e-4
    elif name == "rmsprop.centered" and dtype == "float32":
        rtol = 1e-5  # the variance is a difference of near numbers
    for p, q in zip(ours, theirs, strict=True):
        np.testing.assert_allclose(p.detach().cpu().numpy(), q.detach().numpy(), rtol, atol)


def described(state):
    return {
        k: {n: (tuple(x.shape), str(x.dtype)) if hasattr(x, "dtype") else x for n, x in s.items()}
        for k, s in state.items()
    }


@pytest.mark.parametrize("dtype", ["float64", "float32"])
@pytest.mark.parametrize("name", MAKERS)
def test_twenty_steps_follow_pytorch(oracle, polytensor_backend, name, dtype):
    with pt.use_backend(polytensor_backend):
        ours, theirs = parameters(pt, dtype), parameters(oracle, dtype)
        a, b = MAKERS[name](pt.optim, ours), MAKERS[name](oracle.optim, theirs)
        run(pt, a, ours, 20)
        run(oracle, b, theirs, 20)
        near(ours, theirs, dtype, name)
        mine, other = a.state_dict(), b.state_dict()
        if name != "lr tensor":
            assert mine["param_groups"] == other["param_groups"]
            assert repr(a) == repr(b)
        assert described(mine["state"]) == described(other["state"])
        assert all(p.grad is None or not p.grad.requires_grad for p in ours)


@pytest.mark.parametrize("name", MAKERS)
def test_parameters_of_two_dtypes(oracle, polytensor_backend, name):
    with pt.use_backend(polytensor_backend):
        found = []
        for t in (pt, oracle):
            params = [p for pair in zip(parameters(t, "float64")[::2], parameters(t, "float32")[1::2]) for p in pair]
            opt = MAKERS[name](t.optim, params)
            for i in range(3):
                for p in params:
                    p.grad = (p.detach() * (i + 1)).cos()
                opt.step()
            found.append(params)
        near(*found, "float32", name)


@pytest.mark.parametrize("name", MAKERS)
def test_state_moves_both_ways(oracle, tmp_path, name):
    """Ten steps in one library, ten in the other, by way of files, as twenty in PyTorch."""
    reference = contiguous(parameters(oracle, "float64"))
    whole = MAKERS[name](oracle.optim, reference)
    run(oracle, whole, reference, 20)
    for first, second in ((pt, oracle), (oracle, pt)):
        before, after = (contiguous(parameters(t, "float64")) for t in (first, second))
        a, b = MAKERS[name](first.optim, before), MAKERS[name](second.optim, after)
        run(first, a, before, 10)
        first.save({"opt": a.state_dict(), "params": [p.detach().contiguous() for p in before]}, tmp_path / "state.pt")
        saved = second.load(tmp_path / "state.pt")
        with second.no_grad():
            for p, q in zip(after, saved["params"], strict=True):
                p.copy_(q)
        b.load_state_dict(saved["opt"])
        run(second, b, after, 10, start=10)
        near(after, reference, "float64", name)


@pytest.mark.filterwarnings("ignore:Converting a tensor with requires_grad")
@pytest.mark.parametrize("search", [None, "strong_wolfe"])
@pytest.mark.parametrize("history", [3, 100])
def test_lbfgs_follows_pytorch(oracle, polytensor_backend, search, history):
    results = []
    with pt.use_backend(polytensor_backend):
        for t in (pt, oracle):
            params = contiguous(parameters(t, "float64"))
            opt = t.optim.LBFGS(
                params, lr=0.5 if search else 0.1, max_iter=8, history_size=history, line_search_fn=search
            )
            losses, calls = [], []

            def closure():
                opt.zero_grad()
                loss = loss_of(t, params, 0)
                loss.backward()
                calls.append(float(loss))
                return loss

            for _ in range(3):
                losses.append(float(opt.step(closure)))
            results.append((losses, calls, [p.detach().cpu().numpy() for p in params], opt.state_dict()))
    ours, theirs = results
    np.testing.assert_allclose(ours[0], theirs[0], 1e-8)
    np.testing.assert_allclose(ours[1], theirs[1], 1e-8)
    for p, q in zip(ours[2], theirs[2], strict=True):
        np.testing.assert_allclose(p, q, 1e-6, 1e-8)
    assert ours[3]["state"][0].keys() == theirs[3]["state"][0].keys()
    for key in ("func_evals", "n_iter"):
        assert ours[3]["state"][0][key] == theirs[3]["state"][0][key]


def test_groups(both):
    t = both
    a, b, c = (t.leaf([1.0, 2.0]) for _ in range(3))
    opt = t.optim.SGD([{"params": a, "lr": 0.5}, {"params": [b]}], lr=0.1, momentum=0.9)
    opt.add_param_group({"params": c, "momentum": 0})
    for p in (a, b, c):
        p.grad = p.detach() * 0 + 1
    opt.step()
    opt.step()
    assert a.tolist() == pytest.approx([1 - 0.5 - 0.95, 2 - 0.5 - 0.95])
    assert b.tolist() == pytest.approx([1 - 0.1 - 0.19, 2 - 0.1 - 0.19])
    assert c.tolist() == pytest.approx([0.8, 1.8])
    assert [g["lr"] for g in opt.state_dict()["param_groups"]] == [0.5, 0.1, 0.1]
    assert [g["params"] for g in opt.state_dict()["param_groups"]] == [[0], [1], [2]]
    opt.zero_grad(set_to_none=False)
    assert a.grad.tolist() == [0, 0]
    opt.zero_grad()
    assert a.grad is None
    named = t.optim.Adam([("w", a), ("b", b)])
    assert named.state_dict()["param_groups"][0]["param_names"] == ["w", "b"]
    with pytest.raises(ValueError, match="cannot add param group without names"):
        named.add_param_group({"params": c})


def test_errors(both):
    t, o = both, both.optim
    x = t.leaf([1.0])
    with pytest.raises(ValueError, match="empty parameter list"):
        o.SGD([])
    with pytest.raises(TypeError, match="should be an iterable of Tensors or dicts"):
        o.SGD(x)
    with pytest.raises(TypeError, match="can only optimize Tensors"):
        o.SGD([1.0])
    with pytest.raises(TypeError, match="ordered collections"):
        o.SGD([{"params": {x}}])
    with pytest.raises(ValueError, match="non-leaf"):
        o.SGD([x * 2])
    with pytest.raises(ValueError, match="more than one parameter group"):
        o.SGD([{"params": [x]}, {"params": [x]}])
    with pytest.warns(UserWarning, match="duplicate parameters"):
        o.SGD([x, x])
    with pytest.raises(ValueError, match="Some param names are missing"):
        o.SGD([("a", x), t.leaf([1.0])])
    with pytest.raises(ValueError, match="Tensor lr must be 1-element"):
        o.Adam([x], lr=t.tensor([1.0, 2.0]))
    with pytest.raises(ValueError, match="lr as a Tensor is not supported"):
        o.Adam([x], lr=t.tensor(1.0), foreach=True)
    with pytest.raises(RuntimeError, match="cannot be `True` together"):
        o.AdamW([x], foreach=True, fused=True)
    with pytest.raises(RuntimeError, match="does not support `differentiable`"):
        o.SGD([x], fused=True, differentiable=True)
    with pytest.raises(ValueError, match="2D parameters"):
        o.Muon([x])
    with pytest.raises(ValueError, match="parameter groups"):
        o.LBFGS([{"params": [x]}, {"params": [t.leaf([1.0])]}])
    for make in (
        lambda: o.SGD([x], lr=-1), lambda: o.SGD([x], momentum=-1), lambda: o.SGD([x], nesterov=True),
        lambda: o.Adam([x], betas=(1.0, 0.9)), lambda: o.Adam([x], eps=-1), lambda: o.NAdam([x], momentum_decay=-1),
        lambda: o.RAdam([x], weight_decay=-1), lambda: o.Adamax([x], lr=-1), lambda: o.Adagrad([x], lr_decay=-1),
        lambda: o.Adadelta([x], rho=2), lambda: o.RMSprop([x], alpha=-1), lambda: o.Rprop([x], etas=(1.0, 2.0)),
        lambda: o.ASGD([x], weight_decay=-1), lambda: o.Adafactor([x], beta2_decay=1.0), lambda: o.Adafactor([x], d=0.5),
        lambda: o.LBFGS([x], lr=-1),
    ):  # fmt: skip
        with pytest.raises(ValueError):
            make()
    opt = o.Adam([x], capturable=True)
    x.grad = x.detach()
    with pytest.raises(AssertionError, match="capturable=True"):
        opt.step()
    one, two = o.SGD([x]), o.SGD([{"params": [x]}, {"params": [t.leaf([1.0])]}])
    with pytest.raises(ValueError, match="different number of parameter groups"):
        one.load_state_dict(two.state_dict())
    with pytest.raises(ValueError, match="doesn't match the size"):
        one.load_state_dict(o.SGD([x, t.leaf([1.0])]).state_dict())


def test_sparse_adam_is_refused():
    with pytest.raises(NotImplementedError, match="sparse"):
        pt.optim.SparseAdam([pt.ones(1)])


def test_hooks(both):
    t = both
    x = t.leaf([1.0])
    opt = t.optim.SGD([x], lr=0.1)
    seen = []
    opt.register_step_pre_hook(lambda o, args, kwargs: seen.append(("pre", len(args), sorted(kwargs))))
    handle = opt.register_step_post_hook(lambda o, args, kwargs: seen.append("post"))
    last = import_module(t.module.__name__ + ".optim.optimizer").register_optimizer_step_post_hook(
        lambda o, args, kwargs: seen.append("global")
    )
    opt.step()
    opt.step(closure=lambda: 3.0)
    handle.remove()
    last.remove()
    opt.step(lambda: 3.0)
    assert seen == [("pre", 1, []), "post", "global", ("pre", 1, ["closure"]), "post", "global", ("pre", 2, [])]
    seen.clear()
    opt.register_state_dict_pre_hook(lambda o: seen.append("before"))
    opt.register_state_dict_post_hook(lambda o, s: {**s, "extra": 1})
    opt.register_load_state_dict_pre_hook(lambda o, s: seen.append(s["extra"]))
    opt.register_load_state_dict_post_hook(lambda o: seen.append("after"))
    opt.load_state_dict(opt.state_dict())
    assert seen == ["before", 1, "after"]


def test_own_optimizer(both):
    t = both

    class Own(t.optim.Optimizer):
        def __init__(self, params, lr=0.1):
            super().__init__(params, dict(lr=lr))

        def step(self, closure=None):
            with t.no_grad():
                for group in self.param_groups:
                    for p in group["params"]:
                        if p.grad is not None:
                            p.add_(p.grad, alpha=-group["lr"])

    x = t.leaf([1.0])
    opt = Own([x])
    seen = []
    opt.register_step_post_hook(lambda *_: seen.append(1))
    schedule = t.optim.lr_scheduler.StepLR(opt, 1, 0.5)
    for _ in range(2):
        x.grad = x.detach() * 0 + 1
        opt.step()
        schedule.step()
    assert x.tolist() == pytest.approx([1 - 0.1 - 0.05]) and seen == [1, 1]


def test_closure_sees_grad_mode(both):
    t = both
    x = t.leaf([2.0])
    opt = t.optim.SGD([x], lr=0.1)

    def closure():
        assert t.is_grad_enabled()
        opt.zero_grad()
        loss = (x * x).sum()
        loss.backward()
        return loss

    with t.no_grad():
        assert opt.step(closure).item() == 4.0
    assert x.tolist() == pytest.approx([1.6])


@pytest.mark.parametrize("name", ["SGD", "Adam", "AdamW", "NAdam", "RAdam", "Adagrad", "Adadelta", "RMSprop", "ASGD"])
def test_differentiable(oracle, polytensor_backend, name):
    """The gradient of a loss after three steps in the start and in the gradients' scale."""
    results = []
    with pt.use_backend(polytensor_backend):
        for t in (pt, oracle):
            start = t.tensor([1.0, -2.0, 0.5], dtype=t.float64, requires_grad=True)
            p = start.clone()
            scale = t.tensor(0.7, dtype=t.float64, requires_grad=True)
            kw = dict(momentum=0.9) if name in ("SGD", "RMSprop") else {}
            opt = getattr(t.optim, name)([p], lr=0.1, differentiable=True, **kw)
            for i in range(3):
                p.grad = (p.detach() * (i + 1) + 0.3) * scale
                opt.step()
            grads = t.autograd.grad((p * p).sum(), (start, scale), allow_unused=True)
            results.append([p.detach().numpy(), *[None if g is None else g.numpy() for g in grads]])
    for a, b in zip(*results, strict=True):
        assert (a is None) == (b is None)
        if a is not None:
            # PyTorch's differentiable Adam corrects its bias in float32
            np.testing.assert_allclose(a, b, 5e-5 if "Adam" in name else 1e-10, 1e-12)


@pytest.mark.parametrize("name", ["Adam", "NAdam", "RAdam", "Adamax", "Rprop"])
def test_differentiable_by_differences(name):
    """As above by finite differences: PyTorch's own Adamax and Rprop fail after a second step."""

    def loss(value):
        scale = pt.tensor(value, dtype=pt.float64, requires_grad=True)
        p = pt.tensor([1.0, -2.0, 0.5], dtype=pt.float64, requires_grad=True).clone()
        opt = getattr(pt.optim, name)([p], lr=0.1, differentiable=True, **({"amsgrad": True} if name == "Adam" else {}))
        for i in range(7):
            p.grad = pt.tensor([np.cos(i), 1 + i % 3, 0.3 - i], dtype=pt.float64) * (scale**i + 0.1)
            opt.step()
        return (p * p).sum(), scale

    y, scale = loss(0.7)
    (g,) = pt.autograd.grad(y, scale, allow_unused=True, materialize_grads=True)
    numeric = (loss(0.7 + 1e-5)[0].item() - loss(0.7 - 1e-5)[0].item()) / 2e-5
    assert g.item() == pytest.approx(numeric, rel=1e-5, abs=1e-9)
    assert (numeric == 0) == (name == "Rprop")


def test_learning_rate_has_a_gradient(both):
    t = both
    lr = t.leaf(0.1)
    p = t.leaf([1.0, 2.0]).clone()
    opt = t.optim.SGD([p], lr=lr, differentiable=True)
    p.grad = p.detach().clone()
    opt.step()
    (g,) = t.autograd.grad(p.sum(), lr)
    assert g.tolist() == pytest.approx(-3.0)


def test_complex_parameters(oracle):
    for name in ("SGD", "Adam", "AdamW", "Adagrad", "RMSprop", "Adadelta", "Rprop", "ASGD", "NAdam"):
        got = []
        for t in (pt, oracle):
            p = t.tensor([1 + 2j, -0.5 + 0.3j], dtype=t.complex128, requires_grad=True)
            opt = getattr(t.optim, name)([p], lr=0.1)
            for i in range(5):
                p.grad = p.detach() * (0.5 + i) + (0.1 - 0.2j)
                opt.step()
            got.append(p.detach().numpy())
        np.testing.assert_allclose(*got, 1e-12, err_msg=name)


@pytest.mark.parametrize("dtype", ["float16", "bfloat16"])
@pytest.mark.parametrize("name", [n for n in MAKERS if n[:4] != "muon"])  # whose products round within a step
def test_16_bit_steps_are_those_of_float32_rounded_once(oracle, polytensor_backend, name, dtype):
    # float16's default eps counts too, which PyTorch's loop over tensors rounds to 0
    half, wide = getattr(pt, dtype), getattr(oracle, dtype)
    draw = np.random.default_rng(0).standard_normal
    p = pt.tensor(draw((20, 15))).to(half).requires_grad_()
    q = oracle.tensor(p.detach().float().tolist(), requires_grad=True)
    ours, theirs = MAKERS[name](pt.optim, [p]), MAKERS[name](oracle.optim, [q])
    for i in range(4):  # the first one makes the states, some of which start with a number
        p.grad = pt.tensor(draw((20, 15)) * (draw((20, 15)) > -1)).to(half)
        q.grad = oracle.tensor(p.grad.float().tolist())
        ours.step()
        theirs.step()
        pairs = [(p.detach(), q.detach()), *((x, theirs.state[q][key]) for key, x in ours.state[p].items() if x.shape)]
        for x, y in pairs:
            assert x.dtype is half
            found, expected = x.float().numpy(), y.to(wide).float().numpy()
            assert np.isfinite(found).all() and (i == 0 or (found != expected).mean() < 0.02)
            y.copy_(oracle.tensor(found))


def test_copies(both):
    t = both
    if not isinstance(t.module, type(pt)) or t.module is not pt:
        return
    x = pt.ones(3, requires_grad=True)
    opt = pt.optim.Adam([x])
    x.grad = pt.ones(3)
    opt.step()
    for other in (copy.deepcopy(opt), pickle.loads(pickle.dumps(opt))):
        q = other.param_groups[0]["params"][0]
        assert q is not x and other.state[q]["step"].item() == 1
        q.grad = pt.ones(3)
        other.step()
        assert other.state[q]["step"].item() == 2 and opt.state[x]["step"].item() == 1


def test_swa(oracle):
    for kind in ("swa", "ema", "ema_fn", "own", "buffers", "ema buffers"):
        results = []
        for t in (pt, oracle):
            u = t.optim.swa_utils
            net = t.nn.Linear(2, 2).to(t.float64)
            net.register_buffer("count", t.zeros(1, dtype=t.float64))
            net.register_buffer("whole", t.zeros(1, dtype=t.int64))
            kw = {
                "swa": {}, "ema": {"multi_avg_fn": u.get_ema_multi_avg_fn(0.9)}, "ema_fn": {"avg_fn": u.get_ema_avg_fn(0.8)},
                "own": {"avg_fn": lambda a, b, n: a * 0.3 + b * 0.7}, "buffers": {"use_buffers": True},
                "ema buffers": {"multi_avg_fn": u.get_ema_multi_avg_fn(0.5), "use_buffers": True},
            }[kind]  # fmt: skip
            mean = u.AveragedModel(net, **kw)
            for i in range(4):
                with t.no_grad():
                    net.weight.fill_(i * i)
                    net.bias.fill_(-i)
                    net.count.fill_(i)
                    net.whole.fill_(7 * i)
                mean.update_parameters(net)
            results.append({k: v.tolist() for k, v in mean.state_dict().items()})
            assert mean(t.ones(1, 2, dtype=t.float64)).shape == (1, 2)
        assert results[0].keys() == results[1].keys()
        for key in results[0]:
            np.testing.assert_allclose(results[0][key], results[1][key], 1e-12)
    for t in (pt, oracle):
        with pytest.raises(ValueError, match="Invalid decay"):
            t.optim.swa_utils.get_ema_avg_fn(1.5)
        with pytest.raises(AssertionError, match="Only one of"):
            t.optim.swa_utils.AveragedModel(t.nn.Linear(1, 1), avg_fn=max, multi_avg_fn=max)


def test_where_loaded_counters_lie_is_for_the_loaded_groups_to_say(monkeypatch):
    """capturable may differ between the optimizer and what it loads. Source: Optimizer._process_value_according_to_param_policy."""
    p = pt.nn.Parameter(pt.ones(2))
    p.grad = pt.ones(2)
    optimizer, asked = pt.optim.Adam([p]), []
    optimizer.step()
    own = pt.optim.Adam._own
    monkeypatch.setattr(pt.optim.Adam, "_own", lambda self, *args: (asked.append(args[-1]), own(self, *args))[1])
    for capturable in (True, False):
        saved = optimizer.state_dict()
        saved["param_groups"][0]["capturable"] = capturable
        optimizer.load_state_dict(saved)
        assert asked and set(asked) == {capturable}
        asked.clear()


@pytest.mark.parametrize(
    "name, options",
    [
        ("SGD", {}),
        ("SGD", {"momentum": 0.9, "nesterov": True, "weight_decay": 0.1}),
        ("SGD", {"maximize": True}),
        ("Adam", {"weight_decay": 0.1, "amsgrad": True}),
        ("AdamW", {"maximize": True}),
    ],
)
@pytest.mark.parametrize("form", ["plain", "transposed"])
def test_steps_in_pieces_are_the_same_steps(name, options, form, monkeypatch):
    from polytensor.backends import numpy

    start, gradient = pt.randn(7, 9), pt.randn(7, 9)
    results, pieces = [], []
    for piece in (1 << 16, 8):
        monkeypatch.setattr(numpy, "PIECE", piece)
        with pt.devices.use_backend("numpy"):
            p = start.clone() if form == "plain" else start.T.contiguous().T
            p.requires_grad_()
            optimizer = getattr(pt.optim, name)([p], lr=0.1, **options)
            for i in range(3):
                p.grad = gradient * (i + 1)
                optimizer.step()
            results.append([p.tolist(), *(v.tolist() for v in optimizer.state[p].values() if v is not None)])
            pieces.append(len(list(p._dev.backend.pieces(p._a, p._a))))
    assert results[0] == results[1]
    assert pieces == [1, 8 if form == "plain" else 1]


def test_a_wrapper_that_is_an_optimizer_but_was_never_made_one():
    class Wrapper(pt.optim.Optimizer):
        def __init__(self, inner):
            self.inner = inner

        def step(self, closure=None):
            return self.inner.step(closure)

    w = pt.ones(2, requires_grad=True)
    calls = []
    inner = pt.optim.SGD([w], lr=0.5)
    inner.register_step_post_hook(lambda *args: calls.append(args))
    w.sum().backward()
    Wrapper(inner).step()
    assert w.tolist() == [0.5, 0.5] and len(calls) == 1


@pytest.mark.parametrize("name", ["adam.amsgrad", "rmsprop.centered"])
def test_a_first_step_that_found_no_memory_is_made_again(monkeypatch, name):
    zeros, calls, params = pt.ops.zeros_like, [], []

    def scarce(*args, **kwargs):
        calls.append(args)
        if len(calls) == 2:
            raise pt.OutOfMemoryError("CUDA out of memory.")
        return zeros(*args, **kwargs)

    for fails in (True, False):
        p = pt.ones(2, requires_grad=True)
        p.grad, opt = pt.ones(2), MAKERS[name](pt.optim, [p])
        if fails:
            with monkeypatch.context() as patch:
                patch.setattr(pt.ops, "zeros_like", scarce)
                with pytest.raises(pt.OutOfMemoryError):
                    opt.step()
        opt.step()
        params.append(p.tolist())
    assert params[0] == params[1]
