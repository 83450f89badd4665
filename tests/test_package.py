"""The package as a whole: architecture, import cost, commands, backends chosen by the environment, the example."""

import ast
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

import polytensor

ROOT = Path(polytensor.__file__).parent
# outside of the backends: what imports an array library, and what asks for a backend by its name
IMPORTING = {"testing/comparison.py", "vision/datasets/svhn.py"}  # the second reads .mat files
NAMING = {"devices.py", "testing/equivalence.py"}
LIBRARIES = {"numpy", "numba", "cupy", "cupyx", "ml_dtypes", "scipy"}
NAMES = {"numpy", "numba", "cupy"}


def sources():
    for path in sorted(ROOT.rglob("*.py")):
        name = path.relative_to(ROOT).as_posix()
        if not name.startswith("backends/"):
            yield name, ast.parse(path.read_text())


def test_array_libraries_stay_in_the_backends():
    imports, names = set(), set()
    for name, tree in sources():
        for node in ast.walk(tree):
            modules = [a.name for a in node.names] if isinstance(node, ast.Import) else []
            modules += [node.module] if isinstance(node, ast.ImportFrom) and node.level == 0 else []
            imports.update((name, m) for m in modules if m.split(".")[0] in LIBRARIES)
            if isinstance(node, ast.Compare):
                told = [c.value for c in (node.left, *node.comparators) if isinstance(c, ast.Constant)]
                names.update((name, node.lineno, c) for c in told if c in NAMES)
    assert {name for name, _ in imports} == IMPORTING, imports
    assert {name for name, *_ in names} == NAMING, names


def test_no_kernel_of_the_backend_hides_another():
    """Its families are mixed into one class, where the second of two methods of a name would never run."""
    from polytensor.backends.base import Backend

    places = {}
    for family in (Backend, *Backend.__bases__):
        for name in vars(family):
            if not name.startswith("__"):
                places.setdefault(name, []).append(family.__name__)
    assert not {name: found for name, found in places.items() if len(found) > 1}


def test_tests_do_without_what_is_optional():
    """Their modules import no PyTorch by themselves: without it the tests that need it are skipped (importorskip, `oracle`)."""
    wrong = []
    for path in sorted(Path(__file__).parent.glob("*.py")):
        for node in ast.parse(path.read_text()).body:
            names = [a.name for a in node.names] if isinstance(node, ast.Import) else []
            names += [node.module] if isinstance(node, ast.ImportFrom) else []
            wrong += [f"{path.name}: {n}" for n in names if n and n.split(".")[0] in ("torch", "torchvision")]
    assert not wrong


def python(*args, env=None, cwd=None):
    return subprocess.run(
        [sys.executable, *args], capture_output=True, text=True, timeout=300, cwd=cwd, env={**os.environ, **(env or {})}
    )


def test_import_is_light():
    unwanted = ("numba", "cupy", "torch", "scipy", "random", "traceback")
    done = python(
        "-c",
        f"import numpy, sys; old = {{*sys.modules}}; import polytensor; print({{*sys.modules}} - old & {{*{unwanted}}})",
    )
    assert done.stdout.strip() == "set()", done.stdout + done.stderr


@pytest.mark.parametrize("before", ["enable", "disable", "freeze"])
def test_import_leaves_the_garbage_collector_as_it_was(before):
    code = (
        f"import gc; gc.{before}(); frozen = gc.get_freeze_count() > 0; on = gc.isenabled(); import numpy; gc.collect(); runs = []\n"
        "gc.callbacks.append(lambda phase, info: runs.append(len(gc.get_objects(generation=0))))\n"
        "import polytensor\nfound = gc.isenabled(), gc.get_freeze_count() > 0\n[[] for _ in range(2000)]\n"
        "print(found == (on, frozen), frozen or max(runs, default=0) < 5000)"  # Python 3.12 begins with frozen objects
    )
    done = python("-c", code)
    assert done.stdout.split() == ["True", "True"], done.stdout + done.stderr


def test_programs_in_the_texts_run():
    """Those of README.md and of docs/structure.md, whose smallest backend then is one of the first program's."""
    op, backend = blocks("docs/structure.md")
    assert op.splitlines()[-1] in (ROOT / "ops" / "pointwise.py").read_text()
    done = python("-c", backend + "".join(blocks("README.md")))
    losses = dict(line.split() for line in done.stdout.splitlines())
    assert {*losses} == {*polytensor.available_backends(), "small"} - {"checked"}, done.stdout + done.stderr
    assert [float(x) for x in losses.values()] == pytest.approx([float(losses["numpy"])] * len(losses), 1e-5)


def blocks(name):
    return re.findall(r"```python\n(.*?)```", (ROOT.parent / name).read_text(), re.DOTALL)


@pytest.mark.parametrize("name", ["nope", "cupy"])
def test_unusable_backend_is_one_clear_line(name):
    if name in polytensor.available_backends():
        pytest.skip(f"{name} can run here")
    code = "import polytensor as t; t.ones(2)"
    done = python("-c", code, env={"POLYTENSOR_BACKEND": name})
    assert done.returncode != 0
    last = done.stderr.strip().splitlines()[-1]
    assert name in last and last.startswith("RuntimeError") and ("choose one of" in last or "cannot run here" in last)


def test_variable_set_after_import_counts():
    code = (
        "import polytensor as t, os; os.environ['POLYTENSOR_BACKEND'] = 'numba'; t.ones(2); print(t.current_backend())"
    )
    pytest.importorskip("numba")
    assert python("-c", code).stdout.strip() == "numba"


def test_cuda_obeys_the_variable():
    code = "import polytensor as t; print(t.cuda.is_available(), t.backends.mps.is_available())"
    assert python("-c", code, env={"POLYTENSOR_BACKEND": "numpy"}).stdout.split() == ["False", "False"]


def test_info():
    done = python("-m", "polytensor", "info")
    assert done.returncode == 0 and "numpy    can run" in done.stdout and "threads:" in done.stdout


def test_run_an_unmodified_script(tmp_path):
    script = tmp_path / "s.py"
    script.write_text(
        "import sys, torch\nimport torch.nn as nn\nimport torch.nn.functional as F\nfrom torch.utils.data import DataLoader\n"
        "import polytensor\nassert torch is polytensor and nn is polytensor.nn and torch.utils.data is polytensor.data\n"
        "print(sys.argv[1:], __name__, nn.Linear(2, 3), F.relu(torch.tensor([-1., 2.])))\nsys.exit(3)\n"
    )
    done = python("-m", "polytensor", "run", str(script), "--x", "1")
    assert done.returncode == 3, done.stderr
    assert (
        done.stdout.strip() == "['--x', '1'] __main__ Linear(in_features=2, out_features=3, bias=True) tensor([0., 2.])"
    )
    missing = python("-m", "polytensor", "run", str(tmp_path / "no.py"))
    assert missing.returncode != 0 and "no such file" in missing.stderr


def test_two_cpu_backends_share_memory():
    pytest.importorskip("numba")
    x = polytensor.ones(3)
    y = x.to("numba")
    y.add_(1)
    assert x.tolist() == [2, 2, 2] and x._version == y._version == 1 and x.device == y.device
    assert (x + y).tolist() == [4, 4, 4]


def test_a_resumed_run_ends_with_the_same_bits(tmp_path):
    pytest.importorskip("sklearn")
    script = str(ROOT.parent / "examples" / "train_digits.py")
    whole, part = str(tmp_path / "whole.pt"), str(tmp_path / "part.pt")
    common = ["--quiet", "--batch-size", "128"]
    assert python(script, *common, "--epochs", "3", "--checkpoint", whole).returncode == 0
    assert python(script, *common, "--epochs", "1", "--checkpoint", part).returncode == 0
    done = python(script, *common, "--epochs", "3", "--checkpoint", part, "--resume")
    assert done.returncode == 0, done.stderr
    a, b = polytensor.load(whole)["model"], polytensor.load(part)["model"]
    assert all(a[k].numpy().tobytes() == b[k].numpy().tobytes() for k in a)


def test_repr_is_pytorchs(oracle):
    import numpy as np

    rng = np.random.default_rng(0)
    cases = [
        np.float32(1.5), np.zeros((0, 3)), np.zeros(0), np.array([True, False]), np.arange(10000.0), np.array([1e-5, 1.0]),
        np.array([1e9, 1.0]), np.array([np.nan, np.inf, 1.0, 2.0]), np.array([0.0, np.nan]), np.zeros((3, 0, 2), "i4"),
        np.arange(2000).reshape(2, 10, 100), np.array([100000.0, 1.0, 2.0]), np.array(7), np.array(True),
    ]  # fmt: skip
    for _ in range(300):
        shape = tuple(rng.integers(0, 7, rng.integers(0, 4)))
        a = rng.standard_normal(shape) * 10.0 ** rng.integers(-6, 10)
        cases.append(np.asarray(np.round(a) if rng.random() < 0.3 else a, rng.choice(["f4", "f8", "i8", "i4"])))
    for c in cases:
        c = np.asarray(c)
        assert repr(polytensor.from_numpy(c.copy())) == repr(oracle.from_numpy(c.copy()))
