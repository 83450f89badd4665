"""torch.types: names for annotations."""

from __future__ import annotations

import builtins
from collections.abc import Sequence
from os import PathLike
from typing import IO, TypeAlias

from .devices import Device as _Device
from .dtypes import dtype as _dtype
from .layouts import layout as _layout
from .size import Size
from .tensor import Tensor

_TensorOrTensors: TypeAlias = Tensor | Sequence[Tensor]
_int, _float, _bool, _complex = builtins.int, builtins.float, builtins.bool, builtins.complex
_size: TypeAlias = Size | list[int] | tuple[int, ...]
_symsize: TypeAlias = Size | Sequence[int]
_dispatchkey: TypeAlias = str
Number: TypeAlias = int | float | bool
Device: TypeAlias = _Device | str | int | None
FileLike: TypeAlias = str | PathLike[str] | IO[bytes]
_device = _Device
_dtype_or_none: TypeAlias = _dtype | None
_layout_or_none: TypeAlias = _layout | None
