"""A convolutional network that tells ten kinds of small colour pictures apart: training, accuracy of each class, pictures.

python examples/cifar10_cnn.py --workers 2         # downloads CIFAR10 (170 MB) into data/
python examples/cifar10_cnn.py --synthetic         # a small set of shapes that is drawn here
python examples/cifar10_cnn.py --synthetic --backend numba --tensorboard runs
"""

from __future__ import annotations

import argparse
import time
from pathlib import Path
from typing import Any

import drawing
import reporting
from tqdm import tqdm

import polytensor as torch
import polytensor.nn.functional as F
from polytensor import nn
from polytensor.utils.data import DataLoader, Dataset
from polytensor.vision import datasets, transforms
from polytensor.vision.transforms.functional import to_pil_image
from polytensor.vision.utils import make_grid, save_image

TO_TENSOR = [transforms.ToTensor(), transforms.Normalize((0.5, 0.5, 0.5), (0.5, 0.5, 0.5))]
# another place and side of each picture in every epoch, so that the network learns what it shows and not its pixels
TRAINING = transforms.Compose([transforms.RandomCrop(32, padding=4), transforms.RandomHorizontalFlip(), *TO_TENSOR])
TESTING = transforms.Compose(TO_TENSOR)


class Shapes(Dataset):
    """`count` drawn pictures of ten shapes in turn, in CIFAR10's form: (PIL image 32x32, class)."""

    classes = list(drawing.SHAPES)[:10]

    def __init__(self, count: int, seed: int, transform: Any) -> None:
        self.targets = [i % len(self.classes) for i in range(count)]
        generator = torch.Generator().manual_seed(seed)
        images = drawing.draw([self.classes[k] for k in self.targets], 32, generator, bright=True)
        self.data = (255 * images).round().to(torch.uint8)
        self.transform = transform

    def __len__(self) -> int:
        return len(self.targets)

    def __getitem__(self, index: int) -> tuple[Any, int]:
        return self.transform(to_pil_image(self.data[index])), self.targets[index]


def load(options: argparse.Namespace) -> tuple[Dataset, Dataset]:
    """The sets to train on and to test with."""
    if options.synthetic:
        return Shapes(options.images, 1, TRAINING), Shapes(options.images // 4, 2, TESTING)
    try:
        train = datasets.CIFAR10(options.data, train=True, download=True, transform=TRAINING)
        return train, datasets.CIFAR10(options.data, train=False, transform=TESTING)
    except (RuntimeError, OSError) as error:
        reason = reporting.one_line(error)
        raise SystemExit(f"CIFAR10 cannot be loaded: {reason}; --synthetic trains on a drawn set instead") from None


class Net(nn.Module):
    """Two convolutions with batch normalization and pooling, three linear layers."""

    def __init__(self) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(3, 16, 5)
        self.norm1 = nn.BatchNorm2d(16)
        self.pool = nn.MaxPool2d(2, 2)
        self.conv2 = nn.Conv2d(16, 32, 5)
        self.norm2 = nn.BatchNorm2d(32)
        self.fc1 = nn.Linear(32 * 5 * 5, 120)
        self.fc2 = nn.Linear(120, 84)
        self.fc3 = nn.Linear(84, 10)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        x = self.pool(F.relu(self.norm1(self.conv1(x))))
        x = self.pool(F.relu(self.norm2(self.conv2(x))))
        x = torch.flatten(x, 1)
        x = F.relu(self.fc1(x))
        x = F.relu(self.fc2(x))
        return self.fc3(x)


@torch.no_grad()
def test(loader: DataLoader, net: nn.Module, device: torch.device) -> tuple[float, torch.Tensor]:
    """The mean loss, and the confusion matrix."""
    net.eval()
    total, matrix = 0.0, torch.zeros(10, 10, dtype=torch.int64, device="cpu")
    for images, labels in loader:
        scores, labels = net(images.to(device)), labels.to(device)
        total += F.cross_entropy(scores, labels).item()
        matrix += reporting.confusion_matrix(labels, scores.argmax(1), 10)
    return total / len(loader), matrix


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--synthetic", action="store_true", help="train on a small set that is drawn here")
    parser.add_argument(
        "--data", type=Path, default=Path("data"), metavar="DIR", help="where CIFAR10 is or goes (data)"
    )
    parser.add_argument(
        "--images", type=reporting.at_least(4), default=4000, help="how many --synthetic draws to train on (4000)"
    )
    parser.add_argument("--epochs", type=reporting.at_least(1), default=5)
    parser.add_argument("--batch-size", type=reporting.at_least(1), default=32)
    parser.add_argument(
        "--lr", type=reporting.rate, default=0.02, help="at the start; it falls to 0 in half a cosine (0.02)"
    )
    parser.add_argument("--workers", type=reporting.at_least(0), default=0, help="processes that prepare batches (0)")
    parser.add_argument("--seed", type=int, default=0)
    reporting.add_arguments(parser)
    options = parser.parse_args()
    device, events = reporting.start(options)
    train_set, test_set = load(options)
    classes = test_set.classes
    train_loader = DataLoader(train_set, batch_size=options.batch_size, shuffle=True, num_workers=options.workers)
    test_loader = DataLoader(test_set, batch_size=options.batch_size, num_workers=options.workers)
    net = Net().to(device)
    optimizer = torch.optim.SGD(net.parameters(), lr=options.lr, momentum=0.9)
    schedule = torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, options.epochs * len(train_loader))
    losses: dict[str, list[float]] = {"training": [], "test": []}
    begin = time.perf_counter()
    for epoch in range(1, options.epochs + 1):
        net.train()
        total = 0.0
        with tqdm(train_loader, desc=f"epoch {epoch}/{options.epochs}") as bar:
            for images, labels in bar:
                optimizer.zero_grad()
                loss = F.cross_entropy(net(images.to(device)), labels.to(device))
                loss.backward()
                optimizer.step()
                schedule.step()
                total += loss.item()
                bar.set_postfix(loss=f"{loss.item():.4f}", refresh=False)
        loss, matrix = test(test_loader, net, device)
        losses["training"].append(total / len(train_loader))
        losses["test"].append(loss)
        right = (matrix.trace() / matrix.sum()).item()
        events.scalars(epoch, train_loss=losses["training"][-1], test_loss=loss, accuracy=right)
    print(
        f"{torch.current_backend()} on {device}: {time.perf_counter() - begin:.1f} s, "
        f"test accuracy {100 * right:.2f}%, by class:"
    )
    for name, hits, count in zip(classes, matrix.diagonal().tolist(), matrix.sum(1).tolist()):
        print(f"  {name:10} {100 * hits / max(count, 1):5.1f}% of {count}")

    file = options.out / "cifar10_net.pt"
    torch.save(net.state_dict(), file)
    net = Net().to(device)
    net.load_state_dict(torch.load(file, map_location=device))
    print(f"saved and loaded: {file}")

    batch = make_grid(next(iter(train_loader))[0][:32] / 2 + 0.5)  # as the network saw it: moved and flipped
    save_image(batch.repeat_interleave(3, 1).repeat_interleave(3, 2), options.out / "cifar10_batch.png")
    print(f"picture: {options.out / 'cifar10_batch.png'}")
    images, labels = next(iter(DataLoader(test_set, batch_size=18)))
    net.eval()
    with torch.no_grad():
        predictions = net(images.to(device)).argmax(1).tolist()
    pairs = list(zip(predictions, labels.tolist()))
    titles = [classes[p] if p == k else f"{classes[p]}\n(is {classes[k]})" for p, k in pairs]
    reporting.save_loss_curve(options.out / "cifar10_loss.png", losses)
    title = f"Test images, {100 * right:.1f} % right"
    reporting.save_confusion_matrix(options.out / "cifar10_confusion.png", matrix, classes, title)
    samples = options.out / "cifar10_samples.png"
    reporting.save_sample_grid(samples, images / 2 + 0.5, titles, [p == k for p, k in pairs], title="Predictions")
    events.image("training batch", batch)
    events.image("test images", make_grid(images / 2 + 0.5, nrow=6))
    events.close()


if __name__ == "__main__":
    reporting.run(main)
