"""torch.cuda.amp.autocast_mode: torch.amp's autocast for CUDA."""

from __future__ import annotations

import warnings
from typing import Any

from ... import amp, dtypes

__all__ = ["autocast", "custom_bwd", "custom_fwd"]


def deprecated(name: str) -> None:
    """Warn the caller of what calls this that `name` has a new place."""
    now = f"torch.amp.{name}(args..., device_type='cuda')" if "custom" in name else f"torch.amp.{name}('cuda', args...)"
    warnings.warn(
        f"`torch.cuda.amp.{name}(args...)` is deprecated. Please use `{now}` instead.", FutureWarning, stacklevel=3
    )


class autocast(amp.autocast):
    """torch.amp.autocast("cuda", ...), with a warning that this name is deprecated."""

    def __init__(self, enabled: bool = True, dtype: Any = dtypes.float16, cache_enabled: bool = True) -> None:
        deprecated("autocast")
        super().__init__("cuda", dtype, enabled, cache_enabled)


def custom_fwd(fwd: Any = None, *, cast_inputs: Any = None) -> Any:
    """torch.amp.custom_fwd(..., device_type="cuda")."""
    deprecated("custom_fwd")
    return amp.custom_fwd(fwd, device_type="cuda", cast_inputs=cast_inputs)


def custom_bwd(bwd: Any) -> Any:
    """torch.amp.custom_bwd(..., device_type="cuda")."""
    deprecated("custom_bwd")
    return amp.custom_bwd(bwd, device_type="cuda")
