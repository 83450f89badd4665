"""Nested tuples, lists and dicts of values: taken apart into a flat list, and put together again."""

from __future__ import annotations

from collections import OrderedDict, defaultdict, deque
from collections.abc import Callable, Iterator
from typing import Any, NamedTuple


class NodeDef(NamedTuple):
    """How a registered type is taken apart: (children, context); put together; and with the keys of the children."""

    flatten_fn: Callable[[Any], tuple[list[Any], Any]]
    unflatten_fn: Callable[[Any, Any], Any]
    flatten_with_keys_fn: Callable[[Any], tuple[list[tuple[Any, Any]], Any]] | None = None


def _list_flatten(d: Any) -> tuple[list[Any], Any]:
    return list(d), None


def _dict_flatten(d: Any) -> tuple[list[Any], Any]:
    return list(d.values()), list(d)


def _dict_unflatten(values: Any, context: Any) -> Any:
    return dict(zip(context, values, strict=True))


REGISTERED: dict[Any, NodeDef] = {
    tuple: NodeDef(_list_flatten, lambda values, _: tuple(values)),
    list: NodeDef(_list_flatten, lambda values, _: list(values)),
    dict: NodeDef(_dict_flatten, _dict_unflatten),
    OrderedDict: NodeDef(_dict_flatten, lambda values, keys: OrderedDict(zip(keys, values, strict=True))),
    defaultdict: NodeDef(
        lambda d: (list(d.values()), [d.default_factory, list(d)]),
        lambda values, context: defaultdict(context[0], zip(context[1], values, strict=True)),
    ),
    deque: NodeDef(lambda d: (list(d), d.maxlen), lambda values, maxlen: deque(values, maxlen=maxlen)),
}


class TreeSpec:
    """The structure of a tree: its container type, what the container needs besides (keys), its children; or a leaf."""

    __slots__ = ("children", "context", "kind", "leaves")

    def __init__(self, kind: Any, context: Any, children: list[TreeSpec]) -> None:
        self.kind, self.context, self.children = kind, context, children
        self.leaves: int = sum(c.leaves for c in children) if kind is not None else 1

    def __eq__(self, other: object) -> bool:
        return (
            isinstance(other, TreeSpec)
            and self.kind is other.kind
            and self.context == other.context
            and self.children == other.children
        )

    __hash__ = None  # type: ignore[assignment]

    def __repr__(self) -> str:
        if self.kind is None:
            return "*"
        children = ",\n  ".join(repr(c).replace("\n", "\n  ") for c in self.children)
        return f"TreeSpec({self.kind.__name__}, {self.context}, [{children}])"

    @property
    def type(self) -> Any:
        return self.kind

    @property
    def num_leaves(self) -> int:
        return self.leaves

    @property
    def num_children(self) -> int:
        return len(self.children)

    @property
    def num_nodes(self) -> int:
        return 1 + sum(c.num_nodes for c in self.children)

    def flatten_up_to(self, tree: Any) -> list[Any]:
        """The subtrees of `tree` where this structure has leaves. ValueError where a node is another one."""
        found: list[Any] = []
        self._descend(tree, found)
        return found

    def _descend(self, tree: Any, found: list[Any]) -> None:
        if self.kind is None:
            found.append(tree)
            return
        parts = _open(tree)
        kinds, kind = (dict, OrderedDict, defaultdict), type(tree)
        if parts is None or kind is not self.kind and not (kind in kinds and self.kind in kinds):
            raise ValueError(f"Node type mismatch; expected {self.kind!r}, but got {kind!r}.")
        if len(parts[2]) != len(self.children):
            raise ValueError(f"Node arity mismatch; expected {len(self.children)}, but got {len(parts[2])}.")
        children = parts[2]
        if kind in kinds:
            keys = self.context[1] if self.kind is defaultdict else self.context
            if set(keys) != set(tree):
                missing, extra = set(keys) - set(tree), set(tree) - set(keys)
                raise ValueError(
                    "Node keys mismatch"
                    + (f"; missing key(s): {missing}" if missing else "")
                    + (f"; extra key(s): {extra}" if extra else "")
                    + "."
                )
            children = [tree[k] for k in keys]
        elif parts[1] != self.context and self.kind is not deque:
            raise ValueError(f"Node context mismatch for custom node type {self.kind!r}.")
        for spec, child in zip(self.children, children, strict=True):
            spec._descend(child, found)

    def is_leaf(self) -> bool:
        return self.kind is None

    def unflatten(self, leaves: Any) -> Any:
        return tree_unflatten(list(leaves), self)

    def stars(self) -> str:
        """The tree itself, with stars for leaves."""
        return repr(tree_unflatten([_Star()] * self.leaves, self))


class _Star:
    def __repr__(self) -> str:
        return "*"


def _open(tree: Any) -> tuple[Any, Any, list[Any]] | None:
    """Container type, context and children; None for a leaf."""
    kind = type(tree)
    how = REGISTERED.get(kind)
    if how is not None:
        children, context = how.flatten_fn(tree)
        return kind, context, list(children)
    if isinstance(tree, tuple):  # named tuples and return types
        return kind, None, list(tree)
    return None


def tree_flatten(tree: Any, is_leaf: Callable[[Any], bool] | None = None) -> tuple[list[Any], TreeSpec]:
    """The leaves of a tree in order (None is a leaf, and what is_leaf says of), and its structure."""
    leaves: list[Any] = []
    return leaves, _walk(tree, leaves, is_leaf)


def _walk(x: Any, leaves: list[Any], is_leaf: Any = None) -> TreeSpec:
    """The structure of `x`; appends its leaves. (A function of the module: a closure that calls itself is a cycle.)"""
    parts = None if is_leaf is not None and is_leaf(x) else _open(x)
    if parts is None:
        leaves.append(x)
        return TreeSpec(None, None, [])
    kind, context, children = parts
    return TreeSpec(kind, context, [_walk(c, leaves, is_leaf) for c in children])


def tree_unflatten(leaves: Any, spec: TreeSpec) -> Any:
    """The tree of this structure over these leaves. ValueError unless there are as many as it has."""
    leaves = list(leaves)
    if len(leaves) != spec.leaves:
        raise ValueError(f"treespec.unflatten(leaves): `leaves` has length {len(leaves)} but the spec refers to a pytree "
                         f"that holds {spec.leaves} items ({spec}).")  # fmt: skip
    return _build(spec, iter(leaves))


def _build(s: TreeSpec, leaves: Iterator[Any]) -> Any:
    if s.kind is None:
        return next(leaves)
    children = [_build(c, leaves) for c in s.children]
    if s.kind in REGISTERED:
        return REGISTERED[s.kind].unflatten_fn(children, s.context)
    try:
        return s.kind(*children)
    except TypeError:
        return s.kind(children)


def tree_map(fn: Callable[[Any], Any], tree: Any) -> Any:
    """The tree with `fn` applied to each leaf."""
    leaves, spec = tree_flatten(tree)
    return tree_unflatten([fn(x) for x in leaves], spec)


def tree_leaves(tree: Any, is_leaf: Callable[[Any], bool] | None = None) -> list[Any]:
    return tree_flatten(tree, is_leaf)[0]


def broadcast_to_and_flatten(tree: Any, spec: TreeSpec) -> list[Any] | None:
    """Leaves of `tree` repeated so that it has the structure `spec` (a leaf stands for a whole subtree); None if it cannot."""
    parts = _open(tree)
    if parts is None:
        return [tree] * spec.leaves
    kind, context, children = parts
    if spec.kind is None or kind is not spec.kind or len(children) != len(spec.children):
        return None
    if kind in (dict, OrderedDict) and context != spec.context:
        if set(context) != set(spec.context):
            return None
        children = [tree[k] for k in spec.context]
    result: list[Any] = []
    for c, s in zip(children, spec.children, strict=True):
        flat = broadcast_to_and_flatten(c, s)
        if flat is None:
            return None
        result += flat
    return result
