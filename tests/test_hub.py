"""torch.hub and utils.model_zoo: weights over loopback, in PyTorch and here; models from a folder."""

import hashlib
import os
import sys
import zipfile
from urllib.error import HTTPError, URLError

import loopback
import pytest

import polytensor as pt
from polytensor import hub
from polytensor.files import download

server, quick = loopback.server, loopback.quick


@pytest.fixture
def weights(server, tmp_path, monkeypatch):
    """A file of weights on the server: its name with the right hash, and its bytes."""
    pt.save({"w": pt.arange(4.0), "n": 3}, tmp_path / "w.pth")
    data = (tmp_path / "w.pth").read_bytes()
    name = f"net-{hashlib.sha256(data).hexdigest()[:8]}.pth"
    server.files.update({name: data, "net-0123abcd.pth": data, "net.pth": data})
    server.seen.clear()
    monkeypatch.setenv("TORCH_HOME", str(tmp_path / "home"))
    monkeypatch.setattr(hub, "_dir", None)
    return name, data


def test_folders(monkeypatch, tmp_path, oracle):
    monkeypatch.setattr(hub, "_dir", None)
    monkeypatch.setattr(oracle.hub, "_hub_dir", None)
    for name in ("TORCH_HOME", "XDG_CACHE_HOME"):
        monkeypatch.delenv(name, raising=False)
        assert hub.get_dir() == oracle.hub.get_dir()
    monkeypatch.setenv("XDG_CACHE_HOME", "~/cache")
    assert hub.get_dir() == oracle.hub.get_dir() == os.path.expanduser("~/cache/torch/hub")
    monkeypatch.setenv("TORCH_HOME", str(tmp_path))
    assert hub.get_dir() == oracle.hub.get_dir() == str(tmp_path / "hub")
    for d in ("~/x", tmp_path / "y"):
        hub.set_dir(d)
        oracle.hub.set_dir(d)
        assert hub.get_dir() == oracle.hub.get_dir()


def test_state_dict_from_url(server, weights, oracle, tmp_path, capfd):
    name, data = weights
    url = f"{server.at}/good/{name}"
    for torch in (oracle, pt):
        torch.hub.set_dir(tmp_path / torch.__name__)
        for _ in range(2):  # the second time it is there
            found = torch.hub.load_state_dict_from_url(url, map_location="cpu", check_hash=True)
            assert found["w"].tolist() == [0, 1, 2, 3] and found["n"] == 3
        out, err = capfd.readouterr()
        path = tmp_path / torch.__name__ / "checkpoints" / name
        assert out == f'Downloading: "{url}" to {path}\n' and "100%" in err
        assert path.read_bytes() == data and os.listdir(path.parent) == [name]
    assert len(server.seen) == 2
    assert hub.load_state_dict_from_url(url, tmp_path / "own", progress=False, file_name="v.pth")["n"] == 3
    assert os.listdir(tmp_path / "own") == ["v.pth"] and "%" not in capfd.readouterr()[1]
    assert pt.utils.model_zoo.load_url(url)["n"] == 3 and len(server.seen) == 3
    file = (tmp_path / "w.pth").as_uri()  # as PyTorch: any URL that Python opens
    assert hub.load_state_dict_from_url(file, tmp_path / "own")["n"] == 3


@pytest.mark.parametrize("module", ["oracle", "own"])
def test_a_wrong_hash(server, weights, oracle, tmp_path, module):
    torch = oracle if module == "oracle" else pt
    name, data = weights
    url = f"{server.at}/good/net-0123abcd.pth"
    got = hashlib.sha256(data).hexdigest()
    with pytest.raises(RuntimeError) as error:
        torch.hub.load_state_dict_from_url(url, str(tmp_path / "here"), check_hash=True, progress=False)
    assert str(error.value) == f'invalid hash value (expected "0123abcd", got "{got}")'
    assert os.listdir(tmp_path / "here") == []
    assert torch.hub.load_state_dict_from_url(url, str(tmp_path / "here"), progress=False)["n"] == 3  # not asked for
    target = tmp_path / "kept"
    target.write_bytes(b"old")
    with pytest.raises(RuntimeError, match="invalid hash value"):
        torch.hub.download_url_to_file(url, str(target), "00", progress=False)
    assert target.read_bytes() == b"old"
    torch.hub.download_url_to_file(url, str(target), got[:5], progress=False)
    assert target.read_bytes() == data


@pytest.mark.parametrize("kind", ["missing", "cut", "stall"])
def test_a_server_that_fails(server, weights, tmp_path, kind, capsys):
    name, data = weights
    target = tmp_path / "here" / "net.pth"
    target.parent.mkdir()
    target.write_bytes(b"old")
    for prefix in (None, hashlib.sha256(data).hexdigest()):
        with pytest.raises(URLError, match="Not Found|net.pth") as error:
            hub.download_url_to_file(f"{server.at}/{kind}/net.pth", target, prefix, progress=False)
        assert isinstance(error.value, HTTPError) == (kind == "missing")
        assert target.read_bytes() == b"old"
    hub.download_url_to_file(f"{server.at}/good/net.pth", target, prefix, progress=False)
    assert target.read_bytes() == data and os.listdir(target.parent) == ["net.pth"]
    with pytest.raises(URLError):
        hub.load_state_dict_from_url(f"{server.at}/{kind}/none.pth", progress=False)
    assert os.listdir(os.path.join(hub.get_dir(), "checkpoints")) == []
    assert hub.load_state_dict_from_url(f"{server.at}/redirect/{name}", check_hash=True, progress=False)["n"] == 3


def test_an_own_class_is_refused(server, weights, oracle, tmp_path):
    import fractions

    oracle.save({"x": fractions.Fraction(1, 2)}, tmp_path / "x.pth")
    server.files["x.pth"] = (tmp_path / "x.pth").read_bytes()
    url = f"{server.at}/good/x.pth"
    with pytest.raises(Exception, match="fractions.Fraction"):
        hub.load_state_dict_from_url(url, progress=False)
    with pytest.warns(UserWarning, match="weights_only=False"):
        assert hub.load_state_dict_from_url(url, weights_only=False)["x"] == fractions.Fraction(1, 2)


def test_a_zipped_legacy_file(server, weights, oracle, tmp_path):
    oracle.save({"w": oracle.ones(3)}, tmp_path / "old.pth", _use_new_zipfile_serialization=False)
    with zipfile.ZipFile(tmp_path / "old.zip", "w", zipfile.ZIP_DEFLATED) as z:
        z.write(tmp_path / "old.pth", "../old.pth")
    server.files["old.pth"] = (tmp_path / "old.zip").read_bytes()
    found = hub.load_state_dict_from_url(f"{server.at}/good/old.pth", progress=False)
    assert found["w"].tolist() == [1, 1, 1]


HUBCONF = """
dependencies = ["polytensor"]
import helper_of_this_repo
def small(width=2, *, double=False):
    "A small net."
    return ("net", width * helper_of_this_repo.FACTOR * (2 if double else 1))
def _hidden(): pass
number = 3
"""


def test_models_from_a_folder(tmp_path, oracle):
    (tmp_path / "hubconf.py").write_text(HUBCONF)
    (tmp_path / "helper_of_this_repo.py").write_text("FACTOR = 5")
    before = list(sys.path)
    for torch in (oracle, pt):
        assert torch.hub.load(str(tmp_path), "small", 3, source="local", double=True) == ("net", 30)
        with pytest.raises(RuntimeError, match="Cannot find callable number in hubconf"):
            torch.hub.load(str(tmp_path), "number", source="local")
        with pytest.raises(ValueError, match="model should be a string of function name"):
            torch.hub.load(str(tmp_path), 3, source="local")
        with pytest.raises(ValueError, match='Unknown source: "ftp". Allowed values: "github" | "local".'):
            torch.hub.load(str(tmp_path), "small", source="ftp")
        with pytest.raises(FileNotFoundError):
            torch.hub.load(str(tmp_path / "none"), "small", source="local")
    assert hub.list(tmp_path) == ["small"] and hub.help(tmp_path, "small") == "A small net."
    (tmp_path / "hubconf.py").write_text("dependencies = ['os', 'no_such_package', 'nor_this']\ndef f(): pass")
    for torch in (oracle, pt):
        with pytest.raises(RuntimeError, match="^Missing dependencies: no_such_package, nor_this$"):
            torch.hub.load(str(tmp_path), "f", source="local")
    assert sys.path == before
    for refused in (lambda: hub.load("a/b", "m"), lambda: hub.list("a/b"), lambda: hub.help("a/b", "m")):
        with pytest.raises(NotImplementedError, match="runs no code from GitHub: get 'a/b' yourself"):
            refused()


def test_torchvision_weights_are_kept_in_the_same_folder(server, weights, tmp_path):
    from polytensor.vision.models.weights import read_weights

    name, data = weights
    hub.set_dir(tmp_path / "set")
    assert read_weights(f"{server.at}/good/{name}")["n"] == 3
    assert os.listdir(tmp_path / "set" / "checkpoints") == [name]
    assert download.sha256(tmp_path / "set" / "checkpoints" / name).startswith(name[4:12])
