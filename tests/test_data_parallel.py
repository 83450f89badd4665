"""nn.DataParallel and nn.parallel on a machine of two fake CUDA devices."""

import pytest

pytest.importorskip("cupy")

import polytensor as torch  # noqa: E402

nn, P = torch.nn, torch.nn.parallel


def net():
    torch.manual_seed(1)
    m = nn.Sequential(nn.Linear(3, 4), nn.BatchNorm1d(4), nn.Tanh(), nn.Linear(4, 2)).double()
    m[3].weight.data.mul_(2)
    return m


class Look(nn.Module):
    """Notes where it runs."""

    def __init__(self):
        super().__init__()
        self.inner, self.seen = nn.Linear(3, 2).double(), []

    def forward(self, x, scale=1.0, *, names=None):
        self.seen.append(
            (torch.cuda.current_device(), torch.cuda.current_stream(), x.device, self.inner.weight.device, names)
        )
        return {"y": self.inner(x) * scale, "n": torch.ones((), device=x.device)}


def test_trains_as_one_device_does(machine):
    x = torch.arange(18, dtype=torch.float64).reshape(6, 3) / 7
    whole, model = net().eval(), net().eval().cuda()
    parallel = nn.DataParallel(model)
    assert parallel.device_ids == [0, 1] and parallel.output_device == 0 and parallel.module is model
    expected, found = whole(x), parallel(x.cuda())
    assert found.device == torch.device("cuda:0") and (found.cpu() - expected).abs().max() < 1e-12
    expected.pow(2).sum().backward()
    found.pow(2).sum().backward()
    for p, q in zip(whole.parameters(), model.parameters(), strict=True):
        assert q.grad.device == q.device == torch.device("cuda:0") and (q.grad.cpu() - p.grad).abs().max() < 1e-12
    assert machine.calls["peer"] > 4 and machine.current == 0
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
    before = found.detach().clone()
    optimizer.step()
    assert not torch.equal(parallel(x.cuda()).detach(), before)
    parallel.train()(x.cuda())
    assert model[1].num_batches_tracked.item() == 1 and model[1].running_mean.abs().sum().item() > 0


def test_each_replica_runs_on_its_device_and_the_callers_stream(machine):
    model = Look().cuda()
    side = torch.cuda.Stream("cuda:1")
    with torch.cuda.stream(side):
        torch.cuda.set_device(0)
        x = torch.ones(4, 3, dtype=torch.float64)
        with pytest.warns(UserWarning, match="all input tensors were scalars"):
            out = nn.DataParallel(model, [0, 1], output_device=1)(x, scale=2.0, names="n")
    seen = sorted(model.seen, key=lambda s: s[0])
    assert [s[0] for s in seen] == [0, 1] == [s[2].index for s in seen] == [s[3].index for s in seen]
    assert seen[1][1] == side and seen[0][1] == torch.cuda.default_stream(0) and seen[0][4] == "n"
    assert out["y"].device == torch.device("cuda:1") and out["y"].shape == (4, 2) and out["n"].shape == (2,)


def test_one_device_and_wrong_places(machine):
    x = torch.ones(4, 3, dtype=torch.float64)
    one = nn.DataParallel(net().eval(), [1])
    assert one(x).device == torch.device("cuda:1") and machine.calls["peer"] == 0
    with pytest.raises(RuntimeError, match=r"on device cuda:0 .*found one of them on device: cpu"):
        nn.DataParallel(net())(x)
    small = nn.DataParallel(net().eval().cuda())(x[:1])
    assert small.shape == (1, 2)
    with pytest.raises(RuntimeError, match=r"on device cuda:1 .*found one of them on device: cpu"):
        P.data_parallel(net(), x, [1])  # which the class would move there
    y = P.data_parallel(net().eval().cuda(), x, output_device=torch.device("cpu"))
    assert y.device.type == "cpu"
    with pytest.raises(TypeError) as caught:
        nn.DataParallel(Look().cuda())(x, x, wrong=1)
    assert caught.value.__notes__ == ["in replica 0 on device 0"]


def test_parallel_apply_finds_devices_by_itself(machine):
    models = [Look().to(f"cuda:{i}") for i in range(2)]
    outs = P.parallel_apply(
        models, [({"x": 1}, torch.ones(1, 3, dtype=torch.float64, device=f"cuda:{i}"))[1:] for i in range(2)]
    )
    assert [m.seen[0][0] for m in models] == [0, 1] == [o["y"].device.index for o in outs]


def test_comm(machine):
    from polytensor.nn.parallel import comm

    assert P.comm is comm and torch.cuda.comm.broadcast is comm.broadcast
    x = torch.arange(6.0, device="cuda:0")
    a, b = comm.broadcast(x, [0, 1])
    assert a is x and b.device.index == 1 and b.tolist() == x.tolist()
    assert comm.reduce_add([a, b]).tolist() == (2 * x).tolist() and comm.reduce_add([a, b], 1).device.index == 1
    assert [t.tolist() for t in comm.reduce_add_coalesced([[a, a], [b, b]], -1)] == [(2 * x).tolist()] * 2
    parts = comm.scatter(x, [0, 1], chunk_sizes=[2, 4])
    assert [(p.device.index, len(p)) for p in parts] == [(0, 2), (1, 4)]
    assert comm.gather(parts, destination=1).tolist() == x.tolist() and comm.gather(parts).device.index == 0
    rooms = [torch.zeros(3, device="cuda:1"), torch.zeros(3)]
    assert comm.scatter(x, out=rooms)[1] is rooms[1] and rooms[1].tolist() == [3, 4, 5]
    assert comm.broadcast(rooms[1], out=[rooms[0]])[0].tolist() == [3, 4, 5]
    assert comm.gather(parts, out=torch.zeros(6)).tolist() == x.tolist()
    assert comm.broadcast_coalesced([x, x], [1])[0][1].device.index == 1
    for wrong in (
        lambda: comm.broadcast(x),
        lambda: comm.gather(parts, destination=0, out=x),
        lambda: comm.scatter(x, [0], out=rooms),
    ):
        with pytest.raises(RuntimeError):
            wrong()
    with pytest.raises(ValueError, match="same shape"):
        comm.reduce_add([x, x[:2]])


def test_functions_between_devices(machine):
    """What layers that share statistics between devices call: gradients come back to where the tensors are."""
    from polytensor.nn.parallel import _functions as functions

    x = torch.arange(4.0, requires_grad=True)
    y = torch.ones(2, requires_grad=True)
    a, b, c, d = functions.Broadcast.apply([0, 1], x, y)
    assert [str(t.device) for t in (a, b, c, d)] == ["cuda:0", "cuda:0", "cuda:1", "cuda:1"]
    sums = functions.ReduceAddCoalesced.apply(1, 2, a, b, c * 2, d * 3)
    assert [(str(t.device), t.tolist()) for t in sums] == [("cuda:1", [0, 3, 6, 9]), ("cuda:1", [4, 4])]
    (sums[0].sum() + sums[1].sum()).backward()
    assert x.grad.tolist() == [3] * 4 and y.grad.tolist() == [4, 4] and str(x.grad.device) == "cpu"
    parts = functions.Scatter.apply([0, 1], [1, 3], 0, x)
    assert [(str(t.device), t.tolist()) for t in parts] == [("cuda:0", [0]), ("cuda:1", [1, 2, 3])]
    assert functions.Gather.apply(0, 0, *parts).tolist() == x.tolist()
