"""Sequences of different lengths: packed, padded, and back. Source: torch.nn.utils.rnn."""

from __future__ import annotations

from collections import namedtuple
from collections.abc import Iterable
from typing import Any

from ... import ops
from ...dtypes import int64
from ...ops.table import shape_error
from ...tensor import Tensor

__all__ = [
    "PackedSequence",
    "invert_permutation",
    "pack_padded_sequence",
    "pack_sequence",
    "pad_packed_sequence",
    "pad_sequence",
    "unpack_sequence",
    "unpad_sequence",
]

_Fields = namedtuple("_Fields", ["data", "batch_sizes", "sorted_indices", "unsorted_indices"])


def _matching_device(indices: Any, device: Any) -> Any:
    return indices if indices is None or indices.device == device else indices.to(device)


class PackedSequence(_Fields):
    """The rows of all steps of a batch, step by step: `batch_sizes[t]` rows of `data` for step t.

    The longest sequence comes first; sorted_indices says how that order was made, unsorted_indices how to undo it. Made by
    pack_padded_sequence and pack_sequence. Source: torch.nn.utils.rnn.PackedSequence.
    """

    __slots__ = ()

    def __new__(
        cls, data: Any, batch_sizes: Any = None, sorted_indices: Any = None, unsorted_indices: Any = None
    ) -> PackedSequence:
        if batch_sizes is None:
            if not isinstance(data, (list, tuple)) or len(data) != 2:
                raise AssertionError("Expected data to be a list or tuple of length 2")
            data, batch_sizes = data
        if unsorted_indices is None:
            unsorted_indices = invert_permutation(sorted_indices)
        if batch_sizes.device.type != "cpu":
            raise ValueError(
                "batch_sizes should always be on CPU. Instances of PackedSequence should never be created manually. They "
                "should be instantiated by functions like pack_sequence and pack_padded_sequence in nn.utils.rnn. "
                "https://pytorch.org/docs/stable/nn.html#torch.nn.utils.rnn.pack_sequence"
            )
        sorted_indices, unsorted_indices = (
            _matching_device(i, data.device) for i in (sorted_indices, unsorted_indices)
        )
        return super().__new__(cls, data, batch_sizes, sorted_indices, unsorted_indices)

    def to(self, *args: Any, **kwargs: Any) -> PackedSequence:
        """The sequence with its data moved or converted; itself where nothing changes."""
        data = self.data.to(*args, **kwargs)
        if data is self.data:
            return self
        rest = {k: v for k, v in kwargs.items() if k not in ("dtype", "device")}
        places = (
            None if i is None else i.to(data.device, **rest) for i in (self.sorted_indices, self.unsorted_indices)
        )
        return type(self)(data, self.batch_sizes, *places)

    def cpu(self) -> PackedSequence:
        return self.to("cpu")

    def cuda(self, *args: Any, **kwargs: Any) -> PackedSequence:
        return type(self)(self.data.cuda(*args, **kwargs), self.batch_sizes, self.sorted_indices, self.unsorted_indices)

    def pin_memory(self) -> PackedSequence:
        return type(self)(
            self.data.pin_memory(), self.batch_sizes, self.sorted_indices, self.unsorted_indices
        )  # fmt: skip

    def double(self) -> PackedSequence:
        return self.to(self.data.double().dtype)

    def float(self) -> PackedSequence:
        return self.to(self.data.float().dtype)

    def half(self) -> PackedSequence:
        return self.to(self.data.half().dtype)

    def long(self) -> PackedSequence:
        return self.to(self.data.long().dtype)

    def int(self) -> PackedSequence:
        return self.to(self.data.int().dtype)

    def short(self) -> PackedSequence:
        return self.to(self.data.short().dtype)

    def char(self) -> PackedSequence:
        return self.to(self.data.char().dtype)

    def byte(self) -> PackedSequence:
        return self.to(self.data.byte().dtype)

    @property
    def is_cuda(self) -> bool:
        """Whether the data is on a CUDA device."""
        return self.data.is_cuda  # type: ignore[no-any-return]

    def is_pinned(self) -> bool:
        """Whether the data is in pinned memory."""
        return self.data.is_pinned()  # type: ignore[no-any-return]


def invert_permutation(permutation: Tensor | None) -> Tensor | None:
    """The permutation (n,) that undoes `permutation`; None of None."""
    if permutation is None:
        return None
    out = ops.empty(permutation.shape[0], dtype=permutation.dtype, device=permutation.device)
    places = ops.arange(permutation.numel(), dtype=permutation.dtype, device=permutation.device)
    return out.scatter_(0, permutation, places)  # type: ignore[attr-defined, no-any-return]


def _lengths(lengths: Any) -> Tensor:
    t = lengths.cpu() if isinstance(lengths, Tensor) else ops.tensor(lengths, dtype=int64, device="cpu")
    t = t.to(int64)
    if t.dim() != 1:
        raise RuntimeError(
            f"'lengths' argument should be a 1D CPU int64 tensor, but got {t.dim()}D {t.device.type} Long tensor"
        )
    return t  # type: ignore[no-any-return]


def _taken(lengths: Tensor, steps: int, device: Any) -> Tensor:
    """(steps, batch) bool: whether a sequence is that long."""
    return ops.arange(steps, device=device).unsqueeze(1) < lengths.to(device)  # type: ignore[attr-defined, no-any-return]


def pack_padded_sequence(
    input: Tensor, lengths: Any, batch_first: bool = False, enforce_sorted: bool = True
) -> PackedSequence:
    """Pack `input` (T, B, *) or, with batch_first, (B, T, *); `lengths` (B,) are a list or a tensor on the CPU.

    With enforce_sorted they must decrease, else the batch is sorted. RuntimeError for lengths that are not sorted, not
    positive or not B many, and (where PyTorch packs other rows in their place) for those above T.
    """
    lengths = _lengths(lengths)
    sorted_indices = None
    if not enforce_sorted:
        lengths, sorted_indices = ops.sort(lengths, descending=True)  # type: ignore[attr-defined]
        sorted_indices = sorted_indices.to(input.device)
        input = input.index_select(0 if batch_first else 1, sorted_indices)  # type: ignore[attr-defined]
    x = input.transpose(0, 1) if batch_first else input  # type: ignore[attr-defined]
    batch = x.shape[1] if x.dim() > 1 else x.transpose(0, 1)
    if not x.numel():
        raise RuntimeError("Cannot pack empty tensors.")
    many = lengths.tolist()
    if len(many) != batch:
        raise RuntimeError(
            f"Expected `len(lengths)` to be equal to batch_size, but got {len(many)} (batch_size={batch})"
        )
    if any(n <= 0 for n in many):
        raise RuntimeError(
            "Length of all samples has to be greater than 0, but found an element in 'lengths' that is <= 0"
        )
    if many != sorted(many, reverse=True):
        raise RuntimeError(
            "`lengths` array must be sorted in decreasing order when `enforce_sorted` is True. You can pass "
            "`enforce_sorted=False` to pack_padded_sequence and/or pack_sequence to sidestep this requirement if you do "
            "not need ONNX exportability."
        )
    if many[0] > x.shape[0]:
        raise RuntimeError(f"a length of {many[0]} is above the {x.shape[0]} steps of the input {list(input.shape)}")
    sizes = _taken(lengths, many[0], "cpu").sum(1)  # type: ignore[attr-defined]
    if many[-1] == many[0]:
        data = x[: many[0]].reshape(-1, *x.shape[2:])
    else:
        data = x[_taken(lengths, x.shape[0], x.device)]
    return PackedSequence(data, sizes, sorted_indices, None)


def _counts(sizes: Tensor) -> Tensor:
    """The length of each sequence, longest first, of batch sizes."""
    batch = int(sizes[0])  # type: ignore[index]
    return (ops.arange(batch, device="cpu").unsqueeze(1) < sizes).sum(1)  # type: ignore[attr-defined, no-any-return]


def pad_packed_sequence(
    sequence: PackedSequence, batch_first: bool = False, padding_value: float = 0.0, total_length: int | None = None
) -> tuple[Tensor, Tensor]:
    """(padded, lengths): the sequences as (T, B, *) or (B, T, *), and their lengths (B,), int64 on the CPU.

    T is the longest length or `total_length`, ValueError where that is shorter.
    """
    data, sizes, _, unsorted = sequence
    steps = sizes.shape[0]
    if total_length is not None:
        if total_length < steps:
            raise ValueError(
                "Expected total_length to be at least the length of the longest sequence in input, but got "
                f"total_length={total_length} and max sequence length being {steps}"
            )
        steps = total_length
    lengths = _counts(sizes)
    rest = data.shape[1:]
    out = ops.full((steps, lengths.shape[0], *rest), padding_value, dtype=data.dtype, device=data.device)
    taken = _taken(lengths, steps, data.device)
    if taken.all():  # type: ignore[attr-defined]
        out = data.reshape(out.shape)
    else:
        out[taken] = data  # type: ignore[index]
    out = out.transpose(0, 1) if batch_first else out  # type: ignore[attr-defined]
    if unsorted is None:
        return out, lengths
    return out.index_select(0 if batch_first else 1, unsorted), lengths[unsorted.to("cpu")]  # type: ignore[attr-defined, index]


def pad_sequence(
    sequences: Any, batch_first: bool = False, padding_value: float = 0.0, padding_side: str = "right"
) -> Tensor:
    """Tensors (T_i, *) stacked as (T, B, *) or, with batch_first, (B, T, *), filled up on the right or on the left."""
    if not isinstance(sequences, (Tensor, Iterable)):
        raise RuntimeError(
            f"pad_sequence: Expected iterable for input sequences, but got arg of type: {type(sequences)}"
        )
    xs = list(sequences.unbind(0)) if isinstance(sequences, Tensor) else list(sequences)
    if not xs:
        raise RuntimeError("received an empty list of sequences")
    if padding_side not in ("left", "right"):
        raise RuntimeError(f"Expected padding_side to be one of left or right, but got {padding_side}.")
    if any(x.dim() == 0 for x in xs):
        raise RuntimeError("pad_sequence: expected sequences of at least one dimension, got a number")
    most = max(x.shape[0] for x in xs)
    rest = xs[0].shape[1:]
    rows = []
    for x in xs:
        if x.shape[1:] != rest:
            raise shape_error(xs[0], x)
        if x.shape[0] < most:
            fill = x.new_full((most - x.shape[0], *rest), padding_value, dtype=xs[0].dtype)
            x = ops.cat([x, fill] if padding_side == "right" else [fill, x])
        rows.append(x.to(xs[0].dtype))
    return ops.stack(rows, 0 if batch_first else 1)


def unpad_sequence(padded_sequences: Tensor, lengths: Tensor, batch_first: bool = False) -> list[Tensor]:
    """The tensors that pad_sequence stacked, given their lengths."""
    x = padded_sequences if batch_first else padded_sequences.transpose(0, 1)  # type: ignore[attr-defined]
    return [row[:n] for row, n in zip(x.unbind(0), lengths.tolist(), strict=True)]  # type: ignore[attr-defined, index]


def pack_sequence(sequences: list[Tensor], enforce_sorted: bool = True) -> PackedSequence:
    """Pack a list of tensors (T_i, *), by decreasing length unless enforce_sorted is False."""
    lengths = [x.shape[0] for x in sequences]
    return pack_padded_sequence(pad_sequence(sequences), lengths, enforce_sorted=enforce_sorted)


def unpack_sequence(packed_sequences: PackedSequence) -> list[Tensor]:
    """The tensors that pack_sequence packed."""
    padded, lengths = pad_packed_sequence(packed_sequences, batch_first=True)
    return unpad_sequence(padded, lengths, batch_first=True)
