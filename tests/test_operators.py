"""Python's and NumPy's operators on tensors, with whatever stands on the other side: as in PyTorch, errors too."""

import fractions
import itertools
import math
import operator
import pickle
import warnings

import numpy as np
import pytest
from same import same

import polytensor

A = np.arange(6.0).reshape(2, 3)
OPERATORS = ("add", "sub", "mul", "truediv", "floordiv", "mod", "pow", "lt", "eq", "ne", "ge")
OTHERS = {
    "float64": np.float64(2), "float32": np.float32(2.5), "int64": np.int64(2), "None": None, "str": "a", "list": [1, 2, 3],
    "bool": True,
}  # fmt: skip
MISC = {
    "asarray": lambda t: (lambda x: (x.tolist(), str(x.dtype)))(np.asarray(t.arange(3), dtype=np.float32)),
    "array copies": lambda t: (lambda x: (np.array(x).__iadd__(1).tolist(), x.tolist()))(t.arange(3)),
    "asarray shares": lambda t: (lambda x: (np.asarray(x).__iadd__(1).tolist(), x.tolist()))(t.arange(3)),
    "asarray grad": lambda t: np.asarray(t.ones(2, requires_grad=True)),
    "numpy grad": lambda t: t.ones(2, requires_grad=True).numpy(),
    "numpy force": lambda t: t.ones(2, requires_grad=True).numpy(force=True).tolist(),
    "from_dlpack": lambda t: (np.from_dlpack(t.arange(3.0)).tolist(), t.from_dlpack(np.arange(3.0))),
    "from_dlpack grad": lambda t: np.from_dlpack(t.ones(3, requires_grad=True)),
    "dlpack device": lambda t: tuple(int(v) for v in t.arange(3.0).__dlpack_device__()),
    "exp": lambda t: np.exp(t.from_numpy(A)),
    "isfinite": lambda t: np.isfinite(t.from_numpy(A)),
    "numpy index": lambda t: (np.arange(5)[t.tensor([1, 3])].tolist(), np.arange(5)[t.tensor(2)].tolist()),
    "numpy put": lambda t: (lambda z: (z.__setitem__(slice(0, 3), t.arange(3.0)), z.tolist())[1])(np.zeros(4)),
    "array @": lambda t: t.from_numpy(A) @ A.T,
    "inplace": lambda t: operator.iadd(t.from_numpy(A.copy()), A),
    "0-dim [0]": lambda t: t.tensor(1.0)[0],
    "0-dim [:]": lambda t: t.tensor(1.0)[:],
    "0-dim [0, 0]": lambda t: t.tensor(1.0)[0, 0],
    "0-dim [tensor]": lambda t: t.tensor(1.0)[t.tensor([0])],
    "0-dim put": lambda t: t.tensor(1.0).__setitem__(0, 2.0),
    "list index": lambda t: [1, 2, 3][t.tensor(1)],
    "range": lambda t: list(range(t.tensor(3))),
    "round": lambda t: (round(t.tensor(2.567), 1), round(t.tensor(2.567))),
    "math": lambda t: (
        math.floor(t.tensor(2.5)),
        math.ceil(t.tensor(2.5)),
        math.trunc(t.tensor(2.5)),
        math.sqrt(t.tensor(4.0)),
    ),
    "divmod": lambda t: divmod(t.tensor(7), 2),
    "sum": lambda t: (sum(t.arange(4.0)), max(t.arange(4.0)), sorted(t.tensor([3.0, 1.0, 2.0]))),
    "percent": lambda t: ("%.2f" % t.tensor(1.5), "%d" % t.tensor(3)),  # noqa: UP031
    "formats": lambda t: (f"{t.tensor(1.5):>10}", f"{t.tensor(1.5):.2e}", f"{t.tensor(3):.2f}", f"{t.ones(1)}"),
    "format of many": lambda t: f"{t.ones(1):.2f}",
    "format of a parameter": lambda t: f"{t.nn.Parameter(t.tensor(2.0)):.2f}",
    "reflected bits": lambda t: (
        6 & t.tensor([3, 2]),
        6 | t.tensor([3, 2]),
        True ^ t.tensor([True]),
        1 << t.tensor([3]),
    ),
    "reflected": lambda t: (2.5 ** t.tensor([3, 2]), 1 / t.tensor([2, 4]), 7 // t.tensor([2, 4]), 7 % t.tensor([2, 4])),
    "1 - bool": lambda t: 1 - t.tensor([True]),
    "-bool": lambda t: -t.tensor([True]),
    "+bool": lambda t: +t.tensor([True]),
    "~float": lambda t: ~t.tensor([1.0]),
    "int of nan": lambda t: int(t.tensor(float("nan"))),
    "float of complex": lambda t: float(t.tensor(1 + 1j)),
    "chain": lambda t: 0 < t.tensor(1) < 2,
    "contains": lambda t: (1 in t.ones(2), 2.0 in t.ones(2), t.tensor(1) in [t.tensor(2), t.tensor(1)]),
    "None in": lambda t: None in t.ones(2),
    "del": lambda t: t.ones(2).__delitem__(0),
    "map_": lambda t: t.arange(3.0).map_(t.arange(3.0), lambda x, y: x * y + 1),
    "apply_": lambda t: t.arange(3.0).apply_(lambda x: x + 1),
    "apply_ grad": lambda t: t.ones(3, requires_grad=True).apply_(lambda x: x + 1),
    "legacy list index": lambda t: (t.arange(9).view(3, 3)[[[0, 1], [1, 0]]], t.arange(9).view(3, 3)[[None, 0]]),
    "size index": lambda t: t.arange(9).view(3, 3)[t.Size([1])],
    "float index": lambda t: t.ones(2)[1.5],
    "str index": lambda t: t.ones(2)["a"],
    "numpy float index": lambda t: t.ones(2)[np.float64(1)],
    "object index": lambda t: t.ones(2)[object()],
    "dtype of what is put": lambda t: t.zeros(3).__setitem__([0], t.tensor(1)),
    "mask takes one of any dtype": lambda t: (lambda x: (x.__setitem__(x == 0, t.tensor(1)), x)[1])(t.zeros(3)),
}


@pytest.mark.parametrize("name", MISC)
def test_protocols(oracle, name):
    same(MISC[name], oracle, message=name.startswith("0-dim"))


@pytest.mark.parametrize("op", OPERATORS)
@pytest.mark.parametrize("other", OTHERS)
def test_other_operand(oracle, op, other):
    fn, y = getattr(operator, op), OTHERS[other]
    same(lambda t: fn(t.arange(3.0) + 1, y), oracle, message=False)
    same(lambda t: fn(y, t.arange(3.0) + 1), oracle, message=False)
    same(lambda t: fn(t.arange(3) + 1, y), oracle, message=False)


@pytest.mark.parametrize("op", OPERATORS[:7])
def test_no_operand_is_told_as_by_python(oracle, op):
    same(lambda t: getattr(operator, op)(t.ones(2), None), oracle)


def test_arrays_on_either_side():
    """PyTorch refuses most of these; PolyTensor takes the array for a tensor."""
    x = polytensor.from_numpy(A + 1)
    for op in (operator.add, operator.sub, operator.mul, operator.truediv, operator.lt):
        for r in (op(x, A), op(A, x)):
            assert isinstance(r, polytensor.Tensor)
        assert op(A, x).tolist() == op(A, A + 1).tolist()
    assert (A @ x.T).tolist() == (A @ (A + 1).T).tolist()


def test_foreign_classes_answer_for_themselves(both):
    class Other:
        def __radd__(self, other):
            return "radd"

        def __rmatmul__(self, other):
            return "rmatmul"

        def __rlshift__(self, other):
            return "rlshift"

        def __gt__(self, other):
            return "gt"

        def __eq__(self, other):
            return "eq"

    x = both.leaf([1.0, 2.0])
    assert (x + Other(), x @ Other(), x < Other(), x << Other()) == ("radd", "rmatmul", "gt", "rlshift")
    assert (x == Other()) == "eq" and (x != Other()) is False and (x == None) is False and (x != "x") is True  # noqa: E711
    y = x.detach()
    y += Other()
    assert y == "radd"
    for op in (operator.mul, operator.or_, operator.rshift):
        with pytest.raises(TypeError, match="unsupported operand type"):
            op(x, Other())
    with pytest.raises(TypeError):
        x + fractions.Fraction(1, 2) + None


@pytest.mark.parametrize(
    "dtype", ["float32", "float64", "float16", "bfloat16", "int64", "int32", "uint8", "bool", "complex64"]
)
@pytest.mark.parametrize("form", ["plain", "0-dim", "expanded", "transposed", "broadcast", "both 0-dim"])
def test_selection_from_large_tensors(form, dtype, device):
    rng = np.random.default_rng(0)
    values = [rng.normal(size=(120, 120)) * 50 for _ in range(2)]
    values[0][:3], values[1][:, :3] = np.nan, -np.inf
    if not dtype.startswith(("float", "bfloat", "complex")):
        values = [np.abs(np.nan_to_num(v, nan=1, neginf=2)) for v in values]
    mask = rng.random((120, 120)) < 0.5
    kind = getattr(polytensor, dtype)
    x, y = (polytensor.from_numpy(v).to(device=device, dtype=kind) for v in values)
    if form == "0-dim":
        y = y[5, 6]
    elif form == "both 0-dim":
        x, y = x[7, 8], y[5, 6]
    elif form == "expanded":
        y = y[:1].expand(120, 120)
    elif form == "transposed":
        y = y.T
    elif form == "broadcast":
        y = y[:, :1]
    got = polytensor.where(polytensor.from_numpy(mask).to(device), x, y)
    a, b = (np.broadcast_to(np.array(v.to(polytensor.complex128).tolist()), mask.shape) for v in (x, y))
    assert got.dtype is kind and got.shape == (120, 120) and got.is_contiguous()
    np.testing.assert_array_equal(np.array(got.to(polytensor.complex128).tolist()), np.where(mask, a, b))


# what people search for: our errors may say more behind PyTorch's words
WORDS = """
x[[5]]
x[t.tensor([0, 1]), t.tensor([0, -9])]
x[[0, 1], [0, 1, 2]]
x.__setitem__(slice(None), t.ones(4, 3))
x.__setitem__(slice(None), t.ones(2, 5))
x.__setitem__(0, t.ones(2, 3))
x.__setitem__((0, 0), t.ones(2))
x.__setitem__([0, 1], t.ones(2))
x.__setitem__(x > 2, t.ones(2))
x.__setitem__(0, 1j)
x.__setitem__(x > 1, 1j)
x.__setitem__(0, 'a')
x.__setitem__(0, None)
x.masked_fill(x > 1, 1j)
t.ones(2) in x
t.where(t.ones(3) > 0, t.ones(2), t.ones(2))
t.lerp(t.ones(2), t.ones(2), t.ones(3))
t.broadcast_tensors(t.ones(2), t.ones(3))
F.mse_loss(t.ones(2), t.ones(3))
F.cosine_embedding_loss(t.ones(2, 3), t.ones(2, 3), t.ones(3))
F.cross_entropy(x, t.ones(2))
F.nll_loss(x, t.ones(2, 2, dtype=t.long))
F.interpolate(t.ones(1, 1, 2), 3, mode='bilinear')
F.interpolate(t.ones(1, 1, 2, 2), 3, mode='trilinear')
F.embedding(t.ones(2), x)
F.linear(t.ones(2), t.ones(3, 3))
F.linear(t.ones(2, 2, 2), t.ones(3, 3), t.ones(3))
F.linear(t.ones(1, 2), t.ones(2, 2).double(), t.ones(2).double())
F.linear(t.ones(1, 2), t.ones(2, 2).double())
t.ones(2) @ t.ones(3, 3)
t.ones(2, 2, 2) @ t.ones(3, 3)
t.ones(-1, 2)
t.empty(2).new_zeros(-2)
t.tensor(True) - t.tensor(True)
t.tensor(True) - True
1 - t.tensor(True)
t.tensor(1) - t.tensor(True)
t.optim.SGD(t.ones(2), 0.1)
t.where(t.ones(2), 1, 2)
x.masked_fill(x, 1)
x.long().std()
x.to(t.complex64).kthvalue(1)
F.conv2d(t.ones(1, 1, 2, 2).double(), t.ones(1, 1, 1, 1), t.ones(1))
F.conv2d(t.ones(1, 1, 2, 2).double(), t.ones(1, 1, 1, 1))
F.conv2d(t.ones(1, 1, 2, 2), t.ones(1, 1, 1, 1), t.ones(1).double())
F.conv_transpose2d(t.ones(1, 1, 2, 2).double(), t.ones(1, 1, 1, 1), t.ones(1))
F.binary_cross_entropy(t.ones(2), t.ones(2).long())
t.nn.Parameter(3)
t.use_deterministic_algorithms(1)
t.set_grad_enabled()
t.testing.assert_close(t.tensor(True), t.tensor(False))
pickle.dumps((t.ones(2, requires_grad=True) * 2).grad_fn)
"""


@pytest.mark.filterwarnings("ignore:Using a target size")
@pytest.mark.parametrize("text", WORDS.split("\n")[1:-1])
def test_words_of_errors(oracle, text):
    def told(t):
        with pytest.raises(Exception) as caught:  # noqa: PT011 which one is what is compared
            eval(text, {"t": t, "F": t.nn.functional, "x": t.arange(6.0).reshape(2, 3), "pickle": pickle})
        return type(caught.value).__name__, str(caught.value)

    (kind, ours), (expected, theirs) = told(polytensor), told(oracle)
    assert kind == expected and ours.startswith(theirs)


def test_conversion_that_loses_history_warns(oracle):
    """float() and complex() of what requires grad, once, and not where gradients are off: LBFGS converts each loss."""
    before = oracle.is_warn_always_enabled()
    oracle.set_warn_always(True)
    polytensor.set_warn_always(True)
    try:
        for convert, on in itertools.product((float, complex, int, bool, operator.methodcaller("item")), (True, False)):
            found = []
            for t in (oracle, polytensor):
                with warnings.catch_warnings(record=True) as caught, t.set_grad_enabled(on):
                    warnings.simplefilter("always")
                    convert(t.ones((), requires_grad=True))
                found.append([str(w.message).split("(Trig")[0].strip() for w in caught])
            assert found[0] == found[1], (convert, on)
    finally:
        oracle.set_warn_always(before)
        polytensor.set_warn_always(False)
