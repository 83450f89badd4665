"""torch.hub: weights from a URL, and models from a folder with a hubconf.py. Source: torch.hub.

Code is run from folders on this machine only: load, list and help of a repository on GitHub are refused.
"""

from __future__ import annotations

import builtins
import contextlib
import functools
import importlib.util
import os
import re
import sys
import zipfile
from collections.abc import Iterator
from typing import Any
from urllib.parse import urlparse

from .absent import lacks
from .files.download import save_url, sha256
from .serialization import load as _read

__all__ = ["download_url_to_file", "get_dir", "help", "list", "load", "load_state_dict_from_url", "set_dir"]

_dir: str | None = None
HASH_REGEX = re.compile(r"-([a-f0-9]*)\.")  # NAME-0123abcd.pth
_REFUSED = "PolyTensor runs no code from GitHub: get {!r} yourself and {}"


def __getattr__(name: str) -> Any:
    if name == "tqdm":
        from tqdm.auto import tqdm

        return tqdm
    raise lacks(__name__, name)


def get_dir() -> str:
    """Where downloads are kept: set_dir's folder, else $TORCH_HOME/hub, else $XDG_CACHE_HOME/torch/hub (~/.cache/torch/hub)."""
    if _dir is not None:
        return _dir
    home = os.environ.get("TORCH_HOME") or os.path.join(os.environ.get("XDG_CACHE_HOME", "~/.cache"), "torch")
    return os.path.join(os.path.expanduser(home), "hub")


def set_dir(d: str | os.PathLike[str]) -> None:
    """Keep downloads in this folder."""
    global _dir
    _dir = os.path.expanduser(d)


def _invalid(prefix: str, path: str) -> str:
    found = sha256(path)
    return "" if found.startswith(prefix) else f'invalid hash value (expected "{prefix}", got "{found}")'


def download_url_to_file(url: str, dst: Any, hash_prefix: str | None = None, progress: bool = True) -> None:
    """Download url to dst; what stood there is replaced when the new file is complete and its SHA-256 begins as it should.

    URLError (HTTPError) if the server refuses, breaks off or is silent for half a minute; RuntimeError for a wrong hash.
    """
    wrong = functools.partial(_invalid, hash_prefix) if hash_prefix is not None else None
    save_url(url, os.path.expanduser(dst), wrong, 10, anew=True, progress=progress)


def load_state_dict_from_url(
    url: str,
    model_dir: Any = None,
    map_location: Any = None,
    progress: bool = True,
    check_hash: bool = False,
    file_name: str | None = None,
    weights_only: bool = True,
) -> Any:
    """What the file at url holds; it is downloaded to model_dir (get_dir()/checkpoints), unless it is there.

    check_hash: the file's name ends in the first digits of its SHA-256, NAME-0123abcd.pth. PyTorch's default for
    weights_only is False. Errors: those of download_url_to_file and load.
    """
    model_dir = os.path.join(get_dir(), "checkpoints") if model_dir is None else os.path.expanduser(model_dir)
    os.makedirs(model_dir, exist_ok=True)
    name = os.path.basename(urlparse(url).path) if file_name is None else file_name
    path = os.path.join(model_dir, name)
    if not os.path.exists(path):
        sys.stdout.write(f'Downloading: "{url}" to {path}\n')
        found = HASH_REGEX.search(name) if check_hash else None
        download_url_to_file(url, path, found.group(1) if found else None, progress)
    if zipfile.is_zipfile(path):
        with zipfile.ZipFile(path) as archive:
            inside = archive.infolist()
            if len(inside) == 1 and not inside[0].is_dir():  # a .pth of PyTorch before 1.6 that somebody zipped
                with archive.open(inside[0]) as f:
                    return _read(f, map_location, weights_only=weights_only)
    return _read(path, map_location, weights_only=weights_only)


@contextlib.contextmanager
def _hubconf(folder: Any) -> Iterator[Any]:
    """The module FOLDER/hubconf.py, its folder on sys.path meanwhile."""
    folder = os.fspath(folder)
    path = os.path.join(folder, "hubconf.py")
    if not os.path.isfile(path):
        raise FileNotFoundError(f"No such file: '{path}'")
    sys.path.insert(0, folder)
    try:
        spec: Any = importlib.util.spec_from_file_location("hubconf.py", path)
        module = importlib.util.module_from_spec(spec)
        spec.loader.exec_module(module)
        yield module
    finally:
        with contextlib.suppress(ValueError):
            sys.path.remove(folder)


def _is_here(package: str) -> bool:
    try:
        return package in sys.modules or importlib.util.find_spec(package) is not None
    except ModuleNotFoundError:  # a part of a package that is not there
        return False


def _entry(module: Any, model: str) -> Any:
    if not isinstance(model, str):
        raise ValueError("Invalid input: model should be a string of function name")
    absent = [name for name in getattr(module, "dependencies", None) or [] if not _is_here(name)]
    if absent:
        raise RuntimeError(f"Missing dependencies: {', '.join(absent)}")
    entry = getattr(module, model, None)
    if not callable(entry):
        raise RuntimeError(f"Cannot find callable {model} in hubconf")
    return entry


def load(
    repo_or_dir: Any, model: str, *args: Any, source: str = "github", trust_repo: Any = "check", force_reload: bool = False,
    verbose: bool = True, skip_validation: bool = False, **kwargs: Any,
) -> Any:  # fmt: skip
    """What the entry `model` of FOLDER/hubconf.py gives for the arguments. The folder's code is run.

    Only source='local'; NotImplementedError for a repository on GitHub. RuntimeError for an entry or dependency that is
    not there, FileNotFoundError for a folder without hubconf.py.
    """
    source = source.lower()
    if source not in ("github", "local"):
        raise ValueError(f'Unknown source: "{source}". Allowed values: "github" | "local".')
    if source == "github":
        raise NotImplementedError(_REFUSED.format(repo_or_dir, "pass its folder with source='local'"))
    with _hubconf(repo_or_dir) as module:
        return _entry(module, model)(*args, **kwargs)


def _folder(github: Any) -> Any:
    if not os.path.isdir(github):
        raise NotImplementedError(_REFUSED.format(github, "pass its folder"))
    return github


def list(
    github: Any, force_reload: bool = False, skip_validation: bool = False, trust_repo: Any = "check", verbose: bool = True
) -> builtins.list[str]:  # fmt: skip
    """The names of the entries in FOLDER/hubconf.py. NotImplementedError for what is no folder (PyTorch takes GitHub's only)."""
    with _hubconf(_folder(github)) as module:
        return [name for name in dir(module) if not name.startswith("_") and callable(getattr(module, name))]


def help(
    github: Any, model: str, force_reload: bool = False, skip_validation: bool = False, trust_repo: Any = "check"
) -> Any:  # fmt: skip
    """The docstring of an entry in FOLDER/hubconf.py. NotImplementedError for what is no folder (PyTorch takes GitHub's only)."""
    with _hubconf(_folder(github)) as module:
        return _entry(module, model).__doc__
