"""Recurrent layers and cells. Source: torch.nn.RNN, LSTM, GRU and their cells."""

from __future__ import annotations

import warnings
from math import sqrt
from typing import Any

from ... import ops
from ...amp.autocast_mode import is_autocast_enabled
from ...tensor import Parameter, Tensor
from .. import init
from ..module import Module
from ..utils.rnn import PackedSequence

__all__ = ["GRU", "GRUCell", "LSTM", "LSTMCell", "RNN", "RNNBase", "RNNCell", "RNNCellBase"]

_GATES = {"LSTM": 4, "GRU": 3, "RNN_TANH": 1, "RNN_RELU": 1}
_LAYERS = {"LSTM": ops.lstm, "GRU": ops.gru, "RNN_TANH": ops.rnn_tanh, "RNN_RELU": ops.rnn_relu}


def apply_permutation(tensor: Tensor, permutation: Tensor, dim: int = 1) -> Tensor:
    return tensor.index_select(dim, permutation)  # type: ignore[attr-defined, no-any-return]


def _dropout(value: Any) -> float:
    number = float(value)
    if isinstance(value, bool) or not 0 <= number <= 1:
        raise ValueError(
            "dropout should be a number in range [0, 1] representing the probability of an element being zeroed"
        )
    return number


class RNNBase(Module):
    """What RNN, LSTM and GRU share: parameters of `num_layers` layers, one or two directions each.

    Layer k has weight_ih_l{k}, weight_hh_l{k}, bias_ih_l{k}, bias_hh_l{k} and, with proj_size, weight_hr_l{k}; names of the
    second direction end in _reverse. All are uniform in +-1 / sqrt(hidden_size). Source: torch.nn.RNNBase.
    """

    def __init__(
        self, mode: str, input_size: int, hidden_size: int, num_layers: int = 1, bias: bool = True,
        batch_first: bool = False, dropout: float = 0.0, bidirectional: bool = False, proj_size: int = 0, device: Any = None,
        dtype: Any = None,
    ) -> None:  # fmt: skip
        super().__init__()
        self.mode, self.input_size, self.hidden_size, self.num_layers = mode, input_size, hidden_size, num_layers
        self.bias, self.batch_first, self.dropout = bias, batch_first, _dropout(dropout)
        self.bidirectional, self.proj_size = bidirectional, proj_size
        if self.dropout > 0 and num_layers == 1:
            warnings.warn(
                "dropout option adds dropout after all but last recurrent layer, so non-zero dropout expects num_layers "
                f"greater than 1, but got dropout={dropout} and num_layers={num_layers}",
                UserWarning,
                stacklevel=3,
            )
        for name, value, kind in (
            ("input_size", input_size, int),
            ("hidden_size", hidden_size, int),
            ("bias", bias, bool),
            ("batch_first", batch_first, bool),
        ):
            if not isinstance(value, kind):
                raise TypeError(f"{name} should be of type {kind.__name__}, got: {type(value).__name__}")
        if input_size <= 0:
            raise ValueError("input_size must be greater than zero")
        if hidden_size <= 0:
            raise ValueError("hidden_size must be greater than zero")
        if num_layers <= 0:
            raise ValueError("num_layers must be greater than zero")
        if proj_size < 0:
            raise ValueError("proj_size should be a positive integer or zero to disable projections")
        if proj_size >= hidden_size:
            raise ValueError("proj_size has to be smaller than hidden_size")
        if mode not in _GATES:
            raise ValueError(f"Unrecognized RNN mode: {mode}")
        rows = _GATES[mode] * hidden_size
        size = proj_size or hidden_size
        directions = 2 if bidirectional else 1
        self._all_weights: list[list[str]] = []
        for layer in range(num_layers):
            width = input_size if layer == 0 else size * directions
            for end in ("", "_reverse")[:directions]:
                shapes: dict[str, tuple[int, ...]] = {"weight_ih": (rows, width), "weight_hh": (rows, size)}
                if bias:
                    shapes |= {"bias_ih": (rows,), "bias_hh": (rows,)}
                if proj_size:
                    shapes["weight_hr"] = (proj_size, hidden_size)
                names = []
                for name, shape in shapes.items():
                    names.append(f"{name}_l{layer}{end}")
                    setattr(self, names[-1], Parameter(ops.empty(*shape, device=device, dtype=dtype)))
                self._all_weights.append(names)
        self.reset_parameters()

    @property
    def _flat_weights_names(self) -> list[str]:
        return [name for names in self._all_weights for name in names]

    @property
    def _flat_weights(self) -> list[Any]:
        return [getattr(self, name, None) for name in self._flat_weights_names]

    @property
    def all_weights(self) -> list[list[Parameter]]:
        """The parameters of each layer and direction."""
        return [[getattr(self, name) for name in names] for names in self._all_weights]

    def flatten_parameters(self) -> None:
        """Nothing to do: the parameters need not lie side by side."""

    def reset_parameters(self) -> None:
        bound = 1.0 / sqrt(self.hidden_size)
        for p in self.parameters():
            init.uniform_(p, -bound, bound)

    # ---- checks ---------------------------------------------------------------------------------------------------
    def check_input(self, input: Tensor, batch_sizes: Tensor | None) -> None:
        """Errors for a dtype or a shape that does not fit."""
        weight = self._parameters[self._all_weights[0][0]]
        mixed = batch_sizes is None and weight is not None and input.dtype != weight.dtype
        if mixed and not is_autocast_enabled(input.device.type):
            raise ValueError(
                f"RNN input dtype ({input.dtype}) does not match weight dtype ({weight.dtype}). Convert input: "
                f"input.to({weight.dtype}), or convert model: model.to({input.dtype})"
            )
        want = 2 if batch_sizes is not None else 3
        if input.dim() != want:
            raise RuntimeError(f"input must have {want} dimensions, got {input.dim()}")
        if self.input_size != input.shape[-1]:
            raise RuntimeError(
                f"input.size(-1) must be equal to input_size. Expected {self.input_size}, got {input.shape[-1]}"
            )

    def get_expected_hidden_size(self, input: Tensor, batch_sizes: Tensor | None) -> tuple[int, int, int]:
        if batch_sizes is not None:
            batch = int(batch_sizes[0])  # type: ignore[index]
        else:
            batch = input.shape[0] if self.batch_first else input.shape[1]
        return self.num_layers * (2 if self.bidirectional else 1), batch, self.proj_size or self.hidden_size

    def check_hidden_size(
        self, hx: Tensor, expected_hidden_size: tuple[int, int, int], msg: str = "Expected hidden size {}, got {}"
    ) -> None:
        if tuple(hx.shape) != expected_hidden_size:
            raise RuntimeError(msg.format(expected_hidden_size, list(hx.shape)))

    def check_forward_args(self, input: Tensor, hidden: Any, batch_sizes: Tensor | None) -> None:
        self.check_input(input, batch_sizes)
        self.check_hidden_size(hidden, self.get_expected_hidden_size(input, batch_sizes))

    def permute_hidden(self, hx: Any, permutation: Tensor | None) -> Any:
        return hx if permutation is None else apply_permutation(hx, permutation)

    # ---- forward --------------------------------------------------------------------------------------------------
    def _check_hx_dims(self, hx: Any, batched: bool) -> None:
        want = 3 if batched else 2
        if hx.dim() != want:
            kind = "batched 3-D" if batched else "unbatched 2-D"
            raise RuntimeError(f"For {kind} input, hx should also be {want}-D but got {hx.dim()}-D tensor")

    def _new_states(self, like: Tensor, batch: int) -> Any:
        count = self.num_layers * (2 if self.bidirectional else 1)
        return ops.zeros(count, batch, self.proj_size or self.hidden_size, dtype=like.dtype, device=like.device)

    def _each(self, hx: Any, fn: Any) -> Any:
        """fn of the state, or of both states."""
        return tuple(fn(h) for h in hx) if isinstance(hx, tuple) else fn(hx)

    def _like(self, hx: Any, results: Any) -> Any:
        """Under autocast a GRU computes in float32, and its results have the dtype of the state."""
        if self.mode != "GRU" or results[0].dtype == hx.dtype:
            return results
        return [y.to(hx.dtype) for y in results]

    def _wrong_dims(self, n: int) -> ValueError:
        return ValueError(f"{self.mode}: Expected input to be 2D or 3D, got {n}D instead")

    def forward(self, input: Any, hx: Any = None) -> Any:
        """(output, h_n), an LSTM's (output, (h_n, c_n)); see the class."""
        layer = _LAYERS[self.mode]
        rest = (self._flat_weights, self.bias, self.num_layers, self.dropout, self.training, self.bidirectional)
        if isinstance(input, PackedSequence):
            x, batch_sizes, sorted_indices, unsorted_indices = input
            if hx is None:
                hx = self._new_states(x, int(batch_sizes[0]))
            else:
                hx = self.permute_hidden(hx, sorted_indices)
            self.check_forward_args(x, hx, batch_sizes)
            output, *last = self._like(hx, layer(x, batch_sizes, hx, *rest))
            states = tuple(last) if self.mode == "LSTM" else last[0]
            packed = PackedSequence(output, batch_sizes, sorted_indices, unsorted_indices)
            return packed, self.permute_hidden(states, unsorted_indices)
        if input.dim() not in (2, 3):
            raise self._wrong_dims(input.dim())
        batched = input.dim() == 3
        if not batched:
            input = input.unsqueeze(0 if self.batch_first else 1)
        if hx is None:
            hx = self._new_states(input, input.shape[0 if self.batch_first else 1])
        else:
            self._check_hx_dims(hx, batched)
            if not batched:
                hx = self._each(hx, lambda h: h.unsqueeze(1))
        self.check_forward_args(input, hx, None)
        output, *last = self._like(hx, layer(input, hx, *rest, self.batch_first))
        if not batched:
            output = output.squeeze(0 if self.batch_first else 1)
            last = [h.squeeze(1) for h in last]
        return output, tuple(last) if self.mode == "LSTM" else last[0]

    def extra_repr(self) -> str:
        s = f"{self.input_size}, {self.hidden_size}"
        defaults = {
            "proj_size": 0, "num_layers": 1, "bias": True, "batch_first": False, "dropout": 0, "bidirectional": False,
        }  # fmt: skip
        for name, default in defaults.items():
            value = getattr(self, name)
            if value != default:
                s += f", {name}={value}"
        return s


class RNN(RNNBase):
    """h' = tanh(W_ih x + b_ih + W_hh h + b_hh), or relu with nonlinearity='relu'.

    Arguments: input_size, hidden_size, num_layers=1, nonlinearity='tanh', bias=True, batch_first=False, dropout=0.0,
    bidirectional=False, device=None, dtype=None. Input (T, N, in), with batch_first (N, T, in), unbatched (T, in), or a
    PackedSequence; hx (layers * directions, N, size), zeros by default. Source: torch.nn.RNN.
    """

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        if "proj_size" in kwargs:
            raise ValueError("proj_size argument is only supported for LSTM, not RNN or GRU")
        if len(args) > 3:
            nonlinearity, args = args[3], args[:3] + args[4:]
        else:
            nonlinearity = kwargs.pop("nonlinearity", "tanh")
        modes = {"tanh": "RNN_TANH", "relu": "RNN_RELU"}
        if nonlinearity not in modes:
            raise ValueError(f"Unknown nonlinearity '{nonlinearity}'. Select from 'tanh' or 'relu'.")
        super().__init__(modes[nonlinearity], *args, **kwargs)
        self.nonlinearity = nonlinearity

    def _wrong_dims(self, n: int) -> ValueError:
        return ValueError(f"RNN: Expected input to be 2D or 3D, got {n}D tensor instead")


class LSTM(RNNBase):
    """Long short-term memory, Hochreiter and Schmidhuber (1997); with proj_size the states h are projected.

    Arguments: input_size, hidden_size, num_layers=1, bias=True, batch_first=False, dropout=0.0, bidirectional=False,
    proj_size=0, device=None, dtype=None. Input as for RNN; hx = (h, c), h of proj_size if that is not 0.
    Source: torch.nn.LSTM.
    """

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__("LSTM", *args, **kwargs)

    def get_expected_cell_size(self, input: Tensor, batch_sizes: Tensor | None) -> tuple[int, int, int]:
        return (*self.get_expected_hidden_size(input, batch_sizes)[:2], self.hidden_size)

    def check_forward_args(self, input: Tensor, hidden: Any, batch_sizes: Tensor | None) -> None:
        self.check_input(input, batch_sizes)
        h, c = self.get_expected_hidden_size(input, batch_sizes), self.get_expected_cell_size(input, batch_sizes)
        self.check_hidden_size(hidden[0], h, "Expected hidden[0] size {}, got {}")
        self.check_hidden_size(hidden[1], c, "Expected hidden[1] size {}, got {}")

    def permute_hidden(self, hx: Any, permutation: Tensor | None) -> Any:
        if permutation is None:
            return hx
        return apply_permutation(hx[0], permutation), apply_permutation(hx[1], permutation)

    def _check_hx_dims(self, hx: Any, batched: bool) -> None:
        want = 3 if batched else 2
        if hx[0].dim() != want or hx[1].dim() != want:
            kind = "batched 3-D" if batched else "unbatched 2-D"
            raise RuntimeError(
                f"For {kind} input, hx and cx should also be {want}-D but got ({hx[0].dim()}-D, {hx[1].dim()}-D) tensors"
            )

    def _each(self, hx: Any, fn: Any) -> Any:
        return fn(hx[0]), fn(hx[1])

    def _new_states(self, like: Tensor, batch: int) -> Any:
        h = super()._new_states(like, batch)
        return h, ops.zeros(h.shape[0], batch, self.hidden_size, dtype=like.dtype, device=like.device)


class GRU(RNNBase):
    """Gated recurrent unit, Cho et al. (2014), with the reset gate applied after the product W_hn h + b_hn.

    Arguments: input_size, hidden_size, num_layers=1, bias=True, batch_first=False, dropout=0.0, bidirectional=False,
    device=None, dtype=None. Input and hx as for RNN. Source: torch.nn.GRU.
    """

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        if "proj_size" in kwargs:
            raise ValueError("proj_size argument is only supported for LSTM, not RNN or GRU")
        super().__init__("GRU", *args, **kwargs)


# ---- cells ------------------------------------------------------------------------------------------------------------
class RNNCellBase(Module):
    """Parameters weight_ih, weight_hh, bias_ih and bias_hh, uniform in +-1 / sqrt(hidden_size)."""

    def __init__(
        self, input_size: int, hidden_size: int, bias: bool, num_chunks: int, device: Any = None, dtype: Any = None
    ) -> None:
        super().__init__()
        self.input_size, self.hidden_size, self.bias = input_size, hidden_size, bias
        rows = num_chunks * hidden_size
        self.weight_ih = Parameter(ops.empty(rows, input_size, device=device, dtype=dtype))
        self.weight_hh = Parameter(ops.empty(rows, hidden_size, device=device, dtype=dtype))
        for name in ("bias_ih", "bias_hh"):
            value = Parameter(ops.empty(rows, device=device, dtype=dtype)) if bias else None
            self.register_parameter(name, value)
        self.reset_parameters()

    def reset_parameters(self) -> None:
        bound = 1.0 / sqrt(self.hidden_size) if self.hidden_size > 0 else 0
        for p in self.parameters():
            init.uniform_(p, -bound, bound)

    def extra_repr(self) -> str:
        s = f"{self.input_size}, {self.hidden_size}"
        if not self.bias:
            s += ", bias=False"
        if getattr(self, "nonlinearity", "tanh") != "tanh":
            s += f", nonlinearity={self.nonlinearity}"
        return s

    def _step(self, cell: Any, input: Tensor, hx: Any) -> Any:
        """cell on 2-D inputs; 1-D ones are a batch of one. hx: None, a state, or a tuple of two for the LSTM."""
        name = type(self).__name__
        two = cell is ops.lstm_cell
        if input.dim() not in (1, 2):
            raise ValueError(f"{name}: Expected input to be 1D or 2D, got {input.dim()}D instead")
        states: list[Any] = [] if hx is None else list(hx) if two else [hx]
        for k, h in enumerate(states):
            if h.dim() not in (1, 2):
                what = f"hx[{k}]" if two else "hidden"
                raise ValueError(f"{name}: Expected {what} to be 1D or 2D, got {h.dim()}D instead")
        batched = input.dim() == 2
        if not batched:
            input = input.unsqueeze(0)  # type: ignore[attr-defined]
        if hx is None:
            zero = ops.zeros(input.shape[0], self.hidden_size, dtype=input.dtype, device=input.device)
            states = [zero, zero] if two else [zero]
        elif not batched:
            states = [h.unsqueeze(0) for h in states]
        for k, h in enumerate(states):
            if h.dim() == 1:
                raise RuntimeError(f"Input batch size {input.shape[0]} doesn't match hidden{k} batch size {h.shape[0]}")
            if h.dim() == 3:
                raise RuntimeError(
                    f"hidden{k} has inconsistent hidden_size: got {h.shape[1]}, expected {self.hidden_size}"
                )
        p = self._parameters
        out = cell(
            input, tuple(states) if two else states[0], p["weight_ih"], p["weight_hh"], p["bias_ih"], p["bias_hh"]
        )
        outs = out if two else (out,)
        if self.weight_ih.shape[0] > self.hidden_size:  # under autocast an RNNCell alone changes the dtype
            outs = [y.to(states[0].dtype) for y in outs]
        outs = tuple(y if batched else y.squeeze(0) for y in outs)
        return outs if two else outs[0]


class RNNCell(RNNCellBase):
    """One step of an RNN: (N, in) or (in,), hx (N, size) or (size,), zeros by default. Source: torch.nn.RNNCell."""

    def __init__(
        self, input_size: int, hidden_size: int, bias: bool = True, nonlinearity: str = "tanh", device: Any = None,
        dtype: Any = None,
    ) -> None:  # fmt: skip
        super().__init__(input_size, hidden_size, bias, 1, device, dtype)
        self.nonlinearity = nonlinearity

    def forward(self, input: Tensor, hx: Tensor | None = None) -> Tensor:
        if self.nonlinearity not in ("tanh", "relu"):
            raise RuntimeError(f"Unknown nonlinearity: {self.nonlinearity}")
        cell = ops.rnn_tanh_cell if self.nonlinearity == "tanh" else ops.rnn_relu_cell
        return self._step(cell, input, hx)  # type: ignore[no-any-return]


class LSTMCell(RNNCellBase):
    """One step of an LSTM: the new (h, c) of hx = (h, c), zeros by default. Source: torch.nn.LSTMCell."""

    def __init__(
        self, input_size: int, hidden_size: int, bias: bool = True, device: Any = None, dtype: Any = None
    ) -> None:
        super().__init__(input_size, hidden_size, bias, 4, device, dtype)

    def forward(self, input: Tensor, hx: Any = None) -> tuple[Tensor, Tensor]:
        return self._step(ops.lstm_cell, input, hx)  # type: ignore[no-any-return]


class GRUCell(RNNCellBase):
    """One step of a GRU: the new state of hx, zeros by default. Source: torch.nn.GRUCell."""

    def __init__(
        self, input_size: int, hidden_size: int, bias: bool = True, device: Any = None, dtype: Any = None
    ) -> None:
        super().__init__(input_size, hidden_size, bias, 3, device, dtype)

    def forward(self, input: Tensor, hx: Tensor | None = None) -> Tensor:
        return self._step(ops.gru_cell, input, hx)  # type: ignore[no-any-return]
