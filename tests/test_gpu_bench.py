"""benchmarks/gpu.py without a GPU: it runs end to end on the CPU, and its reports say what was measured."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

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
    assert "| 128 float32 |" in text and "of a copy" in text and (tmp_path / "gpu-cpu.png").stat().st_size > 5000


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
    gpu.touch("cpu", ("small ops",), ("MLP Adam",))
    assert [name for name, _ in gpu.checks()][:2] == ["the whole suite", "train_digits on all backends"]
