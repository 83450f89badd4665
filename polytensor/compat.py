"""`import torch` answered by polytensor: the same module objects under PyTorch's names."""

from __future__ import annotations

import importlib
import importlib.abc
import importlib.machinery
import importlib.metadata
import sys
from collections.abc import Iterator
from types import ModuleType
from typing import Any

from .absent import explain
from .version import FOLLOWED as _TORCH
from .version import FOLLOWED_VISION as _VISION

FOLLOWED = {"torch": str(_TORCH), "torchvision": str(_VISION)}


class _Distribution(importlib.metadata.Distribution):
    """What importlib.metadata says of torch and torchvision: the version that PolyTensor follows."""

    def __init__(self, name: str, version: str) -> None:
        self._told = {"METADATA": f"Metadata-Version: 2.1\nName: {name}\nVersion: {version}\n", "top_level.txt": name}

    def read_text(self, filename: str) -> str | None:
        return self._told.get(filename)

    def locate_file(self, path: Any) -> Any:
        raise FileNotFoundError(f"no file of this distribution is installed: {path}")


_OURS = {
    "torch.utils.data": "polytensor.data", "torchvision": "polytensor.vision", "torch": "polytensor",
    "safetensors.torch": "polytensor.safetensors", "safetensors": "polytensor.safetensors", "functorch": "polytensor.functorch",
}  # fmt: skip


def _ours(name: str) -> str | None:
    """The module of ours that stands for one of theirs (torch.func and more); None for those that we leave alone."""
    for theirs, ours in _OURS.items():
        if name == theirs or (name.startswith(f"{theirs}.") and theirs.startswith("torch")):
            return ours + name[len(theirs) :]
    return None


def _register() -> None:
    """Give each loaded module of ours its name of theirs: the import system, had it to load one under that name, would put
    it in the place of a function that bears the same name (torch.nn.utils.spectral_norm)."""
    for name, module in list(sys.modules.items()):
        for theirs, ours in _OURS.items():
            if name.startswith(f"{ours}.") and theirs.startswith("torch"):
                explain(sys.modules.setdefault(theirs + name[len(ours) :], module))
                break


class _Finder(importlib.abc.MetaPathFinder, importlib.abc.Loader):
    """Finds torch, torchvision, safetensors.torch and functorch by importing what is ours."""

    def find_spec(self, fullname: str, path: Any = None, target: Any = None) -> Any:
        return importlib.machinery.ModuleSpec(fullname, self, is_package=True) if _ours(fullname) else None

    @classmethod
    def find_distributions(cls, context: Any = None) -> Iterator[importlib.metadata.Distribution]:
        """Distributions of this name, or all."""
        name = getattr(context, "name", None)
        return (_Distribution(n, v) for n, v in FOLLOWED.items() if name is None or name.lower() == n)

    def create_module(self, spec: Any) -> ModuleType:
        name = spec.name
        ours: Any = _ours(name)
        try:
            module = importlib.import_module(ours)
        except ModuleNotFoundError as error:
            raise ModuleNotFoundError(f"No module named {name!r}: PolyTensor does not have it", name=name) from error
        explain(module)
        if ours == "polytensor.vision":
            module.__version__ = _VISION
        self._kept = (module.__spec__, module.__loader__, module.__package__)
        return module

    def exec_module(self, module: ModuleType) -> None:
        module.__spec__, module.__loader__, module.__package__ = self._kept  # the import system wrote torch's there
        _register()


def install_torch_alias() -> None:
    """From now on `import torch` gives polytensor. RuntimeError if PyTorch itself was imported before.

    Libraries ask which PyTorch this is: __version__ and importlib.metadata then name the one that is followed, with
    PolyTensor's own version behind the plus sign.
    """
    have = sys.modules.get("torch")
    if have is not None:
        if have is not sys.modules.get("polytensor"):
            raise RuntimeError("PyTorch is already imported; install the alias before it")
        return
    sys.meta_path.insert(0, _Finder())
    import polytensor

    _register()
    polytensor.__name__ = "torch"  # some libraries patch what they find under that name
    polytensor.__version__ = polytensor.version.__version__ = polytensor.version.FOLLOWED
    _tell_children()


class _Alias:
    """Unpickled in a child process, before it imports the script: the alias is there too."""

    def __reduce__(self) -> Any:
        return install_torch_alias, ()


def _tell_children() -> None:
    """Let processes that are spawned from here, or forked by a server, start with the alias."""
    from multiprocessing import spawn

    prepare = spawn.get_preparation_data

    def with_alias(name: str) -> dict[str, Any]:
        data = prepare(name)
        if name == "ignore":  # the fork server itself: it would import the script without the alias
            data.pop("init_main_from_path", None)
        return {"torch_alias": _Alias(), **data}

    spawn.get_preparation_data = with_alias
