"""The examples run on each backend: a few steps, and what they print."""

import os
import re
import signal
import subprocess
import sys
import time
from collections import defaultdict
from pathlib import Path

import documents
import pytest
import small_datasets
from event_files import events, inside, message

import polytensor

EXAMPLES = Path(__file__).parent.parent / "examples"
NEEDED = ("tqdm", "sklearn", "matplotlib", "PIL")
NO_SCRIPTS = {"drawing", "reporting"}  # modules that the others import
# arguments for a short run, and what the last lines say
SHORT = {
    "linear_regression": (["--epochs", "3", "--samples", "24"], r"learned -?[\d.]+ x \+ -?[\d.]+, least squares"),
    "cnn_digits": (["--epochs", "1", "--batch-size", "512"], r"test accuracy [\d.]+%"),
    "fashion_mnist": (["--synthetic", "--epochs", "2"], r"test accuracy 9\d\.\d+%"),
    "cifar10_cnn": (
        ["--synthetic", "--images", "1000", "--epochs", "2", "--batch-size", "16"],
        r"test accuracy [2-9]\d\.\d+%, by class:\n  disc +[\d.]+% of 25\n",
    ),
    "train_digits": (["--epochs", "1", "--batch-size", "256"], r"test accuracy [\d.]+%"),
    "seq2seq_attention": (["--steps", "3", "--batch-size", "8", "--hidden", "8"], r"[\d.]+% of new sequences"),
    "char_transformer": (
        ["--steps", "3", "--batch-size", "4", "--context", "16", "--width", "16", "--depth", "1"], r"loss on unseen text [\d.]+",
    ),
    "custom_dataset": (["--images", "60", "--epochs", "1", "--batch-size", "16"], r"with 2 workers, test accuracy [\d.]+%"),
    "checkpointing": (["--images", "64", "--epochs", "2", "--every", "3"], r"4 steps in .*, final weights [0-9a-f]{64}"),
    "transfer_learning": (
        ["--pretrain-images", "32", "--pretrain-epochs", "1", "--images", "16", "--test-images", "20", "--epochs", "1"],
        r"fine-tuned +1,026 weights learn.* test accuracy [\d.]+%.*\n.*from scratch 11,177,538 weights learn",
    ),
}  # fmt: skip
PICTURES = {
    "linear_regression": 2,
    "fashion_mnist": 3,
    "cifar10_cnn": 4,
    "custom_dataset": 3,
    "checkpointing": 1,
    "transfer_learning": 3,
}


def test_every_example_is_tried():
    assert {path.stem for path in EXAMPLES.glob("*.py")} == {*SHORT, *NO_SCRIPTS}


def run(name, *arguments, backend="numpy", cwd, **env):
    """The example with these arguments, to its end."""
    path = os.pathsep.join(filter(None, [env.pop("first", ""), str(EXAMPLES.parent), os.environ.get("PYTHONPATH")]))
    return subprocess.run(
        [sys.executable, str(EXAMPLES / f"{name}.py"), *arguments], capture_output=True, text=True, timeout=300, cwd=cwd,
        env={**os.environ, "POLYTENSOR_BACKEND": backend, "PYTHONPATH": path, **env},
    )  # fmt: skip


@pytest.mark.parametrize("name", SHORT)
def test_runs(polytensor_backend, tmp_path, name):
    if polytensor_backend == "checked":
        pytest.skip("a backend of these tests; scripts do not know it")
    for needed in NEEDED:
        pytest.importorskip(needed)
    arguments, says = SHORT[name]
    done = run(name, *arguments, backend=polytensor_backend, cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    assert re.search(says, done.stdout), done.stdout
    assert "100%" in done.stderr  # a progress bar that came to its end
    pictures = re.findall("^picture: (.*)$", done.stdout, re.M)
    assert len(pictures) == PICTURES.get(name, 0)
    for path in pictures:
        data = (tmp_path / path).read_bytes()
        assert data.startswith(b"\x89PNG") and len(data) > 5000


def test_without_matplotlib(tmp_path):
    pytest.importorskip("tqdm")
    (tmp_path / "matplotlib.py").write_text("raise ModuleNotFoundError('no matplotlib', name='matplotlib')")
    done = run("linear_regression", "--epochs", "1", cwd=tmp_path, first=str(tmp_path))
    assert done.returncode == 0, done.stderr
    assert done.stdout.count("pip install 'polytensor[examples]'") == 1 and "picture:" not in done.stdout


def logged(folder):
    """{name: [(step, number or PNG file)]} of TensorBoard's event files."""
    found = defaultdict(list)
    for file in folder.glob("events.out.tfevents.*"):
        for event in map(message, events(file)):
            for value in map(message, message(event[5][0])[1] if 5 in event else ()):
                found[value[1][0].decode()].append((event[2][0], inside(value[4][0], 4) if 4 in value else value[2][0]))
    return dict(found)


def test_tensorboard(tmp_path):
    pytest.importorskip("tqdm")
    arguments = ["--synthetic", "--images", "400", "--epochs", "2", "--tensorboard", "runs"]
    done = run("fashion_mnist", *arguments, cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    assert "events: tensorboard --logdir runs" in done.stdout
    found = logged(tmp_path / "runs")
    assert set(found) == {"train_loss", "test_loss", "accuracy", "samples"}
    for name in ("train_loss", "test_loss", "accuracy"):
        assert [step for step, _ in found[name]] == [1, 2]
    accuracy = float(re.search(r"test accuracy ([\d.]+)%", done.stdout).group(1))
    assert found["accuracy"][1][1] == pytest.approx(accuracy / 100, abs=1e-4)
    assert found["train_loss"][0][1] > found["train_loss"][1][1] > 0
    assert found["samples"][0][1].startswith(b"\x89PNG")


REAL = {  # on 320 and on 40 images in the real formats
    "fashion_mnist": (["--epochs", "3", "--batch-size", "20"], r'accuracy (9\d|100)\..*\n.*\n.*predicted: "(.*)", actual: "\2"'),
    "cifar10_cnn": (["--epochs", "1", "--batch-size", "16"], r"  airplane +[\d.]+% of 4\n  automobile +[\d.]+% of 4\n  bird"),
}  # fmt: skip


@pytest.mark.parametrize("name", REAL)
def test_on_downloaded_sets(tmp_path, name):
    for needed in ("tqdm", "PIL"):
        pytest.importorskip(needed)
    arguments, says = REAL[name]
    program = (
        f"import runpy, sys\nsys.path.insert(0, {str(EXAMPLES)!r})\nsys.argv[1:] = {[*arguments, '--workers', '2']!r}\n"
        f"runpy.run_path({str(EXAMPLES / name) + '.py'!r}, run_name='__main__')\n"
    )
    with small_datasets.served_datasets() as values:
        output = documents.run(program, tmp_path, values)
    assert re.search(says, output), output
    saved = polytensor.load(tmp_path / "work" / "out" / f"{'cifar10_net' if name == 'cifar10_cnn' else name}.pt")
    assert (
        all(x.isfinite().all() for x in saved.values()) and len(saved) == {"fashion_mnist": 6, "cifar10_cnn": 20}[name]
    )


@pytest.mark.parametrize("name", REAL)
def test_no_network(tmp_path, name):
    for needed in ("tqdm", "PIL"):
        pytest.importorskip(needed)
    closed = "http://127.0.0.1:9"
    done = run(name, cwd=tmp_path, http_proxy=closed, https_proxy=closed, no_proxy="")
    assert done.returncode == 1 and done.stdout == ""
    assert "cannot be loaded: " in done.stderr and "--synthetic" in done.stderr and done.stderr.count("\n") == 1


def test_drawn_sets_are_the_same_on_every_backend(polytensor_backend):
    sys.path.insert(0, str(EXAMPLES))
    try:
        import fashion_mnist
    finally:
        sys.path.remove(str(EXAMPLES))
    images, labels = fashion_mnist.drawn(40, 7).tensors
    with polytensor.use_backend("numpy"):
        again = fashion_mnist.drawn(40, 7).tensors
    assert images.shape == (40, 1, 28, 28) and labels.tolist() == list(range(10)) * 4
    assert images.cpu().numpy() == pytest.approx(again[0].numpy(), abs=1e-6) and 0 <= images.min() < images.max() <= 1


def test_weights_that_are_not_there(tmp_path):
    pytest.importorskip("tqdm")
    done = run("transfer_learning", "--weights", "none.pth", cwd=tmp_path)
    assert done.returncode == 1 and done.stderr.startswith("transfer_learning: none.pth: ")
    assert "No such file" in done.stderr and done.stderr.count("\n") == 1


def test_a_killed_run_ends_with_the_same_bits(oracle, tmp_path):
    """kill -9 twice, somewhere in an epoch; it goes on, with another number of workers too."""
    pytest.importorskip("tqdm")
    short = ["--images", "160", "--epochs", "8", "--every", "3", "--out"]  # 40 steps

    def final(done):
        assert done.returncode == 0, done.stderr
        return re.search(r"final weights ([0-9a-f]{64})", done.stdout)[1]

    expected = final(run("checkpointing", *short, "whole", cwd=tmp_path))
    kept = tmp_path / "killed" / "checkpoints"
    for resume, after in ([], 9), (["--resume"], 21):
        env = {**os.environ, "POLYTENSOR_BACKEND": "numpy", "PYTHONPATH": str(EXAMPLES.parent)}
        command = [sys.executable, str(EXAMPLES / "checkpointing.py"), *short, "killed", *resume]
        with subprocess.Popen(
            command, cwd=tmp_path, env=env, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
        ) as child:
            while child.poll() is None and not any(int(p.stem[-10:]) >= after for p in kept.glob("*.pt")):
                time.sleep(0.005)
            child.kill()
        assert child.returncode == -signal.SIGKILL
    refused = run("checkpointing", *short, "killed", cwd=tmp_path)
    assert refused.returncode == 1 and "--resume goes on with it" in refused.stderr
    done = run("checkpointing", *short, "killed", "--resume", "--workers", "1", cwd=tmp_path)
    assert "goes on after step" in done.stdout and final(done) == expected
    again = run("checkpointing", *short, "killed", "--resume", cwd=tmp_path)  # nothing is left to do
    assert "0 steps in" in again.stdout and final(again) == expected
    assert len(list(kept.iterdir())) == 3
    found = oracle.load(tmp_path / "killed" / "model.pt", weights_only=True)
    own = polytensor.safetensors.load_file(tmp_path / "whole" / "model.safetensors")
    assert set(found) == set(own) and all(found[k].tolist() == own[k].tolist() for k in own)


BAD = {  # what is wrong, and what the last line says
    "epochs": (["fashion_mnist", "--epochs", "-1"], "argument --epochs: '-1' is not a whole number of 1 or more"),
    "workers": (["custom_dataset", "--workers", "-1"], "argument --workers: '-1' is not a whole number of 0 or more"),
    "batch": (["cnn_digits", "--batch-size", "0"], "argument --batch-size: '0' is not a whole number of 1 or more"),
    "word": (["seq2seq_attention", "--steps", "ten"], "argument --steps: 'ten' is not a whole number of 1 or more"),
    "lr": (["cifar10_cnn", "--lr", "nan"], "argument --lr: 'nan' is not a number above 0"),
    "heads": (["char_transformer", "--heads", "5"], "--width 96 is not a multiple of --heads 5"),
    "no checkpoint": (["train_digits", "--resume"], "--resume goes on from --checkpoint, which is not given"),
    "a file": (["fashion_mnist", "--synthetic", "--out", "file"], "file: nothing can be written there (File exists)"),
    "below a file": (["train_digits", "--checkpoint", "file/x.pt"], "file: nothing can be written there (File exists)"),
    "damaged": (["train_digits", "--checkpoint", "file", "--resume"], "cannot go on from file: cannot load 'file': not a zip"),
    "no run": (["checkpointing", "--out", "damaged", "--resume"], "none of the 1 checkpoints in damaged/checkpoints can be"),
    "other weights": (["transfer_learning", "--weights", "other.pt"], "transfer_learning: other.pt: KeyError: 'fc.bias'"),
}  # fmt: skip


@pytest.mark.parametrize("case", BAD)
def test_wrong_arguments_are_told_in_one_line(tmp_path, case):
    for needed in NEEDED:
        pytest.importorskip(needed)
    (tmp_path / "file").write_text("x")
    (tmp_path / "damaged" / "checkpoints").mkdir(parents=True)
    (tmp_path / "damaged" / "checkpoints" / "checkpoint-0000000001.pt").write_text("x")
    polytensor.save({"a": 1}, tmp_path / "other.pt")
    before = sorted(tmp_path.rglob("*"))
    arguments, says = BAD[case]
    done = run(*arguments, cwd=tmp_path)
    assert done.returncode in (1, 2) and done.stdout == "" and "Traceback" not in done.stderr
    assert says in done.stderr.splitlines()[-1]
    assert [p for p in sorted(tmp_path.rglob("*")) if p not in before and p != tmp_path / "out"] == []


@pytest.mark.parametrize("name", [p.stem for p in EXAMPLES.glob("*.py") if "add_arguments(parser)" in p.read_text()])
def test_an_unknown_backend_is_one_line(tmp_path, name):
    for needed in NEEDED:
        pytest.importorskip(needed)
    done = run(name, "--backend", "nampy", cwd=tmp_path)
    assert done.returncode == 1 and done.stdout == ""
    assert done.stderr.startswith("unknown PolyTensor backend 'nampy'") and done.stderr.count("\n") == 1
