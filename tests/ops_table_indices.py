"""Indices that are refused, in the words that users search for, and strides of what a slice left empty."""

from ops_table import BOOL, F32, I64, add, arr, const, family


def told(fn, *args):
    """The class and the words of the error of fn(*args)."""
    try:
        fn(*args)
    except Exception as error:  # noqa: BLE001 any class is a result here
        return f"{type(error).__name__}: {error}"
    return "no error"


def put(x, index, value):
    x[index] = value


for name, bounds in {
    "float": lambda t: slice(0.0, 2.0),
    "text": lambda t: slice("0", "1"),
    "complex": lambda t: slice(1j, None),
    "tensor.float": lambda t: slice(t.tensor(1.0), None),
    "tensor.long": lambda t: slice(t.tensor([1, 2]), None),
    "step0": lambda t: slice(None, None, 0),
    "step-1": lambda t: slice(None, None, -1),
}.items():
    add(
        f"slice.refused.{name}",
        lambda t, x, bounds=bounds: [told(lambda: x[bounds(t)]), told(lambda: x[0, bounds(t)])],
        arr(4, 4),
        grad=False,
    )
add("slice.bounds", lambda t, x: (x[t.tensor(1) : t.tensor([3])], x[True:], x[1 : t.tensor(True)]), arr(4, 4))
for name, shape, index in (
    ("list", (0, 3), [0, 1]),
    ("lists", (0, 3), ([0], [0])),
    ("column", (2, 0), (slice(None), [0])),
):
    add(
        f"index.of_nothing.{name}",
        lambda t, x, index=index: told(lambda: x[index]),
        arr(*shape, dtype=F32),
        grad=False,
    )
family(
    "mask.assigned.mismatch",
    lambda t, x, v: told(put, x, x > 1, v),
    {
        "f0": (const([0, 1, 2, 3], I64), arr(0)),
        "f3": (const([0, 1, 2, 3], I64), arr(3)),
        "f2": (const([0, 1, 2, 3], I64), arr(2)),
        "i3": (const([0, 1, 2, 3], I64), arr(3, dtype=I64)),
        "i22": (const([0, 1, 2, 3], I64), arr(2, 2, dtype=I64)),
    },
    grad=False,
)
for name, shape in {
    "tensor": lambda t: t.tensor([2, 3]),
    "floats": lambda t: (2, 2.0),
    "float": lambda t: 3.0,
    "negative": lambda t: (2, -3),
}.items():
    add(
        f"unravel_index.refused.{name}",
        lambda t, x, shape=shape: told(t.unravel_index, x, shape(t)),
        const([1], I64),
        grad=False,
    )
family(
    "slice.empty.strides",
    lambda t, x: (x[:, 2:2], x[..., 1:1], x.transpose(0, 1)[:, :0], x[::2, 3:], x.narrow(0, 1, 0), x[:0].mT),
    {"c": (arr(3, 4, 5),), "t": (arr(3, 4, 5, layout="t"),), "bool": (arr(3, 4, dtype=BOOL),)},
    strides=True,
    grad=False,
)
