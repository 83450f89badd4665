"""torch._logging: which messages of the compiler are shown; it has none here."""

from __future__ import annotations

from typing import Any

__all__ = ["set_logs"]


def set_logs(**levels: Any) -> None:
    """Accepted: nothing is compiled, so nothing is logged. Source: torch._logging.set_logs."""
