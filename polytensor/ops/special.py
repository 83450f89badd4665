"""Pointwise functions beyond arithmetic: special functions, trigonometry, bitwise, rounding."""

from __future__ import annotations

__all__: list[str] = []
