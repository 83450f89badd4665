"""torch._inductor: settings of a compiler that is not here; accepted without effect."""

from . import config, utils

__all__ = ["config", "utils"]
