"""nn, optim and data against PyTorch: same numbers, names, repr and errors."""

import copy
import pickle

import numpy as np
import pytest
from twins import twins

import polytensor as pt
from polytensor import nn


def lenet(t):
    n = t.nn
    return n.Sequential(
        n.Conv2d(1, 6, 5), n.ReLU(), n.MaxPool2d(2, 2), n.Conv2d(6, 16, 5), n.ReLU(), n.MaxPool2d(2), n.Flatten(),
        n.Linear(256, 120), n.Tanh(), n.Dropout(0.0), n.Linear(120, 10), n.LogSoftmax(dim=1),
    )  # fmt: skip


def test_repr_and_names(oracle):
    ours, theirs = twins(oracle, lenet)
    assert repr(ours) == repr(theirs)
    assert [n for n, _ in ours.named_parameters()] == [n for n, _ in theirs.named_parameters()]
    assert list(ours.state_dict()) == list(theirs.state_dict())
    assert [n for n, _ in ours.named_modules()] == [n for n, _ in theirs.named_modules()]


@pytest.mark.parametrize(
    "make",
    [
        lambda t, p: t.optim.SGD(p, lr=0.1),
        lambda t, p: t.optim.SGD(p, lr=0.1, momentum=0.9, weight_decay=0.01),
        lambda t, p: t.optim.SGD(p, lr=0.1, momentum=0.9, nesterov=True),
        lambda t, p: t.optim.SGD(p, lr=0.1, momentum=0.9, dampening=0.5, maximize=True),
        lambda t, p: t.optim.Adam(p, lr=0.01),
        lambda t, p: t.optim.Adam(p, lr=0.01, weight_decay=0.1, amsgrad=True),
        lambda t, p: t.optim.Adam(p, lr=0.01, maximize=True),
        lambda t, p: t.optim.AdamW(p, lr=0.01),
    ],
)
def test_twenty_steps_follow_pytorch(oracle, polytensor_backend, make):
    rng = np.random.default_rng(0)
    x, y = rng.standard_normal((20, 4, 1, 28, 28)), rng.integers(0, 10, (20, 4))
    with pt.use_backend(polytensor_backend):
        ours, theirs = twins(oracle, lenet)
        a, b = make(pt, ours.parameters()), make(oracle, theirs.parameters())
        for i in range(20):
            for t, net, opt in ((pt, ours, a), (oracle, theirs, b)):
                opt.zero_grad()
                loss = t.nn.functional.nll_loss(net(t.from_numpy(x[i])), t.from_numpy(y[i]))
                loss.backward()
                opt.step()
        for (name, p), q in zip(ours.named_parameters(), theirs.parameters(), strict=True):
            # Adam divides by the size of gradients that may be sums of nearly nothing: 3e-11 was seen
            np.testing.assert_allclose(p.detach().numpy(), q.detach().numpy(), rtol=1e-7, atol=1e-9, err_msg=name)
        mine, other = a.state_dict(), b.state_dict()
        assert mine["param_groups"][0].keys() >= other["param_groups"][0].keys()
        assert {k: sorted(v) for k, v in mine["state"].items()} == {k: sorted(v) for k, v in other["state"].items()}


def test_module_machinery():
    net = nn.Sequential(nn.Linear(2, 3), nn.ReLU(), nn.Linear(3, 1))
    seen = []
    handle = net[0].register_forward_hook(lambda m, args, out: seen.append(tuple(out.shape)))
    net.register_forward_pre_hook(lambda m, args: seen.append("pre"))
    grads = []
    net[2].register_full_backward_hook(lambda m, gi, go: grads.append((gi[0].shape, go[0].shape)))
    net(pt.ones(4, 2)).sum().backward()
    assert seen == ["pre", (4, 3)] and grads == [((4, 3), (4, 1))]
    handle.remove()
    net(pt.ones(4, 2))
    assert seen == ["pre", (4, 3), "pre"]
    net.zero_grad()
    assert all(p.grad is None for p in net.parameters())
    assert net.eval().training is False and net[0].training is False
    for other in (copy.deepcopy(net), pickle.loads(pickle.dumps(nn.Sequential(nn.Linear(2, 3))))):
        assert other[0].weight.requires_grad and other[0].weight is not net[0].weight
    net.register_buffer("count", pt.zeros(1))
    net.register_buffer("scratch", pt.zeros(1), persistent=False)
    assert "count" in net.state_dict() and "scratch" not in net.state_dict()
    assert net.double()[0].weight.dtype is pt.float64


def test_load_state_dict_says_what_is_wrong(oracle):
    messages = []
    for t in (pt, oracle):
        net = t.nn.Linear(2, 3)
        with pytest.raises(RuntimeError) as caught:
            net.load_state_dict({"weight": t.zeros(3, 4), "extra": t.zeros(1)})
        messages.append(str(caught.value))
    assert messages[0] == messages[1]


def test_initial_distribution():
    pt.manual_seed(0)
    layer = nn.Linear(100, 2000)
    w = layer.weight.detach().numpy()
    assert abs(w).max() <= 0.1 and abs(w.std() - 0.1 / 3**0.5) < 1e-3


def test_bad_arguments():
    with pytest.raises(RuntimeError, match=r"cannot be multiplied \(3x4 and 5x2\)"):
        nn.Linear(5, 2)(pt.ones(3, 4))
    with pytest.raises(RuntimeError, match="to have 1 channels, but got 3 channels"):
        nn.Conv2d(1, 2, 3)(pt.ones(1, 3, 5, 5))
    with pytest.raises(IndexError, match="Target 7 is out of bounds"):
        nn.CrossEntropyLoss()(pt.ones(2, 3), pt.tensor([0, 7]))
    with pytest.raises(ValueError, match="empty parameter list"):
        pt.optim.SGD([], lr=0.1)
    with pytest.raises(ValueError, match="Invalid learning rate"):
        pt.optim.SGD([pt.nn.Parameter(pt.ones(1))], lr=-1)
    with pytest.raises(AttributeError, match=r"before Module.__init__\(\) call"):

        class Net(nn.Module):
            def __init__(self):
                self.fc = nn.Linear(1, 1)

        Net()


def test_grads_are_owned():
    w = pt.ones(3, requires_grad=True)
    v = pt.ones(3, requires_grad=True)
    (w + v).sum().backward()
    w.grad.mul_(5)
    assert v.grad.tolist() == [1, 1, 1]
    g = pt.ones(3)
    (w * 1).backward(g)
    (v + 0).backward(g)
    v.grad.zero_()
    assert g.tolist() == [1, 1, 1]


@pytest.mark.parametrize(
    "make",
    [
        lambda t: t.nn.TripletMarginWithDistanceLoss(margin=2.0, swap=True),
        lambda t: t.nn.TripletMarginWithDistanceLoss(
            distance_function=lambda a, b: (a - b).abs().sum(1), reduction="sum"
        ),
        lambda t: t.nn.TripletMarginLoss(p=1, swap=True),
    ],
)
def test_triplets_with_a_distance(oracle, device, make):
    a, b, c = np.random.default_rng(0).standard_normal((3, 5, 4))
    found = []
    for t in (pt, oracle):
        xs = [t.from_numpy(v.copy()).requires_grad_() for v in (a, b, c)]
        loss = make(t)(*xs)
        loss.backward()
        found.append([loss.detach().numpy(), *(x.grad.numpy() for x in xs)])
    for x, y in zip(*found, strict=True):
        np.testing.assert_allclose(x, y, rtol=1e-12, atol=1e-13)


@pytest.mark.parametrize("average", ["get_swa_avg_fn", "get_swa_multi_avg_fn", None])
def test_averaged_model_and_its_norms(oracle, device, average):
    rng = np.random.default_rng(0)
    batches = rng.standard_normal((3, 8, 4))

    def make(t):
        return t.nn.Sequential(t.nn.Linear(4, 3), t.nn.BatchNorm1d(3), t.nn.ReLU(), t.nn.Linear(3, 2))

    oracle.manual_seed(0)
    nets, found = twins(oracle, make), []
    for t, net in zip((pt, oracle), nets, strict=True):
        swa = t.optim.swa_utils
        key = "multi_avg_fn" if average and "multi" in average else "avg_fn"
        averaged = swa.AveragedModel(net, **({key: getattr(swa, average)()} if average else {}))
        opt = t.optim.SGD(net.parameters(), lr=0.1)
        schedule = swa.SWALR(opt, swa_lr=0.01, anneal_epochs=2)
        data = [(t.from_numpy(x), None) for x in batches]
        for x, _ in data:
            opt.zero_grad()
            net(x).pow(2).sum().backward()
            opt.step()
            averaged.update_parameters(net)
            schedule.step()
        averaged.eval()
        swa.update_bn(data, averaged)
        with t.no_grad():
            found.append([averaged(data[0][0]).numpy(), *(v.numpy() for v in averaged.state_dict().values())])
    assert list(nets[0].state_dict()) == list(nets[1].state_dict())
    # PyTorch's function for many tensors has the weight 1 / n in float32
    tolerance = 1e-6 if average == "get_swa_multi_avg_fn" else 1e-12
    for x, y in zip(*found, strict=True):
        np.testing.assert_allclose(x, y, rtol=tolerance, atol=tolerance)
