"""Recurrent layers and cells: RNN, LSTM and GRU over padded or packed sequences. Source: torch.lstm, torch.gru_cell, ...

A layer is one primitive over all its steps. Its derivative is a kernel too; derivatives of that differentiate the same
recurrence written in other ops.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from ..backends.recurrent import Sizes, spans
from ..tensor import Tensor, wrap
from . import pointwise as pw
from .dropouts import dropout as drop
from .halves import is_half, widened
from .joining import cat, stack
from .products import matmul
from .recompute import gradients
from .shape import reshape
from .table import F, check_tensor, fresh, primitive, same_device, type_name

__all__ = [
    "gru",
    "gru_cell",
    "lstm",
    "lstm_cell",
    "rnn_relu",
    "rnn_relu_cell",
    "rnn_tanh",
    "rnn_tanh_cell",
]

Step = Callable[..., Any]


# ---- the same recurrences in other ops --------------------------------------------------------------------------------
def _walk(gates: Tensor, states: list[Tensor], sizes: Sizes, reverse: bool, step: Step) -> tuple[Tensor, ...]:
    """step(gates of a step, states) over all steps. Returns (all first states, the last states)."""
    found = []
    for a, b in spans(sizes, reverse):
        n = b - a
        new = step(gates[a:b], *[s[:n] for s in states])  # type: ignore[index]
        found.append(new[0])
        states = [cat([y, s[n:]]) if n < s._a.shape[0] else y for y, s in zip(new, states, strict=True)]  # type: ignore[index]
    return cat(found[::-1] if reverse else found), *states


def _project(x: Tensor, w: Tensor, *biases: Tensor) -> Tensor:
    y = matmul(x, w.transpose(0, 1))  # type: ignore[attr-defined]
    for b in biases:
        if b._a.size:
            y = pw.add(y, b)
    return y


def _rnn(
    x: Tensor, h0: Tensor, w_ih: Tensor, w_hh: Tensor, b_ih: Tensor, b_hh: Tensor, relu: bool, sizes: Sizes, reverse: bool
) -> tuple[Tensor, ...]:  # fmt: skip
    def step(gates: Tensor, h: Tensor) -> tuple[Tensor, ...]:
        return ((pw.relu if relu else pw.tanh)(pw.add(gates, _project(h, w_hh))),)

    return _walk(_project(x, w_ih, b_ih, b_hh), [h0], sizes, reverse, step)


def _lstm(
    x: Tensor, h0: Tensor, c0: Tensor, w_ih: Tensor, w_hh: Tensor, b_ih: Tensor, b_hh: Tensor, w_hr: Tensor, sizes: Sizes,
    reverse: bool,
) -> tuple[Tensor, ...]:  # fmt: skip
    def step(gates: Tensor, h: Tensor, c: Tensor) -> tuple[Tensor, ...]:
        i, f, cell, o = pw.add(gates, _project(h, w_hh)).chunk(4, 1)  # type: ignore[attr-defined]
        c = pw.add(pw.mul(pw.sigmoid(f), c), pw.mul(pw.sigmoid(i), pw.tanh(cell)))
        y = pw.mul(pw.sigmoid(o), pw.tanh(c))
        return _project(y, w_hr) if w_hr._a.size else y, c

    return _walk(_project(x, w_ih, b_ih, b_hh), [h0, c0], sizes, reverse, step)


def _gru(
    x: Tensor, h0: Tensor, w_ih: Tensor, w_hh: Tensor, b_ih: Tensor, b_hh: Tensor, sizes: Sizes, reverse: bool
) -> tuple[Tensor, ...]:
    def step(gates: Tensor, h: Tensor) -> tuple[Tensor, ...]:
        xr, xz, xn = gates.chunk(3, 1)  # type: ignore[attr-defined]
        hr, hz, hn = _project(h, w_hh, b_hh).chunk(3, 1)  # type: ignore[attr-defined]
        new = pw.tanh(pw.add(xn, pw.mul(pw.sigmoid(pw.add(xr, hr)), hn)))
        return (pw.add(new, pw.mul(pw.sigmoid(pw.add(xz, hz)), pw.sub(h, new))),)

    return _walk(_project(x, w_ih, b_ih), [h0], sizes, reverse, step)


def _rnn_backward(g: Any, need: Any, x: Any, h0: Any, wi: Any, wh: Any, bi: Any, bh: Any, *rest: Any) -> list[Any]:
    return gradients(_rnn, g, need, (x, h0, wi, wh, bi, bh), rest[-3:])


def _lstm_backward(
    g: Any, need: Any, x: Any, h0: Any, c0: Any, wi: Any, wh: Any, bi: Any, bh: Any, wr: Any, *rest: Any
) -> list[Any]:
    return gradients(_lstm, g, need, (x, h0, c0, wi, wh, bi, bh, wr), rest[-2:])


def _gru_backward(g: Any, need: Any, x: Any, h0: Any, wi: Any, wh: Any, bi: Any, bh: Any, *rest: Any) -> list[Any]:
    return gradients(_gru, g, need, (x, h0, wi, wh, bi, bh), rest[-2:])


F.rnn_scan_backward, F.lstm_scan_backward, F.gru_scan_backward = _rnn_backward, _lstm_backward, _gru_backward


# ---- primitives -------------------------------------------------------------------------------------------------------
def _rnn_rule(
    F: Any, g: Any, need: Any, x: Any, h0: Any, w_ih: Any, w_hh: Any, b_ih: Any, b_hh: Any, out2: Any, out3: Any, relu: bool,
    sizes: Sizes, reverse: bool,
) -> Any:  # fmt: skip
    return F.rnn_scan_backward(g, need, x, h0, w_ih, w_hh, b_ih, b_hh, out2, out3, relu, sizes, reverse)


def _lstm_rule(
    F: Any, g: Any, need: Any, x: Any, h0: Any, c0: Any, w_ih: Any, w_hh: Any, b_ih: Any, b_hh: Any, w_hr: Any, out3: Any,
    out4: Any, out5: Any, out6: Any, sizes: Sizes, reverse: bool,
) -> Any:  # fmt: skip
    return F.lstm_scan_backward(
        g, need, x, h0, c0, w_ih, w_hh, b_ih, b_hh, w_hr, out3, out4, out5, out6, sizes, reverse
    )


def _gru_rule(
    F: Any, g: Any, need: Any, x: Any, h0: Any, w_ih: Any, w_hh: Any, b_ih: Any, b_hh: Any, out2: Any, out3: Any, out4: Any,
    sizes: Sizes, reverse: bool,
) -> Any:  # fmt: skip
    return F.gru_scan_backward(g, need, x, h0, w_ih, w_hh, b_ih, b_hh, out2, out3, out4, sizes, reverse)


_rnn_scan = primitive("rnn_scan", "x h0 w_ih w_hh b_ih b_hh", _rnn_rule, "relu sizes reverse", outs=4)
_lstm_scan = primitive("lstm_scan", "x h0 c0 w_ih w_hh b_ih b_hh w_hr", _lstm_rule, "sizes reverse", outs=7)
_gru_scan = primitive("gru_scan", "x h0 w_ih w_hh b_ih b_hh", _gru_rule, "sizes reverse", outs=5)


def _zeros(like: Tensor, n: int) -> Tensor:
    return wrap(like._dev.backend.zeros((n,), like._a.dtype), like._dev)


class _Kind:
    """A recurrence: its gates, its states and its primitive."""

    def __init__(self, name: str, gates: int, states: int, scan: Step) -> None:
        self.name, self.gates, self.states, self.scan = name, gates, states, scan

    def layer(
        self, x: Tensor, states: list[Tensor], w_ih: Tensor, w_hh: Tensor, b_ih: Any, b_hh: Any, w_hr: Any, sizes: Sizes,
        reverse: bool,
    ) -> Any:  # fmt: skip
        """(all h, the last states) of x (rows, in). Half types compute in float32 and round once."""
        self.check(x, states, w_ih, w_hh, b_ih, b_hh)
        if b_ih is None and b_hh is None:
            b_ih = b_hh = _zeros(x, 0)
        elif b_ih is None or b_hh is None:
            b_ih, b_hh = (_zeros(x, w_ih._a.shape[0]) if b is None else b for b in (b_ih, b_hh))
        inputs = [x, *states, w_ih, w_hh, b_ih, b_hh]
        if self.states == 2:
            inputs.append(_zeros(x, 0) if w_hr is None else w_hr)
        same_device(self.name, *inputs)
        dtype = x._a.dtype
        y, *last = self.scan(*map(widened, inputs), sizes, reverse)[: self.states + 1]
        return (F.cast(y, dtype), [F.cast(t, dtype) for t in last]) if is_half(dtype) else (y, last)

    def check(self, x: Tensor, states: list[Tensor], w_ih: Tensor, w_hh: Tensor, *biases: Any) -> None:
        for t in (w_ih, *states, w_hh, *biases):
            if t is not None and t._a.dtype != x._a.dtype:
                raise RuntimeError(
                    f"mat1 and mat2 must have the same dtype, but got {type_name(x)} and {type_name(t)} (in {self.name})"
                )
        if x._a.dtype.kind not in ("fViu" if self.name == "rnn_relu" else "fV"):  # relu is all that integers have
            raise RuntimeError(f"{self.name} is not implemented for {x.dtype}")
        for a, w in ((x, w_ih), (states[0], w_hh)):
            if w._a.ndim != 2 or a._a.shape[1] != w._a.shape[1]:
                shapes = f"{'x'.join(map(str, a._a.shape))} and {'x'.join(map(str, w._a.shape[::-1]))}"
                raise RuntimeError(f"mat1 and mat2 shapes cannot be multiplied ({shapes})")
        rows = self.gates * states[-1]._a.shape[1]
        for t in (w_ih, w_hh, *biases):
            if t is not None and t._a.shape[0] != rows:
                raise RuntimeError(
                    f"{self.name}: expected weights and biases of {rows} rows ({self.gates} * hidden_size), but got "
                    f"{list(t._a.shape)}"
                )


_KINDS = {
    "rnn_tanh": _Kind("rnn_tanh", 1, 1, lambda *a: _rnn_scan(*a[:-2], False, *a[-2:])),
    "rnn_relu": _Kind("rnn_relu", 1, 1, lambda *a: _rnn_scan(*a[:-2], True, *a[-2:])),
    "lstm": _Kind("lstm", 4, 2, _lstm_scan),
    "gru": _Kind("gru", 3, 1, _gru_scan),
}


# ---- layers -----------------------------------------------------------------------------------------------------------
def _run(kind: _Kind, args: tuple[Any, ...]) -> Any:
    """The padded form (input, hx, params, ..., batch_first) or the packed one (data, batch_sizes, hx, params, ...)."""
    packed = isinstance(args[2], Tensor) or (isinstance(args[1], Tensor) and kind.states == 2)
    if packed:
        x, batch_sizes, hx, params, has_biases, num_layers, dropout, train, bidirectional = args
        sizes: Sizes = tuple(batch_sizes.tolist())
        rows = check_tensor(x, kind.name)
    else:
        x, hx, params, has_biases, num_layers, dropout, train, bidirectional, batch_first = args
        if check_tensor(x, kind.name)._a.ndim != 3:
            raise RuntimeError(f"{kind.name}: expected input of 3 dimensions, got {list(x._a.shape)}")
        x = x.transpose(0, 1) if batch_first else x
        steps, batch, width = x._a.shape
        sizes = (batch,) * steps
        rows = reshape(x, (steps * batch, width))
    if not sizes:
        raise RuntimeError("Expected sequence length to be larger than 0 in RNN")
    if isinstance(hx, Tensor):
        hx = (hx,)
    if len(hx) != kind.states:
        raise RuntimeError(f"{kind.name} expects {('one hidden state', 'two hidden states')[kind.states - 1]}")
    directions = 2 if bidirectional else 1
    count = num_layers * directions
    per, rest = divmod(len(params), count)
    least = 4 if has_biases else 2
    if rest or per not in (least, least + (kind.states == 2)):
        raise RuntimeError(f"{kind.name}: got {len(params)} parameters for {count} times {least}")
    for h in hx:
        if h._a.ndim != 3 or h._a.shape[0] < count:
            raise RuntimeError("Expected more hidden states in stacked_rnn")
        if h._a.shape[1] != sizes[0]:
            raise RuntimeError(f"Expected a batch of {sizes[0]} in the hidden state, got {list(h._a.shape)}")
    last: list[list[Tensor]] = [[] for _ in hx]
    for k in range(num_layers):
        found = []
        for d in range(directions):
            i = k * directions + d
            own = list(params[i * per : i * per + per])
            w_ih, w_hh = own[:2]
            b_ih, b_hh = own[2:4] if has_biases else (None, None)
            w_hr = own[-1] if per > least else None
            y, states = kind.layer(rows, [h[i] for h in hx], w_ih, w_hh, b_ih, b_hh, w_hr, sizes, d == 1)
            found.append(y)
            for into, state in zip(last, states, strict=True):
                into.append(state)
        rows = found[0] if directions == 1 else cat(found, 1)
        if dropout and train and k < num_layers - 1:
            rows = drop(rows, dropout, True)
    if not packed:
        rows = reshape(rows, (steps, batch, rows._a.shape[1]))
        rows = rows.transpose(0, 1) if batch_first else rows  # type: ignore[attr-defined]
    return (fresh(rows), *[stack(states) for states in last])


def lstm(*args: Any) -> tuple[Tensor, Tensor, Tensor]:
    """A stack of LSTM layers: (output, h_n, c_n).

    lstm(input, (h, c), params, has_biases, num_layers, dropout, train, bidirectional, batch_first), or for a packed
    sequence lstm(data, batch_sizes, (h, c), params, has_biases, num_layers, dropout, train, bidirectional). RuntimeError for
    shapes, dtypes or numbers of parameters that do not fit. Source: torch.lstm.
    """
    return _run(_KINDS["lstm"], args)  # type: ignore[no-any-return]


def gru(*args: Any) -> tuple[Tensor, Tensor]:
    """A stack of GRU layers: (output, h_n); arguments as for lstm, with one state. Source: torch.gru."""
    return _run(_KINDS["gru"], args)  # type: ignore[no-any-return]


def rnn_tanh(*args: Any) -> tuple[Tensor, Tensor]:
    """A stack of layers h = tanh(...): (output, h_n); arguments as for gru. Source: torch.rnn_tanh."""
    return _run(_KINDS["rnn_tanh"], args)  # type: ignore[no-any-return]


def rnn_relu(*args: Any) -> tuple[Tensor, Tensor]:
    """A stack of layers h = relu(...): (output, h_n); arguments as for gru. Source: torch.rnn_relu."""
    return _run(_KINDS["rnn_relu"], args)  # type: ignore[no-any-return]


# ---- cells ------------------------------------------------------------------------------------------------------------
def _cell(
    kind: _Kind, x: Tensor, states: list[Tensor], w_ih: Tensor, w_hh: Tensor, b_ih: Any, b_hh: Any
) -> list[Tensor]:
    check_tensor(x, kind.name + "_cell")
    if x._a.ndim != 2 or any(h._a.ndim != 2 for h in states):
        if x._a.ndim < 2 or any(h._a.ndim < 2 for h in states):
            raise IndexError("Dimension out of range (expected to be in range of [-1, 0], but got 1)")
        raise RuntimeError(f"{kind.name}_cell: expected 2-D input and states, got {list(x._a.shape)}")
    if x._a.shape[1] != w_ih._a.shape[1]:
        raise RuntimeError(f"input has inconsistent input_size: got {x._a.shape[1]} expected {w_ih._a.shape[1]}")
    size = w_hh._a.shape[1]
    for k, h in enumerate(states):
        if h._a.shape[0] != x._a.shape[0]:
            raise RuntimeError(f"Input batch size {x._a.shape[0]} doesn't match hidden{k} batch size {h._a.shape[0]}")
        if h._a.shape[1] != size:
            raise RuntimeError(f"hidden{k} has inconsistent hidden_size: got {h._a.shape[1]}, expected {size}")
    for name, w in (("weight_ih", w_ih), ("weight_hh", w_hh)):
        if w._a.shape[0] != kind.gates * size:
            raise RuntimeError(
                f"{name} first dim must be {kind.gates} * hidden_size = {kind.gates * size}, but got {w._a.shape[0]}"
            )
    return kind.layer(x, states, w_ih, w_hh, b_ih, b_hh, None, (x._a.shape[0],), False)[1]  # type: ignore[no-any-return]


def lstm_cell(
    input: Tensor, hx: Any, w_ih: Tensor, w_hh: Tensor, b_ih: Tensor | None = None, b_hh: Tensor | None = None
) -> tuple[Tensor, Tensor]:
    """One step of an LSTM, input (N, in), hx = (h, c) of (N, size): the new (h, c). Source: torch.lstm_cell."""
    if len(hx) != 2:
        raise RuntimeError("lstm_cell expects two hidden states")
    h, c = _cell(_KINDS["lstm"], input, list(hx), w_ih, w_hh, b_ih, b_hh)
    return h, c


def gru_cell(
    input: Tensor, hx: Tensor, w_ih: Tensor, w_hh: Tensor, b_ih: Tensor | None = None, b_hh: Tensor | None = None
) -> Tensor:
    """One step of a GRU, input (N, in), hx (N, size): the new state. Source: torch.gru_cell."""
    return _cell(_KINDS["gru"], input, [hx], w_ih, w_hh, b_ih, b_hh)[0]


def rnn_tanh_cell(
    input: Tensor, hx: Tensor, w_ih: Tensor, w_hh: Tensor, b_ih: Tensor | None = None, b_hh: Tensor | None = None
) -> Tensor:
    """tanh(input w_ih' + b_ih + hx w_hh' + b_hh). Source: torch.rnn_tanh_cell."""
    return _cell(_KINDS["rnn_tanh"], input, [hx], w_ih, w_hh, b_ih, b_hh)[0]


def rnn_relu_cell(
    input: Tensor, hx: Tensor, w_ih: Tensor, w_hh: Tensor, b_ih: Tensor | None = None, b_hh: Tensor | None = None
) -> Tensor:
    """relu(input w_ih' + b_ih + hx w_hh' + b_hh). Source: torch.rnn_relu_cell."""
    return _cell(_KINDS["rnn_relu"], input, [hx], w_ih, w_hh, b_ih, b_hh)[0]
