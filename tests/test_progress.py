"""utils.progress: tqdm's bar, or nothing without it; unpacking tells how far it is."""

import contextlib
import gzip
import subprocess
import sys
import tarfile
import zipfile

import pytest

from polytensor.utils import progress as module
from polytensor.utils.progress import progress
from polytensor.vision.datasets import utils


def test_a_bar_that_is_always_shown(capsys):
    pytest.importorskip("tqdm")
    with progress(2000, "weights", initial=500, shown=True) as update:
        update(1500)
    text = capsys.readouterr().err
    assert "weights: 100%" in text and "2.00k/2.00k" in text


@pytest.mark.parametrize("options", [{"shown": False}, {"shown": None}, {"shown": True, "delay": 60}])
def test_no_bar(capsys, options):
    """Never, where stderr is no terminal, and for what is over before the delay."""
    with progress(3, "short", **options) as update:
        update(3)
    assert capsys.readouterr().err == ""


def test_without_tqdm(tmp_path):
    (tmp_path / "tqdm.py").write_text("raise ImportError")
    code = (
        "from polytensor.utils.progress import progress\n"
        "with progress(3, 'x', shown=True) as update:\n    update(1)\nprint('through')"
    )
    done = subprocess.run([sys.executable, "-c", f"import sys; sys.path.insert(0, {str(tmp_path)!r})\n{code}"],
                          capture_output=True, text=True)  # fmt: skip
    assert done.stdout == "through\n" and done.stderr == ""


@pytest.fixture
def bars(monkeypatch):
    """[total, done] of each bar."""
    found = []

    @contextlib.contextmanager
    def noted(total, name, unit="B"):
        found.append([name, total, 0])

        def update(n):
            found[-1][2] += n

        yield update

    monkeypatch.setattr(utils, "_slow", noted)
    return found


def test_unpacking(tmp_path, bars):
    data = bytes(range(256)) * 9000
    (tmp_path / "a").write_bytes(data)
    (tmp_path / "b").write_bytes(data[:1000])
    with tarfile.open(tmp_path / "x.tar.gz", "w:gz") as tar:
        tar.add(tmp_path / "a", "in/a"), tar.add(tmp_path / "b", "in/b")
    with zipfile.ZipFile(tmp_path / "x.zip", "w") as archive:
        archive.write(tmp_path / "a", "in/a"), archive.write(tmp_path / "b", "in/b")
    (tmp_path / "c.gz").write_bytes(gzip.compress(data))
    for name in ("x.tar.gz", "x.zip", "c.gz"):
        (folder := tmp_path / name.replace(".", "_")).mkdir()
        utils.extract_archive(str(tmp_path / name), str(folder))
    packed = (tmp_path / "c.gz").stat().st_size
    assert bars == [
        ["reading x.tar.gz", None, 2], ["unpacking x.tar.gz", len(data) + 1000, len(data) + 1000],
        ["unpacking x.zip", len(data) + 1000, len(data) + 1000], ["unpacking c.gz", packed, packed],
    ]  # fmt: skip
    for folder in ("x_tar_gz", "x_zip"):
        assert (tmp_path / folder / "in" / "a").read_bytes() == data
    assert (tmp_path / "c_gz" / "c").read_bytes() == data


def test_only_large_files_are_watched_while_checked(tmp_path, bars, monkeypatch):
    (tmp_path / "a").write_bytes(b"abc" * 1000)
    small = utils.calculate_md5(tmp_path / "a")
    assert bars == []
    monkeypatch.setattr(utils, "LARGE", 100)
    assert utils.calculate_md5(tmp_path / "a", 256) == small and bars == [["checking a", 3000, 3000]]


def test_a_module_of_utils():
    import polytensor

    assert polytensor.utils.progress is module and "progress" in dir(polytensor.utils)
