"""__torch_function__ on subclasses of Tensor and on other classes, and modes: what PyTorch says, on both libraries."""

import copy
import importlib
import pickle
import subprocess
import sys
import threading

import pytest

import polytensor


def overrides(t):
    return importlib.import_module(t.__name__ + ".overrides")


def logging_class(t):
    """A subclass that notes the name of each function it is asked about."""

    class Logged(t.Tensor):
        log = []

        @classmethod
        def __torch_function__(cls, func, types, args=(), kwargs=None):
            cls.log.append(func.__name__)
            return super().__torch_function__(func, types, args, kwargs or {})

    return Logged


OPERATIONS = {  # of x (the subclass), p (plain), t, f: the name that func has, the class of the result
    "add": lambda x, p, t, f: x + 1, "radd": lambda x, p, t, f: 1 + x, "plain first": lambda x, p, t, f: p + x,
    "sub": lambda x, p, t, f: x - p, "rsub": lambda x, p, t, f: 1 - x, "mul": lambda x, p, t, f: 2 * x,
    "div": lambda x, p, t, f: x / 2, "rdiv": lambda x, p, t, f: 2 / x, "floordiv": lambda x, p, t, f: x // 2,
    "rfloordiv": lambda x, p, t, f: 2 // x, "mod": lambda x, p, t, f: x % 2, "pow": lambda x, p, t, f: x**2,
    "rpow": lambda x, p, t, f: 2**x, "matmul": lambda x, p, t, f: p @ x, "neg": lambda x, p, t, f: -x,
    "eq": lambda x, p, t, f: x == 1, "lt": lambda x, p, t, f: p > x, "invert": lambda x, p, t, f: ~(x > 0),
    "and": lambda x, p, t, f: (x > 0) & True, "getitem": lambda x, p, t, f: x[0], "index": lambda x, p, t, f: p[x > 0],
    "setitem": lambda x, p, t, f: p.__setitem__(0, x[0]), "len": lambda x, p, t, f: len(x), "float": lambda x, p, t, f: float(x[0, 0]),
    "shape": lambda x, p, t, f: x.shape, "T": lambda x, p, t, f: x.T, "dtype": lambda x, p, t, f: x.dtype,
    "grad": lambda x, p, t, f: x.grad, "data": lambda x, p, t, f: x.data, "size": lambda x, p, t, f: x.size(),
    "item": lambda x, p, t, f: x[0, 0].item(), "tolist": lambda x, p, t, f: x.tolist(), "numpy": lambda x, p, t, f: x.numpy(),
    "sum": lambda x, p, t, f: t.sum(x, dim=0), "method": lambda x, p, t, f: x.sum(), "max": lambda x, p, t, f: x.max(0),
    "values": lambda x, p, t, f: x.max(0).values, "split": lambda x, p, t, f: x.split(1)[0], "cat": lambda x, p, t, f: t.cat([p, x]),
    "stack": lambda x, p, t, f: t.stack((x, p)), "zeros_like": lambda x, p, t, f: t.zeros_like(x),
    "new_zeros": lambda x, p, t, f: x.new_zeros(2), "relu": lambda x, p, t, f: f.relu(x), "linear": lambda x, p, t, f: f.linear(p, x),
    "softmax": lambda x, p, t, f: f.softmax(x, -1), "mse": lambda x, p, t, f: f.mse_loss(p, x),
    "entropy": lambda x, p, t, f: f.cross_entropy(x, t.tensor([0, 1])), "pad": lambda x, p, t, f: f.pad(x, (1, 1)),
    "einsum": lambda x, p, t, f: t.einsum("ij,ij->i", p, x), "where": lambda x, p, t, f: t.where(p > 0, x, p),
    "to": lambda x, p, t, f: x.to(t.float64), "view": lambda x, p, t, f: x.view(4), "detach": lambda x, p, t, f: x.detach(),
    "out": lambda x, p, t, f: t.add(p, p, out=x), "out plain": lambda x, p, t, f: t.add(x, 1, out=p),
    "inplace": lambda x, p, t, f: x.add_(1), "into plain": lambda x, p, t, f: p.add_(x), "copy_": lambda x, p, t, f: p.copy_(x),
    "repr": lambda x, p, t, f: repr(x), "list": lambda x, p, t, f: list(x)[0], "contains": lambda x, p, t, f: 1 in x,
    "norm": lambda x, p, t, f: t.linalg.norm(x), "fft": lambda x, p, t, f: t.fft.fft(x), "erf": lambda x, p, t, f: t.special.erf(x),
    "tensor": lambda x, p, t, f: t.tensor([x[0, 0]]), "as_tensor": lambda x, p, t, f: t.as_tensor(x),
    "is_tensor": lambda x, p, t, f: t.is_tensor(x), "as_subclass": lambda x, p, t, f: x.as_subclass(t.Tensor),
    "allclose": lambda x, p, t, f: t.allclose(x, p), "result_type": lambda x, p, t, f: t.result_type(x, p),
    "grad set": lambda x, p, t, f: setattr(x, "grad", None), "requires_grad": lambda x, p, t, f: x.requires_grad_(False),
}  # fmt: skip


@pytest.mark.parametrize("name", OPERATIONS)
def test_functions_ask(name, oracle, device):
    results = []
    for t in (oracle, polytensor):
        cls = logging_class(t)
        where = "cpu" if t is oracle else device
        x, p = t.ones(2, 2, device=where).as_subclass(cls), t.ones(2, 2, device=where)
        r = OPERATIONS[name](x, p, t, t.nn.functional)
        asked, shown = list(cls.log), repr(r.as_subclass(t.Tensor)) if isinstance(r, t.Tensor) else repr(r)
        results.append((asked, type(r).__name__, shown))
    theirs, ours = results
    if name in ("list", "tensor", "erf"):  # what else is asked on the way, special functions' own names
        theirs, ours = theirs[1:], ours[1:]
    assert ours == theirs


def test_classes_by_default(both):
    t = both.module

    class First(t.Tensor):
        pass

    class Further(First):
        pass

    class Other(t.Tensor):
        pass

    a, b, c, p = First([1.0, 2.0]), Further([1.0, 2.0]), Other([1.0, 2.0]), t.ones(2)
    assert type(a + p) is type(p * a) is type(t.relu(a)) is First
    assert type(a + b) is type(b + a) is type(t.stack([a, b])) is Further
    for call in (lambda: a + c, lambda: c * a):
        with pytest.raises(TypeError, match="unsupported operand type"):
            call()
    with pytest.raises(
        TypeError, match=r"Multiple dispatch failed for 'torch.(Tensor.)?add'; all __torch_function__ handlers"
    ):
        t.add(a, c)
    with pytest.raises(
        TypeError, match="no implementation found for 'torch.nn.functional.mse_loss' on types that implement"
    ):
        t.nn.functional.mse_loss(a, c)
    i = p
    i += a
    assert i is not p and type(i) is First and p.tolist() == [2, 3]
    assert repr(a) == "First([1., 2.])" and repr(t.nn.Parameter(a)) == "Parameter(First([1., 2.], requires_grad=True))"


def test_parameters_take_part_as_tensors(both):
    t = both.module

    class Tagged(t.Tensor):
        pass

    class Weight(t.nn.Parameter):
        pass

    p, w = t.nn.Parameter(t.ones(2)), Weight(t.ones(2))
    assert type(p * 2) is type(w * 2) is type(w + p) is t.Tensor and type(w + t.ones(2).as_subclass(Tagged)) is Tagged
    q = t.nn.Parameter(t.ones(2, 2).as_subclass(Tagged))
    assert type(q) is Tagged and isinstance(q, t.nn.Parameter) and q.is_leaf and q.requires_grad
    assert not isinstance(t.ones(1).as_subclass(Tagged), t.nn.Parameter) and isinstance(p, t.nn.Parameter)
    assert not isinstance(q, Weight) and isinstance(w, Weight)
    m = t.nn.Linear(2, 2, bias=False)
    m.weight = q
    assert [*m.parameters()] == [q]
    y = m(t.ones(1, 2))
    assert type(y) is Tagged
    y.sum().backward()
    assert type(q.grad) is t.Tensor
    t.optim.SGD(m.parameters(), lr=0.5).step()
    assert m.weight is q and q.tolist() == [[0.5, 0.5], [0.5, 0.5]] and type(m.state_dict()["weight"]) is Tagged


def test_switched_off(both):
    t = both.module
    core = importlib.import_module(t.__name__ + "._C")

    class Quiet(t.Tensor):
        __torch_function__ = core._disabled_torch_function_impl

    cls = logging_class(t)
    x = t.ones(2).as_subclass(cls)
    assert type(t.ones(2).as_subclass(Quiet) + 1) is t.Tensor
    with core.DisableTorchFunctionSubclass():
        assert type(x + 1) is t.Tensor and not overrides(t).has_torch_function([x])
    with core.DisableTorchFunction():
        assert type(x + 1) is t.Tensor
    assert not cls.log and type(x + 1) is cls and overrides(t).has_torch_function([x])


def test_history_of_instances(both):
    t = both.module

    class Tagged(t.Tensor):
        pass

    x = t.ones(3, requires_grad=True)
    s = x.as_subclass(Tagged)
    assert not s.is_leaf and s.grad_fn.name() == "AliasBackward0" and s._base is x
    (s * 2).sum().backward()
    assert x.grad.tolist() == [2, 2, 2] and type(x.grad) is t.Tensor
    s = (x * 1).as_subclass(Tagged)
    s.add_(1)
    s[0] = 5
    s.sum().backward()
    assert x.grad.tolist() == [2, 3, 3] and s.tolist() == [5, 2, 2]
    base = t.zeros(2)
    s = base.as_subclass(Tagged)
    base += 1
    assert s.tolist() == [1, 1] and s._version == 1
    leaf = t.ones(2).as_subclass(Tagged).requires_grad_()
    (g,) = t.autograd.grad((leaf * leaf).sum(), leaf)
    assert leaf.is_leaf and g.tolist() == [2, 2]


def test_attributes_and_pickles(both):
    x = both.module.arange(3.0).as_subclass(Pickled(both.module))
    x.tag = "t"
    for y in (copy.copy(x), pickle.loads(pickle.dumps(x))):
        assert type(y) is type(x) and y.tag == "t" and y.tolist() == [0, 1, 2]
    assert not hasattr(x + 1, "tag")


def Pickled(t):
    name = "Pickled_" + t.__name__
    if name not in globals():
        globals()[name] = type(name, (t.Tensor,), {"__module__": __name__})
    return globals()[name]


@pytest.mark.filterwarnings("ignore:load.weights_only=False")
def test_files_keep_the_class(both, tmp_path):
    t, cls = both.module, Pickled(both.module)
    x = t.arange(3.0).as_subclass(cls)
    x.tag = "t"
    q = t.nn.Parameter(t.ones(1).as_subclass(cls))
    path = tmp_path / "file"
    t.save({"x": x, "rest": x[1:], "q": q}, path)
    with pytest.raises(pickle.UnpicklingError, match="add_safe_globals"):
        t.load(path)
    with t.serialization.safe_globals([cls]):
        safe = t.load(path)
    for found in (safe, t.load(path, weights_only=False)):
        assert (
            all(type(y) is cls for y in found.values()) and found["x"].tag == "t" and found["rest"].tolist() == [1, 2]
        )
        assert isinstance(found["q"], t.nn.Parameter) and found["q"].requires_grad
        assert found["rest"].data_ptr() == found["x"].data_ptr() + 4


def test_files_of_the_other_library(oracle, tmp_path):
    for writer, reader in ((oracle, polytensor), (polytensor, oracle)):
        writer.save(writer.arange(2.0).as_subclass(Pickled(writer)), tmp_path / "file")
        name = f"{__name__}.{Pickled(writer).__name__}"
        with reader.serialization.safe_globals([(Pickled(reader), name)]):
            found = reader.load(tmp_path / "file")
        assert type(found) is Pickled(reader) and found.tolist() == [0, 1]


def test_operators_decline(both):
    class Plain(both.module.Tensor):
        pass

    class Right:
        def __radd__(self, other):
            return "right"

    x = both.module.ones(2).as_subclass(Plain)
    assert x + Right() == "right" and (x != None) is True and (x == "a") is False  # noqa: E711
    with pytest.raises(TypeError, match="unsupported operand type"):
        x / "a"
    assert type(-x) is type(abs(x)) is type(+x) is Plain


def test_extra_data_is_carried_by_the_handler(both):
    t = both.module

    class WithUnit(t.Tensor):
        unit = None

        @classmethod
        def __torch_function__(cls, func, types, args=(), kwargs=None):
            units = [a.unit for a in args if isinstance(a, cls) and a.unit is not None]
            r = super().__torch_function__(func, types, args, kwargs or {})
            if isinstance(r, cls) and units:
                r.unit = units[0] if func is not t.Tensor.mul else " ".join(units)
            return r

    x = t.ones(2).as_subclass(WithUnit)
    x.unit = "m"
    assert (x + 1).unit == "m" and (x * x).unit == "m m" and t.sqrt(x).unit == "m" and x[0].unit == "m"


def scalar_class(t):
    handled = {}

    class Diagonal:
        def __init__(self, n, value):
            self.n, self.value = n, value

        @classmethod
        def __torch_function__(cls, func, types, args=(), kwargs=None):
            if func not in handled or not all(issubclass(k, (t.Tensor, Diagonal)) for k in types):
                return NotImplemented
            return handled[func](*args, **(kwargs or {}))

    return Diagonal, handled


def test_other_classes(both):
    t = both.module
    Diagonal, handled = scalar_class(t)
    d = Diagonal(4, 2.0)
    handled[t.mean] = lambda x: x.value / x.n
    handled[t.add] = handled[t.Tensor.add] = lambda x, y: ("add", type(x).__name__, type(y).__name__)
    handled[t.cat] = lambda xs, dim=0: ("cat", len(xs), dim)
    handled[t.nn.functional.linear] = lambda x, w, bias=None: ("linear", type(w).__name__)
    assert t.mean(d) == 0.5 and t.add(d, d) == ("add", "Diagonal", "Diagonal")
    assert t.add(d, t.ones(1)) == ("add", "Diagonal", "Tensor") and t.ones(1) + d == ("add", "Tensor", "Diagonal")
    assert t.cat([t.ones(1), d], dim=1) == ("cat", 2, 1) and t.nn.functional.linear(t.ones(1), d) == (
        "linear",
        "Diagonal",
    )
    with pytest.raises(TypeError, match="'torch.mul'"):
        t.mul(d, 1)
    with pytest.raises(TypeError, match="unsupported operand type"):
        t.ones(1) * d
    assert d + t.ones(1) == ("add", "Tensor", "Diagonal") and (t.ones(1) == d) is False


def test_plain_method_warns(both):
    t = both.module

    class Old:
        def __torch_function__(self, func, types, args=(), kwargs=None):
            return self

    x = Old()
    overrides(t).has_torch_function([x])
    with pytest.warns((DeprecationWarning, UserWarning), match="as a plain method is deprecated"):
        assert t.nn.functional.relu(x) is x


def test_modes(both):
    t, o = both.module, overrides(both.module)

    class Names(o.TorchFunctionMode):
        def __init__(self, name):
            super().__init__()
            self.name = name

        def __torch_function__(self, func, types, args=(), kwargs=None):
            log.append((self.name, func.__name__, types))
            return func(*args, **(kwargs or {}))

    log, p = [], t.ones(2)
    with Names("outer"), Names("inner") as m:
        assert m.name == "inner"
        (p + 1).relu()
        t.zeros(2)
    assert [(a, b) for a, b, _ in log] == [(m, n) for n in ("add", "relu", "zeros") for m in ("inner", "outer")]
    log.clear()
    cls = logging_class(t)
    x = p.as_subclass(cls)
    with Names("mode"):
        y = x * 2
        with pytest.raises(ZeroDivisionError):
            1 / 0
    assert log[0][:2] == ("mode", "mul") and cls in log[0][2] and cls.log == ["mul"] and type(y) is cls
    log.clear()
    p + 1
    assert not log

    class Silent(o.TorchFunctionMode):
        def __torch_function__(self, func, types, args=(), kwargs=None):
            return NotImplemented

    with Silent(), pytest.raises(TypeError, match="mode object <"):
        t.zeros(2)
    with o.BaseTorchFunctionMode():
        assert t.zeros(2).tolist() == [0, 0]
    with pytest.raises(NotImplementedError):
        o.TorchFunctionMode().__torch_function__(None, ())


def test_modes_are_of_a_thread(both):
    t, o = both.module, overrides(both.module)

    class Zeros(o.TorchFunctionMode):
        def __torch_function__(self, func, types, args=(), kwargs=None):
            return 0 if func is t.ones else func(*args, **(kwargs or {}))

    seen = []
    with Zeros():
        thread = threading.Thread(target=lambda: seen.append(t.ones(1).tolist()))
        thread.start()
        thread.join()
        assert t.ones(1) == 0 and seen == [[1.0]]


def test_devices_go_on_working(both):
    t, o = both.module, overrides(both.module)
    with o.BaseTorchFunctionMode(), t.device("cpu"):
        assert t.zeros(1).device.type == "cpu"
    with t.device("cpu"), o.BaseTorchFunctionMode():
        assert t.zeros(1).as_subclass(logging_class(t)).device.type == "cpu"


def test_functions_of_overrides(both):
    t, o = both.module, overrides(both.module)

    class Duck:
        @classmethod
        def __torch_function__(cls, func, types, args=(), kwargs=None):
            return func, types, args, kwargs

    d, p = Duck(), t.ones(1)
    assert o.has_torch_function((p, d)) and not o.has_torch_function((p, t.nn.Parameter(p), 1, None))
    assert o.has_torch_function_unary(d) and not o.has_torch_function_variadic(p, 1)
    assert o.is_tensor_like(d) and o.is_tensor_like(p) and not o.is_tensor_like(1)
    assert o.is_tensor_method_or_property(t.Tensor.view) and not o.is_tensor_method_or_property(t.zeros)
    assert o.is_tensor_method_or_property(t.Tensor.shape.__get__)
    names = {
        t.zeros: "torch.zeros",
        t.Tensor.view: "torch.Tensor.view",
        t.nn.functional.mse_loss: "torch.nn.functional.mse_loss",
    }
    names |= {t.fft.fft: "torch.fft.fft", t.Tensor.T.__get__: "torch.Tensor.T.__get__", len: None}
    assert all(o.resolve_name(f) == name for f, name in names.items())
    listed = o.get_overridable_functions()
    assert t.add in listed[t] and t.Tensor.view in listed[t.Tensor] and t.linalg.inv in listed[t.linalg]
    assert t.is_tensor in o.get_ignored_functions() and t.add not in o.get_ignored_functions()
    stands = o.get_testing_overrides()
    assert stands[t.add](1, 2, out=3) == stands[t.Tensor.view](p, 3) == stands[t.Tensor.T.__get__](p) == -1
    with pytest.raises(TypeError):
        stands[t.mul](1)

    @o.wrap_torch_function(lambda a, b=None: (a, b))
    def mine(a, b=None):
        return "mine"

    def api(a, b):
        if o.has_torch_function((a, b)):
            return o.handle_torch_function(api, (a, b), a, b=b)
        return "api"

    assert mine(p) == "mine" and mine(p, b=d)[0] is mine and api(p, p) == "api"
    func, types, args, kwargs = api(p, d)
    assert func is api and Duck in types and args == (p,) and kwargs == {"b": d}


def test_redispatch(both):
    t, o = both.module, overrides(both.module)
    if not hasattr(o, "redispatch_function"):
        pytest.skip("of a newer PyTorch")
    names = []

    class Logged(t.Tensor):
        @classmethod
        def __torch_function__(cls, func, types, args=(), kwargs=None):
            names.append(func.__name__)
            return o.redispatch_function(func, types, args, kwargs or {})

    class Mode(o.TorchFunctionMode):
        def __torch_function__(self, func, types, args=(), kwargs=None):
            names.append(func.__name__)
            with self:
                return o.redispatch_function(func, types, args, kwargs or {})

    def scaled(a, b):
        if o.has_torch_function((a, b)):
            return o.handle_torch_function(scaled, (a, b), a, b)
        return a * b + 1

    x = t.ones(2).as_subclass(Logged)
    r = scaled(x, x)
    assert names == ["scaled", "mul"] and type(r) is t.Tensor and r.tolist() == [2, 2]
    names.clear()
    p = t.ones(2)
    with Mode():
        scaled(p, p)
    assert names == ["scaled", "mul", "add"]
    names.clear()
    scaled(p, p)
    x * 2
    assert names == ["mul"]


def test_dispatch_below_is_refused():
    t = polytensor

    class Below(t.Tensor):
        @classmethod
        def __torch_dispatch__(cls, func, types, args=(), kwargs=None):
            return func(*args, **(kwargs or {}))

    for make in (lambda: t.ones(2).as_subclass(Below), lambda: t.Tensor._make_wrapper_subclass(Below, (2,))):
        with pytest.raises(NotImplementedError, match="__torch_dispatch__"):
            make()


PROGRAM = """
import inspect
import polytensor as torch
from polytensor import relu, softmax
from polytensor.nn.functional import linear
import sys
assert "polytensor.overrides" not in sys.modules
code, add, x = relu.__code__, torch.Tensor.add, torch.ones(2, 2)
class Plain(torch.nn.Parameter): pass
assert relu.__code__ is code and "polytensor.overrides" not in sys.modules
class T(torch.Tensor): pass
assert relu.__code__ is not code and torch.Tensor.add is add
s = x.as_subclass(T)
for y in (relu(s), softmax(s, 1), linear(x, s), x.add(s), x * s, s.exp(), s.T, x.log1p().mul(s)):
    assert type(y) is T
assert "dim" in inspect.signature(softmax).parameters and softmax(x, dim=1).tolist() == [[0.5] * 2] * 2
"""


def test_nothing_is_changed_before_the_first_subclass():
    subprocess.run([sys.executable, "-c", PROGRAM], check=True)


DUCK = """
import polytensor as t
F = t.nn.functional
class Duck:
    @classmethod
    def __torch_function__(cls, func, types, args=(), kwargs=None):
        return func, args, kwargs or {}
d, p = Duck(), t.ones(2, 2)
func, args, kwargs = %s
import sys
sys.exit("".join([func.__name__, " ", *["d" if a is d else "p" if a is p else repr(a) for a in args], *map(str, kwargs.items())]))
"""
FIRST = {  # of a program, with an argument that is no Tensor: what is asked about
    "t.mean(d)": "mean d", "p + d": "add pd", "t.softmax(d, dim=1)": "softmax d1", "t.max(d, dim=1)": "max d('dim', 1)",
    "F.linear(p, d)": "linear pd", "t.where(d, p, p)": "where dpp",
}  # fmt: skip


@pytest.mark.parametrize("call", FIRST)
def test_other_classes_are_asked_from_the_first_call_on(call):
    done = subprocess.run([sys.executable, "-c", DUCK % call], capture_output=True, text=True)
    assert done.stderr.strip() == FIRST[call]


def test_errors_tell_of_classes_that_are_not_asked_yet():
    program = DUCK % "t.linalg.inv(d)"
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True)
    assert "must be Tensor, not Duck (its __torch_function__ is asked after torch.overrides.enable())" in done.stderr
    program = program.replace("d, p =", "__import__('polytensor').overrides.enable()\nd, p =")
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True)
    assert done.stderr.strip() == "linalg_inv d"
