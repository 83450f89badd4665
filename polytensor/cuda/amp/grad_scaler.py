"""torch.cuda.amp.grad_scaler: torch.amp's GradScaler for CUDA."""

from __future__ import annotations

from ... import amp
from ...amp.grad_scaler import OptState
from .autocast_mode import deprecated

__all__ = ["GradScaler", "OptState"]


class GradScaler(amp.GradScaler):
    """torch.amp.GradScaler("cuda", ...), with a warning that this name is deprecated."""

    def __init__(
        self, init_scale: float = 65536.0, growth_factor: float = 2.0, backoff_factor: float = 0.5,
        growth_interval: int = 2000, enabled: bool = True,
    ) -> None:  # fmt: skip
        deprecated("GradScaler")
        super().__init__("cuda", init_scale, growth_factor, backoff_factor, growth_interval, enabled)
