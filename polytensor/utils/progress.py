"""Progress bars: tqdm's where it is installed, else none, because the core needs NumPy alone."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator

__all__ = ["progress"]


@contextlib.contextmanager
def progress(
    total: int | None, name: str, unit: str = "B", initial: int = 0, shown: bool | None = None, delay: float = 0
) -> Iterator[Callable[[int], object]]:
    """A function that takes how much more is done. shown: always, never, or (None) on a terminal and in notebooks.

    total is None where nobody knows; the bar comes after `delay` seconds.
    """
    try:
        from tqdm.auto import tqdm
    except ImportError:
        yield lambda n: None
        return
    disable = None if shown is None else not shown
    with tqdm(
        total=total, desc=name, unit=unit, unit_scale=unit == "B", initial=initial, disable=disable, delay=delay
    ) as bar:
        yield bar.update
