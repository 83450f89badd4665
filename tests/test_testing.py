"""The public testing tools: assert_close in PyTorch's words, check_equivalence, the plugin, `checked`."""

import os
import subprocess
import sys
from importlib.metadata import entry_points
from pathlib import Path

import numpy as np
import pytest
from checked_backend import CheckedBackend

import polytensor
from polytensor.testing import assert_close, check_equivalence

NAN = float("nan")
# (actual, expected, options), with tensors given as (values, dtype name) or (values, dtype name, device)
PAIRS = {
    "close": (([1.0, 2.0], "float32"), ([1.0, 2.000001], "float32"), {}),
    "far": (([[1.0, 2.0], [3.0, 5.0]], "float64"), ([[1.0, 2.5], [3.0, 4.0]], "float64"), {}),
    "far32": (([1.0, 2.0], "float32"), ([1.0, 2.1], "float32"), {}),
    "zero": (([1.0], "float64"), ([0.0], "float64"), {}),
    "ints": (([1, 2, 3], "int64"), ([1, 5, 3], "int64"), {}),
    "bools": (([True, False], "bool"), ([True, True], "bool"), {}),
    "0d": ((1.0, "float64"), (2.0, "float64"), {}),
    "half": (([1.0], "float16"), ([1.0009], "float16"), {}),
    "dtype": (([1.0], "float32"), ([1.0], "float64"), {}),
    "nodtype": (([1.0], "float32"), ([1.0], "float64"), {"check_dtype": False}),
    "nodtypefar": (([1], "int64"), ([1.5], "float32"), {"check_dtype": False}),
    "shape": (([1.0], "float32"), ([1.0, 2.0], "float32"), {}),
    "nan": (([NAN, 1.0], "float32"), ([NAN, 1.0], "float32"), {}),
    "equalnan": (([NAN, 1.0], "float32"), ([NAN, 1.0], "float32"), {"equal_nan": True}),
    "inf": (([float("inf")], "float32"), ([float("inf")], "float32"), {}),
    "inffar": (([float("inf")], "float64"), ([1e308], "float64"), {}),
    "exact": (([1.0], "float64"), ([1.0 + 1e-9], "float64"), {"rtol": 0, "atol": 0}),
    "loose": (([1.0], "float64"), ([1.1], "float64"), {"rtol": 0.2, "atol": 0}),
    "onlyrtol": (([1.0], "float64"), ([1.1], "float64"), {"rtol": 0.2}),
    "numbers": (1.0, 2.0, {}),
    "numberclose": (1.0, 1.0 + 1e-9, {}),
    "numbertypes": (1, 1.0, {}),
    "numbermixed": (1, 1.5, {"check_dtype": False}),
    "tensornumber": (([1.0], "float32"), 1.0, {}),
    "none": (None, 1.0, {}),
    "bool": (True, False, {}),
    "list": ([1.0, 2.0], [1.0, 3.0], {}),
    "listlen": ([1.0], [1.0, 3.0], {}),
    "dict": ({"a": [1.0, 2.0]}, {"a": [1.0, 3.0]}, {}),
    "dictkeys": ({"a": 1.0, "c": 1.0}, {"b": 1.0, "c": 1.0}, {}),
    "msg": (1.0, 2.0, {"msg": "own words"}),
    "msgcall": (1.0, 2.0, {"msg": lambda text: "before\n" + text}),
    "empty": (([], "float32"), ([], "float32"), {}),
    "meta": (([1.0], "float32", "meta"), ([2.0], "float32", "meta"), {}),
    "metashape": (([1.0], "float32", "meta"), ([1.0, 2.0], "float32", "meta"), {}),
    "metadevice": (([1.0], "float32", "meta"), ([1.0], "float32"), {}),
    "nodevice": (([1.0], "float32"), ([2.0], "float32", "meta"), {"check_device": False}),
}


def outcome(module, actual, expected, options, check="assert_close"):
    def make(x):
        if not isinstance(x, tuple):
            return x
        values, dtype, *device = x
        return module.tensor(values, dtype=getattr(module, dtype), device=device[0] if device else None)

    try:
        getattr(module.testing, check)(make(actual), make(expected), **options)
    except Exception as error:  # noqa: BLE001 the class and the text are the result
        return type(error).__name__, str(error).replace("polytensor.tensor.Tensor", "torch.Tensor")
    return None


@pytest.mark.parametrize("name", PAIRS)
def test_assert_close_says_what_pytorch_says(name, oracle):
    assert outcome(polytensor, *PAIRS[name]) == outcome(oracle, *PAIRS[name])


@pytest.mark.filterwarnings("ignore:.*is deprecated")
@pytest.mark.parametrize("name", ["far32", "nan", "dtype", "half", "exact", "ints", "shape", "list", "onlyrtol", "msg"])
def test_assert_allclose_says_what_pytorch_says(name, oracle):
    assert outcome(polytensor, *PAIRS[name], "assert_allclose") == outcome(oracle, *PAIRS[name], "assert_allclose")


def test_assert_close_message():
    with pytest.raises(AssertionError) as error:
        assert_close(polytensor.tensor([1.0, 2.0]), polytensor.tensor([1.0, 4.0]))
    assert str(error.value) == (
        "Tensor-likes are not close!\n\nMismatched elements: 1 / 2 (50.0%)\n"
        "Greatest absolute difference: 2.0 at index (1,) (up to 1e-05 allowed)\n"
        "Greatest relative difference: 0.5 at index (1,) (up to 1.3e-06 allowed)"
    )


def test_check_equivalence():
    x = polytensor.linspace(-1, 1, 6, dtype=polytensor.float64).reshape(2, 3).t().requires_grad_()
    check_equivalence(lambda x: (x.exp().sum(0), {"t": x.tanh()}), x)
    check_equivalence(lambda x, k: x * k, x, 3, devices=["checked"], rtol=0, atol=0)
    before = polytensor.current_backend() if hasattr(polytensor, "current_backend") else None
    seen = []

    def differs(x):
        seen.append(x.device.backend.name)
        return x + len(seen)

    with pytest.raises(AssertionError, match="output of backend 'checked' differs from 'numpy'"):
        check_equivalence(differs, x, devices=["numpy", "checked"])
    assert seen == ["numpy", "checked"]
    assert before == (polytensor.current_backend() if before else None)

    class Wrong(polytensor.autograd.Function):
        @staticmethod
        def forward(ctx, x):
            return x * 2

        @staticmethod
        def backward(ctx, g):
            return g * (2 if g.device.backend.name == "numpy" else 3)

    with pytest.raises(AssertionError, match="gradient of backend 'checked' differs"):
        check_equivalence(Wrong.apply, x, devices=["checked"])
    check_equivalence(Wrong.apply, x, devices=["checked"], grad=False)


def test_checked_backend_finds_broken_kernels():
    class Broken(CheckedBackend):
        name = "broken"

        def relu(self, x):
            x[x < 0] = 0
            return x

    backend = Broken()
    with pytest.raises(RuntimeError, match="relu: a kernel wrote into its input"):
        backend.relu(np.array([-1.0, 1.0]))
    with pytest.raises(TypeError, match="add: dtypes reach a backend unresolved"):
        backend.add(np.ones(2), np.ones(2, np.float32))
    assert np.isnan(backend.empty((3,), np.dtype("float32"))).all()


def pytest_run(tmp_path, *args, body="def test_it(device):\n    assert device.type in ('cpu', 'cuda')\n"):
    (tmp_path / "test_inner.py").write_text(body)
    installed = any(point.value == "polytensor.testing.plugin" for point in entry_points(group="pytest11"))
    load = [] if installed else ["-p", "polytensor.testing.plugin"]
    return subprocess.run(
        [sys.executable, "-m", "pytest", *load, "-vp", "no:cacheprovider", *args],
        cwd=tmp_path, capture_output=True, text=True, check=False, timeout=120,
    )  # fmt: skip


def test_plugin_option(tmp_path):
    done = pytest_run(tmp_path, "--polytensor-backends=numpy")
    assert done.returncode == 0, done.stdout + done.stderr
    assert "test_it[numpy] PASSED" in done.stdout
    assert "1 passed" in done.stdout
    done = pytest_run(tmp_path, "--polytensor-backends=numpy,nope")
    assert done.returncode == pytest.ExitCode.USAGE_ERROR
    assert "unknown PolyTensor backend 'nope'" in done.stderr
    done = pytest_run(tmp_path, "--polytensor-backends=")
    assert done.returncode == pytest.ExitCode.USAGE_ERROR


def test_plugin_leaves_other_device_fixtures_alone(tmp_path):
    body = "import pytest\n@pytest.fixture\ndef device(): return 7\ndef test_it(device): assert device == 7\n"
    done = pytest_run(tmp_path, body=body)
    assert "test_it PASSED" in done.stdout, done.stdout + done.stderr


def test_device_is_current_in_the_test(device):
    assert polytensor.zeros(1).device.backend is device.backend


def test_a_third_party_backend_by_entry_point(tmp_path):
    info = tmp_path / "other-1.0.dist-info"
    info.mkdir()
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: other\nVersion: 1.0\n")
    (info / "entry_points.txt").write_text("[polytensor.backends]\nchecked = checked_backend:CheckedBackend\n")
    code = "import polytensor as t; x = t.ones(2) + 1; print(x.device.backend.name, x.tolist())"
    here = Path(__file__).parent
    path = os.pathsep.join([str(tmp_path), str(here), str(here.parent)])
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=False, timeout=60,
        env={**os.environ, "PYTHONPATH": path, "POLYTENSOR_BACKEND": "checked"},
    )  # fmt: skip
    assert done.stdout.split("\n")[0] == "checked [2.0, 2.0]", done.stderr


DRAWN = [
    {"shape": ()}, {"shape": (2, 3)}, {"shape": 4}, {"shape": (0, 3), "noncontiguous": True},
    {"shape": (2, 3), "noncontiguous": True}, {"shape": (1, 1), "noncontiguous": True}, {"shape": (2, 3), "low": 2},
    {"shape": (1, 2, 3, 4), "memory_format": "channels_last"}, {"shape": 3, "high": -20}, {"shape": 3, "low": 3, "high": 3},
    {"shape": 3, "low": float("nan")}, {"shape": 30, "low": -float("inf"), "high": float("inf")},
    {"shape": 3, "low": 300, "high": 1e60}, {"shape": 30, "low": 0, "high": 2, "exclude_zero": True},
    {"shape": 2, "requires_grad": True}, {"shape": (1, 2, 3, 4), "memory_format": "channels_last", "noncontiguous": True},
]  # fmt: skip


@pytest.mark.filterwarnings("ignore::FutureWarning")
@pytest.mark.parametrize(
    "dtype", ["bool", "uint8", "int8", "int64", "float16", "bfloat16", "float32", "float64", "complex64"]
)
def test_make_tensor(dtype, device, oracle):
    def outcome(t, shape, device, memory_format=None, **options):
        if memory_format is not None:
            options["memory_format"] = getattr(t, memory_format)
        try:
            x = t.testing.make_tensor(shape, dtype=getattr(t, dtype), device=device, **options)
        except (TypeError, ValueError) as error:
            return type(error), str(error).replace("=polytensor.", "=torch.")
        odd = (x != x).sum().item(), (x == 0).any().item() if options.get("exclude_zero") else None
        return x.dtype.itemsize, tuple(x.shape), x.stride() if x.numel() else None, x.requires_grad, odd

    for case in DRAWN:
        assert outcome(polytensor, device=device, **case) == outcome(oracle, device="cpu", **case)
    x = polytensor.testing.make_tensor(1000, dtype=getattr(polytensor, dtype), device=device, low=1, high=3)
    x = polytensor.view_as_real(x) if x.is_complex() else x.double()
    top = {"bool": 1, "complex64": 3}.get(dtype, 2 if "int" in dtype else 3)
    assert 1 <= x.min() < 1.1 and top - 0.1 < x.max() <= top
