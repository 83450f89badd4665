"""Names, order and defaults of arguments as PyTorch's own interface files state them, for torch.* and Tensor's methods."""

import ast
import inspect
import re
import warnings
from collections import defaultdict
from pathlib import Path

import numpy as np
import pytest

import polytensor

torch = pytest.importorskip("torch")
HOME = Path(torch.__file__).parent / "_C"

# an argument that is written in the interface file and not taken here, and why
NOT_TAKEN = {
    ("full", "names"): "named tensors",
    ("set_num_threads", "num"): "PyTorch takes it by position only, whatever the file says",
    ("set_num_interop_threads", "num"): "as set_num_threads",
    ("requires_grad_", "mode"): "PyTorch calls it requires_grad, whatever the file says",
    ("isin", "element"): "PyTorch takes it by position only",
}
# functions whose interface file does not describe the calls that PyTorch takes
ODD = {
    "tensor": "only `data` by position",
    "new_tensor": "only `data` by position",
    "linspace": "`steps` must be given",
    "logspace": "`steps` must be given",
    "subtract": "alpha by position: a deprecated form",
    "subtract_": "as subtract",
    "new": "the old constructor of Tensor, which takes anything by position",
}
SAME = {(None, "()"), (None, "[]"), (0.0, "None"), (None, "torch.contiguous_format"), (False, "None")}


def literal(node):
    try:
        return ast.literal_eval(node)
    except ValueError:
        return ast.unparse(node)


def overloads(path, owner=None):
    """name -> [(positional [(name, default or ...)], keyword-only {name: default or ...}, annotations)]."""
    body = ast.parse(path.read_text()).body
    if owner:
        body = next(n for n in body if isinstance(n, ast.ClassDef) and n.name == owner).body
    found = defaultdict(list)
    for n in body:
        if not isinstance(n, ast.FunctionDef) or n.name.startswith("_"):
            continue
        a = n.args
        positional = [(p.arg, ...) for p in a.posonlyargs + a.args]
        for i, default in enumerate(reversed(a.defaults)):
            positional[-1 - i] = (positional[-1 - i][0], literal(default))
        keyword = {p.arg: ... if d is None else literal(d) for p, d in zip(a.kwonlyargs, a.kw_defaults, strict=True)}
        kinds = {p.arg: "" if p.annotation is None else ast.unparse(p.annotation) for p in a.args + a.kwonlyargs}
        found[n.name].append((positional[1:] if owner else positional, keyword, kinds, a.vararg))
    return found


def cases():
    for owner, path, cls in (
        ("torch", "_VariableFunctions.pyi", None),
        ("Tensor", "__init__.pyi", "TensorBase"),
    ):
        home = polytensor if cls is None else polytensor.Tensor
        for name, forms in overloads(HOME / path, cls).items():
            fn = getattr(home, name, None)
            if callable(fn):
                yield pytest.param(fn, name, forms, cls is not None, id=f"{owner}.{name}")


def deprecated(positional):
    """The old forms with numbers before tensors: add(x, 2, y), addmm(1, x, 2, a, b)."""
    names = [n for n, _ in positional]
    return any(n in ("alpha", "beta") for n in names[:-1]) or names[:1] == ["beta"]


CASES = list(cases())


def open_ended(fn):
    kinds = {p.kind for p in inspect.signature(fn).parameters.values()}
    return bool(kinds & {inspect.Parameter.VAR_POSITIONAL, inspect.Parameter.VAR_KEYWORD})


@pytest.mark.parametrize(("fn", "name", "forms", "method"), CASES)
def test_arguments(fn, name, forms, method):
    if open_ended(fn):
        pytest.skip("takes any arguments: called for real below")
    if name in ODD:
        return
    own = list(inspect.signature(fn).parameters.values())[method:]
    order = [p.name for p in own if p.kind is not inspect.Parameter.KEYWORD_ONLY]
    default = {p.name: p.default for p in own}
    for positional, keyword, _, _ in forms:
        if deprecated(positional):
            continue
        for i, (arg, value) in enumerate(positional):
            arg = "input" if arg == "self" and not method else arg
            if (name, arg) in NOT_TAKEN:
                continue
            assert arg in default, f"{name}() does not take {arg!r}"
            if len(forms) == 1:
                assert order[i : i + 1] == [arg], f"{name}(): argument {i} is {order[i : i + 1]}, expected {arg}"
                if value is not ... and arg != "reduction":  # the file has 1, PyTorch itself takes 0
                    assert equal(default[arg], value), f"{name}({arg}={default[arg]!r}), expected {value!r}"
        for arg, value in keyword.items():
            if (name, arg) in NOT_TAKEN:
                continue
            assert arg in default, f"{name}() does not take {arg!r}"
            if value is not ... and len(forms) == 1:
                assert equal(default[arg], value), f"{name}({arg}={default[arg]!r}), expected {value!r}"


def equal(ours, theirs):
    return ours == theirs or str(ours) == str(theirs) or (ours, str(theirs)) in SAME


# ---- the same calls on both --------------------------------------------------------------------------------------------
VALUES = {
    "_int": 1, "_float": 0.5, "_bool": False, "Number": 1, "_size": (2, 2), "_dtype": "dtype", "str": "mean", "Sequence": (2, 2),
}  # fmt: skip
SPECIAL = {"dim": 0, "p": 0.5, "indices": "index", "index": 0, "reduce": "sum", "generator": None}


def value_for(module, arg, kind):
    """A plain value of the annotated kind, or ... where none is known."""
    want = SPECIAL.get(arg)
    if want == "index":
        return module.tensor([0, 1])
    if "Tensor" in kind and "tuple" not in kind:
        return module.from_numpy(np.array([[0.5, 0.25], [0.125, 0.75]]))
    for key, value in VALUES.items():
        if kind.startswith(key):
            return module.float64 if value == "dtype" else want if isinstance(want, (int, float, str)) else value
    return ...


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize(("fn", "name", "forms", "method"), CASES)
def test_calls(fn, name, forms, method):
    """What PyTorch takes by position and by keyword, with plain values, is taken here."""
    if name in ("from_file", "set_num_threads", "set_num_interop_threads") or name in ODD:
        return
    theirs = getattr(torch.Tensor if method else torch, name)
    for positional, keyword, kinds, starred in forms:
        if deprecated(positional) or starred:
            continue
        required = [n for n, value in positional if value is ...]
        wanted = [n for n, value in keyword.items() if value is ...]
        for by_name in (False, True):
            for full in (False, True):
                names = [n for n, _ in positional] if full else required
                results = []
                for module, call in ((torch, theirs), (polytensor, fn)):
                    values = {n: value_for(module, n, kinds[n]) for n in names + wanted}
                    if any(v is ... for v in values.values()):
                        break
                    first = [value_for(module, "self", "Tensor")] if method else []
                    if by_name:
                        args = {("input" if n == "self" else n): v for n, v in values.items()}
                        results.append(outcome(call, first, args, module is polytensor))
                    else:
                        results.append(
                            outcome(
                                call,
                                [*first, *(values[n] for n in names)],
                                {n: values[n] for n in wanted},
                                module is polytensor,
                            )
                        )
                if len(results) == 2 and results[0] != "TypeError":
                    assert not results[1].startswith("TypeError"), (by_name, names, results)


def outcome(call, args, kwargs, ours):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        try:
            call(*args, **kwargs)
        except TypeError as error:
            return f"TypeError: {error}" if ours else "TypeError"
        except Exception as error:  # noqa: BLE001 whether the arguments fit together is not asked
            return type(error).__name__
    return "done"


# select, narrow, unbind and unsqueeze as methods are called too often to pay for it
BY_DIM_ONLY = {"Tensor.select", "Tensor.narrow", "Tensor.unbind", "Tensor.unsqueeze", "Tensor.size", "Tensor.stride"}


WITH_DIM = [
    case
    for case in CASES
    if case.id not in BY_DIM_ONLY and any("dim" in {**dict(f[0]), **f[1]} for f in case.values[2])
]


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize(("fn", "name", "forms", "method"), WITH_DIM)
def test_axis_for_dim(fn, name, forms, method):
    """Where PyTorch takes NumPy's `axis` for `dim`, so do we."""
    theirs = getattr(torch.Tensor if method else torch, name)
    for positional, keyword, kinds, _ in forms:
        values = {**dict(positional), **keyword}
        if "dim" not in values:
            continue
        results = []
        for module, call in ((torch, theirs), (polytensor, fn)):
            args = {n: value_for(module, n, kinds[n]) for n, v in values.items() if v is ... and n != "dim"}
            if "tensors" in args:
                args["tensors"] = [value_for(module, "x", "Tensor")]
            if any(v is ... for v in args.values()):
                break
            args["axis"] = value_for(module, "dim", kinds["dim"])
            first = [value_for(module, "self", "Tensor")] if method else []
            results.append(
                outcome(
                    call, first, {("input" if n == "self" else n): v for n, v in args.items()}, module is polytensor
                )
            )
        if len(results) == 2 and results[0] != "TypeError":
            assert not results[1].startswith("TypeError"), results


def functions_of_nn():
    """The functions of nn.functional that PyTorch writes in Python, so that their arguments can be read."""
    for name in sorted(vars(torch.nn.functional)):
        theirs, ours = getattr(torch.nn.functional, name), getattr(polytensor.nn.functional, name, None)
        if name[0] != "_" and inspect.isfunction(theirs) and inspect.isfunction(ours):
            kinds = {p.kind for p in inspect.signature(theirs).parameters.values()}
            if inspect.Parameter.VAR_POSITIONAL not in kinds and not open_ended(ours):
                yield pytest.param(ours, theirs, id=name)


@pytest.mark.parametrize(("ours", "theirs"), list(functions_of_nn()))
def test_arguments_of_nn_functional(ours, theirs):
    ours, theirs = (list(inspect.signature(f).parameters.values()) for f in (ours, theirs))
    for a, e in zip(ours, theirs, strict=False):
        assert (a.name, a.kind) == (e.name, e.kind)
        assert str(a.default) == str(e.default)
    assert len(ours) >= len(theirs)


# ---- arguments that PyTorch takes by no name, and first arguments that are no tensors ----------------------------------
SETTING = (  # what these begin has effects beyond its result
    "set_", "seed", "manual_seed", "save", "load", "compile", "vmap", "use_", "cond", "while_loop", "fork", "wait", "from_file",
)  # fmt: skip
LATER = {  # refused too, by another class of error
    "gru", "lstm", "rnn_tanh", "rnn_relu", "randint_like", "sym_sqrt", "repeat_interleave", "view", "fftfreq", "rfftfreq",
    "bartlett_window", "blackman_window", "hamming_window", "hann_window", "kaiser_window",
}  # fmt: skip
TAKEN = {  # a tensor as a sequence of tensors, a number as x, anything that is not distributed
    "stack", "multi_dot", "trapezoid", "trapz", "cumulative_trapezoid", "is_distributed",
}  # fmt: skip


def calls(t):
    x = t.ones(2, 2)
    yield from (((), {"x": 1}), ((1,), {}), (("a",), {}), ((x,), {"bogus": 1}), ((x,), {"x": 1}), ((x, x), {"bogus": 1}),
                ((x, 1), {"bogus": 1}), ((x,), {}), ((), {}))  # fmt: skip


def error_of(fn, args, kwargs):
    try:
        fn(*args, **kwargs)
    except Exception as error:  # noqa: BLE001
        return error
    return None


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("space", ["", "linalg", "fft", "special", "nn.functional", "Tensor"])
def test_wrong_arguments_are_refused_as_by_pytorch(space):
    """TypeError where PyTorch has it: an unknown keyword, a first argument that is no tensor, one that is missing."""
    theirs, ours = torch, polytensor
    for part in space.split(".") if space else ():
        theirs, ours = getattr(theirs, part), getattr(ours, part)
    wrong = []
    for name in dir(theirs):
        fn, own = getattr(theirs, name), getattr(ours, name, None)
        if (
            name.startswith(("_", *SETTING))
            or "autocast" in name
            or name in TAKEN
            or not inspect.isroutine(fn)
            or own is None
        ):
            continue
        for (args, kwargs), (mine, named) in zip(calls(torch), calls(polytensor), strict=True):
            if space == "Tensor" and not (args and isinstance(args[0], torch.Tensor)):
                continue  # a method without its tensor
            error = error_of(fn, args, kwargs)
            if type(error) is not TypeError:
                continue
            found = error_of(own, mine, named)
            if not isinstance(found, Exception if name in LATER else (TypeError, NotImplementedError)):
                wrong.append(f"{name}(*{args}, **{kwargs}): {found!r} instead of {error}")
    assert not wrong, "\n".join(wrong)


# ---- namespaces whose functions PyTorch describes in no interface file -------------------------------------------------
def required(fn):
    """The names of the arguments that PyTorch's parser misses, in each form of the call."""
    text = str(error_of(fn, (), {}))
    if "missing" in text:
        return [re.findall(r'"(\w+)"', text)]
    return [
        re.findall(r"(\w+)(?=,|$)", form)
        for form in re.findall(r"^ \* \(([^*=]*?)(?:, [\w ]+ = .*|, \*.*)?\)$", text, re.M)
    ]


@pytest.mark.parametrize("space", ["linalg", "fft", "nn.functional"])
def test_names_of_required_arguments(space):
    """Every required argument is taken by PyTorch's name: linalg.norm's matrix is `input`, whatever its page says."""
    theirs, ours = torch, polytensor
    for part in space.split("."):
        theirs, ours = getattr(theirs, part), getattr(ours, part)
    seen, wrong = 0, []
    for name, fn in vars(theirs).items():
        if name[0] == "_" or not inspect.isbuiltin(fn) or name.startswith("has_torch_function"):
            continue
        taken = inspect.signature(getattr(ours, name)).parameters
        for names in required(fn):
            seen += 1
            wrong += [(name, n) for n in names if n not in taken and not open_ended(getattr(ours, name))]
    assert seen > 15 and not wrong


@pytest.mark.parametrize("space", ["linalg", "fft"])
def test_numpy_names_in_namespaces(space):
    """axis, keepdims and x are taken where PyTorch takes them."""
    theirs, ours = getattr(torch, space), getattr(polytensor, space)
    wrong = []
    for name in (n for n, fn in vars(theirs).items() if n[0] != "_" and inspect.isbuiltin(fn)):
        for more in ({"axis": 0}, {"axis": 0, "keepdims": True}, {}):
            for first in ("x", "y"):
                tried = []
                for t, home in ((torch, theirs), (polytensor, ours)):
                    x = t.ones(2, 2)
                    args = () if first == "x" else (x, x) if name in ("vecdot", "cross") else (x,)
                    tried.append(error_of(getattr(home, name), args, {**({"x": x} if first == "x" else {}), **more}))
                if isinstance(tried[1], TypeError) and not isinstance(tried[0], TypeError):
                    wrong.append((name, first, more, *tried))
    assert not wrong
