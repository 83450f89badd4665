"""Every layer of torch.nn beside PyTorch's: names, repr, state, values and gradients, errors, initial distributions."""

import copy
import inspect
import pickle
import warnings

import numpy as np
import pytest
from layers_table import ERRORS, FUNCTION_ERRORS, INITIAL, LAYERS, LAZY, SMOOTH
from older_torch import print_alike

import polytensor as pt
from polytensor.testing import gradgradcheck

TOLERANCE = {"float64": (1e-11, 1e-13), "float32": (2e-5, 2e-5)}
FILES = (
    "activation batchnorm channelshuffle conv distance dropout flatten fold instancenorm linear normalization padding "
    "pixelshuffle pooling sparse upsampling"
).split()
MADE_HERE = [name for file in FILES for name in getattr(pt.nn.modules, file).__all__ if name != "MultiheadAttention"]


def make(t, case):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return eval(case.text, {"nn": t.nn, "t": t})


def inputs(t, case, dtype, grad=True):
    """The inputs of a case as tensors of t; the float ones are leaves."""
    rng = np.random.default_rng(len(case.text))
    out = []
    for spec in case.inputs:
        if isinstance(spec, str):
            out.append(eval(spec))
        elif isinstance(spec, tuple):
            values = t.from_numpy(rng.standard_normal(spec)).to(getattr(t, dtype))
            out.append(values.to(pt.tensor(0).device) if t is pt else values)
            out[-1].requires_grad_(grad)
        else:
            out.append(t.tensor(spec, dtype=t.int64))
    return out


def host(x):
    return x.detach().cpu().numpy()


def fill(module, rng):
    """Values that tell parameters and statistics apart (the initial ones are often 0 or 1)."""
    for value in [*module.parameters(), *module.buffers()]:
        if value.is_floating_point():
            value.data.copy_(value.new_tensor(rng.uniform(0.5, 1.5, tuple(value.shape))))


def give(ours, theirs):
    """PyTorch's state into ours, by name."""
    ours.load_state_dict({k: pt.from_numpy(host(v).copy()) for k, v in theirs.state_dict().items()}, strict=True)


def described(module):
    return {k: (tuple(v.shape), str(v.dtype)) for k, v in module.state_dict().items()}


def flat(y):
    return [z for x in y for z in flat(x)] if isinstance(y, (tuple, list)) else [y]


def results(t, module, xs, grad=True):
    """Outputs, then (if wanted) gradients of inputs and parameters."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        outputs = flat(module(*xs))
    roots = [y for y in outputs if y.requires_grad]
    leaves = [x for x in xs if isinstance(x, t.Tensor) and x.requires_grad] + [
        p for p in module.parameters() if p.requires_grad
    ]
    grads = []
    if roots and grad:
        weights = [
            t.from_numpy(np.cos(np.arange(y.numel())).reshape(tuple(y.shape))).to(y.device).to(y.dtype) for y in roots
        ]
        grads = t.autograd.grad(roots, leaves, weights, allow_unused=True)
    return outputs, grads


def close(ours, theirs, dtype, what):
    assert (ours is None) == (theirs is None), what
    if theirs is None:
        return
    assert str(ours.dtype) == str(theirs.dtype) and tuple(ours.shape) == tuple(theirs.shape), what
    np.testing.assert_allclose(host(ours), host(theirs), *TOLERANCE[dtype], err_msg=what)


@pytest.mark.parametrize("case", LAYERS, ids=[c.name for c in LAYERS])
def test_layer_is_pytorchs(case, device, oracle):
    rng = np.random.default_rng(0)
    for dtype in ("float64", "float32"):
        theirs = make(oracle, case).to(getattr(oracle, dtype))
        ours = make(pt, case).to(getattr(pt, dtype))
        assert print_alike(ours, theirs)
        assert described(ours) == described(theirs)
        assert [n for n, _ in ours.named_parameters()] == [n for n, _ in theirs.named_parameters()]
        assert [p.requires_grad for p in ours.parameters()] == [p.requires_grad for p in theirs.parameters()]
        fill(theirs, rng)
        give(ours, theirs)
        for mode in (True, False):
            if mode and case.random:
                continue
            ours.train(mode)
            theirs.train(mode)
            a = results(pt, ours, inputs(pt, case, dtype), case.grad)
            b = results(oracle, theirs, inputs(oracle, case, dtype), case.grad)
            assert len(a[0]) == len(b[0])
            for x, y in zip(a[0], b[0], strict=True):
                close(x, y, dtype, f"output, {dtype}, training={mode}")
            assert len(a[1]) == len(b[1])
            for x, y in zip(a[1], b[1], strict=True):
                close(x, y, dtype, f"gradient, {dtype}, training={mode}")
            for name, value in theirs.state_dict().items():
                close(ours.state_dict()[name], value, dtype, f"{name} after forward, {dtype}, training={mode}")


@pytest.mark.parametrize("case", LAYERS, ids=[c.name for c in LAYERS])
def test_attributes_are_pytorchs(case, oracle):
    def public(module):
        return {k: v for k, v in vars(module).items() if not k.startswith("_") and k != "training"}

    ours, theirs = make(pt, case), make(oracle, case)
    assert public(ours) == public(theirs)
    for other in (copy.deepcopy(ours), pickle.loads(pickle.dumps(ours))):
        assert repr(other) == repr(ours) and described(other) == described(ours)


@pytest.mark.parametrize("name", MADE_HERE)
def test_signatures_are_pytorchs(name, oracle):
    def parameters(f):
        return [(p.name, p.default, p.kind) for p in inspect.signature(f).parameters.values()]

    ours, theirs = getattr(pt.nn, name), getattr(oracle.nn, name)
    assert parameters(ours.__init__) == parameters(theirs.__init__)
    if "forward" in vars(theirs):
        assert parameters(ours.forward) == parameters(theirs.forward)


def test_nothing_is_missing(oracle):
    tested = {c.text.split("(")[0].split(".")[1] for c in [*LAYERS, *LAZY]}
    assert set(MADE_HERE) == tested
    there = {name for file in FILES for name in getattr(oracle.nn.modules, file).__all__}
    assert there - set(MADE_HERE) - {"MultiheadAttention"} == set()


@pytest.mark.parametrize("text", ERRORS)
def test_errors_are_pytorchs(text, device, oracle):
    def outcome(t):
        with warnings.catch_warnings(record=True) as seen:
            warnings.simplefilter("always")
            try:
                y = eval(text, {"nn": t.nn, "t": t})
                t.tensor(0).item()  # CUDA's checks of values raise where the device is waited for
                result = repr(y) if isinstance(y, t.nn.Module) else tuple(y.shape)
            except Exception as error:  # noqa: BLE001 any class is a result here
                result = type(error).__name__
        return result, [(w.category, str(w.message).split(".")[0]) for w in seen]

    assert outcome(pt) == outcome(oracle)


@pytest.mark.parametrize("text", FUNCTION_ERRORS)
def test_errors_of_functions_are_pytorchs(text, device, oracle):
    def outcome(t):
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            with pytest.raises(Exception) as caught:
                eval(text, {"F": t.nn.functional, "t": t})
                t.tensor(0).item()  # as above
        return caught.type.__name__

    assert outcome(pt) == outcome(oracle)


@pytest.mark.parametrize("n", [1, 2, 3])
def test_convolution_of_no_channels(n, device):
    """The bias alone, as an empty sum is 0 (PyTorch's result has no channels)."""
    with pytest.warns(UserWarning, match="zero-element"):
        layer = getattr(pt.nn, f"Conv{n}d")(0, 4, 2)
    layer(pt.zeros(2, 0, *[5] * n)).sum().backward()
    assert layer.weight.grad.shape == layer.weight.shape and layer.bias.grad.tolist() == [2 * 4**n] * 4


# ---- what is drawn ------------------------------------------------------------------------------------------------------
@pytest.mark.parametrize("text", INITIAL)
def test_initial_distribution(text, oracle):
    pt.manual_seed(3)
    oracle.manual_seed(3)
    ours, theirs = (eval(text, {"nn": t.nn}) for t in (pt, oracle))
    for (name, p), q in zip(ours.named_parameters(), theirs.parameters(), strict=True):
        a, b = host(p).astype("float64").ravel(), host(q).astype("float64").ravel()
        if b.std() == 0:
            np.testing.assert_array_equal(a, b)
            continue
        n = b.size
        kurtosis = [(x**4).mean() / (x**2).mean() ** 2 for x in (a, b)]  # 1.8 if uniform, 3 if normal
        assert abs(a.mean()) < 5 * b.std() / n**0.5, name
        np.testing.assert_allclose(a.std(), b.std(), rtol=6 / n**0.5, err_msg=name)
        np.testing.assert_allclose(kurtosis[0], kurtosis[1], rtol=15 / n**0.5, err_msg=name)
        if kurtosis[1] < 2:
            assert abs(a).max() <= abs(b).max() * (1 + 20 / n)


@pytest.mark.parametrize(
    "name", ["Dropout", "Dropout1d", "Dropout2d", "Dropout3d", "AlphaDropout", "FeatureAlphaDropout"]
)
def test_dropouts(name, device):
    pt.manual_seed(0)
    shape = {"Dropout1d": (200, 50, 4), "Dropout3d": (100, 50, 2, 2, 1)}.get(name, (100, 50, 2, 2))
    layer = getattr(pt.nn, name)(0.3)
    x = pt.randn(*shape)
    assert layer.eval()(x) is x
    y = layer.train()(x)
    if "Alpha" in name:
        assert abs(host(y).mean()) < 0.1 and abs(host(y).std() - 1) < 0.1
        values, counts = np.unique(host(y), return_counts=True)
        dropped = host(y) == values[counts.argmax()]
    else:
        dropped = host(y == 0)
        np.testing.assert_allclose(host(y)[~dropped], host(x)[~dropped] / 0.7, rtol=1e-6)
    assert abs(dropped.mean() - 0.3) < 0.02
    whole = dropped.reshape(*shape[:2], -1)
    assert name in ("Dropout", "AlphaDropout") or (whole.all(-1) == whole.any(-1)).all()
    z = pt.ones(100, 4, 2)
    if "Alpha" not in name and name not in ("Dropout2d", "Dropout3d"):
        assert getattr(pt.nn, name)(0.3, inplace=True)(z) is z and (z == 0).any()


def test_rrelu_and_fractional_pools_draw(device):
    pt.manual_seed(0)
    x = -pt.ones(1000)
    slopes = -host(pt.nn.RReLU(0.2, 0.6)(x))
    assert 0.2 <= slopes.min() < 0.21 and 0.59 < slopes.max() <= 0.6 and abs(slopes.mean() - 0.4) < 0.02
    pool = pt.nn.FractionalMaxPool2d(2, output_ratio=0.6, return_indices=True)
    x = pt.randn(2, 3, 10, 10)
    y, index = pool(x)
    assert y.shape == (2, 3, 6, 6) and (x.flatten(2).gather(2, index.flatten(2)) == y.flatten(2)).all()
    assert any((pool(x)[1] != index).any() for _ in range(5))


# ---- second derivatives -------------------------------------------------------------------------------------------------
@pytest.mark.parametrize("case", SMOOTH, ids=[c.name for c in SMOOTH])
def test_second_derivatives(case, device):
    layer = make(pt, case).double()
    fill(layer, np.random.default_rng(1))
    names = [n for n, _ in layer.named_parameters()]
    params = [p.detach().clone().requires_grad_() for p in layer.parameters()]

    def forward(*tensors):
        held = [getattr(layer, n) for n in names]
        for n, p in zip(names, tensors[len(case.inputs) :], strict=True):
            layer._parameters[n] = p
        try:
            return layer(*tensors[: len(case.inputs)])
        finally:
            for n, p in zip(names, held, strict=True):
                layer._parameters[n] = p

    assert gradgradcheck(forward, [*inputs(pt, case, "float64"), *params])


# ---- lazy ----------------------------------------------------------------------------------------------------------------
@pytest.mark.parametrize("case", LAZY, ids=[c.name for c in LAZY])
def test_lazy_layers(case, device, oracle):
    ours, theirs = make(pt, case), make(oracle, case)
    assert print_alike(ours, theirs) and list(ours.state_dict()) == list(theirs.state_dict())
    assert ours.has_uninitialized_params() == theirs.has_uninitialized_params()
    loaded = make(pt, case)
    a, b = ours(*inputs(pt, case, "float32")), theirs(*inputs(oracle, case, "float32"))
    assert tuple(a.shape) == tuple(b.shape) and type(ours).__name__ == type(theirs).__name__
    assert print_alike(ours, theirs) and described(ours) == described(theirs)
    assert not isinstance(ours, pt.nn.modules.lazy.LazyModuleMixin)
    give(loaded, theirs)
    assert not loaded.has_uninitialized_params()
    loaded.eval(), theirs.eval()
    for a, b in zip(
        results(pt, loaded, inputs(pt, case, "float32")),
        results(oracle, theirs, inputs(oracle, case, "float32")),
        strict=True,
    ):
        for mine, other in zip(a, b, strict=True):
            close(mine, other, "float32", "output or gradient")
    assert print_alike(loaded, theirs)
    copied = copy.deepcopy(make(pt, case))
    assert [p.requires_grad for p in copied.parameters()] == [p.requires_grad for p in make(oracle, case).parameters()]
    copied(*inputs(pt, case, "float32")).sum().backward()
    assert all(p.grad is not None for p in copied.parameters())


# ---- this and that --------------------------------------------------------------------------------------------------------
def test_embedding_tables(device, oracle):
    for t in (pt, oracle):
        table = t.ones(3, 2)
        layer = t.nn.Embedding.from_pretrained(table, padding_idx=1)
        assert not layer.weight.requires_grad and layer.padding_idx == 1
        table[0] = 5
        assert layer(t.tensor([0, 1])).tolist() == [[5, 5], [1, 1]]
        assert t.nn.Embedding.from_pretrained(table, freeze=False).weight.requires_grad
        bag = t.nn.EmbeddingBag.from_pretrained(table, mode="sum", padding_idx=-1)
        assert not bag.weight.requires_grad and bag.padding_idx == 2
        assert bag(t.tensor([[0, 1, 2]])).tolist() == [[6, 6]]
        layer = t.nn.Embedding(4, 3, padding_idx=-2)
        assert layer.padding_idx == 2 and layer.weight[2].tolist() == [0, 0, 0]
        layer(t.tensor([[1, 2], [2, 3]])).sum().backward()
        assert layer.weight.grad[:, 0].tolist() == [0, 1, 0, 1]
    with pytest.raises(RuntimeError, match="must not decrease"):  # PyTorch's answer depends on stale memory
        pt.nn.EmbeddingBag(3, 2)(pt.tensor([1, 2]), pt.tensor([0, 2, 1])).tolist()
    for make_sparse in (
        lambda: pt.nn.Embedding(3, 2, sparse=True),
        lambda: pt.nn.EmbeddingBag(3, 2, sparse=True),
        lambda: pt.nn.Embedding.from_pretrained(pt.ones(3, 2), sparse=True),
    ):
        with pytest.raises(NotImplementedError, match="sparse=False"):
            make_sparse()


def test_running_statistics(device, oracle):
    rng = np.random.default_rng(0)
    batches = [rng.standard_normal((4, 3)) for _ in range(3)]
    for momentum in (0.1, None):
        layers = [t.nn.BatchNorm1d(3, momentum=momentum).double() for t in (pt, oracle)]
        for batch in batches:
            for t, layer in zip((pt, oracle), layers, strict=True):
                layer(t.tensor(batch))
        for name, value in layers[1].state_dict().items():
            close(layers[0].state_dict()[name], value, "float64", name)
        assert int(layers[0].num_batches_tracked) == 3
        for layer in layers:
            fill(layer.eval(), np.random.default_rng(5))
        with pt.no_grad(), oracle.no_grad():  # inference goes its own way
            ours, theirs = [layer(t.tensor(batches[0])) for t, layer in zip((pt, oracle), layers, strict=True)]
        close(ours, theirs, "float64", "inference")
        layers[0].reset_running_stats()
        assert int(layers[0].num_batches_tracked) == 0 and layers[0].running_var.tolist() == [1, 1, 1]


def test_states_of_before_versions(oracle):
    for t in (pt, oracle):
        layer = t.nn.BatchNorm1d(3)
        state = layer.state_dict()
        del state["num_batches_tracked"]
        with pytest.raises(RuntimeError, match="Missing key"):
            layer.load_state_dict(state)
        assert layer.load_state_dict(dict(state)).missing_keys == []
        with pytest.raises(RuntimeError, match="set track_running_stats=True in InstanceNorm1d to enable them"):
            t.nn.InstanceNorm1d(3, affine=True).load_state_dict(dict(state))


def test_convert_sync_batchnorm(oracle):
    texts = []
    for t in (pt, oracle):
        net = t.nn.Sequential(
            t.nn.Conv2d(1, 2, 1), t.nn.BatchNorm2d(2), t.nn.Sequential(t.nn.BatchNorm1d(3, affine=False))
        )
        weight, mean = net[1].weight, net[1].running_mean
        net.eval()
        new = t.nn.SyncBatchNorm.convert_sync_batchnorm(net)
        assert new is net and net[1].weight is weight and net[1].running_mean is mean and not net[1].training
        texts.append(repr(new))
    assert texts[0] == texts[1]


def test_weights_that_are_no_parameters():
    """Tools that rebuild a weight put it beside the table of parameters."""
    for layer, x in ((pt.nn.Linear(3, 2), pt.ones(1, 3)), (pt.nn.Conv1d(3, 2, 1), pt.ones(1, 3, 1))):
        weight = layer.weight.detach()
        del layer._parameters["weight"]
        layer.weight = weight * 0
        layer.bias.data.zero_()
        assert (layer(x) == 0).all()


def test_stability_at_the_extremes(device):
    big = pt.tensor([[1e4, -1e4, 0.0]])
    assert pt.nn.LogSoftmax(1)(big).tolist() == [[0, -2e4, -1e4]]
    assert pt.nn.Softmax(1)(big).tolist() == [[1, 0, 0]]
    for layer in (pt.nn.LayerNorm(4), pt.nn.GroupNorm(1, 4), pt.nn.RMSNorm(4)):
        x = pt.full((2, 4), 1e4, requires_grad=True)
        y = layer(x)
        y.sum().backward()
        assert pt.isfinite(y).all() and pt.isfinite(x.grad).all()
    assert (pt.nn.LayerNorm(4)(pt.full((2, 4), 1e4)) == 0).all()
    assert pt.nn.Softplus()(pt.tensor([1e3, -1e3])).tolist() == [1e3, 0]
    assert pt.nn.LogSigmoid()(pt.tensor([1e3, -1e3])).tolist() == [0, -1e3]


def test_cross_map_gradient_is_the_derivative(device):
    layer = pt.nn.CrossMapLRN2d(3, 0.5, 0.75, 2)
    assert pt.testing.gradcheck(layer, [pt.randn(1, 6, 1, 2, dtype=pt.float64, requires_grad=True)])
