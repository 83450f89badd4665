"""Views beyond those of shape.py, and what is built of shape ops alone."""

from __future__ import annotations

__all__: list[str] = []
