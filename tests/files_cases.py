"""40 things to write into files, made with PyTorch or with PolyTensor (`t`): written by one, read by the other."""

from collections import OrderedDict

DTYPES = (
    "bool", "uint8", "int8", "int16", "int32", "int64", "uint16", "uint32", "uint64", "float16", "bfloat16", "float32",
    "float64", "complex64", "complex128",
)  # fmt: skip


def _values(t, name):
    if name == "bool":
        return t.tensor([[True, False, True], [False, False, True]])
    if name.startswith("complex"):
        return t.tensor([[1 + 2j, -3.5j, 0.25], [0, 1, -1]], dtype=getattr(t, name))
    return t.tensor([[0, 1, 2], [100, 7, 3]], dtype=getattr(t, name))


def _views(t):
    base = t.arange(24.0).reshape(4, 6)
    return {
        "base": base,
        "row": base[1],
        "column": base[:, 2],
        "steps": base[::2, 1::2],
        "t": base.t(),
        "one": base[2, 3],
    }


def _resnet(t):
    """A state_dict of ResNet18's names and shapes, an eighth as wide."""
    state = OrderedDict()

    def norm(name, n):
        for part in ("weight", "bias", "running_mean", "running_var"):
            state[f"{name}.{part}"] = t.linspace(0, 1, n)
        state[f"{name}.num_batches_tracked"] = t.tensor(7)

    def conv(name, out, inp, k):
        state[f"{name}.weight"] = t.linspace(-1, 1, out * inp * k * k).reshape(out, inp, k, k)

    conv("conv1", 8, 3, 7)
    norm("bn1", 8)
    inp = 8
    for stage, width in enumerate((8, 16, 32, 64), 1):
        for block in range(2):
            name = f"layer{stage}.{block}"
            for i, channels in ((1, inp), (2, width)):
                conv(f"{name}.conv{i}", width, channels, 3)
                norm(f"{name}.bn{i}", width)
            if inp != width:
                conv(f"{name}.downsample.0", width, inp, 1)
                norm(f"{name}.downsample.1", width)
            inp = width
    state["fc.weight"], state["fc.bias"] = t.linspace(0, 1, 640).reshape(10, 64), t.zeros(10)
    return state


def _net(t):
    return t.nn.Sequential(t.nn.Linear(4, 3), t.nn.BatchNorm1d(3), t.nn.ReLU(), t.nn.Linear(3, 2))


def _optimizer(t, name, **options):
    net = _net(t)
    optimizer = getattr(t.optim, name)(net.parameters(), lr=0.1, **options)
    for _ in range(2):
        optimizer.zero_grad()
        net(t.ones(5, 4)).sum().backward()
        optimizer.step()
    return {"model": net.state_dict(), "optimizer": optimizer.state_dict(), "epoch": 2, "loss": 0.25}


def _scheduler(t, name, *options):
    optimizer = t.optim.SGD([t.nn.Parameter(t.ones(2))], lr=0.1, momentum=0.9)
    scheduler = getattr(t.optim.lr_scheduler, name)(optimizer, *options)
    optimizer.step()
    scheduler.step()
    return {"scheduler": {k: v for k, v in scheduler.state_dict().items() if k != "_get_lr_called_within_step"}}


def _attributes(t):
    p, x = t.nn.Parameter(t.ones(2)), t.ones(3)
    p.tag, x.names_of_rows = "a", ["x", "y"]
    return [p, x]


def _twice(t):
    x = t.ones(3)
    return {"a": x, "b": x, "c": [x]}


CASES = {
    **{f"dtype {name}": lambda t, name=name: _values(t, name) for name in DTYPES},
    "views": _views,
    "the same tensor twice": _twice,
    "0-dim": lambda t: [t.tensor(3.5), t.tensor(7), t.tensor(True)],
    "empty": lambda t: [t.zeros(0), t.zeros(0, 3), t.zeros(2, 0, 4, dtype=t.int64)],
    "expanded": lambda t: t.tensor([1.0, 2.0]).unsqueeze(1).expand(2, 5),
    "transposed": lambda t: t.arange(6).reshape(2, 3).t(),
    "channels_last": lambda t: t.arange(48.0).reshape(2, 3, 2, 4).contiguous(memory_format=t.channels_last),
    "permuted": lambda t: t.arange(24).reshape(2, 3, 4).permute(2, 0, 1),
    "offset": lambda t: t.arange(10)[3:7],
    "parameter": lambda t: [t.nn.Parameter(t.ones(2)), t.nn.Parameter(t.ones(2), requires_grad=False)],
    "requires_grad": lambda t: [t.ones(2, requires_grad=True), t.ones(2)],
    "attributes": _attributes,
    "size, dtype, device": lambda t: {"size": t.Size([2, 3]), "dtype": [t.float32, t.bool], "device": t.device("cpu")},
    "nested": lambda t: {"a": [1, (2.5, "s", None, True), {"b": [t.ones(2), {3: t.zeros(1)}]}], 7: b"bytes", "s": {1, 2}},
    "numbers": lambda t: [2**70, -(2**40), 1e300, float("inf"), complex(1, 2), 0, 255, 65536, "ü", ""],
    "OrderedDict": lambda t: OrderedDict([("z", t.ones(1)), ("a", t.zeros(1))]),
    "module": lambda t: _net(t).state_dict(),
    "ResNet18": _resnet,
    "SGD": lambda t: _optimizer(t, "SGD", momentum=0.9, nesterov=True),
    "Adam": lambda t: _optimizer(t, "Adam", amsgrad=True),
    "AdamW": lambda t: _optimizer(t, "AdamW", weight_decay=0.1),
    "RMSprop": lambda t: _optimizer(t, "RMSprop", centered=True),
    "Adagrad": lambda t: _optimizer(t, "Adagrad"),
    "StepLR": lambda t: _scheduler(t, "StepLR", 2),
    "CosineAnnealingLR": lambda t: _scheduler(t, "CosineAnnealingLR", 10),
    "large": lambda t: t.linspace(0, 1, 100_000),
}  # fmt: skip


def same(a, b, at="it"):
    """AssertionError unless two results are equal: one of PyTorch, one of PolyTensor."""
    kind = type(b).__name__
    if hasattr(b, "untyped_storage"):
        assert kind == type(a).__name__, at
        assert str(a.dtype) == str(b.dtype) and tuple(a.shape) == tuple(b.shape), at
        assert a.requires_grad == b.requires_grad and str(a.device) == str(b.device), at
        assert a.stride() == b.stride() and a.storage_offset() == b.storage_offset(), at
        assert a.detach().tolist() == b.detach().tolist(), at
        same(vars(a), vars(b), f"{at}'s attributes")
    elif isinstance(b, dict):
        assert type(a).__name__ == kind and list(a) == list(b), at
        for key in b:
            same(a[key], b[key], f"{at}[{key!r}]")
    elif isinstance(b, (list, tuple)):
        assert type(a).__name__ == kind and len(a) == len(b), at
        for i, (x, y) in enumerate(zip(a, b, strict=True)):
            same(x, y, f"{at}[{i}]")
    elif kind in ("dtype", "device"):
        assert str(a) == str(b), at
    else:
        assert type(a) is type(b) and a == b, at


def sharing(found):
    """Which tensors stand on one memory: groups of paths."""
    groups = {}

    def walk(x, at):
        if hasattr(x, "untyped_storage"):
            if x.numel():
                groups.setdefault(x.untyped_storage().data_ptr(), []).append(at)
        elif isinstance(x, dict):
            for key, value in x.items():
                walk(value, f"{at}/{key}")
        elif isinstance(x, (list, tuple)):
            for i, value in enumerate(x):
                walk(value, f"{at}/{i}")

    walk(found, "")
    return sorted(groups.values())
