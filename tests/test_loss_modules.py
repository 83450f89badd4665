"""Every loss module of torch.nn, built in both libraries: signature, repr, state, value and gradients."""

import inspect

import numpy as np
import pytest
from same import same

import polytensor as pt

pytestmark = pytest.mark.filterwarnings("ignore::UserWarning", "ignore::FutureWarning")
rng = np.random.default_rng(0)
X, Y, Z = (rng.standard_normal((4, 5)) for _ in range(3))
CLASSES, SIGNS = rng.integers(0, 5, 4), np.array([1.0, -1, 1, 1])
CHANCES, WEIGHT = 1 / (1 + np.exp(-Y)), np.abs(Z[0])
LABELS = np.array([[3, 0, -1, 1, 2], [1, -1, 0, 2, 3], [-1, 0, 1, 2, 3], [4, 3, 2, 1, 0]])
PATHS, SPELLED = np.log(rng.dirichlet(np.ones(5), (6, 2))), np.array([[1, 2, 2], [3, 4, 1]])
LOG = np.log(np.exp(X) / np.exp(X).sum(1, keepdims=True))
# class: (arguments to build it, arrays of a call); WEIGHT stands for a tensor
CASES = {
    "AdaptiveLogSoftmaxWithLoss": [
        (((5, 8, [3, 6]), {"div_value": 2.0}), (X, rng.integers(0, 8, 4))),
        (((5, 8, [3]), {"head_bias": True}), (X[0], np.array(7))),
    ],
    "BCELoss": [(((), {}), (1 / (1 + np.exp(-X)), CHANCES)), (((WEIGHT,), {}), (1 / (1 + np.exp(-X)), CHANCES))],
    "BCEWithLogitsLoss": [(((), {}), (X * 1e3, CHANCES)), (((WEIGHT,), {"pos_weight": WEIGHT}), (X, CHANCES))],
    "CTCLoss": [
        (((), {}), (PATHS, SPELLED, np.array([6, 5]), np.array([3, 2]))),
        (((), {"blank": 4, "zero_infinity": True}), (PATHS[:3], SPELLED % 4, np.array([3, 3]), np.array([3, 2]))),
    ],
    "CosineEmbeddingLoss": [(((), {"margin": 0.2}), (X, Y, SIGNS))],
    "CrossEntropyLoss": [
        (((), {}), (X, CLASSES)), (((WEIGHT,), {"ignore_index": 1, "label_smoothing": 0.1}), (X, CLASSES)),
        (((), {}), (X, np.exp(LOG))), (((), {}), (X[:, :, None] * np.ones(2), np.stack([CLASSES, CLASSES], 1))), (((), {}), (X[0], np.array(2))),
    ],
    "GaussianNLLLoss": [(((), {"full": True}), (X, Y, Z**2)), (((), {}), (X, Y, Z[:, :1] ** 2))],
    "HingeEmbeddingLoss": [(((), {"margin": 0.5}), (X[:, 0], SIGNS))],
    "HuberLoss": [(((), {"delta": 0.3}), (X, Y))],
    "KLDivLoss": [(((), {}), (LOG, np.exp(LOG))), (((), {"log_target": True}), (X, LOG))],
    "L1Loss": [(((), {}), (X, Y))],
    "MSELoss": [(((), {}), (X, Y))],
    "MarginRankingLoss": [(((), {"margin": 0.1}), (X[:, 0], Y[:, 0], SIGNS))],
    "MultiLabelMarginLoss": [(((), {}), (X, LABELS))],
    "MultiLabelSoftMarginLoss": [(((WEIGHT,), {}), (X, (Y > 0) * 1.0))],
    "MultiMarginLoss": [(((), {}), (X, CLASSES)), (((2, 0.5, WEIGHT), {}), (X, CLASSES))],
    "NLLLoss": [(((WEIGHT,), {"ignore_index": 2}), (LOG, CLASSES))],
    "NLLLoss2d": [(((), {}), (LOG, CLASSES))],
    "PoissonNLLLoss": [(((), {"full": True}), (X, Z**2)), (((False,), {}), (Y**2, Z**2))],
    "SmoothL1Loss": [(((), {"beta": 0.5}), (X, Y)), (((), {"beta": 0.0}), (X, Y))],
    "SoftMarginLoss": [(((), {}), (X * 100, np.sign(Y)))],
    "TripletMarginLoss": [(((), {"swap": True, "p": 3}), (X, Y, Z))],
    "TripletMarginWithDistanceLoss": [(((), {"swap": True, "margin": 0.5}), (X, Y, Z))],
    "LinearCrossEntropyLoss": [(((5, 3), {"bias": True}), (X, CLASSES % 3))],
}  # fmt: skip


def names(module):
    return {n for n, c in vars(module).items() if isinstance(c, type) and n.endswith(("Loss", "Loss2d"))}


def test_every_loss_is_there(oracle):
    wanted = names(oracle.nn)
    assert wanted <= names(pt.nn) and wanted == set(CASES)
    for name in wanted:
        ours, theirs = (inspect.signature(getattr(t.nn, name).__init__).parameters for t in (pt, oracle))
        assert [(p.name, p.default, p.kind) for p in ours.values()] == [
            (p.name, p.default, p.kind) for p in theirs.values()
        ]
        ours, theirs = (inspect.signature(getattr(t.nn, name).forward).parameters for t in (pt, oracle))
        assert list(ours) == list(theirs), name


@pytest.mark.parametrize("reduction", ["mean", "sum", "none"])
@pytest.mark.parametrize("name", CASES)
def test_loss(name, reduction, device, oracle):
    for (args, kw), arrays in CASES[name]:
        if name != "AdaptiveLogSoftmaxWithLoss":
            kw = {**kw, "reduction": reduction}
        state = None
        found = []
        for t in (oracle, pt):
            fill = lambda x, t=t: t.from_numpy(x.copy()) if isinstance(x, np.ndarray) else x  # noqa: E731
            module = getattr(t.nn, name)(*map(fill, args), **{k: fill(v) for k, v in kw.items()}).to(t.float64)
            if state is None:
                state = {k: v.numpy().copy() for k, v in module.state_dict().items()}
            assert list(module.state_dict()) == list(state)
            module.load_state_dict({k: t.from_numpy(v) for k, v in state.items()})
            inputs = [t.from_numpy(np.array(a)) for a in arrays]
            wanted = [x.requires_grad_() for x in inputs[:1]]
            out = module(*inputs)
            parts = list(out) if isinstance(out, tuple) else [out]
            loss = sum((y * t.arange(1, y.numel() + 1, dtype=y.dtype).reshape(y.shape)).sum() for y in parts)
            wanted += module.parameters()
            grads = t.autograd.grad(loss, wanted, allow_unused=True)
            found.append((repr(module), type(out).__name__, [*parts, *grads]))
        (text, kind, theirs), (mine, own, ours) = found
        assert mine == text and own == kind
        for a, b in zip(ours, theirs, strict=True):
            assert (a is None) == (b is None)
            if a is not None:
                assert tuple(a.shape) == tuple(b.shape)
                np.testing.assert_allclose(a.detach().numpy(), b.detach().numpy(), rtol=1e-11, atol=1e-13)


ADAPTIVE = {
    "log_prob": lambda t, m: m.log_prob(t.ones(2, 4)).shape,
    "predict": lambda t, m: m.predict(t.ones(2, 4)).shape,
    "cutoffs": lambda t, m: t.nn.AdaptiveLogSoftmaxWithLoss(4, 8, [6, 3]),
    "too many": lambda t, m: t.nn.AdaptiveLogSoftmaxWithLoss(4, 8, [8]),
    "floats": lambda t, m: t.nn.AdaptiveLogSoftmaxWithLoss(4, 8, [2.5]),
    "none": lambda t, m: t.nn.AdaptiveLogSoftmaxWithLoss(4, 8, []),
    "out of range": lambda t, m: m(t.ones(2, 4), t.tensor([1, 9])),
    "batches": lambda t, m: m(t.ones(2, 4), t.tensor([1])),
    "3-D": lambda t, m: m(t.ones(2, 4, 1), t.tensor([[1]])),
    "1-D target": lambda t, m: m(t.ones(4), t.tensor([1])),
    "0-D target": lambda t, m: m(t.ones(2, 4), t.tensor(1)),
    "names": lambda t, m: [(n, tuple(p.shape)) for n, p in m.named_parameters()],
}


@pytest.mark.parametrize("name", ADAPTIVE)
def test_adaptive(name, oracle):
    same(lambda t: ADAPTIVE[name](t, t.nn.AdaptiveLogSoftmaxWithLoss(4, 8, [3, 6], 2.0)), oracle)


WRONG = {
    "reduction": lambda n: repr(n.MSELoss(reduction="most")),
    "p": lambda n: n.MultiMarginLoss(p=3),
    "margin": lambda n: n.TripletMarginLoss(margin=0),
    "distance margin": lambda n: n.TripletMarginWithDistanceLoss(margin=-1),
    "delta": lambda n: n.HuberLoss(delta="1"),
    "numbers": lambda n: [
        n.functional._Reduction.get_enum(r) for r in ("none", "mean", "sum", "elementwise_mean", "max")
    ],
    "legacynumbers": lambda n: [
        (n._reduction.legacy_get_enum(a, b), n._reduction.legacy_get_string(a, b))
        for a in (None, True, False)
        for b in (None, True, False)
    ],
    "legacy": lambda n: (n.MSELoss(size_average=False).reduction, n.L1Loss(reduce=False).reduction),
}


@pytest.mark.parametrize("name", WRONG)
def test_arguments(name, oracle):
    same(lambda t: WRONG[name](t.nn), oracle)


@pytest.mark.parametrize("kw", [
    {}, {"reduction": "sum"}, {"reduction": "none"}, {"label_smoothing": 0.1}, {"bias": True}, {"ignore_index": 1},
])  # fmt: skip
def test_linear_cross_entropy_in_chunks(kw, device):
    """The same loss and gradients as without chunks."""
    pt.manual_seed(0)
    x = pt.from_numpy(rng.standard_normal((7, 5))).requires_grad_()
    t = pt.tensor([0, 1, 2, 0, 1, 1, 2])
    for options in (pt.nn.LinearCrossEntropyOptions(batch_chunk_size=3), pt.nn.LinearCrossEntropyOptions()):
        for weight in (None, pt.tensor([0.2, 1.0, 3.0], dtype=pt.float64)):
            m = pt.nn.LinearCrossEntropyLoss(5, 3, weight=weight, options=options, **kw).double()
            plain = pt.nn.LinearCrossEntropyLoss(5, 3, weight=weight, **kw).double()
            plain.load_state_dict(m.state_dict())
            a, b = m(x, t), plain(x, t)
            pt.testing.assert_close(a, b)
            ga, gb = (pt.autograd.grad(y.cos().sum(), [x, n.linear.weight]) for y, n in ((a, m), (b, plain)))
            pt.testing.assert_close(ga, gb)


@pytest.mark.parametrize("kw", [
    {}, {"chunking_method": "x"}, {"chunking_method": "aspect_ratio:x"}, {"chunking_method": None}, {"batch_chunk_size": 0},
    {"batch_chunk_size": 2.5}, {"acc_policy": "x"}, {"acc_dtype": 3}, {"chunking_method": "aspect_ratio:3"},
])  # fmt: skip
def test_linear_cross_entropy_options(kw, oracle):
    same(lambda t: repr(t.nn.LinearCrossEntropyOptions(**kw)), oracle)
    same(lambda t: repr(t.nn.LinearCrossEntropyLoss(5, 3, options=t.nn.LinearCrossEntropyOptions(**kw))), oracle)


DTYPES = {
    "mse": lambda t, f, i: f.mse_loss(i, i),
    "smooth l1": lambda t, f, i: f.smooth_l1_loss(i, i),
    "huber": lambda t, f, i: f.huber_loss(i, i),
    "kl": lambda t, f, i: f.kl_div(i, i),
    "nll": lambda t, f, i: f.nll_loss(i, i[0]),
    "logits": lambda t, f, i: f.binary_cross_entropy_with_logits(i * 1.0, i),
    "logits of integers": lambda t, f, i: f.binary_cross_entropy_with_logits(i, i * 1.0),
    "labels": lambda t, f, i: f.multilabel_margin_loss(i * 1.0, i * 1.0),
    "ctc": lambda t, f, i: f.ctc_loss(t.zeros(4, 1, 3, dtype=t.bfloat16), i[:1], i[0, :1] + 4, i[0, :1] + 2),
    "layer norm": lambda t, f, i: f.layer_norm(i, (2,)),
    "group norm": lambda t, f, i: f.group_norm(i, 1),
    "instance norm": lambda t, f, i: f.instance_norm(i[None]),
    "prelu": lambda t, f, i: f.prelu(i * 1.0, t.ones(1, dtype=t.float64)),
    "bias": lambda t, f, i: f.linear(i * 1.0, i * 1.0, t.ones(2, dtype=t.float64)),
    "lerp": lambda t, f, i: t.lerp(i * 1.0, t.ones(2, 2, dtype=t.bfloat16), 0.5),
}


@pytest.mark.parametrize("name", DTYPES)
def test_texts_of_dtypes_that_do_not_fit(name, oracle):
    same(lambda t: DTYPES[name](t, t.nn.functional, t.tensor([[0, 1], [1, 0]])), oracle)
