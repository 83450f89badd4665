"""The cases, written once for PolyTensor and PyTorch: each builder takes the module and returns a function to time."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from conv_cases import convolutions

Case = Callable[[], Any]


def small_forward(t: Any) -> dict[str, Case]:
    """30 ops on 8x8 float32."""
    a, b, m = t.ones(8, 8) * 0.5, t.ones(8, 8) * 2, t.ones(8, 8) > 0
    i = t.tensor([1, 3, 5])
    return {
        "add": lambda: a + b, "add scalar": lambda: a + 2.0, "sub": lambda: a - b, "mul": lambda: a * b,
        "mul scalar": lambda: a * 3, "div": lambda: a / b, "neg": lambda: -a, "pow 2": lambda: a**2,
        "exp": lambda: a.exp(), "log": lambda: a.log(), "sqrt": lambda: a.sqrt(), "tanh": lambda: a.tanh(),
        "sigmoid": lambda: a.sigmoid(), "relu": lambda: a.relu(), "abs": lambda: a.abs(), "clamp": lambda: a.clamp(0, 1),
        "gt": lambda: a > b, "where": lambda: t.where(m, a, b), "sum": lambda: a.sum(), "sum dim": lambda: a.sum(1),
        "mean": lambda: a.mean(), "max": lambda: a.max(), "argmax": lambda: a.argmax(1), "matmul": lambda: a @ b,
        "view": lambda: a.view(4, 16), "transpose": lambda: a.transpose(0, 1), "index": lambda: a[2],
        "slice": lambda: a[:, 1:5], "gather rows": lambda: a[i], "softmax": lambda: t.softmax(a, 1),
        "cat": lambda: t.cat([a, b]), "zeros": lambda: t.zeros(8, 8),
    }  # fmt: skip


def small_backward(t: Any) -> dict[str, Case]:
    """10 forward and backward passes on 8x8 float32."""
    x, w = t.ones(8, 8) * 0.5, (t.ones(8, 8) * 0.25).requires_grad_()
    bias = t.ones(8).requires_grad_()
    target = t.tensor([0, 1, 2, 3, 4, 5, 6, 7])
    f = t.nn.functional

    def timed(loss: Case) -> Case:
        def run() -> None:
            loss().backward()
            w.grad = None
            bias.grad = None

        return run

    return {
        "mul": timed(lambda: (w * x).sum()), "add mul": timed(lambda: ((w + x) * w).sum()), "exp": timed(lambda: w.exp().sum()),
        "tanh mean": timed(lambda: w.tanh().mean()), "matmul": timed(lambda: (x @ w).sum()),
        "linear relu": timed(lambda: f.linear(x, w, bias).relu().sum()), "softmax": timed(lambda: (t.softmax(w, 1) * x).sum()),
        "cross entropy": timed(lambda: f.cross_entropy(w, target)), "mse": timed(lambda: f.mse_loss(w, x)),
        "view slice": timed(lambda: w.view(4, 16)[:, 2:6].sum()),
    }  # fmt: skip


def _step(t: Any, net: Any, loss_fn: Any, opt: Any, x: Any, y: Any) -> Case:
    """A training step; its parts are attributes of it, for gpu.py."""

    def step() -> Any:
        opt.zero_grad()
        loss = loss_fn(net(x), y)
        loss.backward()
        opt.step()
        return loss

    step.net, step.loss_fn, step.opt, step.x, step.y = net, loss_fn, opt, x, y  # type: ignore[attr-defined]
    return step


def _classes(t: Any, n: int) -> Any:
    return t.randint(0, 10, (n,))


def linear_regression(t: Any, batch: int = 16) -> Case:
    net = t.nn.Linear(1, 1)
    return _step(t, net, t.nn.MSELoss(), t.optim.SGD(net.parameters(), lr=0.01), t.randn(batch, 1), t.randn(batch, 1))


def mlp_sgd(t: Any, batch: int = 64) -> Case:
    n = t.nn
    net = n.Sequential(n.Flatten(), n.Linear(784, 512), n.ReLU(), n.Linear(512, 512), n.ReLU(), n.Linear(512, 10))
    return _step(
        t, net, n.CrossEntropyLoss(), t.optim.SGD(net.parameters(), lr=1e-3), t.randn(batch, 28, 28), _classes(t, batch)
    )


def mlp_adam(t: Any, batch: int = 64) -> Case:
    n = t.nn
    net = n.Sequential(n.Linear(1000, 100), n.ReLU(), n.Linear(100, 10))
    loss = n.MSELoss(reduction="sum")
    return _step(t, net, loss, t.optim.Adam(net.parameters(), lr=1e-4), t.randn(batch, 1000), t.randn(batch, 10))


def _lenet(t: Any, batch: int) -> Case:
    n = t.nn
    net = n.Sequential(
        n.Conv2d(3, 6, 5), n.ReLU(), n.MaxPool2d(2, 2), n.Conv2d(6, 16, 5), n.ReLU(), n.MaxPool2d(2, 2), n.Flatten(),
        n.Linear(400, 120), n.ReLU(), n.Linear(120, 84), n.ReLU(), n.Linear(84, 10),
    )  # fmt: skip
    opt = t.optim.SGD(net.parameters(), lr=1e-3, momentum=0.9)
    return _step(t, net, n.CrossEntropyLoss(), opt, t.randn(batch, 3, 32, 32), _classes(t, batch))


def _resnet(t: Any, batch: int = 32) -> Case:
    """A stem and three stages of two basic blocks, 16 to 64 channels, on 3x32x32 images."""
    n = t.nn

    class Block(n.Module):
        def __init__(self, inside: int, outside: int, stride: int) -> None:
            super().__init__()
            self.conv1, self.bn1 = n.Conv2d(inside, outside, 3, stride, 1, bias=False), n.BatchNorm2d(outside)
            self.conv2, self.bn2 = n.Conv2d(outside, outside, 3, 1, 1, bias=False), n.BatchNorm2d(outside)
            self.relu = n.ReLU(inplace=True)
            self.shortcut = n.Identity()
            if stride != 1 or inside != outside:
                self.shortcut = n.Sequential(n.Conv2d(inside, outside, 1, stride, bias=False), n.BatchNorm2d(outside))

        def forward(self, x: Any) -> Any:
            out = self.bn2(self.conv2(self.relu(self.bn1(self.conv1(x)))))
            return self.relu(out + self.shortcut(x))

    net = n.Sequential(
        n.Conv2d(3, 16, 3, padding=1, bias=False), n.BatchNorm2d(16), n.ReLU(inplace=True), Block(16, 16, 1), Block(16, 16, 1),
        Block(16, 32, 2), Block(32, 32, 1), Block(32, 64, 2), Block(64, 64, 1), n.AdaptiveAvgPool2d(1), n.Flatten(),
        n.Linear(64, 10),
    )  # fmt: skip
    opt = t.optim.SGD(net.parameters(), lr=1e-3, momentum=0.9)
    return _step(t, net, n.CrossEntropyLoss(), opt, t.randn(batch, 3, 32, 32), _classes(t, batch))


def _transformer(t: Any, batch: int = 16) -> Case:
    """Two encoder layers of width 128 over sequences of 64 tokens, with AdamW."""
    n = t.nn

    class Net(n.Module):
        def __init__(self) -> None:
            super().__init__()
            self.embed = n.Embedding(1000, 128)
            layer = n.TransformerEncoderLayer(128, 4, 512, dropout=0.0, activation="gelu", batch_first=True)
            self.encoder = n.TransformerEncoder(layer, 2, enable_nested_tensor=False)
            self.head = n.Linear(128, 10)

        def forward(self, x: Any) -> Any:
            return self.head(self.encoder(self.embed(x)).mean(1))

    net = Net()
    opt = t.optim.AdamW(net.parameters(), lr=1e-3)
    return _step(t, net, n.CrossEntropyLoss(), opt, t.randint(0, 1000, (batch, 64)), _classes(t, batch))


def _recurrent(t: Any, kind: str, batch: int = 32) -> Case:
    """A tagger: embedding, two recurrent layers of 128 units, sequences of 50 steps."""
    n = t.nn

    class Net(n.Module):
        def __init__(self) -> None:
            super().__init__()
            self.embed = n.Embedding(1000, 128)
            self.rnn = getattr(n, kind)(128, 128, num_layers=2, batch_first=True)
            self.head = n.Linear(128, 10)

        def forward(self, x: Any) -> Any:
            return self.head(self.rnn(self.embed(x))[0]).flatten(0, 1)

    net = Net()
    opt = t.optim.Adam(net.parameters(), lr=1e-3)
    return _step(t, net, n.CrossEntropyLoss(), opt, t.randint(0, 1000, (batch, 50)), _classes(t, batch * 50))


STEPS: dict[str, Callable[[Any], Case]] = {
    "linear regression b16": linear_regression, "MLP 784-512-512-10 SGD b64": mlp_sgd, "MLP 1000-100-10 Adam b64": mlp_adam,
    "LeNet b4": lambda t: _lenet(t, 4), "LeNet b64": lambda t: _lenet(t, 64), "ResNet b32": _resnet,
    "Transformer encoder b16x64": _transformer, "GRU b32x50": lambda t: _recurrent(t, "GRU"),
    "LSTM b32x50": lambda t: _recurrent(t, "LSTM"),
}  # fmt: skip
DENSE = list(STEPS)[:5]
MODELS: dict[str, Callable[[Any, int], Case]] = {
    "linear regression": linear_regression, "MLP SGD": mlp_sgd, "MLP Adam": mlp_adam, "LeNet": _lenet, "ResNet": _resnet,
    "Transformer": _transformer, "GRU": lambda t, batch: _recurrent(t, "GRU", batch),
    "LSTM": lambda t, batch: _recurrent(t, "LSTM", batch),
}  # fmt: skip


def steps(t: Any, dense: bool) -> dict[str, Case]:
    """Training steps: the small dense ones and LeNet, or the others."""
    return {name: make(t) for name, make in STEPS.items() if (name in DENSE) == dense}


def large(t: Any) -> dict[str, Case]:
    """15 ops on 1M float32 elements."""
    f = t.nn.functional
    a, b = t.randn(1024, 1024), t.randn(1024, 1024)
    v, m, rows = a.reshape(-1), a > 0, t.randperm(1024)
    w, bias = t.ones(1024), t.zeros(1024)
    return {
        "add": lambda: a + b, "chain": lambda: (a * 2 + b).sigmoid() * a, "exp": lambda: a.exp(), "gelu": lambda: f.gelu(a),
        "sum": lambda: a.sum(), "sum by dim": lambda: a.sum(1), "softmax": lambda: t.softmax(a, 1),
        "layer norm": lambda: f.layer_norm(a, (1024,), w, bias), "transpose copy": lambda: a.t().contiguous(),
        "sort": lambda: v.sort(), "argmax": lambda: v.argmax(), "where": lambda: t.where(m, a, b), "index": lambda: a[rows],
        "cumsum": lambda: v.cumsum(0), "randn": lambda: t.randn(1024, 1024),
    }  # fmt: skip


def matmul(t: Any) -> dict[str, Case]:
    """Square products."""

    def product(n: int, dtype: str) -> Case:
        a, b = (t.randn(n, n, dtype=getattr(t, dtype)) for _ in range(2))
        return lambda: a @ b

    return {f"{n} {dtype}": product(n, dtype) for dtype in ("float32", "float64") for n in (256, 512, 1024, 2048)}


def optimizers(t: Any) -> dict[str, Case]:
    """A step over 200 parameters of 100 to 10,000 elements, 275,000 in all; PyTorch's own default is foreach."""

    def step(name: str, **options: Any) -> Case:
        params = [t.randn(100 + (i * 2477) % 9901 // (1 + i % 4)).requires_grad_() for i in range(200)]
        for p in params:
            p.grad = t.randn(p.shape) * 0.01
        return getattr(t.optim, name)(params, lr=1e-3, **options).step

    return {"SGD": step("SGD"), "SGD momentum": step("SGD", momentum=0.9), "Adam": step("Adam"), "AdamW": step("AdamW")}


def loader(t: Any) -> dict[str, Case]:
    """One pass over a dataset."""
    from loader import cases

    return cases(t)


GROUPS: dict[str, Callable[[Any], dict[str, Case]]] = {
    "small ops": small_forward, "small ops, forward + backward": small_backward, "large ops": large, "matmul": matmul,
    "conv": convolutions,
    "steps: dense and LeNet": lambda t: steps(t, True), "steps: ResNet, Transformer, GRU, LSTM": lambda t: steps(t, False),
    "optimizers": optimizers, "loader": loader,
}  # fmt: skip
GOALS = {
    "small ops": 0.6, "small ops, forward + backward": 0.5, "large ops": 0.8, "matmul": 0.8, "conv": 1.0,
    "steps: dense and LeNet": 0.6, "steps: ResNet, Transformer, GRU, LSTM": 0.9, "optimizers": 0.6, "loader": 0.5,
    "peak memory": 1.0, "import": 0.15,
}  # fmt: skip
