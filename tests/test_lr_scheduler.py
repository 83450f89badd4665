"""Learning rate schedules against PyTorch: sixty steps, states, warnings, errors."""

import pickle
import warnings

import pytest

import polytensor as pt


class Decay:
    def __init__(self, rate=0.9):
        self.rate = rate

    def __call__(self, epoch):
        return self.rate**epoch


MAKERS = {
    "lambda": lambda s, o: s.LambdaLR(o, [lambda e: 0.95**e, Decay(0.9)]),
    "lambda.one": lambda s, o: s.LambdaLR(o, lambda e: 1 / (e + 1)),
    "multiplicative": lambda s, o: s.MultiplicativeLR(o, lambda e: 0.9 + e / 1000),
    "step": lambda s, o: s.StepLR(o, 7, 0.5),
    "multistep": lambda s, o: s.MultiStepLR(o, [30, 5, 5, 41], 0.3),
    "constant": lambda s, o: s.ConstantLR(o, 0.25, 9),
    "constant.0": lambda s, o: s.ConstantLR(o),
    "linear": lambda s, o: s.LinearLR(o, 0.2, 0.9, 25),
    "exponential": lambda s, o: s.ExponentialLR(o, 0.93),
    "polynomial": lambda s, o: s.PolynomialLR(o, 40, 2.0),
    "polynomial.short": lambda s, o: s.PolynomialLR(o),
    "cosine": lambda s, o: s.CosineAnnealingLR(o, 13, 1e-3),
    "cosine.long": lambda s, o: s.CosineAnnealingLR(o, 100),
    "restarts": lambda s, o: s.CosineAnnealingWarmRestarts(o, 7),
    "restarts.longer": lambda s, o: s.CosineAnnealingWarmRestarts(o, 5, 2, 1e-3),
    "cyclic": lambda s, o: s.CyclicLR(o, 0.01, 0.1, 5),
    "cyclic.2": lambda s, o: s.CyclicLR(o, [0.01, 0.02], [0.1, 0.3], 4, 7, mode="triangular2"),
    "cyclic.exp": lambda s, o: s.CyclicLR(o, 0.01, 0.1, 6, mode="exp_range", gamma=0.97, cycle_momentum=False),
    "cyclic.own": lambda s, o: s.CyclicLR(o, 0.01, 0.1, 6, scale_fn=lambda x: 1 / x, scale_mode="cycle"),
    "onecycle": lambda s, o: s.OneCycleLR(o, 0.3, total_steps=61),
    "onecycle.linear": lambda s, o: s.OneCycleLR(o, [0.3, 0.1], epochs=6, steps_per_epoch=11, anneal_strategy="linear"),
    "onecycle.three": lambda s, o: s.OneCycleLR(o, 0.3, total_steps=70, three_phase=True, pct_start=0.25),
    "onecycle.still": lambda s, o: s.OneCycleLR(o, 0.3, total_steps=70, cycle_momentum=False),
    "sequential": lambda s, o: s.SequentialLR(
        o, [s.LinearLR(o, 0.1, 1.0, 10), s.CosineAnnealingLR(o, 20), s.ExponentialLR(o, 0.9)], [10, 33]
    ),
    "chained": lambda s, o: s.ChainedScheduler([s.ConstantLR(o, 0.1, 3), s.ExponentialLR(o, 0.95), s.StepLR(o, 10)]),
    "nested": lambda s, o: s.ChainedScheduler(
        [s.SequentialLR(o, [s.ConstantLR(o, 0.5, 4), s.StepLR(o, 5)], [6]), s.ExponentialLR(o, 0.99)]
    ),
}  # fmt: skip
PLATEAU = {
    "plateau": dict(patience=2, factor=0.5),
    "plateau.max": dict(mode="max", patience=1, cooldown=3, threshold=0.05),
    "plateau.abs": dict(threshold_mode="abs", threshold=0.1, patience=0, min_lr=[1e-3, 1e-2], eps=1e-4),
    "plateau.max.abs": dict(mode="max", threshold_mode="abs", patience=3),
}
LOSSES = [abs(((i * 37) % 23) / 10 - 1.1) + 5 / (i + 1) for i in range(60)]


def optimizer(t, kind="SGD", lr=0.1):
    a, b = (t.ones(2, requires_grad=True) for _ in range(2))
    kw = {"momentum": 0.9} if kind == "SGD" else {}
    return getattr(t.optim, kind)([{"params": [a]}, {"params": [b], "lr": 0.05}], lr=lr, **kw)


def state(s):
    """A scheduler's numbers, by name; functions and PyTorch's own helpers left out."""
    skip = ("_scale_fn_ref", "_schedulers", "lr_lambdas", "_scale_fn_custom", "anneal_func")
    return {k: v for k, v in s.state_dict().items() if k not in skip}


def rates(opt):
    return [(g["lr"], g.get("momentum"), g.get("betas")) for g in opt.param_groups]


@pytest.mark.filterwarnings("ignore:The epoch parameter")
@pytest.mark.parametrize("kind", ["SGD", "Adam"])
@pytest.mark.parametrize("name", MAKERS)
def test_sixty_steps(oracle, name, kind):
    pairs = []
    for t in (pt, oracle):
        opt = optimizer(t, kind)
        pairs.append((opt, MAKERS[name](t.optim.lr_scheduler, opt)))
    (a, s), (b, r) = pairs
    assert rates(a) == rates(b) and s.get_last_lr() == r.get_last_lr()
    for _ in range(60):
        for opt, schedule in pairs:
            opt.step()
            schedule.step()
        assert rates(a) == rates(b)
        assert s.get_last_lr() == r.get_last_lr()
    assert state(s) == state(r)
    assert s.state_dict().keys() == r.state_dict().keys()
    assert a.state_dict()["param_groups"] == b.state_dict()["param_groups"]


@pytest.mark.filterwarnings("ignore:The epoch parameter")
@pytest.mark.parametrize(
    "name",
    ["step", "multistep", "constant", "linear", "exponential", "polynomial", "cosine", "restarts.longer", "lambda"],
)
def test_step_to_an_epoch(oracle, name):
    found = []
    for t in (pt, oracle):
        opt = optimizer(t)
        schedule = MAKERS[name](t.optim.lr_scheduler, opt)
        opt.step()
        seen = []
        for epoch in (3, 30, 12, 41, 0):
            schedule.step(epoch)
            seen.append(rates(opt))
        found.append(seen)
    assert found[0] == found[1]


@pytest.mark.parametrize("name", [n for n in MAKERS if n != "cyclic.own"])
def test_state_resumes(oracle, name):
    """Forty steps in PyTorch, the states over to here, twenty more: as sixty there."""
    opt, other = optimizer(oracle), optimizer(pt)
    theirs = MAKERS[name](oracle.optim.lr_scheduler, opt)
    ours = MAKERS[name](pt.optim.lr_scheduler, other)
    for _ in range(40):
        opt.step()
        theirs.step()
    ours.load_state_dict(theirs.state_dict())
    for g, h in zip(other.param_groups, opt.param_groups, strict=True):
        g.update({k: v for k, v in h.items() if k != "params"})
    for _ in range(20):
        for o, s in ((opt, theirs), (other, ours)):
            o.step()
            s.step()
        assert rates(opt) == rates(other)


@pytest.mark.parametrize("name", PLATEAU)
def test_plateau(oracle, name):
    found = []
    for t in (pt, oracle):
        opt = optimizer(t)
        s = t.optim.lr_scheduler.ReduceLROnPlateau(opt, **PLATEAU[name])
        seen = []
        for loss in LOSSES:
            opt.step()
            s.step(t.tensor(loss))
            seen.append((rates(opt), s.get_last_lr(), s.num_bad_epochs, s.best, s.in_cooldown))
        found.append((seen, s.state_dict()))
    assert found[0] == found[1]


def test_tensor_rates(oracle):
    for name in ("exponential", "cosine", "lambda.one", "sequential"):
        found = []
        for t in (pt, oracle):
            lr = t.tensor(0.1)
            opt = t.optim.Adam([t.ones(1, requires_grad=True)], lr=lr)
            s = MAKERS[name](t.optim.lr_scheduler, opt)
            last = []
            for _ in range(12):
                opt.step()
                s.step()
                last += s.get_last_lr()
            assert opt.param_groups[0]["lr"] is lr
            found.append([rate.item() for rate in last])
        assert found[0] == pytest.approx(found[1], rel=1e-6)


def test_swalr(oracle):
    for strategy in ("cos", "linear"):
        for epochs in (0, 5):
            found = []
            for t in (pt, oracle):
                opt = optimizer(t)
                first = t.optim.lr_scheduler.ExponentialLR(opt, 0.9)
                s = t.optim.swa_utils.SWALR(opt, [0.02, 0.5], epochs, strategy)
                seen = []
                for i in range(20):
                    opt.step()
                    (first if i < 8 else s).step()
                    seen.append(s.get_last_lr())
                found.append(seen)
            assert found[0] == found[1]
    with pytest.raises(ValueError, match="anneal_strategy"):
        pt.optim.swa_utils.SWALR(optimizer(pt), 0.1, anneal_strategy="no")
    for epochs in (-1, 1.5):
        with pytest.raises(ValueError, match="anneal_epochs"):
            pt.optim.swa_utils.SWALR(optimizer(pt), 0.1, epochs)


def test_warnings(both):
    t = both
    s = t.optim.lr_scheduler.StepLR(optimizer(t), 3)
    with pytest.warns(UserWarning, match="before `optimizer.step"):
        s.step()
    s = t.optim.lr_scheduler.StepLR(opt := optimizer(t), 3)
    opt.step()
    with pytest.warns(UserWarning, match="epoch parameter"):
        s.step(4)
    with pytest.warns(UserWarning, match="get_last_lr"):
        s.get_lr()
    s = t.optim.lr_scheduler.StepLR(opt := optimizer(t), 3)
    opt.step = lambda: None
    with pytest.warns(UserWarning, match="has been overridden"):
        s.step()
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        s = t.optim.lr_scheduler.StepLR(opt := optimizer(t), 3)
        opt.step()
        s.step()


def test_state_of_a_callable_scale(both):
    class Scale:
        def __init__(self, factor):
            self.factor = factor

        def __call__(self, x):
            return self.factor

    half, twice = (both.optim.lr_scheduler.CyclicLR(optimizer(both), 0.01, 0.1, scale_fn=Scale(f)) for f in (0.5, 2.0))
    assert half.state_dict()["_scale_fn_custom"] == {"factor": 0.5}
    twice.load_state_dict(half.state_dict())
    assert twice.scale_fn(1) == 0.5


def test_errors(both):
    t, s = both, both.optim.lr_scheduler
    opt = optimizer(t)
    other = optimizer(t)
    plateau = s.ReduceLROnPlateau(opt)
    for error, make in (
        (TypeError, lambda: s.StepLR(1, 2)),
        (KeyError, lambda: s.StepLR(optimizer(t), 2, last_epoch=3)),
        (ValueError, lambda: s.LambdaLR(opt, [lambda e: 1])),
        (TypeError, lambda: s.MultiplicativeLR(opt, 3)),
        (ValueError, lambda: s.ConstantLR(opt, 2.0)),
        (ValueError, lambda: s.LinearLR(opt, 0.0)),
        (ValueError, lambda: s.LinearLR(opt, 1.5)),
        (ValueError, lambda: s.LinearLR(opt, 0.5, 2.0)),
        (ValueError, lambda: s.CosineAnnealingWarmRestarts(opt, 0)),
        (ValueError, lambda: s.CosineAnnealingWarmRestarts(opt, 2, 0)),
        (ValueError, lambda: s.CyclicLR(opt, 0.1, 0.2, mode="no")),
        (ValueError, lambda: s.CyclicLR(opt, [0.1], 0.2)),
        (ValueError, lambda: s.CyclicLR(t.optim.Adagrad([t.leaf([1.0])]), 0.1, 0.2)),
        (ValueError, lambda: s.OneCycleLR(opt, 0.1)),
        (ValueError, lambda: s.OneCycleLR(opt, 0.1, total_steps=-1)),
        (ValueError, lambda: s.OneCycleLR(opt, 0.1, epochs=2, steps_per_epoch=1.5)),
        (ValueError, lambda: s.OneCycleLR(opt, 0.1, 10, pct_start=2)),
        (ValueError, lambda: s.OneCycleLR(opt, 0.1, 10, anneal_strategy="no")),
        (ValueError, lambda: s.SequentialLR(opt, [], [])),
        (ValueError, lambda: s.SequentialLR(opt, [s.StepLR(opt, 2)], [3])),
        (ValueError, lambda: s.SequentialLR(opt, [plateau], [])),
        (ValueError, lambda: s.SequentialLR(opt, [s.StepLR(other, 2)], [])),
        (TypeError, lambda: s.SequentialLR(opt, [1], [])),
        (ValueError, lambda: s.ChainedScheduler([])),
        (ValueError, lambda: s.ChainedScheduler([s.StepLR(opt, 2), s.StepLR(other, 2)])),
        (ValueError, lambda: s.ReduceLROnPlateau(opt, factor=1.0)),
        (ValueError, lambda: s.ReduceLROnPlateau(opt, mode="no")),
        (ValueError, lambda: s.ReduceLROnPlateau(opt, threshold_mode="no")),
        (ValueError, lambda: s.ReduceLROnPlateau(opt, min_lr=[0.1])),
    ):
        with pytest.raises(error):
            make()
    over = s.OneCycleLR(opt, 0.1, total_steps=2)
    opt.step()
    over.step()
    over.step()
    with pytest.raises(ValueError, match="Tried to step 3 times"):
        over.step()


def test_resume_by_last_epoch(oracle):
    found = []
    for t in (pt, oracle):
        opt = optimizer(t)
        for g in opt.param_groups:
            g["initial_lr"] = 0.4
        s = t.optim.lr_scheduler.CosineAnnealingLR(opt, 10, last_epoch=3)
        seen = [s.get_last_lr()]
        for _ in range(5):
            opt.step()
            s.step()
            seen.append(s.get_last_lr())
        found.append(seen)
    assert found[0] == found[1]


def test_pickle():
    s = pt.optim.lr_scheduler.LambdaLR(optimizer(pt), Decay())
    saved = pickle.loads(pickle.dumps(s.state_dict()))
    assert saved["lr_lambdas"] == [{"rate": 0.9}] * 2
