"""Reference documents, each as one script: all samples in order, in one namespace, under `python -m polytensor run`.

The documents are no part of the repository: POLYTENSOR_TUTORIALS names their folder. Their data are small files in the
real formats, downloaded from a server on loopback; only urls, checksums and lists of files are set, as attributes of the
datasets. Samples that PyTorch cannot run either are listed below by a hash of their text, and PyTorch has to agree.
"""

import gzip
import json
import os
import pathlib
import re

import documents
import pytest
import small_datasets

FOLDER = os.environ.get("POLYTENSOR_TUTORIALS")
TEXTS = {".txt", ".md", ".html", ".htm", ".rst"}
PATHS = sorted(p for p in pathlib.Path(FOLDER).iterdir() if p.suffix in TEXTS) if FOLDER else []

# what PyTorch 2.13 cannot run: the error, the reason, and what is run instead so that later samples have their names
LISTED = {
    "134ce1d338": ("SyntaxError", "a formula, written with no-break spaces", ""),
    "0531dcc585": ("AttributeError", "reads gradients that zero_grad() has set to None, as it does since 2.0", ""),
    "6580d77bd4": (
        "AttributeError",
        "calls next() as a method of the loader's iterator, which is gone since 1.13",
        "images, labels = next(iter(trainloader)); import matplotlib.pyplot as plt, numpy as np\n"
        "plt.imshow(np.transpose((torchvision.utils.make_grid(images) / 2 + 0.5).numpy(), (1, 2, 0)))",
    ),
    "1ff2106f38": ("Exception", "asks for a second GPU, and for a device `cuda` that the document never makes", ""),
    "988093bbf7": (
        "UnpicklingError",
        "loads a whole model, which load() refuses by default since 2.6",
        "torch.save(net, path); net2 = torch.load(path, weights_only=False)",
    ),
    "26504c3833": ("SyntaxError", "a form to be filled in, with `...` for the rest", ""),
    "8e2450021a": ("SyntaxError", "a full-width comma in the code", ""),
}
# what takes for granted a name or a folder that the document never makes: the error without it, and our line that makes it
GIVEN = {
    "350c71a4bc": ("NameError", "a line from inside a function", "pred = model(X.to(device))"),
    "553c910943": ("NameError", "the document never imports NumPy", "import numpy as np"),
    "2342fe912f": ("NameError", "a path and a second network", "path, net2 = 'net.pth', Net()"),
}
# marked as code, but printed output or a diagram
PRINTED = set(
    """
    d68e7a3dba d6aee6ec16 099dffa72a 95b3a6cd00 2ec80a2f5a 8a51ecd34c ef0bb0bb2b 15024bcab2 9bc43e1cdd
    250564ba54 3eea28771b a4a2b489be a27f64ee87 37f1ba8acf 8994619544 0e1057b01f 905a42fce4 c514e6b8ab
    68425ecd17 09e801d987 1d2f80f249 ea40aa9475 46a1fccfa7 dea99f55b1 6164c20e67 e007caeaa3 193907024c
    5ee58b5287 1e5d3d0b4e cc008eedec 395aa2eb44 59c99c0737 747c21c5c8
    """.split()
)


# whose output depends on chance, on memory that nothing was written to, or on the random state's own numbers
CHANCE = set(
    """
    f59d7c26cc 5bdab12e03 aa545e2715 8e4ea564b7 fecad84745 883407206f be9be18df4 afb463733c d2fe7640a4 f49b8754f4
    74b6655f4c 9d24dd86c8 dcb402f528 9a3b3124d8 7bef566ded
    """.split()
)


@pytest.fixture(scope="module")
def overrides():
    """Attributes of the datasets that lead to the small files, while they are served."""
    with small_datasets.served_datasets() as values:
        yield values


def prepared(folder):
    """The folder, with what the samples expect on disk: a folder to save in, and MNIST, unpacked."""
    for module in ("PIL", "matplotlib", "sklearn"):
        pytest.importorskip(module)
    (folder / "work" / "drive" / "MyDrive" / "Model" / "FashionMNIST").mkdir(parents=True)
    raw = folder / "work" / "\\mnist" / "MNIST" / "raw"
    raw.mkdir(parents=True)
    for name, data in small_datasets.mnist_files().items():
        (raw / name.removesuffix(".gz")).write_bytes(gzip.decompress(data))
    return folder


needs_documents = pytest.mark.skipif(not PATHS, reason="POLYTENSOR_TUTORIALS does not name a folder of documents")
each_document = pytest.mark.parametrize("path", PATHS or [None], ids=[p.stem for p in PATHS] or ["none"])


@needs_documents
@each_document
@pytest.mark.parametrize("backend", ["numpy", "numba"])
def test_document(path, backend, tmp_path, overrides):
    if backend == "numba":
        pytest.importorskip("numba")
    found = documents.samples(path.read_text())
    output = documents.run(
        documents.script(found, LISTED, GIVEN, PRINTED), prepared(tmp_path), overrides, backend=backend
    )
    assert re.findall(r"(?m)^sample (\d+)$", output) == documents.numbers(found, {*LISTED, *PRINTED})


@needs_documents
@each_document
def test_document_prints_what_pytorch_prints(oracle, path, tmp_path, overrides):
    """Apart from random numbers; and what is listed raises what the list says, here and there."""
    if not documents.installed("torchvision"):
        pytest.skip("PyTorch's side needs torchvision")
    found = documents.samples(path.read_text())
    program = documents.script(found, LISTED, GIVEN, PRINTED, probe=True)
    names = {str(i): sample.name for i, sample in enumerate(found)}
    outputs = []
    for library in ("pytorch", "polytensor"):
        output = documents.run(program, prepared(tmp_path / library), overrides, library)
        raised = dict(re.findall(r"(?m)^sample (\d+) raises (.*)$", output))
        assert raised.keys() == set(names) - set(documents.numbers(found, {*LISTED, *GIVEN}))
        for i, classes in raised.items():
            assert {**LISTED, **GIVEN}[names[i]][0] in classes.split(), f"sample {i} in {library}"
        parts = re.split(r"(?m)^sample (\d+)\n", re.sub(r"(?m)^sample \d+ raises .*\n", "", output))
        outputs.append({i: text_of(out) for i, out in zip(parts[1::2], parts[::2]) if names[i] not in CHANCE})
    assert outputs[0] == outputs[1]


def text_of(output):
    """Output without what random numbers change: floats, addresses and where lines are broken."""
    output = re.sub(r"0x[0-9a-f]+", "0x", output)
    output = re.sub(r"-?\b(\d+\.\d*(e[-+]?\d+)?|inf|nan)\b|-?\d+\.(?!\d)", "#", output)
    return " ".join(output.replace("[", " [ ").split())


@needs_documents
def test_every_listed_sample_is_in_a_document():
    here = {sample.name for path in PATHS for sample in documents.samples(path.read_text())}
    assert not {*LISTED, *GIVEN, *PRINTED, *CHANCE} - here


OWN = """
# Title

```python title="in"
import torch
x = torch.arange(6.)
```

```text
tensor([0., 1.])
```

1. A list, with a quote

    ```py
    y = x.view(2,
               3)
    ```

> ~~~python
> for row in y:
>     print(row.sum())
> ~~~

<div><pre class="code"><span>z</span> <span>=</span> y &lt; <i>2</i>
print(z)</pre></div>

```python
print(w)
```

```python
print 'a removed form'
```

```python
tensor([0., 1.])
```
"""


def test_the_reader(tmp_path):
    found = documents.samples(OWN)
    assert [s.line for s in found] == [4, 15, 20, 25, 28, 32, 36]
    assert found[1].text == "y = x.view(2,\n           3)\n" and found[3].text == "z = y < 2\nprint(z)"
    w, removed, output = (s.name for s in found[4:])
    listed, given = {removed: ("SyntaxError", "old", "v = 1")}, {w: ("NameError", "no w", "w = 'given'")}
    for probe in (False, True):
        text = documents.run(documents.script(found, listed, given, {output}, probe), tmp_path, {})
        ran = "sample 0\nsample 1\ntensor(3.)\ntensor(12.)\nsample 2\ntensor([[ True,  True, False],\n"
        assert text.startswith(ran) and "given\nsample 4\n" in text and "sample 6" not in text
        assert ("sample 4 raises NameError" in text) == ("sample 5 raises SyntaxError" in text) == probe
        assert documents.numbers(found, {removed, output}) == re.findall(r"(?m)^sample (\d+)$", text)
    with pytest.raises(AssertionError, match="name 'w' is not defined"):  # a sample that raises, and is not listed
        documents.run(documents.script(found, listed, {}, {output}), tmp_path, {})
    with pytest.raises(AssertionError, match="sample 0 does run"):  # a listed sample that could be run
        documents.run(documents.script(found[:1], {found[0].name: ("NameError", "", "")}, {}, (), True), tmp_path, {})


@pytest.mark.parametrize(
    "dataset, attribute", [("FashionMNIST", "resources"), ("CIFAR10", "tgz_md5"), ("CIFAR10", "test_list")]
)
def test_checksums_are_checked(dataset, attribute, overrides, tmp_path):
    """What is set on the datasets is where the files are and what they sum up to: a wrong sum is still an error."""
    value = json.dumps(overrides[dataset][attribute])
    wrong = json.loads(re.sub("[0-9a-f]{32}", "0" * 32, value))
    assert wrong != overrides[dataset][attribute]
    program = f"import torchvision\ntorchvision.datasets.{dataset}('data', download=True)"
    documents.run(program, tmp_path / "right", overrides)
    with pytest.raises(AssertionError, match="RuntimeError: .*(Error downloading|corrupted)"):
        documents.run(program, tmp_path / "wrong", {dataset: {**overrides[dataset], attribute: wrong}})
