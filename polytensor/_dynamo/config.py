"""torch._dynamo.config: switches of a compiler that is not here; what is set can be read again."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

cache_size_limit = recompile_limit = 8
accumulated_cache_size_limit = accumulated_recompile_limit = 256
capture_scalar_outputs = capture_dynamic_output_shape_ops = suppress_errors = verbose = disable = False
assume_static_by_default, automatic_dynamic_shapes = True, True
skip_fwd_side_effects_in_bwd_under_checkpoint = False
optimize_ddp: Any = True


@contextmanager
def patch(changes: Any = None, **kwargs: Any) -> Iterator[None]:
    """Settings for the length of a block (or of a function that this decorates)."""
    module = sys.modules[__name__]
    changes = {changes: True} if isinstance(changes, str) else dict(changes or {})
    changes.update(kwargs)
    before = {name: getattr(module, name) for name in changes}
    for name, value in changes.items():
        setattr(module, name, value)
    try:
        yield
    finally:
        for name, value in before.items():
            setattr(module, name, value)
