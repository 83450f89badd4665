"""The named tuples that ops with several outputs return, with PyTorch's repr. Source: torch.return_types."""

from __future__ import annotations

from collections import namedtuple
from typing import Any


def named_result(name: str, *fields: str) -> Any:
    """A tuple class called `name`, a name of this module so that its instances pickle; (values, indices) by default."""
    fields = fields or ("values", "indices")

    def show(self: Any) -> str:
        return f"torch.return_types.{name}(\n" + ",\n".join(f"{f}={getattr(self, f)!r}" for f in fields) + ")"

    body = {
        "__slots__": (), "__repr__": show, "__module__": __name__,
        "n_fields": len(fields), "n_sequence_fields": len(fields), "n_unnamed_fields": 0,
    }  # fmt: skip
    made = globals()[name] = type(name, (namedtuple(name, fields),), body)  # type: ignore[misc]
    return made


for _name in ("max", "min", "sort", "topk", "kthvalue", "median", "nanmedian", "mode", "cummax", "cummin"):
    named_result(_name)
named_result("aminmax", "min", "max")
named_result("histogram", "hist", "bin_edges")
named_result("histogramdd", "hist", "bin_edges")
