"""benchmarks/gpu.py without a GPU: it runs end to end on the CPU, and its reports say what was measured."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

import polytensor
from polytensor.backends.cupy import launch

BENCHMARKS = Path(__file__).parents[1] / "benchmarks"


@pytest.fixture
def gpu(monkeypatch):
    monkeypatch.syspath_prepend(str(BENCHMARKS))
    import gpu

    return gpu


def test_runs_without_a_gpu(tmp_path):
    pytest.importorskip("matplotlib")
    command = [sys.executable, str(BENCHMARKS / "gpu.py"), "--device", "cpu", "--budget", "3", "--rounds", "1",
               "--groups", "gemm,bandwidth", "--out", str(tmp_path)]  # fmt: skip
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    data = json.loads((tmp_path / "gpu-cpu.json").read_text())
    assert data["failed"] == {} and set(data["groups"]) == {"gemm", "bandwidth"}
    times = data["groups"]["gemm"]["128 float32"]
    assert times["numpy"] > 0 and times["numba"] > 0
    text = (tmp_path / "gpu-cpu.md").read_text()
    assert "| 128 float32 |" in text and "of a copy" in text
    assert (tmp_path / "gpu-cpu.png").read_bytes().startswith(b"\x89PNG")


def test_the_report_of_a_card(gpu, tmp_path):
    pytest.importorskip("matplotlib")
    data = {
        "machine": {"card": "NVIDIA Test 100", "python": "3", "processor": "CPU"}, "device": "cuda", "rounds": 3,
        "seconds": 500.0, "failed": {"cupy: conv: x": "RuntimeError: no"},
        "groups": {
            "gemm": {"512 float32": {"cupy": 10.0, "pytorch": 20.0, "numpy": 100.0}},
            "bandwidth": {"copy": {"cupy": 10.0}, "softmax": {"cupy": 20.0, "pytorch": 10.0}},
            "steps": {"LeNet b4": {"cupy": 5.0, "pytorch": 10.0}, "LeNet b64": {"cupy": 5.0, "pytorch": 10.0}},
            "steps, graph replay": {"LeNet b4": {"cupy": 6.0, "pytorch": 10.0}},
        },
        "work": gpu.work("cuda"),
    }  # fmt: skip
    stem = gpu.write(data, tmp_path)
    assert stem.name == "gpu-test-100" and stem.with_suffix(".png").exists()
    text = stem.with_suffix(".md").read_text()
    assert "| gemm | 1 | 0.50 | 1.05 | 10.0 |" in text and "| steps, graph replay | 1 | 0.60 | 0.70 |" in text
    assert "| softmax | 20.00 | 10.00 |  |  | 2.00 | " in text and "50% of a copy" in text
    assert "RuntimeError: no" in text and "26.8 TFLOP/s" in text


def test_what_the_sanitizer_runs(gpu):
    """Op groups and models once on small arrays, here on the CPU."""
    gpu.touch("cpu", ("small ops",), ("MLP Adam",), ())


def test_the_sanitizer_sees_every_kernel(gpu, monkeypatch):
    """All kernels of ours are launched, but for the one that belongs to CUDA graphs."""
    cupy = pytest.importorskip("cupy")
    import cuda_emulator
    import gpu_touch
    from fake_cuda import Machine, pretend

    if cuda_emulator.COMPILER is None:
        pytest.skip("there is no g++ to run CUDA kernels on the CPU")
    seen = set()

    def load(name, types, shared_mem):
        made = find(name, types, shared_mem)
        return cuda_emulator.Called(lambda *args, **rest: (seen.add(name), made(*args, **rest))[1])

    monkeypatch.setattr(cupy.cuda, "set_allocator", lambda allocator: None)
    monkeypatch.setattr(gpu_touch, "FUNCTIONS", gpu_touch.FUNCTIONS[:-1])
    with pretend(Machine()):
        polytensor.zeros(1, device="cuda")
        find = launch.load
        monkeypatch.setattr(launch, "load", load)
        monkeypatch.setattr(launch, "ready", launch.Ready())
        gpu.touch("cuda", (), ("linear regression",), ("float32",))
    # one that is missing here is to be called in benchmarks/gpu_touch.py
    assert {name for name in launch.KERNELS if not name.startswith("rule_")} - seen == {"put_words"}


def logged(folder, part):
    return (folder / f"check-{part}.log").read_text()


def test_checks_in_parts(gpu, monkeypatch, tmp_path, capfd):
    """A part that fails, one that is not there and one that takes too long: each is told, and the others go on."""
    import gpu_check

    python = sys.executable
    sleep = "import time; print('begun', flush=True); time.sleep(60)"
    commands = {
        "info": [python, "-c", "print('fine')"], "example": [python, "-c", "print('no', flush=True); raise SystemExit(2)"],
        "racecheck": [python, "-c", sleep],
    }  # fmt: skip

    def command(part, *rest):
        if part == "memcheck":
            raise FileNotFoundError("no tool")
        return commands[part]

    monkeypatch.setattr(gpu_check, "command", command)
    monkeypatch.setattr(gpu_check, "GRACE", 1.0)
    monkeypatch.setattr(gpu_check, "WEIGHTS", {"racecheck": 1, "example": 10, "info": 10, "memcheck": 10})
    assert gpu_check.check(["racecheck", "example", "info", "memcheck"], tmp_path, "cpu", 100.0, 1) == 3
    assert logged(tmp_path, "info") == "fine\n" and logged(tmp_path, "racecheck").startswith("begun\n")
    lines = (tmp_path / "check.md").read_text().splitlines()
    assert [line.split(",")[0] for line in lines] == [
        "- racecheck: stopped", "- example: FAILED", "- info: passed",
        "- memcheck: could not be run: FileNotFoundError: no tool",
    ]  # fmt: skip
    assert "fine" in capfd.readouterr().out


def test_failures_of_a_suite(gpu, tmp_path):
    """They are written as they come, and the summary counts them by kind."""
    import gpu_check

    (tmp_path / "test_some.py").write_text(
        "import os, pytest, time\n"
        "@pytest.mark.parametrize('n', range(3))\ndef test_wrong(n):\n    raise ValueError('the same')\n"
        "def test_right():\n    pass\n"
        "def test_hangs():\n    time.sleep(60)\n"
    )
    here, told = Path(__file__).parent, tmp_path / "failures.txt"
    (tmp_path / "conftest.py").write_text(
        f"import sys\nsys.path.insert(0, {str(here)!r})\nfrom watch import Watch, add_options\n"
        "def pytest_addoption(parser):\n    add_options(parser)\n"
        "def pytest_configure(config):\n    config.pluginmanager.register(Watch(config))\n"
    )
    command = [sys.executable, "-m", "pytest", "-q", "-n", "1", "--tb=short", "--no-summary", "-p", "no:cacheprovider",
               f"--failures={told}", "--longest=3", str(tmp_path)]  # fmt: skip
    status, text = gpu_check.follow(command, tmp_path / "log", 60)
    assert status == 1 and "Timeout" in text and "in test_hangs" in text
    lines = gpu_check.summary("suite", status, 3.0, text, told)
    assert (
        lines[0] == f"suite: FAILED, 3 s: {text.strip().splitlines()[-1].strip('= ')}"
        and "4 failed, 1 passed" in lines[0]
    )
    assert lines[1].startswith("      3 x ValueError: the same | first: ") and lines[1].endswith(
        "test_some.py::test_wrong[0]"
    )
    assert "crashed while running" in lines[2] and "raise ValueError('the same')" in told.read_text()


def test_a_lost_device(monkeypatch):
    """After an illegal access every call of CUDA fails: the process is of no use any more."""
    from types import SimpleNamespace

    import watch

    def synchronize():
        raise RuntimeError("cudaErrorIllegalAddress")

    runtime = SimpleNamespace(deviceSynchronize=lambda: None)
    monkeypatch.setitem(
        sys.modules, "cupy", SimpleNamespace(cuda=SimpleNamespace(is_available=lambda: True, runtime=runtime))
    )
    assert not watch.lost()
    runtime.deviceSynchronize = synchronize
    assert watch.lost()


def test_a_case_that_ends_its_process(gpu, monkeypatch, tmp_path):
    """The next process goes on after it, and what was measured before is kept."""
    script = tmp_path / "worker.py"
    script.write_text(
        "import json, os, sys\n"
        "skip = json.loads(sys.argv[1])[-1]\n"
        "for case in 'abc':\n"
        "    if f'g: {case}' in skip: continue\n"
        "    print(json.dumps({'at': f'g: {case}'}), flush=True)\n"
        "    if case == 'b': os._exit(7)\n"
        "    print(json.dumps({'group': 'g', 'case': case, 'us': 1.5}), flush=True)\n"
    )
    monkeypatch.setattr(gpu, "worker", lambda *what: [sys.executable, str(script), json.dumps(what)])
    result = gpu.spawn("numpy", "cpu", 30.0, [], 0.0, 10.0, [])
    assert result == {"times": {"g": {"a": 1.5, "c": 1.5}}, "failed": {"g: b": "its process ended with 7: "}}
