"""How the transforms of v2 take whole samples: any nesting of images and other things, of which the images are changed.

PIL images and tv_tensors are changed, and else the first tensor; labels, further tensors and all other things pass. All
parts of a sample get the same random numbers. Masks and boxes follow where a transform moves pixels, and pass others.
"""

from __future__ import annotations

import inspect
from collections.abc import Sequence
from enum import Enum
from functools import wraps
from typing import Any

import polytensor as torch
from polytensor import Tensor
from polytensor.nn import Module
from polytensor.utils._pytree import tree_flatten, tree_unflatten

from ... import tv_tensors
from ...pillow import is_pil_image
from ..draws import choice, order, unit
from ..modes import InterpolationMode
from .functional import kept, mode_of

__all__ = ["Compose", "OnSamples", "RandomApply", "RandomChoice", "RandomOrder", "images_of", "on_samples"]


def images_of(leaves: Sequence[Any], moves: bool = False) -> list[int]:
    """Which leaves of a sample are its images; for a transform that moves pixels also its masks and boxes."""
    pictures = [
        i for i, x in enumerate(leaves) if is_pil_image(x) or isinstance(x, (tv_tensors.Image, tv_tensors.Video))
    ]
    plain = [i for i, x in enumerate(leaves) if isinstance(x, Tensor) and not isinstance(x, tv_tensors.TVTensor)][:1]
    pictures = pictures or plain
    if moves:
        framed = (tv_tensors.Mask, tv_tensors.BoundingBoxes)
        pictures = sorted([*pictures, *(i for i, x in enumerate(leaves) if isinstance(x, framed))])
    return pictures


class OnSamples(Module):
    """A transform that is called with a sample, as one argument or several; `transform` changes an image.

    One of the user's own defines transform(inpt, params) for each image, mask and box, with what make_params(parts) drew
    once for all of them. Source: torchvision.transforms.v2.Transform.
    """

    def check_inputs(self, flat_inputs: list[Any]) -> None:
        """Raise what is wrong with the leaves of a sample."""

    def make_params(self, flat_inputs: list[Any]) -> dict[str, Any]:
        """What `transform` is told of the parts that it changes."""
        return {}

    def transform(self, inpt: Any, *params: Any) -> Any:
        """The changed image."""
        raise NotImplementedError

    moves = False  # whether pixels go to other places

    def wanted(self, leaves: Sequence[Any]) -> list[int]:
        """Which leaves are changed."""
        return images_of(leaves, self.moves)

    def forward(self, *inputs: Any) -> Any:
        sample = inputs if len(inputs) > 1 else inputs[0]
        leaves, spec = tree_flatten(sample)
        start = None
        self.check_inputs(leaves)
        if type(self).transform.__code__.co_argcount > 2:
            wanted = images_of(leaves, True)
            params = self.make_params([leaves[i] for i in wanted])
            for i in wanted:
                leaves[i] = self.transform(leaves[i], params)
            return tree_unflatten(leaves, spec)
        wanted = self.wanted(leaves)
        for i in wanted:
            if len(wanted) > 1:
                start = torch.get_rng_state() if start is None else start
                torch.set_rng_state(start)  # the same draws for each
            leaves[i] = kept(self.transform(leaves[i]), leaves[i])
        return tree_unflatten(leaves, spec)

    _shown_first: tuple[str, ...] = ()

    def extra_repr(self) -> str:
        names = [n for n in inspect.signature(type(self)).parameters if n in vars(self)]
        names.sort(key=lambda n: n not in self._shown_first)
        shown = {n: vars(self)[n] for n in names}
        if isinstance(shown.get("size"), int):
            shown["size"] = [shown["size"]]
        parts = ((n, v.value if isinstance(v, InterpolationMode) else v) for n, v in shown.items())
        return ", ".join(f"{n}={v}" for n, v in parts if isinstance(v, (bool, int, float, str, tuple, list, Enum)))

    __repr__ = Module.__repr__


def on_samples(base: type, module: str, *shown_first: str) -> type:
    """The transform `base` of one image as one of samples; interpolation also by name, fill also as {type: fill}."""
    init, forward = base.__init__, base.forward  # type: ignore[misc, attr-defined]

    @wraps(init)
    def made(self: Any, *args: Any, **kwargs: Any) -> None:
        fills = kwargs.pop("fill") if isinstance(kwargs.get("fill"), dict) else None
        init(self, *map(mode_of, args), **{k: mode_of(v) for k, v in kwargs.items()})
        if fills is not None:
            self.fills = fills

    def transform(self: Any, inpt: Any) -> Any:
        if hasattr(self, "fills"):
            fill = self.fills.get(type(inpt), self.fills.get("others", 0)) or 0
            self.fill = [float(fill)] if isinstance(self.fill, list) and not isinstance(fill, (list, tuple)) else fill
        return forward(self, inpt)

    body = {
        "__init__": made, "transform": transform, "__doc__": base.__doc__, "__module__": module,
        "_shown_first": ("p", *shown_first),
        "moves": base.__module__.endswith(".geometry") and base.__name__ not in ("FiveCrop", "TenCrop"),
    }  # fmt: skip
    return type(base.__name__, (OnSamples, base), body)


class _Several(OnSamples):
    def __init__(self, transforms: Any) -> None:
        super().__init__()
        if not isinstance(transforms, Sequence):
            raise TypeError("Argument transforms should be a sequence of callables")
        if not transforms:
            raise ValueError("Pass at least one transform")
        self.transforms = transforms

    def extra_repr(self) -> str:
        return "\n".join(f"    {t}" for t in self.transforms)

    def _through(self, transforms: Any, inputs: tuple[Any, ...]) -> Any:
        result: Any = inputs if len(inputs) > 1 else inputs[0]
        for t in transforms:
            result = t(*inputs)
            inputs = result if len(inputs) > 1 else (result,)
        return result


class Compose(_Several):
    """The transforms one after the other."""

    def forward(self, *inputs: Any) -> Any:
        return self._through(self.transforms, inputs)


class RandomApply(_Several):
    """All the transforms with probability p, or none."""

    def __init__(self, transforms: Any, p: float = 0.5) -> None:
        if not isinstance(transforms, (Sequence, torch.nn.ModuleList)):
            raise TypeError("Argument transforms should be a sequence of callables or a `nn.ModuleList`")
        super().__init__(list(transforms))
        if not 0.0 <= p <= 1.0:
            raise ValueError("`p` should be a floating point value in the interval [0.0, 1.0].")
        self.p = p

    def forward(self, *inputs: Any) -> Any:
        return self._through([] if unit() >= self.p else self.transforms, inputs)


class RandomChoice(_Several):
    """One of the transforms, by weights p."""

    extra_repr = OnSamples.extra_repr

    def __init__(self, transforms: Any, p: Any = None) -> None:
        if not isinstance(transforms, Sequence):
            raise TypeError("Argument transforms should be a sequence of callables")
        if p is not None and len(p) != len(transforms):
            raise ValueError(f"Length of p doesn't match the number of transforms: {len(p)} != {len(transforms)}")
        super().__init__(transforms)
        total = sum(p) if p is not None else 1.0
        self.p = [1 / len(transforms)] * len(transforms) if p is None else [v / total for v in p]

    def forward(self, *inputs: Any) -> Any:
        return choice(self.transforms, self.p)(*inputs)


class RandomOrder(_Several):
    """All the transforms, shuffled."""

    extra_repr = OnSamples.extra_repr

    def forward(self, *inputs: Any) -> Any:
        return self._through([self.transforms[i] for i in order(len(self.transforms))], inputs)
