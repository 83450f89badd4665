"""Samples of the recurrent layers and cells: layouts, dtypes, empty batches, NaN, packed rows, wrong input."""

import numpy as np
from ops_table import F32, I64, arr, const, family


def recurrent(gates, size=2, states=1, batch=3, layout="c", dtype=np.float64, width=4, steps=2, hidden=None):
    """Makers of x (T, N, in), the states, w_ih, w_hh, b_ih and b_hh of one layer."""
    hidden = hidden or size
    kw = {"layout": layout, "dtype": dtype}
    parts = [arr(steps, batch, width, **kw), arr(1, batch, size, **kw), *[arr(1, batch, hidden, **kw)] * (states - 1)]
    parts += [arr(gates * hidden, width, **kw), arr(gates * hidden, size, **kw)]
    return (*parts, arr(gates * hidden, dtype=dtype), arr(gates * hidden, dtype=dtype))


def variants(gates, states):
    kw = {"states": states}
    nan = (const([[[np.nan, 1, 2, 3]], [[np.inf, 0, 1, 2]]]), *recurrent(gates, batch=1, **kw)[1:])
    return {
        "c": recurrent(gates, **kw),
        "t": recurrent(gates, layout="t", **kw),
        "s": recurrent(gates, layout="s", **kw),
        "f32": recurrent(gates, dtype=F32, **kw),
        "no batch": recurrent(gates, batch=0, **kw),
        "one step": recurrent(gates, steps=1, **kw),
        "no steps": recurrent(gates, steps=0, **kw),
        "nan": nan,
        "mixed": (arr(2, 3, 4, dtype=F32), *recurrent(gates, **kw)[1:]),
        "i64": recurrent(gates, dtype=I64, **kw),
        "width": (arr(2, 3, 5), *recurrent(gates, **kw)[1:]),
    }


for op, gates in (("rnn_tanh", 1), ("rnn_relu", 1), ("gru", 3)):
    makers = variants(gates, 1)
    family(
        op, lambda t, x, h, *w, op=op: getattr(t, op)(x, h, w, True, 1, 0.0, False, False, False), makers
    )  # fmt: skip
    plain = {"c": makers["c"], "f32": makers["f32"]}
    family(
        f"{op}.two directions, batch first, no bias",
        lambda t, x, h, a, b, *c, op=op: getattr(t, op)(
            x.transpose(0, 1), t.cat([h, h]), [a, b, a, b], False, 1, 0.0, False, True, True
        ),
        plain,
    )
    family(
        f"{op}.packed",
        lambda t, x, h, *w, op=op: getattr(t, op)(
            x.reshape(6, 4), t.tensor([3, 2, 1], device="cpu"), h, w, True, 1, 0.0, True, False
        ),
        plain,
    )
    cell = "gru_cell" if op == "gru" else op + "_cell"
    family(cell, lambda t, x, h, *w, cell=cell: getattr(t, cell)(x[0], h[0], *w), {
        k: v for k, v in makers.items() if k not in ("no steps", "i64")
    })  # fmt: skip

makers = variants(4, 2)
family("lstm", lambda t, x, h, c, *w: t.lstm(x, (h, c), w, True, 1, 0.0, False, False, False), makers)
family("lstm_cell", lambda t, x, h, c, *w: t.lstm_cell(x[0], (h[0], c[0]), *w), {
    k: v for k, v in makers.items() if k not in ("no steps", "i64")
})  # fmt: skip
projected = {k: (*recurrent(4, 1, 2, hidden=2, dtype=d), arr(1, 2, dtype=d)) for k, d in (("c", "f8"), ("f32", "f4"))}
family(
    "lstm.projected, packed, two directions",
    lambda t, x, h, c, *w: t.lstm(
        x.reshape(6, 4),
        t.tensor([3, 2, 1], device="cpu"),
        (t.cat([h, h]), t.cat([c, c])),
        w * 2,
        True,
        1,
        0.0,
        False,
        True,
    ),
    projected,
)
