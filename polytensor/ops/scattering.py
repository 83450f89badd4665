"""Scatter and gather in all forms, index writes, and sorting beyond sort."""

from __future__ import annotations

__all__: list[str] = []
