"""torch.utils.flop_counter: operations are not counted here."""

from __future__ import annotations

from typing import Any

from ..absent import missing, refuse

_INSTEAD = "torch.profiler times kernels; it counts no operations"


class FlopCounterMode:
    """It can be made, and has counted nothing; entering it, to count, raises NotImplementedError."""

    def __init__(self, *args: Any, **kwargs: Any) -> None: ...

    __enter__ = refuse("torch.utils.flop_counter.FlopCounterMode", _INSTEAD)

    def __exit__(self, *error: object) -> None: ...

    def get_total_flops(self) -> int:
        return 0

    def get_flop_counts(self) -> dict[str, dict[Any, int]]:
        return {}


__getattr__ = missing("torch.utils.flop_counter", _INSTEAD)
