"""Linear algebra: products beyond products.py, factorisations, solvers."""

from __future__ import annotations

__all__: list[str] = []
