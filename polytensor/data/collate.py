"""Samples put together as one batch. Source: torch.utils.data._utils.collate."""

from __future__ import annotations

import copy
import re
from collections.abc import Callable, Mapping, MutableMapping, MutableSequence, Sequence
from typing import Any

from ..backends.base import HOST_ARRAY, HOST_NUMBERS
from ..dtypes import float64
from ..ops.from_data import as_tensor, tensor
from ..ops.joining import stack
from ..tensor import Tensor

__all__ = ["collate", "default_collate", "default_collate_fn_map", "default_convert"]

np_str_obj_array_pattern = re.compile(r"[SaUO]")  # kinds of NumPy's arrays that no tensor holds
default_collate_err_msg_format = MESSAGE = (
    "default_collate: batch must contain tensors, numpy arrays, numbers, dicts or lists; found {}"
)


def map_mapping(x: Any, fn: Callable[[Any], Any]) -> Any:
    """A mapping like `x` with fn(key) as values: of its own class where that can be made, else a dict."""
    try:
        if isinstance(x, MutableMapping):
            made = copy.copy(x)  # it may carry more than its items
            made.update({key: fn(key) for key in x})
            return made
        return type(x)({key: fn(key) for key in x})  # type: ignore[call-arg]
    except TypeError:
        return {key: fn(key) for key in x}


def map_sequence(x: Any, values: Callable[[], list[Any]]) -> Any:
    """A sequence like `x` with other values: of its own class where that can be made, else a list."""
    try:
        if isinstance(x, MutableSequence):
            made = copy.copy(x)
            for i, value in enumerate(values()):
                made[i] = value
            return made
        return type(x)(values())  # type: ignore[call-arg]
    except TypeError:
        return values()


def default_convert(data: Any) -> Any:
    """A sample that is not batched: NumPy's arrays and numbers become tensors, inside containers too.

    Source: torch.utils.data.default_convert.
    """
    if isinstance(data, Tensor):
        return data
    kind = type(data)
    if isinstance(data, (HOST_ARRAY, *HOST_NUMBERS)):
        if isinstance(data, HOST_ARRAY) and data.dtype.kind in "SUO":
            return data
        return as_tensor(data, device="cpu")
    if isinstance(data, Mapping):
        return map_mapping(data, lambda key: default_convert(data[key]))
    if isinstance(data, tuple):
        if hasattr(data, "_fields"):
            return kind(*map(default_convert, data))
        return [default_convert(x) for x in data]
    if isinstance(data, Sequence) and not isinstance(data, (str, bytes)):
        return map_sequence(data, lambda: [default_convert(x) for x in data])
    return data


def collate(batch: Any, *, collate_fn_map: Mapping[Any, Callable[..., Any]] | None = None) -> Any:
    """A list of samples as one batch: leaves by `collate_fn_map` (class or classes -> function), containers inside out.

    TypeError for a leaf that the map lacks, RuntimeError for sequences of unequal length.
    """
    first = batch[0]
    kind = type(first)
    if collate_fn_map is not None:
        fn = collate_fn_map.get(kind)
        if fn is None:
            fn = next((f for classes, f in collate_fn_map.items() if isinstance(first, classes)), None)
        if fn is not None:
            return fn(batch, collate_fn_map=collate_fn_map)
    if isinstance(first, Mapping):
        return map_mapping(first, lambda key: collate([x[key] for x in batch], collate_fn_map=collate_fn_map))
    if isinstance(first, tuple) and hasattr(first, "_fields"):
        return kind(*(collate(x, collate_fn_map=collate_fn_map) for x in zip(*batch, strict=False)))
    if isinstance(first, Sequence):
        n = len(first)
        if any(len(x) != n for x in batch):
            raise RuntimeError("each element in list of batch should be of equal size")
        columns = list(zip(*batch, strict=True))

        def values() -> list[Any]:
            return [collate(x, collate_fn_map=collate_fn_map) for x in columns]

        return values() if isinstance(first, tuple) else map_sequence(first, values)
    raise TypeError(MESSAGE.format(kind))


def collate_tensor_fn(batch: Any, *, collate_fn_map: Any = None) -> Tensor:
    try:
        return stack(list(batch), 0)
    except AttributeError:
        for i, x in enumerate(batch):
            if not isinstance(x, Tensor):
                text = f"expected Tensor as element {i} in argument 0, but got {type(x).__name__}"
                raise TypeError(text) from None
        raise


def collate_numpy_array_fn(batch: Any, *, collate_fn_map: Any = None) -> Any:
    if batch[0].dtype.kind in "SUO":
        raise TypeError(MESSAGE.format(batch[0].dtype))
    return collate([as_tensor(x, device="cpu") for x in batch], collate_fn_map=collate_fn_map)


def collate_numpy_scalar_fn(batch: Any, *, collate_fn_map: Any = None) -> Tensor:
    values = [x.item() if hasattr(x, "item") else x for x in batch]
    return tensor(values, dtype=as_tensor(batch[0], device="cpu").dtype, device="cpu")


def collate_float_fn(batch: Any, *, collate_fn_map: Any = None) -> Tensor:
    return tensor(batch, dtype=float64, device="cpu")


def collate_int_fn(batch: Any, *, collate_fn_map: Any = None) -> Tensor:
    return tensor(batch, device="cpu")


def collate_str_fn(batch: Any, *, collate_fn_map: Any = None) -> Any:
    return batch


default_collate_fn_map: dict[Any, Callable[..., Any]] = {
    Tensor: collate_tensor_fn,
    HOST_ARRAY: collate_numpy_array_fn,
    HOST_NUMBERS: collate_numpy_scalar_fn,
    float: collate_float_fn,
    int: collate_int_fn,
    str: collate_str_fn,
    bytes: collate_str_fn,
}


def default_collate(batch: Any) -> Any:
    """A list of samples as one batch: tensors and arrays stacked, numbers as a tensor, containers element by element.

    TypeError for anything else. Tensors of arrays and numbers are made on the CPU. Source: torch.utils.data.default_collate.
    """
    return collate(batch, collate_fn_map=default_collate_fn_map)
