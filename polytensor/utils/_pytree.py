"""torch.utils._pytree: nested containers taken apart and put together. Source: torch.utils._pytree."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial
from typing import Any, TypeAlias

from ..autograd.pytree import REGISTERED, NodeDef
from ..autograd.pytree import TreeSpec as TreeSpec
from ..autograd.pytree import _open as _open
from ..autograd.pytree import broadcast_to_and_flatten as _broadcast_to_and_flatten  # noqa: F401
from ..autograd.pytree import tree_flatten as tree_flatten
from ..autograd.pytree import tree_leaves as tree_leaves
from ..autograd.pytree import tree_unflatten as tree_unflatten

__all__ = [
    "Context", "GetAttrKey", "KeyEntry", "KeyPath", "LeafSpec", "MappingKey", "NodeDef", "PyTree", "SUPPORTED_NODES",
    "SequenceKey", "TreeSpec", "arg_tree_leaves", "key_get", "keystr", "register_pytree_node", "tree_all", "tree_all_only",
    "tree_any", "tree_any_only", "tree_flatten", "tree_flatten_with_path", "tree_is_leaf", "tree_iter", "tree_leaves",
    "tree_leaves_with_path", "tree_map", "tree_map_", "tree_map_only", "tree_map_only_", "tree_map_with_path",
    "tree_structure", "tree_unflatten",
]  # fmt: skip

PyTree: TypeAlias = Any
Context: TypeAlias = Any
KeyEntry: TypeAlias = Any
KeyPath: TypeAlias = tuple[Any, ...]
IsLeaf: TypeAlias = Callable[[Any], bool] | None


@dataclass(frozen=True)
class SequenceKey:
    """A place in a list or tuple."""

    idx: int

    def __str__(self) -> str:
        return f"[{self.idx!r}]"

    def get(self, sequence: Any) -> Any:
        return sequence[self.idx]


@dataclass(frozen=True)
class MappingKey:
    """A key of a dict."""

    key: Any

    def __str__(self) -> str:
        return f"[{self.key!r}]"

    def get(self, mapping: Any) -> Any:
        return mapping[self.key]


@dataclass(frozen=True)
class GetAttrKey:
    """A field of a named tuple."""

    name: str

    def __str__(self) -> str:
        return f".{self.name}"

    def get(self, obj: Any) -> Any:
        return getattr(obj, self.name)


class _LeafSpecs(type):
    def __instancecheck__(cls, spec: Any) -> bool:
        return isinstance(spec, TreeSpec) and spec.is_leaf()


class LeafSpec(TreeSpec, metaclass=_LeafSpecs):
    """The structure of a leaf, and the class of all such."""

    __slots__ = ()

    def __init__(self) -> None:
        super().__init__(None, None, [])


def _keyed(flatten: Callable[[Any], Any], tree: Any) -> tuple[list[tuple[Any, Any]], Any]:
    """The children of a list or dict with their keys, and its context."""
    children, context = flatten(tree)
    keys = map(MappingKey, tree) if isinstance(tree, dict) else map(SequenceKey, range(len(children)))
    return list(zip(keys, children, strict=True)), context


for _kind, _how in REGISTERED.items():
    if _how.flatten_with_keys_fn is None:
        REGISTERED[_kind] = _how._replace(flatten_with_keys_fn=partial(_keyed, _how.flatten_fn))
SUPPORTED_NODES = REGISTERED
_tuple_flatten, _tuple_unflatten, _tuple_flatten_with_keys = REGISTERED[tuple]
_list_flatten, _list_unflatten, _list_flatten_with_keys = REGISTERED[list]
_dict_flatten, _dict_unflatten, _dict_flatten_with_keys = REGISTERED[dict]


def register_pytree_node(
    cls: type, flatten_fn: Any, unflatten_fn: Any, *, serialized_type_name: str | None = None,
    to_dumpable_context: Any = None, from_dumpable_context: Any = None, flatten_with_keys_fn: Any = None,
) -> None:  # fmt: skip
    """Take objects of this class apart: flatten_fn(x) gives (children, context), unflatten_fn(children, context) an object.

    ValueError for a class that is known. The names of a serialised form are accepted; nothing is serialised here.
    """
    if cls in REGISTERED:
        raise ValueError(f"{cls} is already registered as pytree node.")
    REGISTERED[cls] = NodeDef(flatten_fn, unflatten_fn, flatten_with_keys_fn)


_register_pytree_node = register_pytree_node


def _deregister_pytree_node(cls: type) -> None:
    del REGISTERED[cls]


def _get_node_type(tree: Any) -> Any:
    parts = _open(tree)
    return type(tree) if parts is None else parts[0]


def tree_is_leaf(tree: Any, is_leaf: IsLeaf = None) -> bool:
    return (is_leaf is not None and bool(is_leaf(tree))) or _open(tree) is None


_is_leaf = tree_is_leaf


def tree_iter(tree: Any, is_leaf: IsLeaf = None) -> Iterator[Any]:
    return iter(tree_leaves(tree, is_leaf))


def tree_structure(tree: Any, is_leaf: IsLeaf = None) -> TreeSpec:
    return tree_flatten(tree, is_leaf)[1]


def tree_map(func: Callable[..., Any], tree: Any, *rests: Any, is_leaf: IsLeaf = None) -> Any:
    """The tree with `func` applied to each leaf, and to what further trees have in its place. ValueError where they differ."""
    leaves, spec = tree_flatten(tree, is_leaf)
    columns = [leaves, *(spec.flatten_up_to(rest) for rest in rests)]
    return tree_unflatten([func(*xs) for xs in zip(*columns, strict=True)], spec)


def tree_map_(func: Callable[..., Any], tree: Any, *rests: Any, is_leaf: IsLeaf = None) -> Any:
    """Call `func` on each leaf and hand the tree back."""
    tree_map(func, tree, *rests, is_leaf=is_leaf)
    return tree


def _taken(kind: Any) -> Callable[[Any], bool]:
    return kind if callable(kind) and not isinstance(kind, type) else lambda x: isinstance(x, kind)


def tree_map_only(kind: Any, func: Callable[[Any], Any], tree: Any, is_leaf: IsLeaf = None) -> Any:
    """tree_map on the leaves of a type (or tuple of types, or that a predicate takes)."""
    takes = _taken(kind)
    return tree_map(lambda x: func(x) if takes(x) else x, tree, is_leaf=is_leaf)


def tree_map_only_(kind: Any, func: Callable[[Any], Any], tree: Any, is_leaf: IsLeaf = None) -> Any:
    """Call `func` on the leaves that tree_map_only takes, and hand the tree back."""
    tree_map_only(kind, func, tree, is_leaf)
    return tree


def tree_all(pred: Callable[[Any], bool], tree: Any, is_leaf: IsLeaf = None) -> bool:
    return all(map(pred, tree_leaves(tree, is_leaf)))


def tree_any(pred: Callable[[Any], bool], tree: Any, is_leaf: IsLeaf = None) -> bool:
    return any(map(pred, tree_leaves(tree, is_leaf)))


def tree_all_only(kind: Any, pred: Callable[[Any], bool], tree: Any, is_leaf: IsLeaf = None) -> bool:
    return all(pred(x) for x in filter(_taken(kind), tree_leaves(tree, is_leaf)))


def tree_any_only(kind: Any, pred: Callable[[Any], bool], tree: Any, is_leaf: IsLeaf = None) -> bool:
    return any(pred(x) for x in filter(_taken(kind), tree_leaves(tree, is_leaf)))


def arg_tree_leaves(*args: Any, **kwargs: Any) -> list[Any]:
    """The leaves of the arguments."""
    return tree_leaves([*args, *kwargs.values()])


def _with_keys(tree: Any) -> list[tuple[Any, Any]] | None:
    """(key, child) of a node; None for a leaf."""
    kind = type(tree)
    if kind in REGISTERED:
        how = REGISTERED[kind].flatten_with_keys_fn
        if how is None:
            raise ValueError(f"Did not find a flatten_with_keys_fn for type: {kind}. Please pass a flatten_with_keys_fn "
                             "argument to register_pytree_node.")  # fmt: skip
        return list(how(tree)[0])
    parts = _open(tree)
    if parts is None:
        return None
    names = getattr(kind, "_fields", None)
    keys = map(GetAttrKey, names) if names else map(SequenceKey, range(len(parts[2])))
    return list(zip(keys, parts[2], strict=True))


def tree_leaves_with_path(tree: Any, is_leaf: IsLeaf = None) -> list[tuple[KeyPath, Any]]:
    """(path, leaf) for each leaf; a path is a tuple of keys."""
    found: list[tuple[KeyPath, Any]] = []

    def walk(x: Any, path: KeyPath) -> None:
        parts = None if is_leaf is not None and is_leaf(x) else _with_keys(x)
        if parts is None:
            found.append((path, x))
            return
        for key, child in parts:
            walk(child, (*path, key))

    walk(tree, ())
    return found


def tree_flatten_with_path(tree: Any, is_leaf: IsLeaf = None) -> tuple[list[tuple[KeyPath, Any]], TreeSpec]:
    return tree_leaves_with_path(tree, is_leaf), tree_structure(tree, is_leaf)


def tree_map_with_path(func: Callable[..., Any], tree: Any, *rests: Any, is_leaf: IsLeaf = None) -> Any:
    """tree_map with func(path, leaf, ...)."""
    found, spec = tree_flatten_with_path(tree, is_leaf)
    columns = [spec.flatten_up_to(rest) for rest in rests]
    return tree_unflatten([func(path, x, *more) for (path, x), *more in zip(found, *columns, strict=True)], spec)


def keystr(kp: KeyPath) -> str:
    """A path as one writes it behind the tree's name."""
    return "".join(map(str, kp))


def key_get(obj: Any, kp: KeyPath) -> Any:
    """What stands at this path."""
    for key in kp:
        obj = key.get(obj)
    return obj
