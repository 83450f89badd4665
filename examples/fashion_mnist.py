"""The quickstart: train a network on pictures of clothes, test it, save it, load it, predict with it.

python examples/fashion_mnist.py                   # downloads FashionMNIST (30 MB) into data/
python examples/fashion_mnist.py --synthetic       # a small set of clothes that is drawn here
python examples/fashion_mnist.py --synthetic --backend numba --tensorboard runs
"""

from __future__ import annotations

import argparse
import time
from pathlib import Path

import reporting
from tqdm import tqdm

import polytensor as torch
from polytensor import nn
from polytensor.utils.data import DataLoader, Dataset, TensorDataset
from polytensor.vision import datasets, transforms
from polytensor.vision.utils import make_grid

CLASSES = datasets.FashionMNIST.classes
SOLE = ([(3, 21.5), (26, 21.5), (26, 24), (3, 24)], 0.45)
BUTTONS = ([(13.4, 9), (14.6, 9), (14.6, 25), (13.4, 25)], 0.1)
# for each class polygons on 28x28 pixels, each with its brightness; later ones lie over earlier ones
SHAPES = [
    [([(9, 4), (12, 6), (16, 6), (19, 4), (26, 9), (23, 13), (20, 11), (20, 25), (8, 25), (8, 11), (5, 13), (2, 9)], 1)],
    [([(9, 2), (19, 2), (21, 26), (16, 26), (14, 9), (12, 26), (7, 26)], 1)],
    [([(9, 4), (19, 4), (23, 7), (26, 23), (22, 24), (20, 12), (20, 25), (8, 25), (8, 12), (6, 24), (2, 23), (5, 7)], 1)],
    [([(10, 2), (13, 6), (15, 6), (18, 2), (18, 11), (23, 26), (5, 26), (10, 11)], 1)],
    [([(9, 3), (14, 9), (19, 3), (23, 6), (26, 22), (23, 22), (21, 12), (22, 27), (6, 27), (7, 12), (5, 22), (2, 22),
       (5, 6)], 1), ([(13.4, 9), (14.6, 9), (14.6, 27), (13.4, 27)], 0.1), ([(7, 17), (21, 17), (21, 19), (7, 19)], 0.5)],
    [([(2, 21), (26, 18), (26, 21), (2, 24)], 1), ([(4, 21), (9, 11), (12, 11), (8, 21)], 0.8),
     ([(14, 20), (18, 13), (21, 13), (19, 20)], 0.8)],
    [([(9, 4), (12, 6), (16, 6), (19, 4), (24, 7), (26, 17), (22, 18), (20, 11), (20, 25), (8, 25), (8, 11), (6, 18),
       (2, 17), (4, 7)], 1), BUTTONS],
    [([(3, 13), (8, 11), (13, 15), (22, 17), (26, 20), (26, 22), (3, 22)], 1), SOLE],
    [([(4, 12), (24, 12), (26, 25), (2, 25)], 1),
     ([(8, 12), (10, 4), (18, 4), (20, 12), (17.5, 12), (16, 6.5), (12, 6.5), (10.5, 12)], 0.7)],
    [([(6, 3), (15, 3), (15, 13), (22, 16), (26, 19), (26, 22), (4, 22)], 1), SOLE],
]  # fmt: skip


def inside(x: torch.Tensor, y: torch.Tensor, corners: list[tuple[float, float]]) -> torch.Tensor:
    """Whether the points are inside the polygon: a ray from them crosses its edges an odd number of times."""
    odd = torch.zeros_like(x, dtype=torch.bool)
    for (x0, y0), (x1, y1) in zip(corners, corners[1:] + corners[:1]):
        if y0 != y1:
            odd ^= ((y0 > y) != (y1 > y)) & (x < x0 + (y - y0) * ((x1 - x0) / (y1 - y0)))
    return odd


def drawn(count: int, seed: int) -> TensorDataset:
    """`count` pictures (1, 28, 28) of the ten classes in turn: moved, stretched, turned, of any brightness, and noisy."""
    generator = torch.Generator().manual_seed(seed)

    def uniform(low: float, high: float, *size: int) -> torch.Tensor:
        return low + (high - low) * torch.rand(*size, generator=generator, device="cpu")

    labels = torch.arange(count, device="cpu") % len(SHAPES)
    images = torch.zeros(count, 28, 28, device="cpu")
    rows, columns = torch.meshgrid(*[torch.arange(28, device="cpu") + 0.5 - 14] * 2, indexing="ij")
    for kind, polygons in enumerate(SHAPES):
        chosen = labels == kind
        n = int(chosen.sum())
        turn, width, height = uniform(-0.2, 0.2, n, 1, 1), uniform(0.75, 1.15, n, 1, 1), uniform(0.75, 1.15, n, 1, 1)
        x = (columns + turn * rows) / width + 14 + uniform(-3, 3, n, 1, 1)
        y = (rows - turn * columns) / height + 14 + uniform(-3, 3, n, 1, 1)
        picture = torch.zeros(n, 28, 28, device="cpu")
        for corners, brightness in polygons:
            picture = torch.where(inside(x, y, corners), brightness, picture)
        noise = uniform(-0.4, 0.4, n, 28, 28) * uniform(0, 1, n, 1, 1)
        images[chosen] = (picture * uniform(0.3, 0.9, n, 1, 1) + noise).clamp(0, 1)
    return TensorDataset(images.unsqueeze(1), labels)


def load(options: argparse.Namespace) -> tuple[Dataset, Dataset]:
    """The sets to train on and to test with."""
    if options.synthetic:
        return drawn(options.images, 1), drawn(options.images // 4, 2)
    try:
        return tuple(
            datasets.FashionMNIST(options.data, train=train, download=True, transform=transforms.ToTensor())
            for train in (True, False)
        )
    except (RuntimeError, OSError) as error:
        reason = reporting.one_line(error)
        raise SystemExit(
            f"FashionMNIST cannot be loaded: {reason}; --synthetic trains on a drawn set instead"
        ) from None


class NeuralNetwork(nn.Module):
    """Flatten, then three linear layers with ReLU between."""

    def __init__(self) -> None:
        super().__init__()
        self.flatten = nn.Flatten()
        self.linear_relu_stack = nn.Sequential(
            nn.Linear(28 * 28, 512), nn.ReLU(), nn.Linear(512, 512), nn.ReLU(), nn.Linear(512, len(CLASSES))
        )

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.linear_relu_stack(self.flatten(x))


def train(
    loader: DataLoader, model: nn.Module, optimizer: torch.optim.Optimizer, device: torch.device, name: str
) -> float:
    """One epoch; the mean loss of its batches."""
    model.train()
    total = 0.0
    with tqdm(loader, desc=name) as bar:
        for x, y in bar:
            loss = nn.functional.cross_entropy(model(x.to(device)), y.to(device))
            loss.backward()
            optimizer.step()
            optimizer.zero_grad()
            total += loss.item()
            bar.set_postfix(loss=f"{loss.item():.4f}", refresh=False)
    return total / len(loader)


@torch.no_grad()
def test(loader: DataLoader, model: nn.Module, device: torch.device) -> tuple[float, torch.Tensor]:
    """The mean loss, and the confusion matrix."""
    model.eval()
    total, matrix = 0.0, torch.zeros(len(CLASSES), len(CLASSES), dtype=torch.int64, device="cpu")
    for x, y in loader:
        scores, y = model(x.to(device)), y.to(device)
        total += nn.functional.cross_entropy(scores, y).item()
        matrix += reporting.confusion_matrix(y, scores.argmax(1), len(CLASSES))
    return total / len(loader), matrix


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--synthetic", action="store_true", help="train on a small set that is drawn here")
    parser.add_argument(
        "--data", type=Path, default=Path("data"), metavar="DIR", help="where FashionMNIST is or goes (data)"
    )
    parser.add_argument(
        "--images", type=reporting.at_least(4), default=4000, help="how many --synthetic draws to train on (4000)"
    )
    parser.add_argument("--epochs", type=reporting.at_least(1), default=5)
    parser.add_argument("--batch-size", type=reporting.at_least(1), default=64)
    parser.add_argument("--lr", type=reporting.rate, default=1e-3)
    parser.add_argument("--workers", type=reporting.at_least(0), default=0, help="processes that prepare batches (0)")
    parser.add_argument("--seed", type=int, default=0)
    reporting.add_arguments(parser)
    options = parser.parse_args()
    device, events = reporting.start(options)
    train_set, test_set = load(options)
    train_loader = DataLoader(train_set, batch_size=options.batch_size, shuffle=True, num_workers=options.workers)
    test_loader = DataLoader(test_set, batch_size=options.batch_size, num_workers=options.workers)
    model = NeuralNetwork().to(device)
    optimizer = torch.optim.Adam(model.parameters(), lr=options.lr)
    losses: dict[str, list[float]] = {"training": [], "test": []}
    begin = time.perf_counter()
    for epoch in range(1, options.epochs + 1):
        losses["training"].append(train(train_loader, model, optimizer, device, f"epoch {epoch}/{options.epochs}"))
        loss, matrix = test(test_loader, model, device)
        losses["test"].append(loss)
        right = (matrix.trace() / matrix.sum()).item()
        events.scalars(epoch, train_loss=losses["training"][-1], test_loss=loss, accuracy=right)
    print(
        f"{torch.current_backend()} on {device}: {time.perf_counter() - begin:.1f} s, test accuracy {100 * right:.2f}%"
    )

    file = options.out / "fashion_mnist.pt"
    torch.save(model.state_dict(), file)
    model = NeuralNetwork().to(device)
    model.load_state_dict(torch.load(file, map_location=device))
    print(f"saved and loaded: {file}")

    model.eval()
    images, labels = zip(*(test_set[i] for i in range(min(18, len(test_set)))))
    with torch.no_grad():
        predictions = model(torch.stack(images).to(device)).argmax(1).tolist()
    labels = [int(label) for label in labels]
    print(f'predicted: "{CLASSES[predictions[0]]}", actual: "{CLASSES[labels[0]]}"')
    hits = [p == k for p, k in zip(predictions, labels)]
    titles = [CLASSES[p] if hit else f"{CLASSES[p]}\n(is {CLASSES[k]})" for p, k, hit in zip(predictions, labels, hits)]
    reporting.save_loss_curve(options.out / "fashion_mnist_loss.png", losses)
    reporting.save_confusion_matrix(
        options.out / "fashion_mnist_confusion.png", matrix, CLASSES, f"Test images, {100 * right:.1f} % right"
    )
    reporting.save_sample_grid(options.out / "fashion_mnist_samples.png", images, titles, hits, title="Predictions")
    events.image("samples", make_grid(list(images), nrow=6), options.epochs)
    events.close()


if __name__ == "__main__":
    reporting.run(main)
