"""Shared by all tests: the `checked` backend, the plugin in a bare checkout, and the PyTorch oracle."""

import gc
import os
from importlib import import_module
from importlib.metadata import entry_points

import pytest

if "PYTEST_XDIST_WORKER" in os.environ:  # one core for a worker: BLAS threads that wait for a core spin
    for _name in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"):  # read when they are loaded
        os.environ.setdefault(_name, "1")
from checked_backend import CheckedBackend  # noqa: E402
from older_torch import REASON, differs  # noqa: E402
from oracle import Here  # noqa: E402
from watch import Watch, add_options  # noqa: E402

import polytensor  # noqa: E402
from polytensor import devices  # noqa: E402

devices.register_backend("checked", CheckedBackend)

# an installed PolyTensor brings the plugin along by its entry point
if not any(point.value == "polytensor.testing.plugin" for point in entry_points(group="pytest11")):
    pytest_plugins = ["polytensor.testing.plugin"]


# sizes from which the Numba backend's own kernels take over, and what they are forced to
THRESHOLDS = {
    "backend": {"TINY": 0, "FEW": 0, "POINTWISE": 1, "REDUCE": 1, "PRODUCT": 1, "PLAIN": 0},
    "large": {"LEAST": 1, "MANY": 1, "FEWEST": 1},
    "random": {"SMALLEST": 4},
    "sort": {"SHORTEST": 2},
    "norms": {"SHORTEST": 1},
    "batchnorm": {"SHORTEST": 1},
}


def pytest_addoption(parser):
    parser.addoption(
        "--numba-kernels", choices=("serial", "parallel"), metavar="FORM",
        help="have Numba's kernels for large arrays take arrays of every size, in their serial or their parallel form",
    )  # fmt: skip
    parser.addoption(
        "--oracle-device", metavar="DEVICE", help="compare samples of ops with PyTorch's on this device too"
    )
    add_options(parser)


def pytest_configure(config):
    if config.getoption("--failures") or config.getoption("--longest"):
        config.pluginmanager.register(Watch(config))
    if place := config.getoption("--oracle-device"):
        try:
            import_module("torch").empty(1, device=place)
        except (ImportError, RuntimeError, AssertionError) as error:
            raise pytest.UsageError(f"--oracle-device={place}: {error}") from None
    if form := config.getoption("--numba-kernels"):
        folder = "polytensor.backends.numba."
        for name, values in THRESHOLDS.items():
            module = import_module(folder + name)
            for threshold, value in values.items():
                assert isinstance(getattr(module, threshold), int)
                setattr(module, threshold, value)
        threads = import_module(folder + "threads")
        work = 0 if form == "parallel" else float("inf")
        threads.PARALLEL_NS = threads.TEAM_NS = import_module(folder + "spread").WORK = work


@pytest.fixture(scope="session")
def oracle():
    """PyTorch, the oracle; tests that ask for it are skipped where it is not installed (extra `oracle`)."""
    return pytest.importorskip("torch")


def pytest_collection_modifyitems(items):
    for item in items:
        if "torch_or_none" not in item.fixturenames and differs(item.nodeid):
            item.add_marker(pytest.mark.skip(reason=REASON))


@pytest.fixture
def torch_or_none(request):
    """PyTorch where it is installed, and answers as the one that the test was written for."""
    if differs(request.node.nodeid):
        return None
    try:
        import torch
    except ImportError:
        return None
    return torch


@pytest.fixture(autouse=True)
def arrays_on_the_device(request):
    """On CUDA, tests that ask for a backend have there what they make from NumPy arrays, and read it as one."""
    if "polytensor_backend" not in request.fixturenames:
        return
    device = devices.backend_device(request.getfixturevalue("polytensor_backend"))
    if device.type == "cuda":
        monkeypatch = request.getfixturevalue("monkeypatch")
        make, read = polytensor.from_numpy, polytensor.Tensor.numpy
        monkeypatch.setattr(polytensor, "from_numpy", lambda array: make(array).to(device))
        monkeypatch.setattr(polytensor.Tensor, "numpy", lambda self, **options: read(self.cpu(), **options))


@pytest.fixture
def t(device):
    """PolyTensor on each backend in turn."""
    return Here(polytensor, device)


@pytest.fixture(params=["polytensor", "pytorch"])
def both(request):
    """PolyTensor, and PyTorch itself, so that what a test asserts is its behaviour and no idea of ours."""
    if request.param == "pytorch":
        return Here(request.getfixturevalue("oracle"))
    return Here(polytensor)


@pytest.fixture
def launches(monkeypatch):
    """The names of the CUDA kernels that are launched."""
    from cuda_emulator import Called

    from polytensor.backends.cupy import launch

    names, load = [], launch.load

    def loaded(name, *rest):
        found = load(name, *rest)
        return Called(lambda *args, **more: (names.append(name), found(*args, **more))[1])

    monkeypatch.setattr(launch, "load", loaded)
    monkeypatch.setattr(launch, "ready", launch.Ready())
    return names


@pytest.fixture
def machine():
    """A machine of two fake CUDA devices."""
    from fake_cuda import Machine, pretend

    with pretend(Machine()) as found:
        yield found
    gc.collect()
