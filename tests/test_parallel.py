"""nn.parallel: transparent on one CPU as in PyTorch; the parts of it on several devices of the CPU."""

import threading
from collections import namedtuple

import pytest
from same import same
from test_module import fixed, tried

import polytensor as pt

P = pt.nn.parallel


def transparent(t):
    m = fixed(t, t.nn.Sequential(t.nn.Linear(2, 1)))
    d = t.nn.DataParallel(m)
    x = t.ones(3, 2)
    return [
        repr(d), list(d.state_dict()), d(x), d.module is m, d.device_ids, d(input=x), tried(lambda: d())[0],
    ]  # fmt: skip


def test_transparent_on_one_cpu(oracle):
    if oracle.cuda.device_count() != pt.cuda.device_count():
        pytest.skip("PyTorch finds other devices here")
    same(transparent, oracle)


def test_the_function_is_transparent_too(monkeypatch):
    monkeypatch.setenv("POLYTENSOR_BACKEND", "numpy")  # whatever this machine has
    m, x = net().eval(), pt.ones(2, 3, dtype=pt.float64)
    want = m(x)
    for got in (
        P.data_parallel(m, x),
        P.data_parallel(m, (x,), ["cpu", "cpu"]),
        P.data_parallel(m, None, module_kwargs={"input": x}),
    ):
        assert (got - want).abs().max() < 1e-12


def net():
    m = fixed(pt, pt.nn.Sequential(pt.nn.Linear(3, 2), pt.nn.BatchNorm1d(2), pt.nn.Linear(2, 2)).double())
    m[2].weight = m[2].weight
    return m


@pytest.mark.parametrize("count", [1, 2, 3])
def test_split_batches_train_as_whole_ones(count):
    """Equal parts with sums as the loss: outputs and gradients are those of the module itself."""
    x = pt.arange(18, dtype=pt.float64).reshape(6, 3) / 7
    whole, parts = net().eval(), net().eval()
    parallel = pt.nn.DataParallel(parts, ["cpu"] * count)
    a, b = whole(x), parallel(x)
    assert (a - b).abs().max() < 1e-12
    a.pow(2).sum().backward()
    b.pow(2).sum().backward()
    for p, q in zip(whole.parameters(), parts.parameters(), strict=True):
        assert (p.grad - q.grad).abs().max() < 1e-12
    parallel.train()(x)
    assert parts[1].num_batches_tracked.item() >= 1  # the first device shares the buffers
    small = parallel.eval()(x[:1])
    assert small.shape == (1, 2)


def test_replicas():
    m = net()
    m.tied = m[0].weight
    a, b = P.replicate(m, ["cpu", "cpu"])
    assert a[0].weight is a.tied and a[0].weight is not b[0].weight and not a[0].weight.is_leaf
    assert a[0].weight.data_ptr() == m[0].weight.data_ptr() and repr(a) == repr(m)
    assert P.replicate(m, ["cpu"], detach=True)[0][0].weight.requires_grad is False
    with pytest.warns(UserWarning, match="has no effect"):
        a.zero_grad()
    lazy = type("Lazy", (pt.nn.modules.lazy.LazyModuleMixin, pt.nn.Module), {})()
    with pytest.raises(RuntimeError, match="dummy forward"):
        P.replicate(lazy, ["cpu"])


def test_scatter_and_gather():
    Pair = namedtuple("Pair", "a b")
    x = pt.arange(4)
    tree = [x, (x + 1, "text"), {"k": x * 2}, Pair(x, 3), None, []]
    first, second = P.scatter(tree, ["cpu", "cpu"])
    assert first[0].tolist() == [0, 1] and second[1][0].tolist() == [3, 4] and second[1][1] == "text"
    assert second[2]["k"].tolist() == [4, 6] and isinstance(first[3], Pair) and first[4] is None and first[5] == []
    back = P.gather([{"x": first[0], "y": (first[3].a,)}, {"x": second[0], "y": (second[3].a,)}], "cpu")
    assert back["x"].tolist() == [0, 1, 2, 3] and back["y"][0].tolist() == [0, 1, 2, 3]
    assert len(P.scatter(pt.ones(2, 2), ["cpu"] * 3)) == 2 and P.gather([Pair(x, x), Pair(x, x)], "cpu").a.shape == (8,)
    assert P.gather([None, None], "cpu") is None and P.scatter(pt.ones(2, 4), ["cpu"] * 2, 1)[0].shape == (2, 2)
    with pytest.warns(UserWarning, match="all input tensors were scalars"):
        assert P.gather([pt.tensor(1.0), pt.tensor(2.0)], "cpu").tolist() == [1, 2]
    with pytest.raises(ValueError, match="same number of keys"):
        P.gather([{"a": x}, {}], "cpu")


def test_threads_take_the_modes_of_the_caller():
    seen = []

    class Look(pt.nn.Module):
        def forward(self, x):
            y = x @ x
            seen.append((threading.current_thread() is threading.main_thread(), y.dtype, pt.is_grad_enabled()))
            return y

    with pt.no_grad(), pt.autocast("cpu"):
        P.parallel_apply([Look(), Look()], [pt.ones(2, 2), (pt.ones(2, 2),)])
    assert seen == [(False, pt.bfloat16, False)] * 2
    with pytest.raises(TypeError) as caught:
        P.parallel_apply([pt.nn.Linear(1, 1)] * 2, [(), ()], devices=["cpu", "cpu"])
    assert caught.value.__notes__ == ["in replica 0 on device cpu"]
    with pytest.raises(AssertionError, match="number of modules"):
        P.parallel_apply([pt.nn.Linear(1, 1)], [])


def test_distributed_says_what_to_use():
    with pytest.raises(RuntimeError, match=r"nn\.DataParallel"):
        P.DistributedDataParallel(pt.nn.Linear(1, 1))


def trained(seed, wide=64, dtype=pt.float32):
    """Weights of a small network after some steps; its own Generator, since the default one is everybody's."""
    t, g = pt, pt.Generator().manual_seed(seed)
    model = t.nn.Sequential(
        t.nn.Conv2d(1, 4, 3), t.nn.BatchNorm2d(4), t.nn.ReLU(), t.nn.MaxPool2d(2), t.nn.Flatten(), t.nn.Linear(4 * 49, wide),
        t.nn.GELU(), t.nn.LayerNorm(wide), t.nn.Linear(wide, 10),
    ).to(dtype)  # fmt: skip
    for p in model.parameters():
        t.nn.init.normal_(p, std=0.1, generator=g)
    optimizer = t.optim.Adam(model.parameters(), lr=0.01)
    for _ in range(6):
        x, y = t.randn(16, 1, 16, 16, generator=g).to(dtype), t.randint(0, 10, (16,), generator=g)
        optimizer.zero_grad()
        t.nn.functional.cross_entropy(model(x), y).backward()
        optimizer.step()
    return t.cat([p.detach().flatten() for p in model.state_dict().values()]).tolist()


@pytest.mark.parametrize("parallel", [False, True])
def test_two_threads_train_two_models_at_once(polytensor_backend, monkeypatch, parallel):
    """To the same bits as one after the other, with kernels forced serial and forced on several threads."""
    if polytensor_backend == "numba":
        from polytensor.backends.numba import threads

        monkeypatch.setattr(threads, "PARALLEL_NS", 0 if parallel else float("inf"))
        monkeypatch.setattr(threads, "TEAM_NS", 0 if parallel else float("inf"))
    elif parallel:
        pytest.skip("one set of kernels")
    together = [[], []]
    with pt.use_backend(polytensor_backend):
        alone = [trained(seed) for seed in (1, 2)]

    def work(i):
        with pt.use_backend(polytensor_backend):
            together[i] = [trained(i + 1) for _ in range(3)]

    workers = [threading.Thread(target=work, args=(i,)) for i in range(2)]
    for w in workers:
        w.start()
    for w in workers:
        w.join()
    assert together == [[alone[0]] * 3, [alone[1]] * 3] and alone[0] != alone[1]


def test_the_budget_changes_while_two_threads_train(polytensor_backend, monkeypatch):
    """They compute what they compute alone; in the end BLAS and kernels have the number of threads that was set last."""
    if polytensor_backend == "numba":
        from polytensor.backends.numba import products, threads

        monkeypatch.setattr(threads, "TEAM_NS", 0)
        monkeypatch.setattr(products, "takes", lambda x, w: False)  # products by BLAS, small ones on one thread
    with pt.use_backend(polytensor_backend):
        alone = [trained(seed, 1000, pt.float64) for seed in (1, 2)]
    before, together, done = pt.get_num_threads(), [[], []], threading.Event()

    def work(i):
        with pt.use_backend(polytensor_backend):
            together[i] = [trained(i + 1, 1000, pt.float64) for _ in range(2)]

    def change():
        with pt.use_backend(polytensor_backend):
            while not done.wait(0.001):
                for n in (1, 2):
                    pt.set_num_threads(n)

    workers = [threading.Thread(target=work, args=(i,)) for i in range(2)]
    other = threading.Thread(target=change)
    for w in (*workers, other):
        w.start()
    for w in workers:
        w.join()
    done.set()
    other.join()
    try:
        for n in (2, 1):
            with pt.use_backend(polytensor_backend):
                pt.set_num_threads(n)
                trained(3, 1000)
            assert set(blas_threads()) <= {n}
        for found, want in zip(together, alone, strict=True):
            for weights in found:
                assert (pt.tensor(weights) - pt.tensor(want)).abs().max() < 1e-9
    finally:
        with pt.use_backend(polytensor_backend):
            pt.set_num_threads(before)


def blas_threads():
    controller = pytest.importorskip("threadpoolctl")
    return [
        x["num_threads"] for x in controller.threadpool_info() if x["user_api"] == "blas" and "numpy" in x["filepath"]
    ]
