"""torch.distributed.nn: collectives that take part in backward; there is no process group for them."""

from __future__ import annotations

from . import _needs_group

for _name in ("all_gather", "all_reduce", "all_to_all", "all_to_all_single", "broadcast", "gather", "reduce",
              "reduce_scatter", "scatter"):  # fmt: skip
    globals()[_name] = _needs_group(_name)
