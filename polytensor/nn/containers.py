"""Sequential, ModuleList, ModuleDict. Source: torch.nn.modules.container."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Iterable, Iterator
from itertools import islice
from operator import index
from typing import Any

from .module import Module


class _Ordered(Module):
    """Children numbered '0', '1', ..."""

    def __len__(self) -> int:
        return len(self._modules)

    def __iter__(self) -> Iterator[Any]:
        return iter(self._modules.values())

    def _key(self, i: int) -> str:
        i = index(i)
        n = len(self)
        if not -n <= i < n:
            raise IndexError(f"index {i} is out of range")
        return next(islice(self._modules, i % n, None))

    def __getitem__(self, i: Any) -> Any:
        if isinstance(i, slice):
            return self._sliced(i)
        return self._modules[self._key(i)]

    def _sliced(self, i: slice) -> Any:
        return type(self)(list(self._modules.values())[i])

    def __setitem__(self, i: int, module: Module) -> None:
        setattr(self, self._key(i), module)

    def __delitem__(self, i: Any) -> None:
        keep = list(self._modules.values())
        del keep[i]
        self._renumber(keep)

    def _renumber(self, modules: list[Any]) -> None:
        self._modules.clear()
        for k, m in enumerate(modules):
            self._modules[str(k)] = m

    def pop(self, i: Any) -> Any:
        """Remove a child and hand it out; those after it move up."""
        module = self[i]
        del self[i]
        return module

    def __iadd__(self, modules: Any) -> Any:
        return self.extend(modules)

    def append(self, module: Module) -> Any:
        self.add_module(str(len(self)), module)
        return self

    def extend(self, modules: Iterable[Module]) -> Any:
        if not isinstance(modules, Iterable):
            name = type(self).__name__
            raise TypeError(f"{name}.extend should be called with an iterable, but got {type(modules).__name__}")
        for m in list(modules):
            self.append(m)
        return self

    def insert(self, i: int, module: Module) -> Any:
        if not isinstance(module, Module):
            raise AssertionError(f"module should be of type: {Module}")
        modules = list(self._modules.values())
        modules.insert(i, module)
        self._renumber(modules)
        return self


class Sequential(_Ordered):
    """Children called one after the other; from modules, or an OrderedDict of them."""

    def __init__(self, *args: Any) -> None:
        super().__init__()
        if len(args) == 1 and isinstance(args[0], OrderedDict):
            for name, m in args[0].items():
                self.add_module(name, m)
        else:
            for i, m in enumerate(args):
                self.add_module(str(i), m)

    def _sliced(self, i: slice) -> Sequential:
        return Sequential(OrderedDict(list(self._modules.items())[i]))

    def __add__(self, other: Any) -> Sequential:
        if not isinstance(other, Sequential):
            raise ValueError(f"add operator supports only objects of Sequential class, but {type(other)} is given.")
        return Sequential(*self, *other)

    def __mul__(self, times: int) -> Sequential:
        """The same children (not copies) again and again."""
        if not isinstance(times, int):
            raise TypeError(f"unsupported operand type(s) for *: {type(self)} and {type(times)}")
        if times <= 0:
            raise ValueError(f"Non-positive multiplication factor {times} for {type(self)}")
        return Sequential(*(list(self) * times))

    __rmul__ = __mul__

    def forward(self, input: Any) -> Any:
        for m in self._modules.values():
            input = m(input)
        return input


class ModuleList(_Ordered):
    """A list of modules that are registered."""

    def __init__(self, modules: Iterable[Module] | None = None) -> None:
        super().__init__()
        if modules is not None:
            self.extend(modules)

    def __add__(self, other: Iterable[Module]) -> ModuleList:
        return ModuleList([*self, *other])

    def __repr__(self) -> str:
        children = [repr(m) for m in self]
        if not children:
            return "ModuleList()"
        lines, start = [], 0
        for i in range(1, len(children) + 1):
            if i == len(children) or children[i] != children[start]:
                count = i - start
                label = f"({start}): " if count == 1 else f"({start}-{i - 1}): {count} x "
                lines.append("  " + label + children[start].replace("\n", "\n  "))
                start = i
        return "ModuleList(\n" + "\n".join(lines) + "\n)"


class ModuleDict(Module):
    """A dict of modules that are registered."""

    def __init__(self, modules: Any = None) -> None:
        super().__init__()
        if modules is not None:
            self.update(modules)

    def update(self, modules: Any) -> None:
        """Add modules from a mapping, or from pairs (name, module)."""
        if not isinstance(modules, Iterable):
            raise TypeError(
                "ModuleDict.update should be called with an iterable of key/value pairs, but got "
                + type(modules).__name__
            )
        for name, m in modules.items() if hasattr(modules, "items") else modules:
            self[name] = m

    def __getitem__(self, key: str) -> Any:
        return self._modules[key]

    def __setitem__(self, key: str, module: Module) -> None:
        self.add_module(key, module)

    def __delitem__(self, key: str) -> None:
        del self._modules[key]

    def __len__(self) -> int:
        return len(self._modules)

    def __iter__(self) -> Iterator[str]:
        return iter(self._modules)

    def __contains__(self, key: str) -> bool:
        return key in self._modules

    def pop(self, key: str) -> Any:
        module = self[key]
        del self[key]
        return module

    def clear(self) -> None:
        self._modules.clear()

    def keys(self) -> Any:
        return self._modules.keys()

    def values(self) -> Any:
        return self._modules.values()

    def items(self) -> Any:
        return self._modules.items()
