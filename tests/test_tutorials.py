"""What PyTorch's tutorials do, as scripts of our own: run by `python -m polytensor run`, and by PyTorch, same output."""

import pathlib
import re

import documents
import numpy as np
import pytest
import small_datasets

SCRIPTS = {path.stem: path for path in sorted((pathlib.Path(__file__).parent / "tutorials").glob("*.py"))}
NUMBER = re.compile(r"(?<![\w.])-?\d+\.\d*(?:e[-+]?\d+)?|(?<![\w.])-?\d+e[-+]?\d+")
NEEDS = {"cifar10": ["PIL", "matplotlib"], "neural_network": [], "tensors": [], "training": []}  # of others: Pillow
NO_ORACLE = {"image_files": "torchvision reads files by a binary that fits one version of PyTorch only"}


@pytest.fixture(scope="module")
def overrides():
    with small_datasets.served_datasets() as values:
        yield values


@pytest.mark.parametrize("name", SCRIPTS)
def test_same_output_as_pytorch(name, tmp_path, overrides, torch_or_none):
    """On numpy and on numba; the scripts also assert what they come to, where PyTorch is not installed."""
    for module in NEEDS.get(name, ["PIL"]):
        pytest.importorskip(module)
    program = SCRIPTS[name].read_text()
    outputs = {}
    for backend in ("numpy", "numba") if documents.installed("numba") else ("numpy",):
        outputs[backend] = documents.run(program, tmp_path / backend, overrides, backend=backend)
        assert outputs[backend].strip()
    if torch_or_none is None or name in NO_ORACLE or (NEEDS.get(name) != [] and not documents.installed("torchvision")):
        return
    served = overrides if documents.installed("torchvision") else {}
    expected = documents.run(program, tmp_path / "pytorch", served, "pytorch")
    for output in outputs.values():
        assert words(output) == words(expected)
        np.testing.assert_allclose(*([float(x) for x in NUMBER.findall(o)] for o in (output, expected)), 2e-3, 2e-3)


def words(output):
    """Output without its floats and without where its lines are broken."""
    return NUMBER.sub("#", output).replace("[", "[ ").split()
