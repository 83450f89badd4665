"""torch.utils._pytree: nested containers taken apart and put together."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from ..autograd.pytree import TreeSpec as TreeSpec
from ..autograd.pytree import tree_flatten as tree_flatten
from ..autograd.pytree import tree_leaves as tree_leaves
from ..autograd.pytree import tree_unflatten as tree_unflatten

__all__ = ["TreeSpec", "tree_all", "tree_any", "tree_flatten", "tree_leaves", "tree_map", "tree_map_", "tree_map_only",
           "tree_structure", "tree_unflatten"]  # fmt: skip


def tree_structure(tree: Any) -> TreeSpec:
    return tree_flatten(tree)[1]


def tree_map(func: Callable[..., Any], tree: Any, *rests: Any) -> Any:
    """The tree with `func` applied to each leaf, and to those of further trees of the same structure beside it."""
    leaves, spec = tree_flatten(tree)
    columns = [leaves]
    for rest in rests:
        more, other = tree_flatten(rest)
        if other != spec:
            raise ValueError(f"Node structures differ: {spec!r} and {other!r}")
        columns.append(more)
    return tree_unflatten([func(*xs) for xs in zip(*columns, strict=True)], spec)


def tree_map_(func: Callable[..., Any], tree: Any, *rests: Any) -> Any:
    """Call `func` on each leaf and hand the tree back."""
    tree_map(func, tree, *rests)
    return tree


def tree_map_only(kind: Any, func: Callable[[Any], Any], tree: Any) -> Any:
    """tree_map on the leaves of a type (or tuple of types, or that a predicate takes)."""
    takes = kind if callable(kind) and not isinstance(kind, type) else lambda x: isinstance(x, kind)
    return tree_map(lambda x: func(x) if takes(x) else x, tree)


def tree_all(pred: Callable[[Any], bool], tree: Any) -> bool:
    return all(map(pred, tree_leaves(tree)))


def tree_any(pred: Callable[[Any], bool], tree: Any) -> bool:
    return any(map(pred, tree_leaves(tree)))
