"""Anomaly mode: find the forward line whose gradient fails or is NaN. Source: torch.autograd.anomaly_mode."""

from __future__ import annotations

import warnings

from .modes import ANOMALY, WATCH


def is_anomaly_enabled() -> bool:
    return ANOMALY["on"]


def is_anomaly_check_nan_enabled() -> bool:
    return ANOMALY["check_nan"]


def set_anomaly_enabled(mode: bool, check_nan: bool = True) -> None:
    """Switch anomaly mode on or off, for all threads. Source: torch.set_anomaly_enabled."""
    if bool(mode) != ANOMALY["on"]:
        if mode:
            WATCH.append("anomaly")
        else:
            WATCH.remove("anomaly")
    ANOMALY["on"], ANOMALY["check_nan"] = bool(mode), bool(check_nan)


class set_detect_anomaly:
    """Anomaly mode on or off at once; as a context manager, put back what was. Source: torch.autograd.set_detect_anomaly."""

    def __init__(self, mode: bool, check_nan: bool = True) -> None:
        self.prev = dict(ANOMALY)
        set_anomaly_enabled(mode, check_nan)

    def __enter__(self) -> None:
        pass

    def __exit__(self, *exc: object) -> None:
        set_anomaly_enabled(self.prev["on"], self.prev["check_nan"])


class detect_anomaly:
    """Inside, forward ops note where they were called; a backward that fails, or with `check_nan` gives NaN, says where.

    Source: torch.autograd.detect_anomaly.
    """

    def __init__(self, check_nan: bool = True) -> None:
        self.prev = dict(ANOMALY)
        self.check_nan = check_nan
        warnings.warn(
            "Anomaly Detection has been enabled. This mode will increase the runtime and should only be enabled for "
            "debugging.",
            stacklevel=2,
        )

    def __enter__(self) -> None:
        set_anomaly_enabled(True, self.check_nan)

    def __exit__(self, *exc: object) -> None:
        set_anomaly_enabled(self.prev["on"], self.prev["check_nan"])
