"""Names that libraries on top of PyTorch ask for: the answers are PyTorch's, or say clearly what is not here."""

import importlib
import re
import subprocess
import sys
import typing
import warnings

import pytest

import polytensor as pt

LINES = r"""
[C._get_device_index(x, True) for x in (1, "cuda:1", torch.device("cuda", 2), "cuda", None)]
C._get_device_index("cpu", allow_cpu=True)
C._get_device_index("cpu")
C._get_device_index("cuda")
C._get_device_index(None)
torch.nn.modules.loss.Module is torch.nn.modules.conv.Module, torch.nn.modules.conv._pair(3), torch.nn.modules.conv._triple(3)
torch.nn.modules.transformer._get_clones(torch.nn.ReLU(), 2), torch.nn.modules.transformer._get_activation_fn("relu").__name__
torch.nn.modules.transformer._get_activation_fn("tanh")
torch._foreach_add(xs, 1)
torch._foreach_add(xs, [1, 2])
torch._foreach_add(xs, xs, alpha=2)
torch._foreach_add(xs, torch.tensor(2.0), alpha=3)
torch._foreach_sub(xs, xs, alpha=0.5)
torch._foreach_mul(xs, torch.tensor(2.0))
torch._foreach_div([torch.tensor([3, 4])], 2)
torch._foreach_div_([torch.tensor([3, 4])], 2)
torch._foreach_pow(xs, 2)
torch._foreach_pow(2.0, xs)
torch._foreach_pow(xs, [2, 3])
torch._foreach_maximum(xs, 1.5)
torch._foreach_maximum(xs, xs[::-1])
torch._foreach_minimum(xs, [1.5, 0])
torch._foreach_clamp_min(xs, 1.5)
torch._foreach_clamp_max(xs, xs)
torch._foreach_addcmul(xs, xs, xs, 2)
torch._foreach_addcdiv(xs, xs, xs, [1, 2])
torch._foreach_addcdiv(xs, xs, xs, torch.tensor([1.0, 2.0]))
torch._foreach_addcdiv(xs, xs, xs, [1])
torch._foreach_lerp(xs, xs[::-1], 0.5)
torch._foreach_lerp(xs, xs, [0.5, 0.1])
torch._foreach_norm(xs)
torch._foreach_norm(xs, 1, dtype=torch.float64)
torch._foreach_max(xs)
torch._foreach_neg(xs)
torch._foreach_sqrt(xs)
torch._foreach_reciprocal(xs)
torch._foreach_sign(xs)
torch._foreach_round(xs)
torch._foreach_clone(xs)
torch._foreach_zero_(xs)
torch._foreach_exp_(xs) is xs
(torch._foreach_mul_(xs, 2), xs)
(torch._foreach_lerp_(xs, xs[::-1], 0.5), xs)
(torch._foreach_copy_(xs, [torch.zeros(2), torch.tensor(3)]), xs)
(torch._foreach_sub_(xs, [1, 2]), xs)
torch._foreach_add([], 1)
torch._foreach_sqrt([])
torch._foreach_add(xs, [1, 2, 3])
torch._foreach_add(xs, [xs[0]])
torch._foreach_copy_(xs, [xs[0]])
torch._foreach_norm(3)
torch._assert(True, 'a')
torch._assert(False, 'a')
torch._assert(torch.tensor(False), 'a')
torch._assert_async(torch.tensor(1), 'a')
torch._assert_async(torch.tensor(0), 'a')
torch._assert_async(torch.tensor(0))
torch._check(True)
torch._check(False, lambda: 'a')
torch._check(False, 'a')
torch._check(1)
torch._check(torch.tensor(True))
torch._check_index(False, lambda: 'a')
torch._check_value(False, lambda: 'a')
torch._check_type(False, lambda: 'a')
torch._check_not_implemented(False, lambda: 'a')
torch._check_with(KeyError, False, lambda: 'a')
torch._check_tensor_all(torch.tensor([True, False]), lambda: 'a')
torch._check_tensor_all(torch.tensor([True, True]))
torch.sym_max(1, 2.0), torch.sym_min(1, 2), torch.sym_int(2.7), torch.sym_float(3), torch.sym_not(True)
torch.sym_ite(True, 1, 2), torch.sym_sum([1, 2]), torch.sym_sqrt(4)
torch.jit.annotate(int, 3), torch.jit.Attribute(3, int)[0], torch.jit.Final
torch.jit.isinstance(3, int), torch.jit.isinstance([3], typing.List[int]), torch.jit.isinstance([3], typing.List[str])
torch.jit.isinstance({'a': 1}, typing.Dict[str, int]), torch.jit.isinstance((1, 'a'), typing.Tuple[int, str])
torch.jit.isinstance(None, typing.Optional[int]), torch.jit.isinstance('a', typing.Optional[int])
torch.jit.isinstance([3], typing.List)
torch.jit.isinstance([3], list)
torch.jit.isinstance({}, dict)
torch.jit.isinstance((3,), typing.Tuple)
torch.jit.fork(lambda x: x + 1, 2).wait()
torch.torch is torch, isinstance(xs[0], torch._C.TensorBase), type(torch.Tensor) is torch._C._TensorMeta
[torch.finfo(d) for d in (torch.float8_e4m3fn, torch.float8_e5m2, torch.float8_e4m3fnuz, torch.float8_e5m2fnuz)]
torch.finfo(torch.float8_e8m0fnu), torch.finfo(torch.complex32), torch.chalf
[(d, d.itemsize, d.is_signed, d.is_complex) for d in (torch.float8_e4m3fn, torch.float8_e8m0fnu, torch.complex32)]
torch.float8_e5m2 == torch.uint8, isinstance(torch.float8_e5m2, torch.dtype)
copy.deepcopy(torch.float8_e5m2) is torch.float8_e5m2, pickle.loads(pickle.dumps(torch.quint8)) is torch.quint8
isinstance(3, torch.SymInt), isinstance(3.0, (torch.SymFloat, torch.SymBool))
torch._C._nn._parse_to('cpu', torch.float16, True), torch._C._nn._parse_to(xs[0]), torch._C._nn._parse_to(dtype=torch.int32)
torch._C._are_functorch_transforms_active(), torch.func.vmap(lambda x: x * torch._C._are_functorch_transforms_active())(xs[0])
xs[0].add_(2, xs[1])
xs[0].sub_(2, torch.tensor(3.0))
xs[0].add_(2, 3)
xs[0].add_(xs[0], xs[1])
xs[0].add_(1, xs[1], xs[1])
torch._C._get_tracing_state(), torch._C._log_api_usage_once('a')
torch._C._LinAlgError is torch.linalg.LinAlgError
torch.broadcast_tensors(xs[0], xs[1])[0] is xs[0]
torch.distributions.utils.vec_to_tril_matrix(torch.arange(1.0, 7.0))
torch.distributions.utils.vec_to_tril_matrix(torch.arange(1.0, 4.0), -1)
torch.distributions.utils.vec_to_tril_matrix(torch.arange(1.0, 6.0))
torch.distributions.utils.tril_matrix_to_vec(torch.arange(9.0).reshape(3, 3), -1)
torch.distributions.utils.tril_matrix_to_vec(torch.arange(9.0).reshape(3, 3), 3)
torch.fx.wrap('len')
torch.fx.wrap(len) is len
torch.fx.wrap(3)
isinstance(torch.nn.Linear(1, 1), torch.fx.GraphModule), isinstance(len, torch.jit.ScriptFunction)
isinstance(torch.nn.Linear(1, 1), (torch.jit.ScriptModule, torch._dynamo.OptimizedModule))
torch.compile(len, backend='nonsense')
torch.compile(backend='nonsense', disable=True)(len)
torch.compile(len, mode='fast')
torch.compile(mode=3)(len)
torch.compile(len, mode='default', options={'a': 1})
torch.compile(3)
torch.compile(len, foo=3)
torch.compile(len, mode='fast', backend='eager') and None
torch.nn.Linear(1, 1).compile(backend='nonsense')
torch._dynamo.optimize('nonsense')
torch._dynamo.list_backends(), torch.compiler.list_backends(('debug',))
set(torch._dynamo.list_backends(None)) >= {'eager', 'aot_eager', 'inductor', 'openxla_eval'}
torch._dynamo.register_backend(lambda *a: a, "own") and torch.compile(len, backend="own") and None
torch._dynamo.is_compiling(), torch._dynamo.mark_static(xs[0])
torch.ops.aten.add.Tensor(xs[0], xs[0])
torch.ops.aten.relu(-xs[0])
torch.ops.aten.sum.dim_IntList(xs[0], [0], True)
torch.ops.aten.mul.Tensor is torch.ops.aten.mul.Tensor
torch.ops.aten.add, torch.ops.aten.add.Tensor, torch.ops.aten.add.Tensor.overloadpacket is torch.ops.aten.add
torch.ops.aten._to_copy(xs[0], dtype=torch.float64), torch.ops.aten._to_copy(xs[0]) is xs[0]
torch.ops.aten.alias(xs[0]).data_ptr() == xs[0].data_ptr()
torch.ops.aten.slice.Tensor(torch.arange(10), 0, 2, 8, 3), torch.ops.aten.slice(torch.arange(6).reshape(2, 3), -1, 1)
torch.ops.aten.index.Tensor(torch.arange(6).reshape(2, 3), [None, torch.tensor([2, 0])])
torch.ops.aten.no_such_op
torch.ops.no_such_namespace.op
torch.distributed.is_initialized()
torch.distributed.get_rank()
torch.distributed.all_reduce(xs[0])
torch.distributed.group.WORLD
P.tree_map(lambda x, y: (x, y), {'b': 1, 'a': 2}, {'a': 1, 'b': 3})
P.tree_map(lambda x, y: (x, y), [1, 2], [(3, 4), {'a': 5}])
P.tree_map(lambda x, y: (x, y), [1, (2,)], [1, [2]])
P.tree_map(lambda x, y: x, [1, 2], [1])
P.tree_map(lambda x, y: x, {'a': 1}, {'b': 1})
P.tree_unflatten([1], P.tree_structure([1, 2]))
P.tree_map(lambda x: x + 1, collections.deque([1, 2], 5))
P.tree_flatten(collections.deque([1, 2], 5))
P.tree_flatten([(1, 2), 3], is_leaf=lambda x: isinstance(x, tuple))
P.tree_leaves({'a': None, 'b': [1]})
P.tree_map_with_path(lambda path, x: (P.keystr(path), x), {'b': 1, 'a': (2, [3])})
P.tree_leaves_with_path({'b': 1, 'a': (2, [3])})
P.tree_flatten_with_path(collections.namedtuple('A', 'x')(1))[0]
P.key_get({'a': [1, 2]}, P.tree_leaves_with_path({'a': [1, 2]})[1][0])
P.tree_is_leaf([1]), P.tree_is_leaf(None), P.tree_all_only(int, lambda x: x > 1, ['a', 2]), P.arg_tree_leaves(1, [2], a=3)
[f(P.tree_structure({'a': [1, 2]})) for f in (lambda s: s.type, lambda s: s.num_leaves, lambda s: s.num_nodes, lambda s: s.is_leaf())]
P._dict_flatten({'a': 1}), P._list_flatten([1, 2]), P._dict_unflatten([1], ['a'])
P._dict_flatten_with_keys({'a': 1}), P._list_flatten_with_keys([1]), P._tuple_flatten_with_keys((1,))
P._tuple_flatten((1,)), P._list_unflatten((1,), None), P._tuple_unflatten([1], None)
P.register_pytree_node(dict, None, None)
dict in P.SUPPORTED_NODES, P.LeafSpec(), P.LeafSpec() == P.tree_structure(1)
[isinstance(P.tree_structure(x), P.LeafSpec) for x in (1, [1])]
isinstance(1, torch.library.Library | None)
sorted((str(k), i) for k, (_, i) in O.Optimizer._group_tensors_by_device_and_dtype([[xs[0], xs[1].double(), xs[1]]], with_indices=True).items())
O.required
torch.hub.HASH_REGEX.pattern
"""


def outcome(torch, text):
    import collections
    import copy
    import importlib
    import pickle
    import typing

    names = {
        "torch": torch,
        "typing": typing,
        "copy": copy,
        "pickle": pickle,
        "collections": collections,
        "xs": [torch.ones(2), torch.tensor([2.5, 0.5])],
    }
    names["C"] = importlib.import_module(f"{torch.__name__}.cuda._utils")
    names["P"] = importlib.import_module(f"{torch.__name__}.utils._pytree")
    names["O"] = importlib.import_module(f"{torch.__name__}.optim.optimizer")
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            return "value", repr(eval(text, names))
    except Exception as error:  # noqa: BLE001 any class is a result here
        return "error", type(error).__name__, str(error) if text.startswith(("torch._", "torch.comp", "P.")) else None


@pytest.mark.parametrize("text", LINES.split("\n")[1:-1], ids=lambda text: text[:90])
def test_as_in_pytorch(oracle, text):
    got, expected = outcome(pt, text), outcome(oracle, text)
    assert got == expected


def test_what_is_scripted_stays_as_it_is():
    @pt.jit.script
    def f(x):
        return x * 2

    assert f(pt.ones(1)) == 2
    model = pt.nn.Linear(2, 2)
    pt.settings._said.clear()
    with pytest.warns(UserWarning, match="returns the module as it is"):
        assert pt.jit.script(model) is model
    with pytest.warns(UserWarning, match="returns the module as it is"):
        assert pt.jit.trace(model, pt.ones(1, 2)) is model
    with pytest.raises(NotImplementedError, match="use torch.save"):
        pt.jit.save(model, "a")


@pytest.mark.parametrize("name", [d.name for d in pt.dtypes.NAMED_ONLY])
def test_dtypes_that_are_only_names(name):
    dtype = getattr(pt, name)
    for use in (
        lambda: pt.empty(2, dtype=dtype), lambda: pt.tensor([1], dtype=dtype), lambda: pt.ones(2).to(dtype),
        lambda: pt.ones(2).type(dtype), lambda: pt.promote_types(dtype, pt.float32), lambda: pt.ones(4).view(dtype),
        lambda: pt.nn.Linear(2, 2, dtype=dtype), lambda: pt.ones(2).sum(dtype=dtype), lambda: pt.full((2,), 1, dtype=dtype),
    ):  # fmt: skip
        with pytest.raises(NotImplementedError, match=f"PolyTensor has no tensors of torch.{name}"):
            use()


@pytest.mark.parametrize(
    "use",
    [
        lambda: pt.fx.symbolic_trace(pt.nn.Linear(1, 1)), lambda: pt.fx.Graph(), lambda: pt.fx.Proxy(3),
        lambda: pt.distributed.init_process_group("gloo"), lambda: pt.distributed.ProcessGroup(), lambda: pt.jit.load("a"),
        lambda: pt.PyTorchFileReader("a"), lambda: pt.utils.flop_counter.FlopCounterMode(custom_mapping={1: 2}),
        lambda: pt.autograd.profiler.emit_nvtx(), lambda: pt._subclasses.FakeTensorMode(),
        lambda: pt.library.Library("a", "DEF"), lambda: pt._dynamo.OptimizedModule(pt.nn.Linear(1, 1)),
    ],
)  # fmt: skip
def test_what_is_not_here_says_so(use):
    with pytest.raises(NotImplementedError, match="PolyTensor has no torch"):
        use()


LACKED = """nn.quantized nn.Nothing nn.functional.scaled_mm nn.utils.nothing optim.nothing linalg.nothing special.nothing
autograd.nothing cuda.nothing utils.nothing utils.data.IterDataPipe backends.nothing distributions.nothing nested ao sparse.sum
profiler.nothing utils.checkpoint.nothing jit.nothing amp.nothing cuda.amp.nothing compiler.config nn.attention.nothing"""


def test_what_a_module_lacks(tmp_path):
    """The error names PyTorch's module, and PolyTensor; in modules that are imported late, too."""
    (tmp_path / "program.py").write_text(f"""
import importlib
for name in {LACKED!r}.split():
    home, _, last = ("torch." + name).rpartition(".")
    home = importlib.import_module(home)
    assert not hasattr(home, last)
    try:
        getattr(home, last)
    except AttributeError as error:
        said = str(error)
        assert "PolyTensor" in said and "polytensor" not in said and ("torch." + name).rpartition(".")[0] in said, error
""")
    subprocess.run([sys.executable, "-m", "polytensor", "run", str(tmp_path / "program.py")], check=True)


def test_what_a_tensor_lacks():
    x = pt.ones(2)
    with pytest.raises(AttributeError, match="no attribute 'q_scale': PolyTensor has no quantized tensors"):
        x.q_scale()
    x.values = 3  # the name is free
    assert x.values == 3 and "values" in dir(x) and "indices" not in dir(x)
    for n in ("a", 1.5):
        with pytest.raises(RuntimeError, match="expects an int, but got"):
            pt.set_num_interop_threads(n)


def test_names_alone_make_no_function_ask():
    program = """
import polytensor as torch
from polytensor import overrides
from polytensor._subclasses import FakeTensor
from polytensor.distributed.tensor import DTensor
assert not isinstance(torch.ones(2), (FakeTensor, DTensor)) and issubclass(DTensor, torch.Tensor)
assert overrides.enable()  # nobody had asked for it
"""
    subprocess.run([sys.executable, "-c", program], check=True)


def test_own_types_in_trees():
    from polytensor.utils import _pytree as tree

    class Pair:
        def __init__(self, a, b):
            self.a, self.b = a, b

    tree.register_pytree_node(Pair, lambda p: ([p.a, p.b], None), lambda xs, _: Pair(*xs))
    try:
        made = tree.tree_map(lambda x: x + 1, {"p": Pair(1, [2])})["p"]
        assert isinstance(made, Pair) and (made.a, made.b) == (2, [3])
        with pytest.raises(ValueError, match="flatten_with_keys_fn"):
            tree.tree_flatten_with_path(Pair(1, 2))
    finally:
        tree._deregister_pytree_node(Pair)


def test_futures():
    future = pt.futures.Future()
    doubled = future.then(lambda f: f.value() * 2)
    failed = doubled.then(lambda f: 1 / 0)
    assert not doubled.done()
    future.set_result(3)
    assert doubled.wait() == 6 and pt.futures.wait_all([future, doubled]) == [3, 6]
    with pytest.raises(ZeroDivisionError):
        failed.wait()
    with pytest.raises(ZeroDivisionError):
        pt.futures.wait_all([future, failed])
    with pytest.raises(RuntimeError, match="only be marked completed once"):
        future.set_result(4)


def test_what_a_callback_of_a_future_raises_is_logged(caplog):
    future, seen = pt.futures.Future(), []
    future.add_done_callback(lambda f: 1 / 0)
    future.add_done_callback(lambda f: seen.append(f.value()))
    future.set_result(3)
    future.add_done_callback(lambda f: 1 / 0)
    assert seen == [3] and [r.exc_info[0] for r in caplog.records] == [ZeroDivisionError] * 2


def test_inputs_of_an_op_by_keyword_and_in_lists(oracle):
    """The derivative sees all inputs with their defaults, and Tensors in lists have gradients."""

    def program(torch):
        def weighted(x: torch.Tensor, w: torch.Tensor, k: float = 3.0) -> torch.Tensor:
            return x * w * k

        def dot(xs: typing.List[torch.Tensor], ys: typing.List[torch.Tensor]) -> torch.Tensor:  # noqa: UP006
            return xs[0] * ys[0] + xs[1] * ys[1]

        def both(x: torch.Tensor) -> typing.List[torch.Tensor]:  # noqa: UP006
            return [x * 2, x * 3]

        def scaled(x: torch.Tensor, *, s: float = 2.0) -> torch.Tensor:
            return x * s

        def keep(ctx, inputs, output):
            ctx.save_for_backward(*inputs[:2])
            ctx.k = inputs[2]

        def keep_lists(ctx, inputs, output):
            ctx.save_for_backward(*inputs[0], *inputs[1])

        def keep_scale(ctx, inputs, keyword_only_inputs, output):
            ctx.s = keyword_only_inputs["s"]

        def weighted_back(ctx, g):
            x, w = ctx.saved_tensors
            return g * w * ctx.k, g * x * ctx.k, None

        def dot_back(ctx, g):
            asked.append(ctx.needs_input_grad)
            saved = ctx.saved_tensors
            return [g * y for y in saved[2:]], [None, None]

        def op(fn, backward, setup=None):
            made = torch.library.custom_op(f"polytensor_test::{fn.__name__}", fn, mutates_args=())
            made.register_autograd(backward, setup_context=setup)
            return made

        asked, out = [], []

        def gradients(result):
            result.sum().backward()
            out.append([None if t.grad is None else t.grad.tolist() for t in (x, w)])
            x.grad = w.grad = None

        x, w = torch.tensor([1.0, 2.0], requires_grad=True), torch.tensor([3.0, 4.0], requires_grad=True)
        first = op(weighted, weighted_back, keep)
        gradients(first(x, w=w))
        gradients(first(w=w, x=x, k=2.0))
        gradients(op(dot, dot_back, keep_lists)([x, w.detach()], [w, x.detach()]))
        pair = op(both, lambda ctx, gs: gs[0] * 5 + gs[1])(x)
        gradients(pair[0] + pair[1])
        last = op(scaled, lambda ctx, g: g * ctx.s, keep_scale)
        gradients(last(x))
        gradients(last(x, s=5.0))
        for wrong in (lambda: first(x), lambda: first(x, w, z=1)):
            with pytest.raises(RuntimeError, match="polytensor_test::weighted|argument"):
                wrong()
        unfit = op(both, lambda ctx, gs: (gs[0], None))(x)
        with pytest.raises(RuntimeError, match="Expected the return from backward|returned an incorrect number"):
            unfit[0].sum().backward()
        with pytest.raises(ValueError, match="expected test_utils to be subset of"):
            torch.library.opcheck(first, (x, w), test_utils="test_nothing")
        return out, str(asked), type(pair)

    assert program(pt) == program(oracle)


def test_an_op_of_ones_own(oracle):
    def program(torch):
        @torch.library.custom_op("polytensor_test::scaled_sin", mutates_args=())
        def scaled_sin(x: torch.Tensor, k: float) -> torch.Tensor:
            return torch.sin(x) * k

        def setup(ctx, inputs, output):
            ctx.save_for_backward(inputs[0])
            ctx.k = inputs[1]

        x = torch.tensor([0.5, 1.0], requires_grad=True)
        with pytest.raises(RuntimeError, match="no autograd formula was registered"):
            scaled_sin(x, 2.0).sum().backward()
        scaled_sin.register_autograd(lambda ctx, g: (g * ctx.k * ctx.saved_tensors[0].cos(), None), setup_context=setup)
        torch.ops.polytensor_test.scaled_sin(x, 2.0).sum().backward()
        return x.grad.tolist(), scaled_sin(x.detach(), 3.0).tolist()

    ours, theirs = program(pt), program(oracle)
    assert ours[0] == pytest.approx(theirs[0]) and ours[1] == pytest.approx(theirs[1])


def test_checks_of_an_op(oracle):
    """opcheck, and register_fake on device 'meta'."""

    def program(torch):
        def op(name, kernel, fake=None, mutates=()):
            made = torch.library.custom_op(f"polytensor_test::{name}", kernel, mutates_args=mutates)
            if fake is not None:
                made.register_fake(fake)
            return made

        def doubled(x: torch.Tensor) -> torch.Tensor:
            return x * 2

        def bumped(x: torch.Tensor) -> torch.Tensor:
            return x.add_(1) * 2

        def same(x: torch.Tensor) -> torch.Tensor:
            return x

        def into(x: torch.Tensor, out: torch.Tensor) -> None:
            out.copy_(x.sin())

        def outcome(fn, *args):
            try:
                with torch.no_grad():
                    return str(fn(*args))
            except Exception as error:
                # our own words where an output is an input
                return "Error" if "input" in str(error) else type(error).__name__, str(error).split(" (with")[0][:150]

        x = torch.tensor([0.5, 1.0], requires_grad=True)
        good = op("doubled", doubled, lambda x: torch.empty_like(x))
        ops = [
            good, op("no_fake", doubled), op("wrong_shape", doubled, lambda x: x.new_empty(3)),
            op("wrong_dtype", doubled, lambda x: x.new_empty(2, dtype=torch.float64)), op("bumped", bumped),
        ]  # fmt: skip
        out = [outcome(torch.library.opcheck, each, (x.detach(),)) for each in ops]
        out.append(outcome(torch.library.opcheck, op("into", into, mutates=("out",)), (x.detach(), torch.zeros(2))))
        out.append(outcome(torch.library.opcheck, good, (x,)))
        out.append(sorted(torch.library.opcheck(ops[1], (x.detach(),), raise_exception=False)))
        out.append(torch.library.opcheck(good, (), {"x": x.detach()}, test_utils="test_schema"))
        out.append(x.tolist())
        meta = torch.ones(2, device="meta")
        out += [outcome(each, meta) for each in ops[:3]]
        with pytest.raises(Exception, match="test_schema failed"):
            torch.library.opcheck(op("same", same), (x.detach(),))
        return [re.sub("polytensor_test.no_fake", "no_fake", str(each)) for each in out]

    for ours, theirs in zip(program(pt), program(oracle), strict=True):
        assert ours == theirs


def test_the_alias_names_the_version_that_is_followed(tmp_path, oracle):
    script = tmp_path / "a.py"
    script.write_text(
        "import importlib.metadata as m, importlib.util, torch, polytensor\n"
        "assert torch is polytensor and importlib.util.find_spec('torch')\n"
        "assert m.version('torch') == m.version('Torch') == torch.__version__ == torch.version.__version__\n"
        "assert 'torch' in m.packages_distributions()['torch'] and m.distribution('torch').metadata['Name'] == 'torch'\n"
        "assert torch.nn.attention.SDPBackend.MATH and torch.cuda.amp.autocast_mode.autocast is torch.cuda.amp.autocast\n"
        "from torch.cuda.amp.grad_scaler import GradScaler, OptState\n"
        "import torchvision\n"
        "assert m.version('torchvision') == torchvision.__version__ != torch.__version__\n"
        "from torch._dynamo import eval_frame; from torch.distributed import nn; import torch.fx, torch.library\n"
        "from torch.nn.utils.weight_norm import WeightNorm; import torch.nn.parallel.replicate, torch.autograd.gradcheck\n"
        "from torchvision.models.alexnet import AlexNet\n"
        "for fn in (torch.nn.utils.weight_norm, torch.autograd.gradcheck, torch.nn.parallel.replicate, torchvision.models.alexnet):\n"
        "    assert type(fn).__name__ == 'function', fn  # and not the module of that name\n"
        "print(torch.__version__)\n"
    )
    done = subprocess.run(
        [sys.executable, "-m", "polytensor", "run", str(script)], capture_output=True, text=True, timeout=60
    )
    assert done.returncode == 0, done.stderr
    assert done.stdout.split("+")[0] == oracle.__version__.split("+")[0] and "polytensor" in done.stdout


def test_names_that_older_programs_import(oracle):
    """Small helpers of PyTorch's that are not in its documentation and stand in many programs' imports."""
    from polytensor import hub
    from polytensor.utils.collect_env import get_pretty_env_info

    def program(t):
        utils, operators, apply, variable, module, distributed, functions = (
            importlib.import_module(f"{t.__name__}.{name}")
            for name in (
                "_utils",
                "onnx.operators",
                "nn.parallel.parallel_apply",
                "autograd.variable",
                "nn.modules.module",
                "nn.parallel.distributed",
                "nn.parallel._functions",
            )
        )
        xs = [t.ones(2, 2), t.arange(3.0), t.ones(()), t.ones(4, dtype=t.float64), t.zeros(3), t.zeros(9)]
        flat = utils._flatten_dense_tensors(xs[:3])
        back = utils._unflatten_dense_tensors(flat, xs[:3])
        return (
            flat.tolist(), [b.tolist() for b in back], [b._base is not None for b in back],
            [[len(x.shape) for x in g] for size in (1, 28, 100) for g in utils._take_tensors(xs, size)],
            operators.shape_as_tensor(xs[0]).tolist(), str(operators.shape_as_tensor(xs[2]).dtype)[-5:],
            operators.reshape_from_tensor_shape(xs[0], t.tensor([4, 1])).shape,
            apply.get_a_var([1, {"a": (2, xs[0])}]) is xs[0], apply.get_a_var([1]), variable.Variable is t.autograd.Variable,
            [t.tolist() for t in distributed._find_tensors([xs[1], {"a": (xs[2], 3)}])],
            functions._get_stream(t.device("cpu")), issubclass(t.nn.modules.conv._ConvTransposeMixin, t.nn.modules.conv._ConvNd),
            module._addindent("a\nb\nc", 3), t._C._is_tracing(),
        )  # fmt: skip

    assert program(pt) == program(oracle)
    assert pt.utils.model_zoo.tqdm is hub.tqdm and "polytensor" in get_pretty_env_info()
    assert pt.cuda.comm.broadcast is pt.nn.parallel.comm.broadcast


def test_nothing_is_distributed():
    from polytensor.distributed import device_mesh, fsdp, tensor
    from polytensor.nn.modules import module

    assert not isinstance(pt.ones(2), tensor.DTensor) and not isinstance(
        pt.nn.Linear(1, 1), fsdp.FullyShardedDataParallel
    )
    for use in (
        lambda: tensor.DTensor(), lambda: tensor.Shard(0), lambda: fsdp.FullyShardedDataParallel(pt.nn.Linear(1, 1)),
        lambda: device_mesh.init_device_mesh("cpu", (2,)), lambda: fsdp.fully_shard(pt.nn.Linear(1, 1)),
    ):  # fmt: skip
        with pytest.raises(NotImplementedError, match="a program is one process"):
            use()
    assert pt.distributed.device_mesh is device_mesh and pt.distributed.tensor is tensor
    with pytest.raises(AttributeError, match=r"PolyTensor has no torch\.distributed;"):
        pt.distributed.elastic  # noqa: B018
    with pytest.raises(AttributeError, match=r"PolyTensor has no torch\.distributed\.tensor"):
        tensor.loss_parallel  # noqa: B018
    assert module._EXTRA_STATE_KEY_SUFFIX == "_extra_state"
