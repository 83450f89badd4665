"""Every sample of ops_table on every backend, against PyTorch; against the NumPy backend where PyTorch is not installed."""

import zlib
from contextlib import suppress
from importlib import import_module
from pathlib import Path

import numpy as np
import older_torch
import pytest
from ops_table import SAMPLES

import polytensor
from polytensor import devices

# PyTorch warns of a broadcast target and of too few samples for a variance; here only results are compared
pytestmark = pytest.mark.filterwarnings("ignore::UserWarning", "ignore::DeprecationWarning")

for path in sorted(Path(__file__).parent.glob("ops_table_*.py")):  # each family's table adds to SAMPLES
    import_module(path.stem)

TOLERANCE = {"float16": (2e-3, 1e-5), "float32": (2e-5, 1e-5), "float64": (1e-11, 1e-13),
             "complex64": (2e-5, 1e-5), "complex128": (1e-11, 1e-13), "bfloat16": (8e-3, 1e-5), "trigamma": (1e-9, 1e-11)}  # fmt: skip
TRIGAMMA = ("digamma", "special.psi", "polygamma")  # PyTorch's trigamma, their derivative too, is 5e-10 off in float64
NAMES = [s.name for s in SAMPLES]


def flat(out):
    return [z for y in out for z in flat(y)] if isinstance(out, (tuple, list)) else [out]


def outcome(module, sample, device=None, grad=False):
    """('error', class, text) or ('values', described outputs, gradients in the float64 inputs)."""
    arrays = sample.inputs(np.random.default_rng(zlib.crc32(sample.name.encode())))
    tensors = [module.from_numpy(a) for a in arrays]
    if device is not None:
        tensors = [placed(module, x, device) for x in tensors]
    wanted = [x for x in tensors if x.dtype in (module.float64, module.complex128)] if grad else []
    try:
        for x in wanted:
            x.requires_grad_()
        outputs = flat(sample.fn(module, *tensors))
        grads = []
        roots = [y for y in outputs if isinstance(y, module.Tensor) and y.requires_grad]
        if roots:
            grads = module.autograd.grad(roots, wanted, [weights(module, y) for y in roots], allow_unused=True)
        # reading them waits for the device, where CUDA's checks of values raise
        described = [describe(y) if isinstance(y, module.Tensor) else y for y in outputs]
        described_grads = [None if g is None else describe(g)[0] for g in grads]
        if hasattr(device, "backend"):
            device.backend.synchronize()
        return "values", described, described_grads
    except Exception as error:  # noqa: BLE001 any class is a result here
        return "error", type(error).__name__, str(error)


def placed(module, x, device):
    """x on a device, with the gaps that it has in memory."""
    y = x.to(device)
    if y.stride() == x.stride():
        return y
    return module.empty_strided(x.shape, x.stride(), dtype=x.dtype, device=device).copy_(y)


def weights(module, y):
    angles = np.arange(int(np.prod(tuple(y.shape)))).reshape(tuple(y.shape))
    values = np.exp(1j * angles) if y.is_complex() else np.cos(angles)
    return module.from_numpy(np.asarray(values)).to(y.device).to(y.dtype)


def describe(y):
    y = y.detach()
    values = y.cpu().float() if str(y.dtype) == "torch.bfloat16" else y.cpu().resolve_conj()
    return values.numpy(force=True), str(y.dtype), tuple(y.shape), tuple(y.stride()), y.is_contiguous()


def compare(sample, actual, expected, exact_layout=True, exact_bfloat16=True):
    """exact_bfloat16: numbers of that dtype may not be a step apart, as sums in another order are when they are rounded."""
    assert actual[0] == expected[0], f"{sample.name}: got {actual}, expected {expected}"
    if expected[0] == "error":
        assert actual[1] == expected[1], f"{sample.name}: got {actual}, expected {expected}"
        return
    assert len(actual[1]) == len(expected[1])
    for a, e in zip(actual[1], expected[1], strict=True):
        if not isinstance(e, tuple):
            assert a == e
            continue
        assert a[1:3] == e[1:3], f"dtype and shape {a[1:3]}, expected {e[1:3]}"
        close(a[0], e[0], "bfloat16" if e[1] == "torch.bfloat16" and not exact_bfloat16 else e[0].dtype.name, sample)
        if sample.strides:
            # a dimension of one element may have any stride
            pairs = [(s, t) for n, s, t in zip(e[2], a[3], e[3], strict=True) if n != 1]
            assert all(s == t for s, t in pairs), f"strides {a[3]}, expected {e[3]}"
        elif sample.layout and exact_layout and e[4]:
            assert a[4], "PyTorch's result is contiguous"
    # a float64 gradient that came by way of a float32 result is good to float32
    single = any(isinstance(e, tuple) and e[1].endswith(("float32", "complex64")) for e in expected[1])
    coarsest = "float32" if single else "float64"
    assert len(actual[2]) == len(expected[2]), "requires_grad differs"
    for a, e in zip(actual[2], expected[2], strict=True):
        assert (a is None) == (e is None), f"gradient {a}, expected {e}"
        if e is not None:
            close(a, e, coarsest, sample)


def close(a, e, dtype, sample):
    if dtype == "float64" and any(part in sample.name for part in TRIGAMMA):
        dtype = "trigamma"
    rtol, atol = TOLERANCE.get(dtype, (0, 0))
    np.testing.assert_allclose(a, e, rtol, atol, equal_nan=True)


def on(name, sample):
    """What backend `name` gives."""
    with devices.use_backend(name):
        try:
            return outcome(polytensor, sample, devices.backend_device(name), sample.grad)
        finally:
            with suppress(Exception):  # a check that failed beside the one that was told
                devices.get_backend(name).synchronize()


def beside(torch, sample, wanted, place):
    """PyTorch's results on another device, if it has any there and is asked for them by inputs that lie there."""
    if not place or not wanted or wanted[0] == "error" or sample.host or not sample.inputs(np.random.default_rng(0)):
        return None
    found = outcome(torch, sample, torch.device(place), sample.grad)
    return None if found[0] == "error" else found


@pytest.mark.parametrize("sample", SAMPLES, ids=NAMES)
def test_backends_match_pytorch(sample, backend_names, torch_or_none, request):
    """One test for all backends: most of a test's time would be pytest's own."""
    wanted = outcome(torch_or_none, sample, grad=sample.grad) if torch_or_none else None
    there = beside(torch_or_none, sample, wanted, request.config.getoption("--oracle-device"))
    numpy = None if wanted else on("numpy", sample)  # what agrees with PyTorch agrees with it
    wrong = []
    for name in backend_names:
        actual = on(name, sample)
        try:
            if wanted:
                compare(sample, actual, wanted)
            else:
                compare(sample, actual, numpy, exact_layout=False)
            if there:
                compare(sample, actual, there, exact_layout=False, exact_bfloat16=False)
        except AssertionError as error:
            wrong.append(f"{name}: {error}")
    if wrong:
        pytest.fail("\n".join(wrong), pytrace=False)
    if wanted is None:
        pytest.skip("the backends agree; PyTorch is not installed, or too old")


def test_names_are_unique():
    assert len(set(NAMES)) == len(NAMES)


def test_names_of_what_older_torch_answers_otherwise():
    assert [p for p in older_torch.SAMPLES if not any(n.startswith(p) for n in NAMES)] == []
    assert [p for p in older_torch.SAMPLE_PARTS if not any(p in n for n in NAMES)] == []
