"""Instance normalisation. Source: torch.nn.modules.instancenorm."""

from __future__ import annotations

import warnings
from typing import Any

from ...tensor import Tensor
from .. import functional as F
from .batchnorm import _LazyNormBase, _NormBase
from .utils import held

__all__ = [
    "InstanceNorm1d", "InstanceNorm2d", "InstanceNorm3d", "LazyInstanceNorm1d", "LazyInstanceNorm2d", "LazyInstanceNorm3d",
]  # fmt: skip


class _InstanceNorm(_NormBase):
    dims: int  # spatial ones

    def __init__(
        self, num_features: int, eps: float = 1e-5, momentum: float = 0.1, affine: bool = False,
        track_running_stats: bool = False, device: Any = None, dtype: Any = None, *, bias: bool = True,
    ) -> None:  # fmt: skip
        super().__init__(num_features, eps, momentum, affine, track_running_stats, device, dtype, bias=bias)

    def _load_from_state_dict(  # type: ignore[override]
        self, state_dict: Any, prefix: str, local_metadata: Any, strict: bool, missing_keys: list[str],
        unexpected_keys: list[str], error_msgs: list[str],
    ) -> None:  # fmt: skip
        """States without a version may hold running statistics that this layer does not keep: that is said."""
        if local_metadata.get("version") is None and not self.track_running_stats:
            found = [k for k in ("running_mean", "running_var") if prefix + k in state_dict]
            if found:
                name = type(self).__name__
                keys = " and ".join(f'"{prefix}{k}"' for k in found)
                error_msgs.append(
                    f"Unexpected running stats buffer(s) {keys} for {name} with "
                    "track_running_stats=False. If state_dict is a checkpoint saved before 0.4.0, this may be expected because "
                    f"{name} does not track running stats by default since 0.4.0. Please remove these keys from state_dict. If "
                    f"the running stats are actually needed, instead set track_running_stats=True in {name} to enable them. "
                    f"See the documentation of {name} for details."
                )
                for k in found:
                    del state_dict[prefix + k]
        super()._load_from_state_dict(
            state_dict, prefix, local_metadata, strict, missing_keys, unexpected_keys, error_msgs
        )

    def _get_no_batch_dim(self) -> int:
        return type(self).dims + 1

    def _check_input_dim(self, input: Tensor) -> None:
        n = self._get_no_batch_dim()
        if input.dim() not in (n, n + 1):
            raise ValueError(f"expected {n}D or {n + 1}D input (got {input.dim()}D input)")

    def forward(self, input: Tensor) -> Tensor:
        self._check_input_dim(input)
        channel = input.dim() - self._get_no_batch_dim()
        if input.size(channel) != self.num_features:
            if self.affine:
                raise ValueError(
                    f"expected input's size at dim={channel} to match num_features ({self.num_features}), but got: "
                    f"{input.size(channel)}."
                )
            warnings.warn(
                f"input's size at dim={channel} does not match num_features. You can silence this warning by not passing in "
                "num_features, which is not used because affine=False",
                stacklevel=2,
            )
        if channel == 0:
            return self._norm(input.unsqueeze(0)).squeeze(0)  # type: ignore[attr-defined, no-any-return]
        return self._norm(input)

    def _norm(self, input: Tensor) -> Tensor:
        b = self._buffers
        return F.instance_norm(
            input, b["running_mean"], b["running_var"], *held(self), self.training or not self.track_running_stats,
            0.0 if self.momentum is None else self.momentum, self.eps,
        )  # fmt: skip


class InstanceNorm1d(_InstanceNorm):
    """Mean 0 and variance 1 per sample and channel of (N, C, L) or (C, L). Source: torch.nn.InstanceNorm1d."""

    dims = 1


class InstanceNorm2d(_InstanceNorm):
    """Mean 0 and variance 1 per sample and channel of (N, C, H, W) or (C, H, W). Source: torch.nn.InstanceNorm2d."""

    dims = 2


class InstanceNorm3d(_InstanceNorm):
    """Mean 0 and variance 1 per sample and channel of (N, C, D, H, W). Source: torch.nn.InstanceNorm3d."""

    dims = 3


class LazyInstanceNorm1d(_LazyNormBase, _InstanceNorm):
    """An InstanceNorm1d, by default affine and tracking, whose num_features the first input tells.

    Source: torch.nn.LazyInstanceNorm1d.
    """

    cls_to_become = InstanceNorm1d
    dims = 1


class LazyInstanceNorm2d(_LazyNormBase, _InstanceNorm):
    """An InstanceNorm2d, by default affine and tracking, whose num_features the first input tells.

    Source: torch.nn.LazyInstanceNorm2d.
    """

    cls_to_become = InstanceNorm2d
    dims = 2


class LazyInstanceNorm3d(_LazyNormBase, _InstanceNorm):
    """An InstanceNorm3d, by default affine and tracking, whose num_features the first input tells.

    Source: torch.nn.LazyInstanceNorm3d.
    """

    cls_to_become = InstanceNorm3d
    dims = 3
