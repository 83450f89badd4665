"""What a report of a problem should say of the machine. Source: torch.utils.collect_env."""

from __future__ import annotations

from contextlib import redirect_stdout
from io import StringIO

__all__ = ["get_pretty_env_info"]


def get_pretty_env_info() -> str:
    """Versions, backends and devices, as `python -m polytensor info` prints them."""
    from ..__main__ import info

    with redirect_stdout(StringIO()) as text:
        info()
    return text.getvalue()


if __name__ == "__main__":
    print(get_pretty_env_info())
