"""Where arguments are refused, in the words that users search for, and what is empty, expanded or a number alone."""

import sys
import warnings

import numpy as np
from ops_table import BOOL, F32, I64, add, arr, const, family


def told(fn, *args):
    """The class and the words of the error of fn(*args)."""
    try:
        fn(*args)
    except Exception as error:  # noqa: BLE001 any class is a result here
        return f"{type(error).__name__}: {error}"
    return "no error"


def warned(fn, *args, **kwargs):
    """The texts of UserWarnings of fn(*args), as PyTorch's code in C++ ends them or not."""
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        fn(*args, **kwargs)
    return [str(w.message).partition(" (Triggered")[0] for w in caught if w.category is UserWarning]


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

# ---- dtypes and memory formats of memory that is there ----
for shape in ((0, 5, 4), (0, 4), (0,)):
    add(
        f"view.dtype.empty{shape}",
        lambda t, shape=shape: [t.zeros(shape).view(k) for k in (t.uint8, t.int32, t.float64)],
        grad=False,
        strides=True,
    )
for name, index in {"1d": slice(1, 3), "2d": (slice(None), slice(1, None))}.items():
    add(
        f"view.dtype.offset.{name}",
        lambda t, x, index=index: told(x[index].view, t.float64),
        arr(*((5,) if name == "1d" else (3, 5)), dtype=F32),
        grad=False,
    )
for name, before in {"grown": (2,), "fits": (24,), "same": (1, 2, 3, 4)}.items():
    for form in ("channels_last", "contiguous_format", "preserve_format"):
        add(
            f"resize_.{form}.{name}",
            lambda t, x, form=form: x.clone().resize_(1, 2, 3, 4, memory_format=getattr(t, form)).fill_(1),
            arr(*before),
            grad=False,
            strides=True,
        )
        add(
            f"resize_as_.{form}.{name}",
            lambda t, x, form=form: (
                x.clone()
                .resize_as_(t.ones(1, 2, 3, 4).to(memory_format=t.channels_last), memory_format=getattr(t, form))
                .zero_()
            ),
            arr(*before),
            grad=False,
            strides=True,
        )
add("resize_.rank", lambda t, x: x.resize_(4, 6, memory_format=t.channels_last), arr(24), grad=False)
for name, cuts in {"float": 1.5, "floats": [1.0], "matrix": [[1]]}.items():
    add(f"tensor_split.refused.{name}", lambda t, x, c=cuts: told(t.tensor_split, x, t.tensor(c)), arr(4), grad=False)
# ---- a number goes to every place of an expanded tensor, as it is one place ----
for name, set_ in {"fill_": lambda x: x.fill_(3), "zero_": lambda x: x.zero_(), "add_": lambda x: x.add_(1)}.items():
    family(
        f"expanded.{name}",
        lambda t, x, set_=set_: (told(set_, x.expand(2, 3)), x),
        {"f": (arr(2, 1),), "i": (arr(1, dtype=I64),), "0d": (arr(),)},
        grad=False,
    )
# ---- reductions ----
for op in ("var", "std", "var_mean", "std_mean"):
    family(
        f"{op}.too_few",
        lambda t, x, op=op: [warned(getattr(t, op), x, dim=0, correction=c) for c in (0, 1, 3)],
        {"1": (arr(1),), "3": (arr(3, 2),), "02": (arr(0, 2),), "20": (arr(2, 0),)},
        grad=False,
    )
for op in ("sum", "cumsum", "cumprod"):
    family(
        f"{op}.dtype.out",
        lambda t, x, op=op: [
            told(lambda k=k: getattr(t, op)(x, 0, dtype=getattr(t, k), out=t.empty_like(x if "c" in op else x[0])))
            for k in ("float32", "float64")
        ],
        {"f64": (arr(2, 3),), "f32": (const(np.ones((2, 3)), F32),)},
        grad=False,
    )
# ---- storages that programs make themselves ----
STORAGES = {
    "bytes": lambda t: [repr(t.UntypedStorage([1, 2])), t.UntypedStorage(3).fill_(7).tolist()],
    "floats": lambda t: [repr(t.FloatStorage([1, 2])), t.FloatStorage(5).size(), t.Storage([1]).dtype == t.float32],
    "typed": lambda t: [repr(t.TypedStorage([2.5], dtype=t.float64)), t.TypedStorage([2]).type()],
    "wrapped": lambda t: repr(t.FloatStorage(wrap_storage=t.ones(2).untyped_storage())),
    "buffer": lambda t: t.ByteTensor(t.ByteStorage.from_buffer(b"abcd", count=2, offset=1)),
    "big": lambda t: [t.FloatStorage.from_buffer(b"abcd", order).tolist() for order in ("big", "little", "native")],
    "order": lambda t: told(t.FloatStorage.from_buffer, b"abcd"),
    "untyped": lambda t: repr(t.UntypedStorage.from_buffer(b"abcd", "native", dtype=t.int16)),
    "alias": lambda t: (lambda s: (t.FloatTensor(s).fill_(4), s.tolist()))(t.FloatStorage([1, 2])),
    "tensor": lambda t: [t.tensor(t.FloatStorage([1, 2])), t.as_tensor(t.ones(2).storage())],
    "casts": lambda t: [t.ones(2).storage().half().tolist(), t.UntypedStorage([1, 2]).int().type()],
    "classes": lambda t: [isinstance(t.ones(1).storage(), k) for k in (t.FloatStorage, t.IntStorage)],
    "clone": lambda t: (lambda s: [s.clone().fill_(1).tolist(), s.tolist()])(t.IntStorage([5, 6])),
    "copy_": lambda t: t.IntStorage([5, 6]).copy_(t.IntStorage([7, 8])).tolist(),
    "copy_.size": lambda t: told(t.IntStorage(2).copy_, t.DoubleStorage(2)),
    "refused": lambda t: [told(t.UntypedStorage, 2.5), told(t.UntypedStorage, 2, 3).partition(" - ")[0]],
}
for name, fn in STORAGES.items():
    add(f"storage.{name}", fn, grad=False, host=True)
add(
    "storage.sizeof",
    lambda t: [sys.getsizeof(k(1000)) - sys.getsizeof(k()) for k in (t.UntypedStorage, t.FloatStorage)],
)
add(
    "out.resized",
    lambda t, x: warned(t.add, x, 1, out=t.ones(3))[:1],  # PyTorch says it twice
    arr(2),
    grad=False,
)
add("resize_.overflow", lambda t: told(t.zeros(1).resize_, 2, 4, 2**29, 2**29), grad=False)
add("Size.concatenated", lambda t: [told(lambda x=x: t.Size([1]) + x) for x in ([2], 5, None, "ab")], grad=False)
for op, indices, dtypes in [
    (o, i, d) for o in ("sort", "max", "median") for i, d in (("int64", "float64"), ("int32", "float32"))
]:
    add(
        f"{op}.out.{dtypes}",
        lambda t, x, op=op, i=indices, d=dtypes: getattr(t, op)(
            x, 0, out=(t.empty(0, dtype=getattr(t, d)), t.empty(0, dtype=getattr(t, i)))
        ),
        arr(2, 3, dtype=F32),
        grad=False,
    )
for op in ("topk", "kthvalue", "mode"):
    add(
        f"{op}.out.other",
        lambda t, x, op=op: getattr(t, op)(x, 1, out=(t.empty(0, dtype=t.float64), t.empty(0, dtype=t.int64))),
        arr(2, 3, dtype=F32),
        grad=False,
    )
add("new.of_another_dtype", lambda t, x: x.new(t.tensor([1, 2])), arr(2), grad=False)
add("new.of_a_tensor", lambda t, x: x.new(x), arr(2), grad=False)
