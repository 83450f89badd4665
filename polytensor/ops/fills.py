"""Creation and random fills beyond creation.py and random_ops.py."""

from __future__ import annotations

__all__: list[str] = []
