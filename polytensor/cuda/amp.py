"""torch.cuda.amp: autocast and GradScaler for CUDA, by their older names."""

from __future__ import annotations

import warnings
from typing import Any

from .. import amp, dtypes

__all__ = ["GradScaler", "autocast", "custom_bwd", "custom_fwd"]


def _deprecated(name: str) -> None:
    now = f"torch.amp.{name}(args..., device_type='cuda')" if "custom" in name else f"torch.amp.{name}('cuda', args...)"
    warnings.warn(
        f"`torch.cuda.amp.{name}(args...)` is deprecated. Please use `{now}` instead.", FutureWarning, stacklevel=3
    )


class autocast(amp.autocast):
    """torch.amp.autocast("cuda", ...), with a warning that this name is deprecated."""

    def __init__(self, enabled: bool = True, dtype: Any = dtypes.float16, cache_enabled: bool = True) -> None:
        _deprecated("autocast")
        super().__init__("cuda", dtype, enabled, cache_enabled)


class GradScaler(amp.GradScaler):
    """torch.amp.GradScaler("cuda", ...), with a warning that this name is deprecated."""

    def __init__(
        self, init_scale: float = 65536.0, growth_factor: float = 2.0, backoff_factor: float = 0.5,
        growth_interval: int = 2000, enabled: bool = True,
    ) -> None:  # fmt: skip
        _deprecated("GradScaler")
        super().__init__("cuda", init_scale, growth_factor, backoff_factor, growth_interval, enabled)


def custom_fwd(fwd: Any = None, *, cast_inputs: Any = None) -> Any:
    """torch.amp.custom_fwd(..., device_type="cuda")."""
    _deprecated("custom_fwd")
    return amp.custom_fwd(fwd, device_type="cuda", cast_inputs=cast_inputs)


def custom_bwd(bwd: Any) -> Any:
    """torch.amp.custom_bwd(..., device_type="cuda")."""
    _deprecated("custom_bwd")
    return amp.custom_bwd(bwd, device_type="cuda")
