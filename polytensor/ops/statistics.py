"""Statistics, cumulative ops, order statistics, histograms and sets."""

from __future__ import annotations

__all__: list[str] = []
