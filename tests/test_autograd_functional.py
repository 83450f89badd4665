"""torch.autograd.functional and the arguments of backward() and grad(), against PyTorch."""

import gzip
import importlib
import math

import pytest
from same import same

import polytensor


def Y(T, grad=False):
    y = T.arange(3.0, dtype=T.float64)
    return y.requires_grad_() if grad else y


def f(T):
    return T.autograd.functional


def cube(a):
    return (a**3).sum()


def with_jvp(T):
    """A Function with forward mode's rule only; k * exp(x) * y."""

    class Scaled(T.autograd.Function):
        @staticmethod
        def forward(x, y, k):
            return x.exp() * y * k, x + 1

        @staticmethod
        def setup_context(ctx, inputs, output):
            x, y, ctx.k = inputs
            ctx.save_for_forward(x, y)
            ctx.kept = output[0]

        @staticmethod
        def jvp(ctx, gx, gy, gk):
            x, y = ctx.saved_tensors
            out = gx * ctx.kept + gy * x.exp() * ctx.k
            del ctx.kept  # an earlier tutorial's advice
            return out, gx

    return Scaled


def duals(T):
    fw = importlib.import_module(T.__name__ + ".autograd.forward_ad")
    with fw.dual_level():
        x = fw.make_dual(Y(T), Y(T) + 1)
        y, z = with_jvp(T).apply(x, Y(T), 3)
        both = with_jvp(T).apply(x, fw.make_dual(Y(T), Y(T)), 3)[0]
        return [fw.unpack_dual(t).tangent for t in (y, z, y * 2 + z, both)]


def checked(T, rule, **options):
    class Other(with_jvp(T)):
        jvp = staticmethod(rule)

    def f(a):
        return (with_jvp(T) if rule is None else Other).apply(a, Y(T) + 1, 3)

    return T.autograd.gradcheck(f, Y(T, True), check_forward_ad=True, check_backward_ad=False, **options)


def slopes_at_zero(T):
    """Rules that are 0 where their formula is NaN: what they give for g, and forward mode."""
    x, two, g = T.zeros(1, dtype=T.float64), T.full((1,), 2.0, dtype=T.float64), T.ones(1, dtype=T.float64)
    fns = T.sinc, lambda a: x**a, lambda a: a**x, lambda a: x ** (a + two), lambda a: a**two
    found = [T.func.jvp(fn, (x,), (g,)) for fn in fns]
    for fn in (fns[1], fns[3], lambda a: T.atan2(a, x), lambda a: T.atan2(x, a)):
        a, v = x.clone().requires_grad_(), g.clone().requires_grad_()
        (slope,) = T.autograd.grad(fn(a), a, v, create_graph=True)
        found.append(T.autograd.grad(slope, v))
    return found


FUNCTIONAL = {
    "slopes at zero": slopes_at_zero,
    "jvp of a Function": duals,
    "jvp of a Function, transformed": lambda T: T.func.jvp(
        lambda a: with_jvp(T).apply(a, Y(T), 3), (Y(T),), (Y(T) + 1,)
    ),
    "gradcheck forward": lambda T: checked(T, None, check_undefined_grad=False, check_batched_forward_grad=True),
    "gradcheck forward, wrong": lambda T: checked(T, lambda ctx, gx, gy, gk: (gx * 3, gx)),
    "gradcheck both": lambda T: T.autograd.gradcheck(
        lambda a: (a.exp() * a, a), Y(T, True), check_forward_ad=True, check_batched_grad=True
    ),
    "gradcheck of nothing": lambda T: T.autograd.gradcheck(T.exp, Y(T, True), check_backward_ad=False),
    "gradcheck batched without backward": lambda T: checked(T, None, check_batched_grad=True),
    "gradcheck batched without forward": lambda T: T.autograd.gradcheck(
        T.exp, Y(T, True), check_batched_forward_grad=True
    ),
    "gradgradcheck forward": lambda T: T.autograd.gradgradcheck(
        lambda a: a.exp() * a, Y(T, True), check_fwd_over_rev=True
    ),
    "gradgradcheck of nothing": lambda T: T.autograd.gradgradcheck(T.exp, Y(T, True), check_rev_over_rev=False),
    "gradgradcheck undefined": lambda T: T.autograd.gradgradcheck(
        T.exp, Y(T, True), check_rev_over_rev=False, check_fwd_over_rev=True
    ),
    "jacobian": lambda T: f(T).jacobian(lambda a, b: (a * b, a.sum()), (Y(T), Y(T))),
    "jacobian single": lambda T: f(T).jacobian(lambda a: a.exp(), Y(T)),
    "jacobian vectorize": lambda T: f(T).jacobian(lambda a: a.exp(), Y(T), vectorize=True),
    "jacobian forward": lambda T: f(T).jacobian(lambda a: a.exp(), Y(T), strategy="forward-mode", vectorize=True),
    "jacobian forward loop": lambda T: f(T).jacobian(lambda a: a.exp(), Y(T), strategy="forward-mode"),
    "jacobian strategy": lambda T: f(T).jacobian(lambda a: a.exp(), Y(T), strategy="f"),
    "jacobian graph": lambda T: f(T).jacobian(lambda a: a * a, Y(T, True), create_graph=True),
    "jacobian empty": lambda T: f(T).jacobian(lambda a: T.zeros(0), Y(T)),
    "jacobian strict": lambda T: f(T).jacobian(lambda a, b: a * 2, (Y(T), Y(T)), strict=True),
    "jacobian strict graph": lambda T: f(T).jacobian(lambda a: a * 2, Y(T), strict=True, create_graph=True),
    "jacobian strict vectorize": lambda T: f(T).jacobian(cube, Y(T), strict=True, vectorize=True),
    "hessian": lambda T: f(T).hessian(lambda a, b: (a * a * b).sum(), (Y(T), Y(T) + 1)),
    "hessian not a number": lambda T: f(T).hessian(lambda a: a, Y(T)),
    "hessian tuple": lambda T: f(T).hessian(lambda a: (cube(a),), Y(T)),
    "hessian strict": lambda T: f(T).hessian(lambda a: a.sum(), Y(T), strict=True),
    "hessian graph": lambda T: f(T).hessian(cube, Y(T, True), create_graph=True),
    "vjp": lambda T: f(T).vjp(lambda a, b: (a * b, b), (Y(T), Y(T)), (Y(T), Y(T) + 1)),
    "vjp without v": lambda T: f(T).vjp(lambda a: a, Y(T)),
    "vjp one number": lambda T: f(T).vjp(cube, Y(T)),
    "vjp v of another shape": lambda T: f(T).vjp(lambda a: a, Y(T), Y(T)[:1]),
    "vjp v of another length": lambda T: f(T).vjp(lambda a: (a, a), Y(T), Y(T)),
    "vjp number": lambda T: f(T).vjp(lambda a: a, 3),
    "vjp numbers": lambda T: f(T).vjp(lambda a: a, (Y(T), 3)),
    "vjp strict": lambda T: f(T).vjp(lambda a: T.ones(1), Y(T), T.ones(1), strict=True),
    "vjp strict input": lambda T: f(T).vjp(lambda a, b: a * 1, (Y(T), Y(T)), Y(T), strict=True),
    "jvp": lambda T: f(T).jvp(lambda a: a.exp(), Y(T), Y(T)),
    "jvp graph": lambda T: f(T).jvp(lambda a, b: (a * b, a), (Y(T), Y(T)), (Y(T), Y(T)), create_graph=True),
    "jvp strict": lambda T: f(T).jvp(lambda a: a * 1, Y(T), Y(T), strict=True),
    "jvp without v": lambda T: f(T).jvp(lambda a: a, Y(T)),
    "vhp": lambda T: f(T).vhp(cube, Y(T), Y(T)),
    "vhp several": lambda T: f(T).vhp(lambda a, b: (a * b).sum(), (Y(T), Y(T)), (Y(T), Y(T)), create_graph=True),
    "vhp tuple": lambda T: f(T).vhp(lambda a: (a.sum(), a), Y(T), Y(T)),
    "hvp": lambda T: f(T).hvp(cube, Y(T), Y(T)),
    "hvp several": lambda T: f(T).hvp(lambda a, b: (a * a * b).sum(), (Y(T), Y(T)), (Y(T), Y(T) + 1)),
    "hvp strict": lambda T: f(T).hvp(lambda a: a.sum(), Y(T), Y(T), strict=True),
}


@pytest.mark.parametrize("name", list(FUNCTIONAL))
def test_functional(oracle, name):
    same(FUNCTIONAL[name], oracle)


def with_x(fn):
    return lambda T: fn(T, Y(T, True), T.ones(2, dtype=T.float64, requires_grad=True))


ARGUMENTS = {
    "no inputs": lambda T, x, a: T.autograd.grad((x * 2).sum(), []),
    "dict": lambda T, x, a: T.autograd.grad((x * 2).sum(), {"a": x}),
    "backward no inputs": lambda T, x, a: T.autograd.backward((x * 2).sum(), inputs=[]),
    "number as gradient": lambda T, x, a: T.autograd.backward([x * 2], [3.0]),
    "one gradient for two": lambda T, x, a: T.autograd.backward([(x * 2).sum(), (x * 3).sum()], [None]),
    "only_inputs": lambda T, x, a: T.autograd.grad((x * 2).sum(), x, only_inputs=False),
    "batched": lambda T, x, a: T.autograd.grad(x * 2, x, T.eye(3, dtype=T.float64), is_grads_batched=True),
    "batched unused": lambda T, x, a: T.autograd.grad(
        x * 2, [x, a], T.eye(3, dtype=T.float64), is_grads_batched=True, allow_unused=True
    ),
    "batched graph": lambda T, x, a: T.autograd.grad(
        T.autograd.grad(x * x, x, T.eye(3, dtype=T.float64), is_grads_batched=True, create_graph=True)[0].sum(), x
    ),
    "batched shape": lambda T, x, a: T.autograd.grad(x * 2, x, T.ones(3), is_grads_batched=True),
    "unused": lambda T, x, a: T.autograd.grad((x * 2).sum(), [x, a]),
    "unused allowed": lambda T, x, a: T.autograd.grad((x * 2).sum(), [x, a], allow_unused=True),
    "materialized": lambda T, x, a: T.autograd.grad((x * 2).sum(), [x, a], materialize_grads=True),
    "materialized graph": lambda T, x, a: T.autograd.grad(
        (x * 2).sum(), [x, a], materialize_grads=True, create_graph=True
    ),
    "materialized not allowed": lambda T, x, a: T.autograd.grad(
        (x * 2).sum(), [x, a], materialize_grads=True, allow_unused=False
    ),
    "grad_variables": lambda T, x, a: (
        T.autograd.backward((x * 2).sum(), grad_variables=T.ones((), dtype=T.float64)),
        x.grad,
    ),
    "no graph": lambda T, x, a: T.autograd.grad(T.ones(2).sum(), x),
    "input without grad": lambda T, x, a: T.autograd.grad((x * 2).sum(), T.ones(2)),
    "non-leaf inputs": lambda T, x, a: (lambda y: (y.sum().backward(inputs=[y]), y.grad, y.retains_grad, x.grad))(
        x * 2
    ),
    "gradient of another dtype": lambda T, x, a: ((x * 2).backward(T.ones(3)), x.grad),
    "broadcast gradient": lambda T, x, a: (x * 2).backward(T.ones(1)),
    "sum twice": lambda T, x, a: (lambda y: (y.backward(), y.backward(), x.grad))(x.sum()),
    "mul twice": lambda T, x, a: (lambda y: (y.backward(), y.backward(), x.grad))((x * x).sum()),
    "view twice": lambda T, x, a: (lambda y: (y.backward(), y.backward(), x.grad))((x + 1).view(3, 1)[1:].sum()),
    "index twice": lambda T, x, a: (lambda y: (y.backward(), y.backward()))(x[[0, 1]].sum()),
    "edge": lambda T, x, a: (
        lambda y: T.autograd.grad((y * y).sum(), T.autograd.graph.get_gradient_edge(y))
    )(x * 2),
    "edge as output": lambda T, x, a: T.autograd.grad(T.autograd.graph.get_gradient_edge((x * 3).sum()), x),
    "edge of a leaf": lambda T, x, a: T.autograd.grad((x * 3).sum(), [T.autograd.graph.get_gradient_edge(x)]),
    "edge without grad": lambda T, x, a: T.autograd.graph.get_gradient_edge(T.ones(2)),
    "variable": lambda T, x, a: T.autograd.variable(3),
}  # fmt: skip


@pytest.mark.parametrize("name", list(ARGUMENTS))
def test_arguments(oracle, name):
    same(with_x(ARGUMENTS[name]), oracle)


@pytest.mark.filterwarnings("ignore::DeprecationWarning")
def test_forward_ad(both):
    fw = importlib.import_module(both.module.__name__ + ".autograd.forward_ad")
    with fw.dual_level():
        x = fw.make_dual(both.leaf([1.0, 2.0], grad=False), both.leaf([1.0, 10.0], grad=False))
        y = fw.unpack_dual(x * x * 3)
        assert y.primal.tolist() == [3, 12]
        assert y.tangent.tolist() == [6, 120]
        assert fw.unpack_dual(x).tangent.tolist() == [1, 10]
        x *= 2
        x[0] = 7
        assert x.tolist() == [7, 4] and fw.unpack_dual(x).tangent.tolist() == [0, 20]
        x = fw.make_dual(both.leaf([1.0, 2.0]) * 1, both.leaf([1.0, 10.0], grad=False)).sin_()
        assert fw.unpack_dual(x).tangent.tolist() == pytest.approx([math.cos(1), 10 * math.cos(2)])
        assert fw.unpack_dual(both.ones(2)).tangent is None
        with both.no_grad(), pytest.raises(RuntimeError, match="Nested forward mode AD is not supported"):
            fw.dual_level().__enter__()
        with pytest.raises(RuntimeError, match="different size"):
            fw.make_dual(both.ones(2), both.ones(3))
    with pytest.raises(RuntimeError, match="no level exists"):
        fw.make_dual(both.ones(2), both.ones(2))


def test_profiler(both, tmp_path):
    profiler = importlib.import_module(both.module.__name__ + ".autograd.profiler")
    x = both.leaf([1.0, 2.0])
    with profiler.profile() as p:
        with profiler.record_function("mine"):
            (x * x).sum().backward()
    counts = {e.key: e.count for e in p.key_averages()}
    assert counts["mine"] == 1
    assert counts["aten::mul"] >= 2
    assert "aten::mul" in p.key_averages().table(sort_by="cpu_time_total")
    p.export_chrome_trace(str(tmp_path / "trace.json"))
    assert (tmp_path / "trace.json").stat().st_size
    assert (x * x).tolist() == [1, 4]


def test_profiler_shapes_and_memory(both):
    """By autograd.profiler and by torch.profiler: what is grouped, and which columns a table has."""
    profiler = importlib.import_module(both.module.__name__ + ".autograd.profiler")
    steps = importlib.import_module(both.module.__name__ + ".profiler")
    for profile in (profiler.profile, steps.profile):
        with profile(record_shapes=True, profile_memory=True) as p:
            x = both.ones(300, 4)
            with profiler.record_function("mine"):
                x.exp()
                x[:3].exp()
                x[:3].exp()
        groups = {str(e.input_shapes): e for e in p.key_averages(group_by_input_shape=True) if e.key == "aten::exp"}
        assert {k: e.count for k, e in groups.items()} == {"[[300, 4]]": 1, "[[3, 4]]": 2}
        assert groups["[[3, 4]]"].cpu_memory_usage == groups["[[3, 4]]"].self_cpu_memory_usage == 96
        (all_calls,) = (e for e in p.key_averages() if e.key == "aten::exp")
        assert (all_calls.count, all_calls.cpu_memory_usage) == (3, 4896)
        text = p.key_averages(group_by_input_shape=True).table(
            sort_by="self_cpu_memory_usage", row_limit=5, header="top"
        )
        lines = text.splitlines()
        assert lines[1] == "top" and set(lines[0]) == {"="} and len(lines[0]) == len(lines[2].rstrip())
        titles = (
            "Name,Self CPU %,Self CPU,CPU total %,CPU total,CPU time avg,CPU Mem,Self CPU Mem,# of Calls,Input Shapes"
        )
        assert ",".join(t.strip() for t in lines[3].split("  ") if t.strip()) == titles
        (row,) = (line for line in lines if "[[300, 4]]" in line)
        assert row.split()[0] == "aten::exp" and "4.69 KB" in row and row.endswith("[[300, 4]]  ")
        plain = p.key_averages().table(sort_by="cpu_time_total", row_limit=2)
        assert "Input Shapes" not in plain and "CPU Mem" in plain
    with profiler.profile() as p:
        both.ones(2).exp()
    assert "CPU Mem" not in p.key_averages(group_by_input_shape=True).table()


def test_profiles_refuse_unknown_options_and_are_compressed_where_asked(tmp_path, both):
    for make in (both.profiler.profile, both.autograd.profiler.profile):
        with pytest.raises(TypeError, match="unexpected keyword argument 'with_stacks'"):
            make(with_stacks=True)
        make(with_stack=True, with_modules=True)
    handler = both.profiler.tensorboard_trace_handler(str(tmp_path), "worker", use_gzip=True)
    with both.profiler.profile(activities=[both.profiler.ProfilerActivity.CPU], on_trace_ready=handler):
        both.ones(2).exp()
    (path,) = tmp_path.iterdir()
    assert path.name.startswith("worker.") and path.name.endswith(".pt.trace.json.gz")
    assert "aten::exp" in gzip.decompress(path.read_bytes()).decode()


def test_events_of_a_profile_come_in_the_order_of_their_starts(both):
    record = both.profiler.record_function
    x = both.ones(3)
    with both.autograd.profiler.profile() as p:
        with record("outer"):
            y = x * x
            with record("inner"):
                y = y.exp()
        y.sin()
    names = ["outer", "aten::mul", "inner", "aten::exp", "aten::sin"]
    assert [e.name for e in p.function_events if e.name in names] == names


def test_operations_and_stacks_in_a_profile(tmp_path, both):
    t = both

    def inner():
        return t.ones(3, 4) @ t.ones(4, 5)

    def outer():
        return inner() * 2

    profile = t.profiler.profile
    with profile(activities=[t.profiler.ProfilerActivity.CPU], with_flops=True) as p:
        t.nn.functional.linear(t.ones(2, 4), t.ones(500, 4), t.ones(500))
        t.bmm(t.ones(2, 3, 4), t.ones(2, 4, 5)) + t.ones(2, 1, 5)
        t.nn.functional.conv2d(t.ones(2, 4, 7, 8), t.ones(6, 2, 3, 3), t.ones(6), stride=2, padding=1, groups=2)
        outer().relu()
    # the addmm; bmm and +; the convolution; mm and *
    assert sorted(e.flops for e in p.events() if e.flops) == [15, 30, 120, 240, 6912, 8000]
    text = p.key_averages().table()
    assert "Total FLOPs" in text and " 6912.000 " in text and " -- " in text
    with profile(activities=[t.profiler.ProfilerActivity.CPU], with_flops=True) as p:
        t.ones(300, 400) @ t.ones(400, 500)
    assert "Total MFLOPs" in p.key_averages().table() and " 120.000 " in p.key_averages().table()
    own = t.__name__ == "polytensor"
    options = {} if own else {"experimental_config": t._C._profiler._ExperimentalConfig(verbose=True)}
    with profile(activities=[t.profiler.ProfilerActivity.CPU], with_stack=True, **options) as p:
        outer()
        inner()
    stacks = [e.stack[:2] for e in p.events() if e.name == "aten::matmul"]
    names = [[place.split(": ")[1] for place in stack] for stack in stacks]
    assert names[0] == ["inner", "outer"] and names[1][0] == "inner" != names[1][1]
    rows = [e for e in p.key_averages(group_by_stack_n=2) if e.key == "aten::matmul"]
    assert len(rows) == 2 and "Source Location" in p.key_averages(group_by_stack_n=2).table()
    p.export_stacks(str(tmp_path / "stacks"))
    line = next(x for x in (tmp_path / "stacks").read_text().splitlines() if ":_inner " in x)
    assert ":_outer;" in line and line.rpartition(" ")[2].isdigit()
    with pytest.raises(ValueError, match="metric should be one of"):
        p.export_stacks(str(tmp_path / "stacks"), "calls")
    with pytest.raises(RuntimeError, match="shapes cannot be multiplied"), profile(with_flops=True):
        t.ones(2, 3) @ t.ones(2, 3)


def test_operations_by_module(oracle, capsys):

    def counts(t):
        class Net(t.nn.Module):
            def __init__(self):
                super().__init__()
                self.conv = t.nn.Sequential(t.nn.Conv2d(1, 4, 3), t.nn.ReLU(), t.nn.ConvTranspose2d(4, 2, 3))
                self.head = t.nn.Linear(2 * 64, 10)

            def forward(self, x):
                y = self.head(self.conv(x).flatten(1))
                return y @ self.head.weight + t.bmm(x[:, 0], x[:, 0]).sum()

        counter = importlib.import_module(f"{t.__name__}.utils.flop_counter").FlopCounterMode(display=False)
        model = Net()
        for _ in range(2):  # the second time counts anew
            with counter:
                model(t.ones(2, 1, 8, 8)).sum().backward()
                t.nn.functional.linear(t.ones(3, 4), t.ones(5, 4))
        with t.no_grad():
            model(t.ones(2, 1, 8, 8))  # it counts no more
        found = counter.get_flop_counts()
        assert counter.get_total_flops() == sum(found["Global"].values())
        return {name: {str(op): n for op, n in of.items()} for name, of in found.items()}

    assert counts(polytensor) == counts(oracle)
    with polytensor.utils.flop_counter.FlopCounterMode(depth=1):
        polytensor.nn.Sequential(polytensor.nn.Linear(10, 100))(polytensor.ones(5, 10))
    lines = capsys.readouterr().out.splitlines()
    assert [line.split() for line in lines[2:]] == [
        ["Global", "10.000K", "100.00%"], ["-", "aten.addmm", "10.000K", "100.00%"],
        ["Sequential", "10.000K", "100.00%"], ["-", "aten.addmm", "10.000K", "100.00%"],
    ]  # fmt: skip


@pytest.mark.filterwarnings("ignore:the .type, exc, tb. signature of throw:DeprecationWarning")  # PyTorch's
def test_grad_modes_of_generators(both):
    t = both

    @t.no_grad()
    def talk():
        try:
            got = yield t.is_grad_enabled()
            yield got, t.is_grad_enabled()
        except KeyError:
            yield "caught", t.is_grad_enabled()

    g = talk()
    assert next(g) is False
    assert t.is_grad_enabled()
    assert g.send(5) == (5, False)
    assert g.throw(KeyError()) == ("caught", False)
    assert t.is_grad_enabled()
    with pytest.raises(StopIteration):
        next(g)
    with pytest.warns(FutureWarning):
        t.no_grad()(type("C", (), {}))
