"""torch.utils.flop_counter: operations of matrix products, convolutions and attention, by module.

Source: torch.utils.flop_counter.
"""

from __future__ import annotations

from typing import Any

from .. import devices
from ..absent import missing
from ..autograd.flops import PRODUCTS, around, flops, name_of
from ..ops.namespaces import namespace
from .module_tracker import ModuleTracker

__all__ = ["FlopCounterMode"]

_UNITS = ["", "K", "M", "B", "T"]


class FlopCounterMode:
    """Counts the operations of what runs inside on the current backend, forward and backward, in all and of each module.

    At the end a table is printed (`display`), of modules up to `depth` levels. Other than PyTorch on the CPU it counts
    attention and the products within recurrent layers, and of a convolution's gradients what is computed.
    """

    def __init__(
        self, mods: Any = None, depth: int = 2, display: bool = True, custom_mapping: dict[Any, Any] | None = None
    ) -> None:
        if custom_mapping:
            raise NotImplementedError(
                "PolyTensor has no torch.utils.flop_counter formulas of one's own: products and convolutions are counted"
            )
        self.depth, self.display = depth, display
        self.flop_counts: dict[str, dict[Any, int]] = {}
        self.mod_tracker = ModuleTracker()

    def _count(self, kernel: str, start: None, args: Any, result: Any, outermost: bool) -> None:
        if not outermost or result is None:
            return
        op = getattr(namespace("aten"), name_of(kernel, args, not self.mod_tracker.is_bw))
        for name in self.mod_tracker.parents:
            counts = self.flop_counts.setdefault(name, {})
            counts[op] = counts.get(op, 0) + flops(kernel, args, result)

    def __enter__(self) -> FlopCounterMode:
        self.flop_counts.clear()
        self.mod_tracker.__enter__()
        self._restore = around(devices.current_device().backend, PRODUCTS, self._count)
        return self

    def __exit__(self, *error: object) -> None:
        self._restore()
        self.mod_tracker.__exit__(*error)
        if self.display:
            print(self.get_table(self.depth))

    def get_total_flops(self) -> int:
        return sum(self.flop_counts.get("Global", {}).values())

    def get_flop_counts(self) -> dict[str, dict[Any, int]]:
        """Name of the module ('Global' for all) -> operator -> operations."""
        return {name: dict(counts) for name, counts in self.flop_counts.items()}

    def get_table(self, depth: int | None = None) -> str:
        """Module, its operations, and their share of all, as text; its operators below it."""
        total, depth = self.get_total_flops(), self.depth if depth is None else depth
        power = min(len(str(max(total, 1)).rstrip()) - 1, 12) // 3
        rows = [("Module", "FLOP", "% Total")]
        for name in sorted(self.flop_counts, key=lambda name: (name != "Global", name)):
            level = 0 if name == "Global" else name.count(".") + 1
            if level <= depth:
                of = self.flop_counts[name]
                for label, n in [
                    (" " * level + name, sum(of.values())),
                    *((" " * level + f" - {op}", k) for op, k in of.items()),
                ]:
                    rows.append((label, f"{n / 1000**power:.3f}{_UNITS[power]}", f"{n / max(total, 1):.2%}"))
        widths = [max(len(row[i]) for row in rows) for i in range(3)]
        lines = [f"{a:<{widths[0]}}  {b:>{widths[1]}}  {c:>{widths[2]}}" for a, b, c in rows]
        return "\n".join([lines[0], "  ".join("-" * w for w in widths), *lines[1:]])


__getattr__ = missing("torch.utils.flop_counter", "FlopCounterMode counts products and convolutions")
