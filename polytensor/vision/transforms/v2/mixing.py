"""MixUp and CutMix: batches of images whose labels are mixed as they are. Source: torchvision.transforms.v2."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

from polytensor import Tensor
from polytensor.nn import functional as nnf
from polytensor.utils._pytree import tree_flatten, tree_unflatten

from ...pillow import is_pil_image
from ..draws import below, dirichlet
from .asking import labels_by
from .samples import OnSamples, images_of

__all__ = ["CutMix", "MixUp"]


class _Mixing(OnSamples):
    """Each image of a batch with the one before it, labels as probabilities (N, num_classes)."""

    def __init__(
        self,
        *,
        alpha: float = 1.0,
        num_classes: int | None = None,
        labels_getter: str | Callable[[Any], Any] | None = "default",
    ) -> None:
        super().__init__()
        if alpha <= 0:
            raise ValueError(f"alpha must be positive, but got {alpha}")
        self.alpha, self.num_classes = float(alpha), num_classes
        self._labels = labels_by(labels_getter)

    def forward(self, *inputs: Any) -> Any:
        sample = inputs if len(inputs) > 1 else inputs[0]
        leaves, spec = tree_flatten(sample)
        if any(is_pil_image(x) for x in leaves):
            raise ValueError(
                f"{type(self).__name__}() does not support PIL images, bounding boxes, keypoints and masks."
            )
        labels = self._labels(sample)
        if not isinstance(labels, Tensor):
            raise ValueError(f"The labels must be a tensor, but got {type(labels)} instead.")
        if labels.ndim not in (1, 2):
            raise ValueError(
                "labels should be index based with shape (batch_size,) or probability based with shape (batch_size, "
                f"num_classes), but got a tensor of shape {labels.shape} instead."
            )
        if labels.ndim == 2 and self.num_classes is not None and labels.shape[-1] != self.num_classes:
            raise ValueError(
                "When passing 2D labels, the number of elements in last dimension must match num_classes: "
                f"{labels.shape[-1]} != {self.num_classes}. You can Leave num_classes to None."
            )
        if labels.ndim == 1 and self.num_classes is None:
            raise ValueError("num_classes must be passed if the labels are index-based (1D)")
        images = [i for i in images_of(leaves) if leaves[i] is not labels]
        for i in images:
            if leaves[i].ndim != 4:
                raise ValueError(f"Expected a batched input with 4 dims, but got {leaves[i].ndim} dimensions instead.")
            if leaves[i].shape[0] != labels.shape[0]:
                raise ValueError(
                    "The batch size of the image or video does not match the batch size of the labels: "
                    f"{leaves[i].shape[0]} != {labels.shape[0]}."
                )
        share, params = self.make_params([leaves[i] for i in images])
        for i, x in enumerate(leaves):
            if x is labels:
                one_hot = nnf.one_hot(x, num_classes=self.num_classes) if x.ndim == 1 else x
                one_hot = one_hot if one_hot.dtype.is_floating_point else one_hot.float()
                leaves[i] = _blend(one_hot, share)
        for i in images:
            leaves[i] = self.mixed(leaves[i], params)
        return tree_unflatten(leaves, spec)

    def make_params(self, flat_inputs: list[Tensor]) -> tuple[float, Any]:
        """The share of the labels that stays, and what `mixed` needs."""
        raise NotImplementedError

    def mixed(self, x: Tensor, params: Any) -> Tensor:
        """The images (N, C, H, W)."""
        raise NotImplementedError


def _blend(x: Tensor, share: float) -> Tensor:
    return x.roll(1, 0).mul_(1.0 - share).add_(x.mul(share))


class MixUp(_Mixing):
    """Weighted sums of images: (images, labels) to (images, probabilities), for float images (N, C, H, W)."""

    def make_params(self, flat_inputs: list[Tensor]) -> tuple[float, Any]:
        share = dirichlet([self.alpha, self.alpha])[0]
        return share, share

    def mixed(self, x: Tensor, params: Any) -> Tensor:
        return _blend(x, params)


class CutMix(_Mixing):
    """A rectangle from another image: (images, labels) to (images, probabilities), for images (N, C, H, W)."""

    def make_params(self, flat_inputs: list[Tensor]) -> tuple[float, Any]:
        h, w = flat_inputs[0].shape[-2:]
        half = 0.5 * math.sqrt(1.0 - dirichlet([self.alpha, self.alpha])[0])
        x, y = below(w), below(h)
        dx, dy = int(half * w), int(half * h)
        x1, y1, x2, y2 = box = (max(x - dx, 0), max(y - dy, 0), min(x + dx, w), min(y + dy, h))
        return 1.0 - (x2 - x1) * (y2 - y1) / (w * h), box

    def mixed(self, x: Tensor, params: Any) -> Tensor:
        x1, y1, x2, y2 = params
        out = x.clone()
        out[..., y1:y2, x1:x2] = x.roll(1, 0)[..., y1:y2, x1:x2]
        return out
