"""The examples run on each backend: a few steps, and what they print."""

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

EXAMPLES = Path(__file__).parent.parent / "examples"
NO_SCRIPTS = {"drawing", "reporting"}  # modules that the others import
# arguments for a short run, and what the last lines say
SHORT = {
    "linear_regression": (["--epochs", "3", "--samples", "24"], r"learned -?[\d.]+ x \+ -?[\d.]+, least squares"),
    "cnn_digits": (["--epochs", "1", "--batch-size", "512"], r"test accuracy [\d.]+%"),
    "train_digits": (["--epochs", "1", "--batch-size", "256"], r"test accuracy [\d.]+%"),
    "seq2seq_attention": (["--steps", "3", "--batch-size", "8", "--hidden", "8"], r"[\d.]+% of new sequences"),
    "char_transformer": (
        ["--steps", "3", "--batch-size", "4", "--context", "16", "--width", "16", "--depth", "1"], r"loss on unseen text [\d.]+",
    ),
    "custom_dataset": (["--images", "60", "--epochs", "1", "--batch-size", "16"], r"with 2 workers, test accuracy [\d.]+%"),
}  # fmt: skip
PICTURES = {"linear_regression": 2, "custom_dataset": 3}


def test_every_example_is_tried():
    assert {path.stem for path in EXAMPLES.glob("*.py")} == {*SHORT, *NO_SCRIPTS}


@pytest.mark.parametrize("name", SHORT)
def test_runs(polytensor_backend, tmp_path, name):
    if polytensor_backend == "checked":
        pytest.skip("a backend of these tests; scripts do not know it")
    for needed in ("tqdm", "sklearn"):
        pytest.importorskip(needed)
    arguments, says = SHORT[name]
    env = {**os.environ, "POLYTENSOR_BACKEND": polytensor_backend, "PYTHONPATH": str(EXAMPLES.parent)}
    done = subprocess.run(
        [sys.executable, str(EXAMPLES / f"{name}.py"), *arguments],
        capture_output=True, text=True, timeout=300, cwd=tmp_path, env=env,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    assert re.search(says, done.stdout), done.stdout
    assert "100%" in done.stderr  # a progress bar that came to its end
    pictures = re.findall("^picture: (.*)$", done.stdout, re.M)
    assert len(pictures) == PICTURES.get(name, 0)
    for path in pictures:
        data = (tmp_path / path).read_bytes()
        assert data.startswith(b"\x89PNG") and len(data) > 5000


def test_linear_regression_without_matplotlib(tmp_path):
    pytest.importorskip("tqdm")
    (tmp_path / "matplotlib.py").write_text("raise ModuleNotFoundError('no matplotlib', name='matplotlib')")
    done = subprocess.run(
        [sys.executable, str(EXAMPLES / "linear_regression.py"), "--epochs", "1"], capture_output=True, text=True,
        timeout=300, cwd=tmp_path, env={**os.environ, "PYTHONPATH": f"{tmp_path}{os.pathsep}{EXAMPLES.parent}"},
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    assert "pip install 'polytensor[examples]'" in done.stdout
