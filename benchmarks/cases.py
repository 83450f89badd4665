"""The cases, written once for PolyTensor and PyTorch: each builder takes the module and returns a function to time."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

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
    def step() -> Any:
        opt.zero_grad()
        loss = loss_fn(net(x), y)
        loss.backward()
        opt.step()
        return loss

    return step


def _classes(t: Any, n: int) -> Any:
    return t.randint(0, 10, (n,))


def linear_regression(t: Any) -> Case:
    net = t.nn.Linear(1, 1)
    return _step(t, net, t.nn.MSELoss(), t.optim.SGD(net.parameters(), lr=0.01), t.randn(16, 1), t.randn(16, 1))


def mlp_sgd(t: Any) -> Case:
    n = t.nn
    net = n.Sequential(n.Flatten(), n.Linear(784, 512), n.ReLU(), n.Linear(512, 512), n.ReLU(), n.Linear(512, 10))
    return _step(
        t, net, n.CrossEntropyLoss(), t.optim.SGD(net.parameters(), lr=1e-3), t.randn(64, 28, 28), _classes(t, 64)
    )


def mlp_adam(t: Any) -> Case:
    n = t.nn
    net = n.Sequential(n.Linear(1000, 100), n.ReLU(), n.Linear(100, 10))
    loss = n.MSELoss(reduction="sum")
    return _step(t, net, loss, t.optim.Adam(net.parameters(), lr=1e-4), t.randn(64, 1000), t.randn(64, 10))


def _lenet(t: Any, batch: int) -> Case:
    n = t.nn
    net = n.Sequential(
        n.Conv2d(3, 6, 5), n.ReLU(), n.MaxPool2d(2, 2), n.Conv2d(6, 16, 5), n.ReLU(), n.MaxPool2d(2, 2), n.Flatten(),
        n.Linear(400, 120), n.ReLU(), n.Linear(120, 84), n.ReLU(), n.Linear(84, 10),
    )  # fmt: skip
    opt = t.optim.SGD(net.parameters(), lr=1e-3, momentum=0.9)
    return _step(t, net, n.CrossEntropyLoss(), opt, t.randn(batch, 3, 32, 32), _classes(t, batch))


def _resnet(t: Any) -> Case:
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
    return _step(t, net, n.CrossEntropyLoss(), opt, t.randn(32, 3, 32, 32), _classes(t, 32))


def _transformer(t: Any) -> Case:
    """Two encoder layers of width 128 over 16 sequences of 64 tokens, with AdamW."""
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
    return _step(t, net, n.CrossEntropyLoss(), opt, t.randint(0, 1000, (16, 64)), _classes(t, 16))


def _recurrent(t: Any, kind: str) -> Case:
    """A tagger: embedding, two recurrent layers of 128 units, 32 sequences of 50 steps."""
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
    return _step(t, net, n.CrossEntropyLoss(), opt, t.randint(0, 1000, (32, 50)), _classes(t, 32 * 50))


def steps(t: Any) -> dict[str, Case]:
    """Training steps."""
    return {
        "linear regression b16": linear_regression(t), "MLP 784-512-512-10 SGD b64": mlp_sgd(t),
        "MLP 1000-100-10 Adam b64": mlp_adam(t), "LeNet b4": _lenet(t, 4), "LeNet b64": _lenet(t, 64),
        "ResNet b32": _resnet(t), "Transformer encoder b16x64": _transformer(t), "GRU b32x50": _recurrent(t, "GRU"),
        "LSTM b32x50": _recurrent(t, "LSTM"),
    }  # fmt: skip


GROUPS: dict[str, Callable[[Any], dict[str, Case]]] = {
    "small ops": small_forward, "small ops, forward + backward": small_backward, "steps": steps,
}  # fmt: skip
