"""torch.__config__: what this build stands on."""

from __future__ import annotations


def show() -> str:
    """The backends and whether each can run here."""
    from .devices import backend_status
    from .version import __version__

    lines = [f"PolyTensor {__version__}, built with:"]
    for name, (usable, reason, _) in backend_status().items():
        lines.append(f"  - {name}: {'can run here' if usable else reason}")
    return "\n".join(lines) + "\n"


def parallel_info() -> str:
    """The thread budget."""
    from .threads import get_num_interop_threads, get_num_threads

    return (
        f"ATen/Parallel:\n\tat::get_num_threads() : {get_num_threads()}\n"
        f"\tat::get_num_interop_threads() : {get_num_interop_threads()}\n"
    )
