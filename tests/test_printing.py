"""repr, str and format of tensors and of what surrounds them: the same characters as PyTorch's."""

import random
import re
import warnings

import numpy as np
import pytest

import polytensor

DTYPES = (
    "bool", "uint8", "int8", "int16", "int32", "int64", "uint16", "uint32", "uint64", "float16", "bfloat16", "float32",
    "float64", "complex64", "complex128",
)  # fmt: skip
SHAPES = (
    (), (0,), (2, 0, 3), (0, 0), (1,), (5,), (40,), (1000,), (1001,), (2, 3), (7, 1), (1, 30), (3, 4, 2), (1, 1, 1), (2, 1, 3, 2),
    (40, 30), (12, 10, 11), (3, 500), (500, 3), (1, 1001), (20, 60, 1), (2, 2, 2, 2, 3),
)  # fmt: skip
OPTIONS = {
    "precision": (0, 1, 2, 6, 10),
    "threshold": (0, 5, 20, 100, float("inf")),
    "edgeitems": (0, 1, 2, 5, 20),
    "linewidth": (1, 20, 40, 120, 1000),
    "profile": ("default", "short", "full"),
    "sci_mode": (True, False, None),
}
VALUES = {
    "normal": lambda r, n: r.standard_normal(n),
    "integers": lambda r, n: r.integers(-(10**5), 10**5, n).astype(float),
    "mixed": lambda r, n: 10.0 ** r.uniform(-30, 30, n) * r.choice([-1, 1], n),
    "tiny": lambda r, n: r.standard_normal(n) * 1e-5,
    "huge": lambda r, n: r.standard_normal(n) * 1e9,
    "equal": lambda r, n: np.full(n, r.choice([0.0, 1, -1, 0.1, 1e-5, 1e8, 123456789.0, 1e-30])),
    "special": lambda r, n: r.choice([np.nan, np.inf, -np.inf, 0.0, -0.0, 1.0, 0.3, 1e10], n),
    "subnormal": lambda r, n: r.choice([5e-324, 1e-310, 1e-45, 1e-40, 0.0, 6e-8], n),
    "zeros": lambda r, n: r.choice([-0.0, 0.0], n),
    "large integers": lambda r, n: r.integers(-(10**15), 10**15, n).astype(float),
    "edges of rounding": lambda r, n: r.uniform(-1, 1, n) * r.choice([0.99995, 0.99996, 1e-4, 1e-3, 9999.99999]),
    "wide": lambda r, n: r.uniform(0, r.choice([999.0, 1001.0, 1e8, 1.1e8]), n),
}
FORMS = {
    "plain": lambda m, x: x,
    "transposed": lambda m, x: x.transpose(0, -1) if x.dim() > 1 else x,
    "strided": lambda m, x: x[..., ::2] if x.dim() else x,
    "leaf": lambda m, x: x.requires_grad_() if x.dtype.is_floating_point else x,
    "result": lambda m, x: x.clone().requires_grad_() * 1 if x.dtype.is_floating_point else x,
    "view": lambda m, x: x.clone().requires_grad_().view(x.shape) if x.dtype.is_floating_point else x,
    "parameter": lambda m, x: m.nn.Parameter(x) if x.dtype.is_floating_point else x,
    "list": lambda m, x: [x, (x,)],
    "dict": lambda m, x: {"a": x, 1: x},
}


def made(module, real, imag, dtype, form):
    x = module.from_numpy(real.copy())
    if dtype.startswith("complex"):
        x = module.complex(x, module.from_numpy(imag.copy()))
    elif dtype == "bool" or "int" in dtype:
        whole = np.clip(np.nan_to_num(real, nan=0, posinf=1, neginf=-1), -9e18, 9e18)
        x = module.from_numpy(np.asarray(whole, dtype=np.int64))
    elif dtype in ("float16", "bfloat16"):  # one rounding less than to convert float64
        with np.errstate(over="ignore"):
            x = module.from_numpy(np.asarray(real, dtype=np.float32))
    return FORMS[form](module, x.to(getattr(module, dtype)))


@pytest.mark.parametrize("seed", range(40))
def test_same_characters(oracle, seed):
    pick, draw = random.Random(seed), np.random.default_rng(seed)
    for _ in range(10):
        shape, dtype, form = pick.choice(SHAPES), pick.choice(DTYPES), pick.choice(list(FORMS))
        values = VALUES[pick.choice(list(VALUES))]
        real, imag = (np.asarray(values(draw, int(np.prod(shape)))).reshape(shape) for _ in range(2))
        options = {k: pick.choice(v) for k, v in OPTIONS.items() if pick.random() < 0.15}
        default = pick.choice(["float32"] * 4 + ["float64", "bfloat16"])
        texts = []
        for module in (oracle, polytensor):
            try:
                module.set_printoptions(**options)
                module.set_default_dtype(getattr(module, default))
                x = made(module, real, imag, dtype, form)
                texts.append((repr(x), f"{x}", str([x])))
            finally:
                module.set_printoptions(profile="default")
                module.set_default_dtype(module.float32)
        assert texts[0] == texts[1], (shape, dtype, form, options, default)


EXPRESSIONS = """
m.Size([1, 2]), str(m.Size([])), m.Size((2, 3)) + m.Size((1,)), m.Size([2, 3])[1:], m.Size([2, 3]).numel()
[repr(getattr(m, d)) for d in DTYPES], m.half, m.double, m.long, m.cfloat, f"{m.float32}", type(m.float32)
[repr(m.finfo(getattr(m, d))) for d in ("float16", "bfloat16", "float32", "float64", "complex64", "complex128")]
[repr(m.iinfo(getattr(m, d))) for d in ("uint8", "int8", "int16", "int32", "int64", "uint16")], m.finfo()
m.device("cpu"), str(m.device("cpu:0")), m.device("cuda", 1), m.device("cuda:3"), m.device(type="cuda", index=2)
m.tensor([[1.0, 2], [3, 4]]).max(0), m.tensor([3.0, 1, 2]).sort(), m.tensor([3.0, 1, 2]).topk(2), m.tensor([3.0, 1]).mode()
m.tensor([3.0, 1, 2]).median(0), m.tensor([3.0, 1]).cummax(0), m.aminmax(m.tensor([3.0, 1])), m.frexp(m.tensor([3.0, 1]))
m.linalg.slogdet(m.eye(2)), m.linalg.eigh(m.eye(2)), m.linalg.qr(m.eye(2)), m.linalg.lu_factor(m.eye(2)), m.histogram(m.ones(2), 2)
m.tensor([1.0, 2], requires_grad=True).max(0), type(m.tensor([1.0]).max(0)).__name__, m.tensor([1.0]).max(0).n_fields
re.sub("0x[0-9a-f]+", "", repr(m.Generator())), re.sub("0x[0-9a-f]+", "", repr(m.ones(1, requires_grad=True).exp().grad_fn))
m.tensor([1, 2, 3], dtype=m.uint8).untyped_storage(), m.tensor([1.0, 2]).storage()
f"{m.tensor(3.14159):.2f}", f"{m.tensor(3):5d}", f"{m.tensor(3):x}", f"{m.tensor(True)}", "%.2f" % m.tensor(1.5), "%d" % m.tensor(3)
f"{m.tensor(1 + 2j):.2f}", "{:>30}".format(m.tensor(2.0)), f"{m.tensor([2.0], requires_grad=True) * 2}", "{!r}".format(m.tensor(2))
f"{m.tensor([1.0, 2]):.2f}"
f"{m.tensor(1.5):d}"
m.nn.Parameter(m.ones(2)), m.nn.Parameter(m.ones(2), requires_grad=False), [m.nn.Parameter(m.ones(1))], str(m.nn.Parameter(m.empty(0)))
m.strided, m.contiguous_format, m.channels_last, m.preserve_format, m.get_default_dtype(), m.tensor([1.0]).layout
m.tensor([1.0]).type(), m.tensor([1]).type(), m.tensor([1.0]).bfloat16().type(), m.Tensor, m.FloatTensor, m.Size, m.dtype, m.device
m.tensor([1 + 2j]).conj().imag, m.tensor(float("nan")), m.tensor(1e-10), m.tensor(123456789.0), m.tensor(-0.0), m.tensor(100000.5)
m.ones(1, requires_grad=True).expand(2), m.ones(1, requires_grad=True)[0], m.ones(1, requires_grad=True).clone().add_(1)
m.empty(2, 0), m.empty(0, dtype=m.int64), m.empty(0, 3, dtype=m.bool), m.empty(0, 3, requires_grad=True)
m.arange(1001), m.zeros(10, 101), m.zeros(1001, 1), m.tensor([1.0]).__repr__(tensor_contents="abc")
m.tensor([1.0, 2]).tolist(), m.tensor([1, 2]).numpy(), m.no_grad().__class__.__name__, m.nn.Linear(1, 2), m.nn.MSELoss()
m.iinfo(m.bool)
m.iinfo()
m.device("cpu", -1)
m.device("cpu:x")
""".strip().split("\n")


@pytest.mark.parametrize("text", EXPRESSIONS)
def test_same_text(oracle, text):
    results = []
    for module in (oracle, polytensor):
        try:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")
                results.append(repr(eval(text, {"m": module, "re": re, "DTYPES": DTYPES})))
        except Exception as error:
            results.append(f"{type(error).__name__}: {error}")
    assert results[1] == results[0]


def test_options_are_kept_and_put_back(oracle):
    for module in (oracle, polytensor):
        module.set_printoptions(sci_mode=True, precision=3)
        first = repr(module.tensor([1.23456, 2]))
        module.set_printoptions(profile="short")
        second = repr(module.tensor([1.23456, 2]))
        module.set_printoptions(profile="default")
        assert (first, second) == ("tensor([1.235e+00, 2.000e+00])", "tensor([1.23, 2.00])")
