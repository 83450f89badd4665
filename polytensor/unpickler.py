"""A pickle reader that cannot run code: protocol 2, what checkpoints are made of, and nothing else.

Python's own Unpickler lets a file set attributes of what it may name (also of classes), append to any object and copy
without limit. This one builds numbers, text and containers itself; for all else it asks `find` by name, calls only what
`find` marked with `Call`, and charges every copy against a budget that grows with the file, so that a small file can
neither hang the reader nor fill the memory. Source: pickletools, torch._weights_only_unpickler.
"""

from __future__ import annotations

import pickle
import struct
from collections import Counter, OrderedDict
from collections.abc import Callable, Iterable
from typing import Any

CONTAINERS = (str, bytes, bytearray, list, tuple, dict, set, frozenset)
DICTS = (dict, OrderedDict, Counter)


DEEPEST = 100  # tuples within tuples as a key: hashing them is recursive in C


class Call:
    """Marks what a file may call: `fn(*args)`; `value` is what stands for it where it is not called (None: fn itself).

    `own`: a class or function of the user's, who declared it safe: it may also be made by __new__ and given a state.
    `cost`: bytes that a file spends at least on each call, where its result takes more memory than its arguments.
    """

    __slots__ = ("cost", "fn", "own", "value")

    def __init__(self, fn: Callable[..., Any], value: Any = None, own: bool = False, cost: int = 0) -> None:
        self.fn, self.value, self.own, self.cost = fn, fn if value is None else value, own, cost


class Unpickler:
    """Reads one object from `data`.

    `data` is bytes, or a mapped file; reading starts at `at`, which then stands behind the pickle. ``find(module, name)``
    gives the object or `Call` for a name (None: refused), ``persistent(id)`` what a persistent id stands for; `own` are
    classes of the user's that may be given a state. `load` raises UnpicklingError for whatever is wrong with the pickle;
    errors of `find`, of `persistent` and of what is called come through if they are RuntimeErrors.

    >>> import pickle
    >>> Unpickler(pickle.dumps({"a": [1, 2.5, (True, None)]}, 2), lambda m, n: None, lambda i: None).load()
    {'a': [1, 2.5, (True, None)]}
    """

    def __init__(
        self,
        data: Any,
        find: Callable[[str, str], Any],
        persistent: Callable[[Any], Any],
        encoding: str = "utf-8",
        at: int = 0,
        own: Iterable[Any] = (),
    ) -> None:
        self.data, self.find, self.persistent, self.encoding = data, find, persistent, encoding
        self.at, self.own = at, list(own)
        self.named: dict[int, Call] = {}  # what the file may call, by the id of what stands for it
        self.budget = 1000 + 10 * len(data)  # steps: of hashing, and of what the user's own classes take
        self.copies = 1000 + len(data)  # what is copied, in bytes that it takes in a pickle at the least
        builtin = {
            "set": self._set,
            "frozenset": self._frozenset,
            "bytearray": _bytearray,
            "bytes": _bytes,
            "complex": complex,
        }
        self.calls: dict[tuple[str, str], Call] = {
            (module, name): Call(fn) for name, fn in builtin.items() for module in ("builtins", "__builtin__")
        }  # fmt: skip
        self.calls["collections", "OrderedDict"] = Call(self._ordered, OrderedDict)
        self.calls["collections", "Counter"] = Call(self._counter, Counter)
        self.calls["_codecs", "encode"] = Call(_encode)

    def load(self) -> Any:
        """The object."""
        try:
            return self._run()
        except (RecursionError, NotImplementedError) as error:
            raise pickle.UnpicklingError(f"its pickle is damaged ({type(error).__name__})") from None
        except (pickle.UnpicklingError, RuntimeError, MemoryError):
            raise
        except Exception as error:
            raise pickle.UnpicklingError(f"its pickle is damaged ({type(error).__name__}: {error})") from None

    # ---- reading bytes ------------------------------------------------------------------------------------------------
    def _take(self, n: int) -> bytes:
        end = self.at + n
        if end > len(self.data):
            raise pickle.UnpicklingError(f"its pickle is truncated: {n} bytes wanted at {self.at} of {len(self.data)}")
        piece = self.data[self.at : end]
        self.at = end
        return piece

    def _number(self, format: str, n: int) -> Any:
        return struct.unpack(format, self._take(n))[0]

    def _line(self) -> str:
        end = self.data.find(b"\n", self.at, self.at + 1000)
        if end < 0:
            raise pickle.UnpicklingError(f"its pickle is damaged: no name at {self.at}")
        line = self.data[self.at : end].decode()
        self.at = end + 1
        return line

    # ---- limits -------------------------------------------------------------------------------------------------------
    def _charge(self, n: int) -> None:
        self.budget -= n
        if self.budget < 0:
            raise pickle.UnpicklingError("its pickle copies its own parts over and over")

    def _copied(self, things: Iterable[Any], cost: int = 0) -> None:
        """A pickle names each part once for each time that it is copied, so copies are no longer than the file."""
        for x in things:
            if isinstance(x, CONTAINERS):
                cost += len(x) * (1 if isinstance(x, (str, bytes, bytearray)) else 3 if isinstance(x, dict) else 2)
        self.copies -= cost
        if self.copies < 0:
            raise pickle.UnpicklingError("its pickle copies its own parts over and over")

    def _keys(self, keys: Iterable[Any]) -> Any:
        """`keys`, after a look at what hashing them would walk through (tuples of tuples can be exponentially deep)."""
        level, depth = list(keys), 0
        while level:
            self._charge(len(level))
            depth += 1
            if depth > DEEPEST:
                raise pickle.UnpicklingError("its pickle has a key of tuples within tuples, over and over")
            level = [item for key in level if isinstance(key, (tuple, frozenset)) for item in self._counted(key)]
        return keys

    def _counted(self, key: Any) -> Any:
        self._charge(len(key))
        return key

    def _ordered(self, items: Any = ()) -> OrderedDict[Any, Any]:
        if type(items) not in (list, tuple, dict, OrderedDict):
            raise pickle.UnpicklingError("an OrderedDict is made of pairs")
        pairs = list(items.items() if isinstance(items, dict) else items)
        if any(type(pair) not in (list, tuple) or len(pair) != 2 for pair in pairs):
            raise pickle.UnpicklingError("an OrderedDict is made of pairs")
        self._keys([key for key, _ in pairs])
        return OrderedDict(pairs)

    def _set(self, items: Any = ()) -> set[Any]:
        return set(self._keys(items))

    def _frozenset(self, items: Any = ()) -> frozenset[Any]:
        return frozenset(self._keys(items))

    def _counter(self, items: Any = ()) -> Counter[Any]:
        if not isinstance(items, dict) and items != ():
            raise pickle.UnpicklingError("a Counter is made of a dict alone")
        return Counter(self._keys(items))

    # ---- the machine --------------------------------------------------------------------------------------------------
    def _name(self) -> Any:
        module, name = self._line(), self._line()
        found = self.calls.get((module, name))
        found = self.find(module, name) if found is None else found
        if found is None:
            full = f"{module}.{name}"
            raise pickle.UnpicklingError(
                f"Weights only load failed: Unsupported global: GLOBAL {full} was not an allowed global by default, so it is "
                "not on the list of what a checkpoint may contain. If you trust it, allow it with "
                f"torch.serialization.add_safe_globals([{full}]) or with torch.serialization.safe_globals([{full}]). "
                "Load with weights_only=False only if you trust the file's source: it can then run any code."
            )
        if type(found) is not Call:
            return found
        self.named[id(found.value)] = found
        return found.value

    def _called(self, value: Any) -> Call:
        call = self.named.get(id(value))
        if call is None:
            raise pickle.UnpicklingError(f"it calls {type(value).__name__}, which is not on the list")
        return call

    def _call(self, value: Any, args: Any) -> Any:
        call = self._called(value)
        if type(args) is not tuple:
            raise pickle.UnpicklingError(f"it calls something with {type(args).__name__}")
        if call.own:
            self._charge(sum(len(a) for a in args if isinstance(a, CONTAINERS)))
        else:
            self._copied(args, call.cost)
        return call.fn(*args)

    def _make(self, value: Any, args: Any) -> Any:
        """NEWOBJ: an object of a class of the user's, without __init__."""
        call = self._called(value)
        if not call.own or not isinstance(value, type) or type(args) is not tuple:
            raise pickle.UnpicklingError("it makes an object of a class that was not declared safe")
        return value.__new__(value, *args)

    def _build(self, target: Any, state: Any) -> None:
        """BUILD: the attributes of a state_dict, such as _metadata, or the state of an object of the user's."""
        if any(type(target) is kind for kind in self.own):
            if hasattr(target, "__setstate__"):
                target.__setstate__(state)
                return
            state, slots = state if type(state) is tuple and len(state) == 2 else (state, None)
            if state:
                vars(target).update(state)
            for key, value in (slots or {}).items():
                setattr(target, key, value)
            return
        if type(target) is not OrderedDict or type(state) is not dict:
            raise pickle.UnpicklingError(f"it sets attributes of {type(target).__name__}")
        self._copied([state])
        vars(target).update(state)

    def _put(self, target: Any, items: list[Any]) -> None:
        """Keys and values, in turn, into a dict."""
        if type(target) not in DICTS:
            raise pickle.UnpicklingError(f"it sets items of {type(target).__name__}")
        self._keys(items[::2])
        target.update(zip(items[::2], items[1::2], strict=True))

    def _extend(self, target: Any, items: list[Any]) -> None:
        if type(target) is not list:
            raise pickle.UnpicklingError(f"it appends to {type(target).__name__}")
        target.extend(items)

    def _run(self) -> Any:
        stack: list[Any] = []
        marks: list[list[Any]] = []  # the stacks below each open mark
        memo: dict[int, Any] = {}
        while True:
            code = self._take(1)
            match code:
                case pickle.BINPUT:
                    memo[self._number("B", 1)] = stack[-1]
                case pickle.LONG_BINPUT:
                    memo[self._number("<I", 4)] = stack[-1]
                case pickle.BINGET:
                    stack.append(memo[self._number("B", 1)])
                case pickle.LONG_BINGET:
                    stack.append(memo[self._number("<I", 4)])
                case pickle.MARK:
                    marks.append(stack)
                    stack = []
                case pickle.BINUNICODE:
                    stack.append(self._take(self._number("<I", 4)).decode("utf-8", "surrogatepass"))
                case pickle.BININT:
                    stack.append(self._number("<i", 4))
                case pickle.BININT1:
                    stack.append(self._number("B", 1))
                case pickle.BININT2:
                    stack.append(self._number("<H", 2))
                case pickle.BINFLOAT:
                    stack.append(self._number(">d", 8))
                case pickle.LONG1:
                    stack.append(pickle.decode_long(self._take(self._number("B", 1))))
                case pickle.LONG4:
                    stack.append(pickle.decode_long(self._take(self._number("<I", 4))))
                case pickle.SHORT_BINSTRING:
                    stack.append(self._take(self._number("B", 1)).decode(self.encoding))
                case pickle.BINSTRING:
                    stack.append(self._take(self._number("<I", 4)).decode(self.encoding))
                case pickle.NONE:
                    stack.append(None)
                case pickle.NEWTRUE:
                    stack.append(True)
                case pickle.NEWFALSE:
                    stack.append(False)
                case pickle.TUPLE:
                    items, stack = stack, marks.pop()
                    stack.append(tuple(items))
                case pickle.TUPLE1:
                    stack[-1:] = [(stack[-1],)]
                case pickle.TUPLE2:
                    stack[-2:] = [(stack[-2], stack[-1])]
                case pickle.TUPLE3:
                    stack[-3:] = [(stack[-3], stack[-2], stack[-1])]
                case pickle.EMPTY_TUPLE:
                    stack.append(())
                case pickle.EMPTY_LIST:
                    stack.append([])
                case pickle.EMPTY_DICT:
                    stack.append({})
                case pickle.APPEND:
                    item = stack.pop()
                    self._extend(stack[-1], [item])
                case pickle.APPENDS:
                    items, stack = stack, marks.pop()
                    self._extend(stack[-1], items)
                case pickle.SETITEM:
                    value, key = stack.pop(), stack.pop()
                    self._put(stack[-1], [key, value])
                case pickle.SETITEMS:
                    items, stack = stack, marks.pop()
                    self._put(stack[-1], items)
                case pickle.GLOBAL:
                    stack.append(self._name())
                case pickle.BINPERSID:
                    stack[-1] = self.persistent(stack[-1])
                case pickle.REDUCE:
                    args = stack.pop()
                    stack[-1] = self._call(stack[-1], args)
                case pickle.NEWOBJ:
                    args = stack.pop()
                    stack[-1] = self._make(stack[-1], args)
                case pickle.BUILD:
                    state = stack.pop()
                    self._build(stack[-1], state)
                case pickle.POP:
                    stack.pop()
                case pickle.POP_MARK:
                    stack = marks.pop()
                case pickle.PROTO:
                    version = self._number("B", 1)
                    if version != 2:
                        raise pickle.UnpicklingError(f"its pickle has protocol {version}; protocol 2 is read")
                case pickle.STOP:
                    return stack.pop()
                case _:
                    raise pickle.UnpicklingError(f"its pickle is damaged: opcode {code!r} at {self.at - 1}")


def _encode(text: Any, encoding: Any) -> bytes:
    """How protocol 2 writes bytes."""
    if type(text) is not str or encoding not in ("latin1", "latin-1"):
        raise pickle.UnpicklingError("only latin1 text may be encoded")
    return text.encode("latin1")


def _bytes(*data: Any) -> bytes:
    if data and type(data[0]) is not bytes or len(data) > 1:
        raise pickle.UnpicklingError("bytes are made of bytes alone")
    return data[0] if data else b""


def _bytearray(data: Any = b"", encoding: Any = "latin-1") -> bytearray:
    data = _encode(data, encoding) if type(data) is str else data
    if type(data) is not bytes:
        raise pickle.UnpicklingError("a bytearray is made of bytes alone")
    return bytearray(data)
