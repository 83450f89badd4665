"""Where models get their weights: a file, a URL, or the names that torchvision gives to its own."""

from __future__ import annotations

import enum
import functools
import os
import re
import warnings
from collections.abc import Callable
from typing import Any
from urllib.parse import urlparse

import polytensor as torch
from polytensor import hub
from polytensor.files.download import save_url, sha256
from polytensor.nn import Module

from ..transforms.modes import InterpolationMode
from ..transforms.presets import ImageClassification

__all__ = ["WeightsEnum", "get_model", "get_model_builder", "get_model_weights", "get_weight", "list_models"]

_AT = "https://download.pytorch.org/models/"


class _Weights:
    """A file on the net and how images are prepared for it; `half`: to numbers from -1 to 1."""

    def __init__(
        self, file: str, crop: int = 224, resize: int = 256, bicubic: bool = False, half: bool = False
    ) -> None:
        self.url = _AT + file
        mode = InterpolationMode.BICUBIC if bicubic else InterpolationMode.BILINEAR
        how: dict[str, Any] = {"mean": (0.5, 0.5, 0.5), "std": (0.5, 0.5, 0.5)} if half else {}
        self.transforms = functools.partial(
            ImageClassification, crop_size=crop, resize_size=resize, interpolation=mode, **how
        )
        self.size = crop


class WeightsEnum(enum.Enum):
    """The weights that a model can be had with. Source: torchvision.models.WeightsEnum."""

    @property
    def url(self) -> str:
        """Where the file is."""
        return self.value.url  # type: ignore[no-any-return]

    @property
    def transforms(self) -> Callable[..., Any]:
        """Makes the transform of the images that they were trained on."""
        return self.value.transforms  # type: ignore[no-any-return]

    @property
    def meta(self) -> dict[str, Any]:
        """The number of classes."""
        return {"num_classes": 1000}

    def get_state_dict(self, progress: bool = True, check_hash: bool = True) -> dict[str, Any]:
        """The weights: downloaded to PyTorch's cache, if they are not there."""
        return read_weights(self.url, check_hash)

    def __repr__(self) -> str:
        return f"{type(self).__name__}.{self.name}"

    __str__ = __repr__


def _wrong_sha256(want: str, path: str) -> str:
    found = sha256(path)
    return "" if found.startswith(want) else f"{os.path.basename(path)} has the SHA-256 {found}, not {want}..."


def read_weights(source: Any, check_hash: bool = True) -> dict[str, Any]:
    """A state_dict from a file or URL, on the CPU.

    A URL's checksum is the hexadecimal end of its name (NAME-0123abcd.pth, as PyTorch does it) or #sha256=...
    FileNotFoundError for a path that is not there; RuntimeError for a wrong checksum or file.
    """
    source = os.fspath(source)
    address = urlparse(source)
    if address.scheme in ("http", "https"):
        name = os.path.basename(address.path)
        found = re.search(r"sha256=([0-9a-fA-F]+)", address.fragment) or re.search(r"-([0-9a-f]{8,})\.", name)
        wrong = functools.partial(_wrong_sha256, found.group(1).lower()) if found and check_hash else None
        path = os.path.join(hub.get_dir(), "checkpoints", name)
        os.makedirs(os.path.dirname(path), exist_ok=True)
        if not os.path.isfile(path) or (wrong and wrong(path)):
            save_url(source.partition("#")[0], path, wrong)
        source = path
    elif not os.path.isfile(source):
        raise FileNotFoundError(f"weights: no such file: {source!r}")
    state = torch.load(source, map_location="cpu", weights_only=True)
    if isinstance(state, dict) and isinstance(state.get("state_dict"), dict):
        state = state["state_dict"]  # a checkpoint
    return state  # type: ignore[no-any-return]


_BUILDERS: dict[str, Callable[..., Module]] = {}
_ENUMS: dict[str, type[WeightsEnum]] = {}


def weights_enum(name: str, default: str = "IMAGENET1K_V1", **members: tuple[Any, ...]) -> Any:
    """An enum of weights: member -> (file, crop, resize, bicubic, half)."""
    values = {key: _Weights(*value) for key, value in members.items()}
    return WeightsEnum(name, {**values, "DEFAULT": values[default]})  # type: ignore[call-overload]


def model(enum_: Any = None, **given: Any) -> Callable[[Callable[..., Module]], Callable[..., Module]]:
    """Register a builder, and give it weights= and progress=, and pretrained= as before torchvision 0.13.

    weights is None, a member of the enum or its name, or a path or URL; `given`: arguments that the enum's weights want.
    """

    def decorate(make: Callable[..., Module]) -> Callable[..., Module]:
        @functools.wraps(make)
        def build(*args: Any, **kwargs: Any) -> Module:
            if args:
                warnings.warn(
                    "Using 'weights' as positional parameter(s) is deprecated since 0.13 and may be removed in the future. "
                    "Please use keyword parameter(s) instead.",
                    stacklevel=2,
                )
                kwargs.update(zip(("weights", "progress"), args, strict=False))
            if "pretrained" in kwargs:
                warnings.warn(
                    "The parameter 'pretrained' is deprecated since 0.13 and may be removed in the future, please use "
                    "'weights' instead.",
                    stacklevel=2,
                )
                kwargs["weights"] = bool(kwargs.pop("pretrained"))
            weights, progress = kwargs.pop("weights", None), kwargs.pop("progress", True)
            if isinstance(weights, bool):
                first = enum_.__members__.get("IMAGENET1K_V1") if weights and enum_ is not None else None
                if weights and first is None:
                    raise ValueError(f"No weights available for model {make.__name__}")
                newest = (
                    ""
                    if first is None
                    else f" You can also use `weights={enum_.__name__}.DEFAULT` to get the most up-to-date weights."
                )
                warnings.warn(
                    "Arguments other than a weight enum or `None` for 'weights' are deprecated since 0.13 and may be removed "
                    f"in the future. The current behavior is equivalent to passing `weights={first}`.{newest}",
                    stacklevel=2,
                )
                weights = first
            if isinstance(weights, str) and enum_ is not None and weights in enum_.__members__:
                weights = enum_[weights]
            if isinstance(weights, WeightsEnum):
                if enum_ is None or not isinstance(weights, enum_):
                    raise TypeError(
                        f"Invalid Weight class provided; expected {getattr(enum_, '__name__', None)} but received "
                        f"{type(weights).__name__}."
                    )
                if kwargs.setdefault("num_classes", 1000) != 1000:
                    raise ValueError(
                        f"The parameter 'num_classes' expected value 1000 but got {kwargs['num_classes']} instead."
                    )
                kwargs = {**given, **kwargs}
                if make.__name__.startswith("vit_"):
                    kwargs.setdefault("image_size", weights.value.size)
            # read first: a file that is not there is no reason to fill a whole model with random numbers
            state = None
            if isinstance(weights, WeightsEnum):
                state = weights.get_state_dict(progress)
            elif weights is not None:
                state = read_weights(weights)
            net = make(**kwargs)
            if state is not None:
                net.load_state_dict(state)
            return net

        _BUILDERS[make.__name__] = build
        if enum_ is not None:
            _ENUMS[make.__name__] = enum_
        return build

    return decorate


def builder(enum_: Any, doc: str, make: Callable[..., Module], *args: Any, **options: Any) -> Any:
    """A builder `make(*args, **options, **kwargs)`, registered under the name of its weights."""

    def build(**kwargs: Any) -> Module:
        return make(*args, **options, **kwargs)

    build.__name__ = build.__qualname__ = enum_.__name__.removesuffix("_Weights").lower()
    build.__doc__, build.__module__ = doc, make.__module__
    return model(enum_)(build)


def list_models(module: Any = None, include: Any = None, exclude: Any = None) -> list[str]:
    """The names of the models, sorted; include and exclude are patterns such as 'vgg*'."""
    from fnmatch import fnmatch

    patterns = [[p] if isinstance(p, str) else list(p or []) for p in (include, exclude)]
    names = (n for n in _BUILDERS if not patterns[0] or any(fnmatch(n, p) for p in patterns[0]))
    return sorted(n for n in names if not any(fnmatch(n, p) for p in patterns[1]))


def get_model_builder(name: str) -> Callable[..., Module]:
    """The function that makes the model. ValueError for an unknown name."""
    try:
        return _BUILDERS[name.lower()]
    except KeyError:
        raise ValueError(f"Unknown model {name}") from None


def get_model(name: str, **config: Any) -> Module:
    """The model of this name."""
    return get_model_builder(name)(**config)


def get_model_weights(name: Any) -> Any:
    """The enum of a model's weights, by its name or builder. ValueError for an unknown one."""
    key = name.lower() if isinstance(name, str) else name.__name__
    if key not in _ENUMS:
        raise ValueError(f"Unknown model {name}")
    return _ENUMS[key]


def get_weight(name: str) -> WeightsEnum:
    """The weights of a full name such as 'ResNet18_Weights.DEFAULT'. ValueError for an unknown one."""
    enum_name, _, value = name.partition(".")
    for enum_ in _ENUMS.values():
        if enum_.__name__ == enum_name and value in enum_.__members__:
            return enum_[value]
    raise ValueError(f"Unknown weights {name!r}")
