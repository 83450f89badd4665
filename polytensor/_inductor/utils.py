"""torch._inductor.utils: nothing is cached."""

from contextlib import nullcontext
from typing import Any


def fresh_cache(*args: Any, **kwargs: Any) -> nullcontext[None]:
    """A context in which nothing compiled is there; nothing ever is."""
    return nullcontext()


fresh_inductor_cache = fresh_cache
