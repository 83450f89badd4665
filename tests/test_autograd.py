"""The autograd engine, on PolyTensor's backends and, to check the expectations, on PyTorch itself."""

import gc
import tracemalloc
import warnings
import weakref

import pytest
from oracle import LEAF, MODIFIED, NO_GRAD, SCALAR, TWICE, short

import polytensor


def names(fn):
    return [None if f is None else short(f) for f, _ in fn.next_functions]


# ---- accumulation and graphs -------------------------------------------------------------------------------
def test_gradients_accumulate(t):
    x = t.leaf([1.0, 2.0])
    (x * x).sum().backward()
    (x * 3).sum().backward()
    assert x.grad.tolist() == [5, 7]
    first = x.grad
    x.sum().backward()
    assert x.grad is first and x._grad is first
    x._grad = None
    (x + x + x).sum().backward()
    assert x.grad.tolist() == [3, 3]


def test_grad_owns_its_memory(t):
    x, y = t.leaf([1.0, 2.0]), t.leaf([3.0, 4.0])
    seed = t.leaf([1.0, 1.0], grad=False)
    (x + y).backward(seed)
    x.grad.mul_(5)
    assert y.grad.tolist() == [1, 1]
    assert seed.tolist() == [1, 1]
    z = t.leaf([1.0, 2.0])
    z.expand(3, 2).sum().backward()
    z.grad.add_(1)
    assert z.grad.tolist() == [4, 4]


def test_one_leaf_by_many_paths(t):
    x = t.leaf(2.0)
    a = x * x
    b = a * x + a
    (b * a + x).backward()
    assert x.grad.item() == 5 * 2**4 + 4 * 2**3 + 1


def test_next_functions(both):
    t = both
    x, w, b = t.leaf([[1.0, 2.0]]), t.leaf([[1.0, 2.0], [3.0, 4.0]]), t.leaf([1.0, 1.0])
    y = t.nn.functional.linear(x, w, b)
    assert y.grad_fn.name() == "AddmmBackward0"
    assert names(y.grad_fn) == ["AccumulateGrad", "AccumulateGrad", "TBackward0"]
    loss = t.nn.functional.mse_loss(t.relu(y), y.detach())
    chain = []
    node = loss.grad_fn
    while node is not None:
        chain.append(short(node))
        node = node.next_functions[0][0] if node.next_functions else None
    assert chain == ["MseLossBackward0", "ReluBackward0", "AddmmBackward0", "AccumulateGrad"]
    assert y.grad_fn.next_functions[0][0].variable is b
    assert "AddmmBackward0" in repr(y.grad_fn)


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("x + x", "AddBackward0"), ("x - 1", "SubBackward0"), ("1 - x", "RsubBackward1"),
        ("x * x", "MulBackward0"),
        ("x / x", "DivBackward0"), ("x ** 2", "PowBackward0"),
        ("2 ** x", "PowBackward2"), ("x ** x", "PowBackward1"),
        ("-x", "NegBackward0"), ("x.exp()", "ExpBackward0"), ("x.log()", "LogBackward0"),
        ("x.sqrt()", "SqrtBackward0"),
        ("x.tanh()", "TanhBackward0"), ("x.sigmoid()", "SigmoidBackward0"), ("x.relu()", "ReluBackward0"),
        ("x.abs()", "AbsBackward0"), ("x.clamp(0, 1)", "ClampBackward1"), ("x.sum()", "SumBackward0"),
        ("x.sum(0)", "SumBackward1"), ("x.mean()", "MeanBackward0"), ("x.mean(0)", "MeanBackward1"),
        ("x.max()", "MaxBackward1"), ("x.max(0)[0]", "MaxBackward0"), ("x.var()", "VarBackward0"),
        ("x.view(4)", "ViewBackward0"), ("x.t()", "TBackward0"), ("x.permute(1, 0)", "PermuteBackward0"),
        ("x.transpose(0, 1)", "TransposeBackward0"), ("x.unsqueeze(0)", "UnsqueezeBackward0"),
        ("x.squeeze(0)", "SqueezeBackward1"), ("x.expand(3, 2, 2)", "ExpandBackward0"),
        ("x[0]", "SelectBackward0"),
        ("x[0:1]", "SliceBackward0"), ("x[[0, 1]]", "IndexBackward0"), ("x.clone()", "CloneBackward0"),
        ("t.cat((x, x))", "CatBackward0"), ("t.stack((x, x))", "StackBackward0"), ("x @ x", "MmBackward0"),
        ("x @ x[0]", "MvBackward0"), ("x[0] @ x[0]", "DotBackward0"), ("x.softmax(0)", "SoftmaxBackward0"),
        ("x.log_softmax(0)", "LogSoftmaxBackward0"), ("t.where(x > 0, x, x)", "WhereBackward0"),
        ("x.reshape(4)", "ViewBackward0"), ("x.t().reshape(4)", "UnsafeViewBackward0"),
        ("x.flatten()", "ViewBackward0"),
        ("F.mse_loss(x, x)", "MseLossBackward0"),
        ("F.cross_entropy(x, t.tensor([0, 1]))", "NllLossBackward0"),
        ("F.conv2d(x[None, None], x[None, None])", "ConvolutionBackward0"),
        ("F.max_pool2d(x[None, None], 2)", "MaxPool2DWithIndicesBackward0"),
        ("x.to(t.float32)", "ToCopyBackward0"),
        ("x[None].bmm(x[None])", "BmmBackward0"), ("x.mul_(1)", None),
    ],
)  # fmt: skip
def test_node_names(both, name, expected):
    t = both
    x = t.leaf([[0.5, 1.0], [1.5, 2.0]])
    scope = {"t": t, "x": x, "F": t.nn.functional}
    if expected is None:
        with pytest.raises(RuntimeError, match=LEAF):
            eval(name, scope)
    else:
        assert eval(name, scope).grad_fn.name() == expected


def test_backward_from_one_tensor_twice(both):
    x = both.leaf([1.0, 2.0])
    y = x * x
    z = y * 5
    both.autograd.backward([y.sum(), z, z], [None, both.ones(2), both.ones(2) * 2])
    assert x.grad.tolist() == [32, 64]


def test_retain_graph(t):
    x = t.leaf([1.0, 2.0])
    y = (x * x).sum()
    y.backward(retain_graph=True)
    y.backward()
    assert x.grad.tolist() == [4, 8]
    with pytest.raises(RuntimeError, match=TWICE):
        y.backward()


def test_saved_arrays_are_freed_during_backward(t):
    x = t.leaf([1.0, 2.0])
    y = x.exp()
    freed = weakref.ref(y)
    z = (y * 2).sum()
    del y
    z.backward()
    assert freed() is None


def test_backward_needs_a_graph_and_a_scalar(both):
    x = both.leaf([1.0, 2.0])
    with pytest.raises(RuntimeError, match=SCALAR):
        (x * 2).backward()
    with pytest.raises(RuntimeError, match=NO_GRAD):
        both.leaf([1.0], grad=False).backward()
    with pytest.raises(RuntimeError, match="Mismatch in shape"):
        (x * 2).backward(both.leaf([1.0], grad=False))
    with pytest.raises(RuntimeError, match="One of the differentiated Tensors does not require grad"):
        both.autograd.grad((x * 2).sum(), both.leaf(1.0, grad=False))


def test_higher_derivatives(t):
    x = t.leaf([0.3, -1.2, 2.0])

    def third(y):
        for _ in range(3):
            (y,) = t.autograd.grad(y.sum(), x, create_graph=True)
        return y

    polytensor.testing.assert_close(third(x**4), 24 * x, rtol=1e-12, atol=1e-12)
    h = x.detach().tanh()
    s = 1 - h * h
    polytensor.testing.assert_close(third(x.tanh()), -2 * s * s + 4 * h * h * s, rtol=1e-12, atol=1e-12)


@pytest.mark.filterwarnings("ignore:Using backward:UserWarning")
def test_backward_with_create_graph(both):
    x = both.leaf([1.0, 2.0])
    (x**3).sum().backward(create_graph=True)
    g = x.grad
    assert g.requires_grad
    x.grad = None
    g.sum().backward()
    assert x.grad.tolist() == [6, 12]


def test_double_backward_through_network(both):
    t = both
    w = t.leaf([[0.5, -1.0], [0.25, 2.0]])
    x = t.leaf([[1.0, 2.0]])
    y = t.nn.functional.cross_entropy(t.tanh(x @ w), t.tensor([1], device=t.device))
    (g,) = t.autograd.grad(y, x, create_graph=True)
    (g * g).sum().backward()
    assert w.grad.shape == w.shape
    assert bool((w.grad != 0).all())


def test_long_chain(t):
    x = t.leaf(1.0)
    y = x
    for _ in range(100_000):
        y = y + 1
    y.backward()
    assert x.grad.item() == 1
    del y


def test_forwards_without_backward_hold_memory_flat(t):
    w, x = t.leaf([[0.5] * 64] * 64), t.leaf([[1.0] * 64] * 8, grad=False)

    def forward():
        h = t.relu(x @ w)
        v = h * 1
        v[0].mul_(2)
        return (
            t.nn.functional.cross_entropy(t.softmax(v, 1), t.zeros(8, dtype=t.int64, device=t.device))
            + h.max(1)[0].sum()
        )

    gc.collect()
    gc.disable()
    try:
        tracemalloc.start()
        for i in range(1000):
            forward()
            if i == 100:
                before = tracemalloc.get_traced_memory()[0]
        after = tracemalloc.get_traced_memory()[0]
    finally:
        tracemalloc.stop()
        gc.enable()
    # one graph here is some 40 kB; the interpreter's free list of tuples alone may grow by 100 kB
    assert after - before < 200_000, f"{after - before} bytes more after 900 forwards"


# ---- autograd.grad -----------------------------------------------------------------------------------------
def test_grad_function(both):
    t = both
    x, y = t.leaf([1.0, 2.0]), t.leaf([3.0, 4.0])
    out = x * x
    gx, gy = t.autograd.grad(out.sum(), [x, y], allow_unused=True)
    assert gx.tolist() == [2, 4]
    assert gy is None
    assert x.grad is None
    with pytest.raises(RuntimeError, match="appears to not have been used in the graph"):
        t.autograd.grad((x * x).sum(), [x, y])
    (g,) = t.autograd.grad(x * x, x, grad_outputs=t.leaf([1.0, 10.0], grad=False))
    assert g.tolist() == [2, 40]
    a, b = x * 2, x * 3
    (g,) = t.autograd.grad([a.sum(), b.sum()], [x])
    assert g.tolist() == [5, 5]
    gx, gy = t.autograd.grad((x * x).sum(), [x, y], materialize_grads=True)
    assert gy.tolist() == [0, 0]


def test_grad_of_intermediate(both):
    x = both.leaf([1.0, 2.0])
    y = x * 3
    z = (y * y).sum()
    gy, gx = both.autograd.grad(z, [y, x])
    assert gy.tolist() == [6, 12]
    assert gx.tolist() == [18, 36]
    y = x * 3
    y.retain_grad()
    (y * y).sum().backward()
    assert y.grad.tolist() == [6, 12]


def test_backward_inputs(both):
    x, y = both.leaf([1.0]), both.leaf([2.0])
    (x * y).sum().backward(inputs=[x])
    assert x.grad.tolist() == [2]
    assert y.grad is None


# ---- grad modes --------------------------------------------------------------------------------------------
def test_modes(both):
    t = both
    x = t.leaf([1.0])
    with t.no_grad():
        assert not (x * 2).requires_grad
        assert not t.is_grad_enabled()
        with t.enable_grad():
            assert (x * 2).requires_grad
        with t.set_grad_enabled(True):
            assert (x * 2).requires_grad
        assert not (x * 2).requires_grad
    with t.set_grad_enabled(False):
        assert (x * 2).is_leaf
    t.set_grad_enabled(False)
    assert not (x * 2).requires_grad
    t.set_grad_enabled(True)
    assert (x * 2).requires_grad


def test_modes_as_decorators(both):
    t = both
    x = t.leaf([1.0])

    def needs(y=None):
        return (x * 2).requires_grad

    decorated = (
        (t.no_grad()(needs), False), (t.no_grad(needs), False), (t.enable_grad()(needs), True),
        (t.set_grad_enabled(False)(needs), False), (t.inference_mode()(needs), False),
    )  # fmt: skip
    for function, expected in decorated:
        assert function() is expected
        assert t.is_grad_enabled()

    @t.no_grad()
    def generator():
        yield needs()
        yield needs()

    seen = []
    for value in generator():
        seen.append(value)
        assert t.is_grad_enabled()
    assert seen == [False, False]


def test_modes_survive_an_exception(both):
    with pytest.raises(KeyError), both.no_grad():
        raise KeyError
    assert both.is_grad_enabled()


def test_inference_mode(both):
    t = both
    x = t.leaf([1.0])
    with t.inference_mode():
        assert t.is_inference_mode_enabled()
        y = x * 2
        assert not y.requires_grad
    with t.inference_mode(False):
        assert (x * 2).requires_grad


# ---- hooks -------------------------------------------------------------------------------------------------
def test_tensor_hooks(both):
    t = both
    x = t.leaf([1.0, 2.0])
    seen = []
    handle = x.register_hook(lambda g: seen.append(g.tolist()))
    y = x * 2
    y.register_hook(lambda g: g * 10)
    y.sum().backward()
    assert seen == [[20, 20]]
    assert x.grad.tolist() == [20, 20]
    handle.remove()
    (x * 2).sum().backward()
    assert len(seen) == 1
    with pytest.raises(RuntimeError, match="cannot register a hook on a tensor that doesn't require gradient"):
        t.leaf([1.0], grad=False).register_hook(print)


def test_hook_sees_the_whole_gradient(both):
    x = both.leaf([1.0])
    y = x * 2
    seen = []
    y.register_hook(lambda g: seen.append(g.item()))
    (y + y * 3).sum().backward()
    assert seen == [4]


def test_node_and_accumulate_hooks(both):
    x = both.leaf([1.0])
    y = x * 2
    seen = []
    y.grad_fn.register_hook(lambda gi, go: seen.append(("post", gi[0].item(), go[0].item())))
    y.grad_fn.register_prehook(lambda go: seen.append(("pre", go[0].item())))
    x.register_post_accumulate_grad_hook(lambda p: seen.append(("acc", p.grad.item())))
    y.sum().backward()
    assert seen == [("pre", 1), ("post", 2, 1), ("acc", 2)]


# ---- autograd.Function -------------------------------------------------------------------------------------
def test_function(both):
    t = both

    class Scale(t.autograd.Function):
        @staticmethod
        def forward(ctx, x, w, k):
            ctx.save_for_backward(x, w)
            ctx.k = k
            return x * w * k

        @staticmethod
        def backward(ctx, g):
            with pytest.warns(DeprecationWarning, match="use 'saved_tensors'"):
                x, w = ctx.saved_variables
            needs.append(ctx.needs_input_grad)
            return g * w * ctx.k, g * x * ctx.k if ctx.needs_input_grad[1] else None, None

    needs = []
    x, w = t.leaf([1.0, 2.0]), t.leaf([3.0, 4.0], grad=False)
    y = Scale.apply(x, w, 5)
    assert y.grad_fn.name() == "ScaleBackward"
    y.sum().backward()
    assert x.grad.tolist() == [15, 20]
    assert needs == [(True, False, False)]
    (g,) = t.autograd.grad(Scale.apply(x, x, 1).sum(), x, create_graph=True)
    (h,) = t.autograd.grad(g.sum(), x)
    assert h.tolist() == [2, 2]
    assert not Scale.apply(w, w, 1).requires_grad


def test_function_marks(both):
    t = both

    class Sort(t.autograd.Function):
        @staticmethod
        def forward(ctx, x):
            index = x > 1
            ctx.mark_non_differentiable(index)
            ctx.set_materialize_grads(False)
            return x * 2, index, x * 3

        @staticmethod
        def backward(ctx, g, gi, g3):
            assert gi is None
            assert g3 is None
            return g * 2

    x = t.leaf([1.0, 2.0])
    y, index, z = Sort.apply(x)
    assert y.requires_grad
    assert z.requires_grad
    assert not index.requires_grad
    y.sum().backward()
    assert x.grad.tolist() == [2, 2]


def test_function_materializes_gradients(both):
    t = both

    class Two(t.autograd.Function):
        @staticmethod
        def forward(ctx, x):
            return x * 2, x * 3

        @staticmethod
        def backward(ctx, a, b):
            return 2 * a + 3 * b

    x = t.leaf([1.0, 2.0])
    Two.apply(x)[1].sum().backward()
    assert x.grad.tolist() == [3, 3]


def test_once_differentiable(both):
    t = both

    class Square(t.autograd.Function):
        @staticmethod
        def forward(ctx, x):
            ctx.save_for_backward(x)
            return x * x

        @staticmethod
        @t.autograd.function.once_differentiable
        def backward(ctx, g):
            assert not t.is_grad_enabled()
            return 2 * ctx.saved_tensors[0] * g

    x = t.leaf([3.0])
    seed = t.leaf([1.0])
    (g,) = t.autograd.grad(Square.apply(x), x, seed, create_graph=True)
    assert g.item() == 6
    with pytest.raises(
        RuntimeError, match="trying to differentiate twice a function that was marked with @once_differ"
    ):
        g.sum().backward()


def test_function_wrong_number_of_gradients(both):
    t = both

    class Bad(t.autograd.Function):
        @staticmethod
        def forward(ctx, x, y):
            return x + y

        @staticmethod
        def backward(ctx, g):
            return g

    with pytest.raises(RuntimeError, match=r"returned an incorrect number of gradients \(expected 2, got 1\)"):
        Bad.apply(t.leaf([1.0]), t.leaf([1.0])).sum().backward()


# ---- detach, data, requires_grad ---------------------------------------------------------------------------
def test_detach_and_data(both):
    x = both.leaf([1.0, 2.0])
    y = x * 2
    d = y.detach()
    assert d.is_leaf
    assert d.grad_fn is None
    d.mul_(10)
    assert y.tolist() == [20, 40]
    z = x.exp()
    loss = z.sum()
    z.data.zero_()  # .data has a version of its own, so this goes unnoticed
    loss.backward()
    assert x.grad is not None
    z = x.exp()
    loss = (z * z).sum()
    z.detach().zero_()
    with pytest.raises(RuntimeError, match=MODIFIED):
        loss.backward()
    x.data.add_(1)
    assert x.tolist() == [2, 3]
    assert x.is_leaf
    x.data = both.leaf([7.0], grad=False)
    assert x.tolist() == [7]
    assert x.requires_grad


def test_requires_grad(both):
    t = both
    x = t.leaf([1.0], grad=False)
    assert x.requires_grad_() is x
    y = x * 2
    with pytest.raises(RuntimeError, match="you can only change requires_grad flags of leaf variables"):
        y.requires_grad_(False)
    with pytest.raises(RuntimeError, match="only Tensors of floating point"):
        t.tensor([1]).requires_grad_()
    x.requires_grad = False
    assert not (x * 2).requires_grad
    assert x.detach_() is x


def test_bfloat16_gradients_keep_their_dtype(both):
    x = both.tensor([1.0, 2.0], dtype=both.bfloat16, requires_grad=True)
    (g,) = both.autograd.grad(x.mean(), x)
    assert g.dtype is both.bfloat16
    y = x * 2
    y.retain_grad()
    (y.mean() * 0.3).backward()
    assert y.grad.dtype is both.bfloat16 and x.grad.dtype is both.bfloat16


NO_NAN = (
    "v.clamp(min=0).sqrt()", "v.clamp(0, 1).log()", "m.where(v > 0, v, m.zeros(())).sqrt()", "v.masked_fill(v < 0, 0.0).sqrt()",
    "v.relu().sqrt()", "v.maximum(m.zeros(3)).sqrt()", "v.round().sub(2).sqrt()", "v.sign().add(1).sqrt()", "v.floor().log()",
    "m.nn.functional.hardtanh(v, 0, 1).sqrt()", "m.nn.functional.threshold(v, 0.0, 0.0).sqrt()", "m.fmax(v, m.zeros(3)).sqrt()",
    "m.nn.functional.relu6(v).sqrt()", "m.nn.functional.hardsigmoid(v - 5).sqrt()", "(v**0).sub(1).sqrt()",
    "v.index_fill(0, m.tensor([0]), 0.0).sqrt()", "v.scatter(0, m.tensor([0]), 0.0).sqrt()", "(v - v).std().sqrt()",
    "v.nan_to_num().clamp_min(0).sqrt()", "v.sgn().add(1).sqrt()", "m.nn.functional.hardshrink(v).abs().sqrt()",
)  # fmt: skip


@pytest.mark.parametrize("text", NO_NAN)
@pytest.mark.parametrize("dtype", ["float16", "float32", "float64"])
def test_an_infinite_gradient_stops_where_the_derivative_is_zero(oracle, t, text, dtype):
    grads = []
    for m in (oracle, t):
        v = m.tensor([-1.0, 0.0, 2.0], dtype=getattr(m, dtype), requires_grad=True)
        eval(text, {"m": m, "v": v}).sum().backward()
        grads.append([str(round(x, 3) + 0.0) for x in (v.grad + 0).tolist()])
    assert grads[1] == grads[0]


def test_warnings_that_come_once_come_each_time_if_asked(both):
    def warned():
        x = both.leaf([1.0])
        with warnings.catch_warnings(record=True) as said:
            warnings.simplefilter("always")
            (x * x).sum().backward(create_graph=True)
            x.grad = None
        return sum("Using backward() with create_graph=True" in str(w.message) for w in said)

    warned()
    assert warned() == 0
    both.set_warn_always(True)
    try:
        assert [warned(), warned()] == [1, 1]
    finally:
        both.set_warn_always(False)
