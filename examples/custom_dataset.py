"""A dataset of one's own: image files in a folder, their labels in a CSV file, a Dataset class over both, and a small CNN.

python examples/custom_dataset.py                       # draws the folder first, if it is not there
python examples/custom_dataset.py --workers 4 --data shapes --tensorboard runs
POLYTENSOR_BACKEND=numba python examples/custom_dataset.py
"""

from __future__ import annotations

import argparse
import csv
import os
import shutil
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import drawing
import reporting
from tqdm import tqdm

import polytensor as torch
from polytensor import nn
from polytensor.utils.data import DataLoader, Dataset
from polytensor.vision import transforms
from polytensor.vision.io import ImageReadMode, read_image, write_png

CLASSES = ["disc", "ring", "square", "frame", "triangle", "star", "cross", "crescent"]
LABELS = "labels.csv"


def write_images(folder: Path, count: int, seed: int = 0) -> None:
    """`count` drawn images of several sizes in `folder`, and labels.csv with a line `file,label` for each.

    All of it, or nothing: it is written next to the folder, which then gets its name.
    """
    generator = torch.Generator().manual_seed(seed)
    folder.parent.mkdir(parents=True, exist_ok=True)
    unfinished = Path(tempfile.mkdtemp(prefix=f".{folder.name}-", dir=folder.parent))
    try:
        with open(unfinished / LABELS, "w", newline="") as f:
            lines = csv.writer(f)
            lines.writerow(["file", "label"])
            for start in tqdm(range(0, count, 100), desc=f"drawing {folder}", unit="00 images"):
                kinds = [CLASSES[i % len(CLASSES)] for i in range(start, min(start + 100, count))]
                size = (36, 40, 48)[start // 100 % 3]
                images = (drawing.draw(kinds, size, generator) * 255).round().to(torch.uint8)
                for i, (kind, image) in enumerate(zip(kinds, images), start):
                    write_png(image, unfinished / f"image-{i:05d}.png")
                    lines.writerow([f"image-{i:05d}.png", kind])
        os.chmod(unfinished, 0o755)
        os.replace(unfinished, folder)
    except BaseException:
        shutil.rmtree(unfinished)
        raise


class LabelledImages(Dataset):
    """The images that a CSV file names, each with its label: (image (3, H, W) of uint8, text) before the transforms."""

    def __init__(
        self,
        annotations: Path,
        folder: Path,
        transform: Callable[[torch.Tensor], Any] | None = None,
        target_transform: Callable[[str], Any] | None = None,
    ) -> None:
        with open(annotations, newline="") as f:
            self.lines = [(line["file"], line["label"]) for line in csv.DictReader(f)]
        self.folder, self.transform, self.target_transform = folder, transform, target_transform

    def __len__(self) -> int:
        return len(self.lines)

    def __getitem__(self, index: int) -> tuple[Any, Any]:
        file, label = self.lines[index]
        image, target = read_image(self.folder / file, ImageReadMode.RGB), label
        if self.transform is not None:
            image = self.transform(image)
        if self.target_transform is not None:
            target = self.target_transform(target)
        return image, target


class Net(nn.Module):
    """Three convolutions, each followed by batch normalization and pooling, and a linear layer."""

    def __init__(self, classes: int) -> None:
        super().__init__()
        layers: list[nn.Module] = []
        for inputs, outputs in ((3, 16), (16, 32), (32, 64)):
            layers += [nn.Conv2d(inputs, outputs, 3, padding=1), nn.BatchNorm2d(outputs), nn.ReLU(), nn.MaxPool2d(2)]
        self.features = nn.Sequential(*layers)
        self.classify = nn.Linear(64 * 4 * 4, classes)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.classify(self.features(x).flatten(1))


@torch.no_grad()
def test(model: nn.Module, loader: DataLoader) -> tuple[float, torch.Tensor, torch.Tensor]:
    """Mean loss, labels and predictions over a loader."""
    model.eval()
    total, labels, predictions = 0.0, [], []
    for x, y in loader:
        scores = model(x)
        total += nn.functional.cross_entropy(scores, y, reduction="sum").item()
        labels.append(y)
        predictions.append(scores.argmax(1))
    return total / len(loader.dataset), torch.cat(labels), torch.cat(predictions)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, metavar="DIR", help="folder of the images; default: OUT/shapes")
    parser.add_argument(
        "--images",
        type=reporting.at_least(5),
        default=2000,
        help="how many to draw, a fifth of them to test with (2000)",
    )
    parser.add_argument("--epochs", type=reporting.at_least(1), default=10)
    parser.add_argument("--batch-size", type=reporting.at_least(1), default=32)
    parser.add_argument("--lr", type=reporting.rate, default=5e-3, help="the highest of the schedule (0.005)")
    parser.add_argument(
        "--workers", type=reporting.at_least(0), default=2, help="processes that read and transform the images (2)"
    )
    parser.add_argument("--seed", type=int, default=0)
    reporting.add_arguments(parser)
    options = parser.parse_args()
    device, events = reporting.start(options)
    root = options.data or options.out / "shapes"
    for part, count, seed in (("train", options.images * 4 // 5, 1), ("test", options.images // 5, 2)):
        if not (root / part / LABELS).exists():
            write_images(root / part, count, seed)
    plain = [transforms.Resize((32, 32)), transforms.ConvertImageDtype(torch.float32)]
    varied = [transforms.RandomHorizontalFlip(), transforms.ColorJitter(brightness=0.2, contrast=0.2)]
    sets = {
        part: LabelledImages(root / part / LABELS, root / part, transforms.Compose(of_part), CLASSES.index)
        for part, of_part in (("train", plain[:1] + varied + plain[1:]), ("test", plain))
    }
    fetch = {
        "batch_size": options.batch_size,
        "num_workers": options.workers,
        "persistent_workers": options.workers > 0,
    }
    training = DataLoader(sets["train"], shuffle=True, **fetch)
    testing = DataLoader(sets["test"], **fetch)
    images, labels = next(iter(testing))
    print(f"a batch: images {tuple(images.shape)} of {images.dtype}, labels {tuple(labels.shape)} of {labels.dtype}")

    model = Net(len(CLASSES)).to(device)
    optimizer = torch.optim.AdamW(model.parameters())
    steps = len(training) * options.epochs
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimizer, options.lr, total_steps=steps)
    curves: dict[str, list[float]] = {"training": [], "test": []}
    begin = time.perf_counter()
    bar = tqdm(range(options.epochs), desc="epochs")
    for epoch in bar:
        model.train()
        total = 0.0
        for x, y in training:
            loss = nn.functional.cross_entropy(model(x), y)
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
            schedule.step()
            total += loss.item() * len(y)
        test_loss, truth, predictions = test(model, testing)
        right = (truth == predictions).float().mean().item()
        curves["training"].append(total / len(sets["train"]))
        curves["test"].append(test_loss)
        events.scalars(epoch + 1, train_loss=curves["training"][-1], test_loss=test_loss, accuracy=right)
        bar.set_postfix(loss=f"{curves['training'][-1]:.3f}", accuracy=f"{100 * right:.1f}%")
    seconds = time.perf_counter() - begin

    shown = torch.linspace(0, len(sets["test"]) - 1, min(24, len(sets["test"]))).long().tolist()
    said = [CLASSES[predictions[i]] for i in shown]
    true = [CLASSES[truth[i]] for i in shown]
    titles = [s if s == t else f"{s} (is {t})" for s, t in zip(said, true)]
    out = options.out
    reporting.save_sample_grid(
        out / "custom_dataset_samples.png",
        [sets["test"][i][0] for i in shown],
        titles,
        [s == t for s, t in zip(said, true)],
        title="Predictions for test images",
    )
    reporting.save_loss_curve(out / "custom_dataset_loss.png", curves)
    matrix = reporting.confusion_matrix(truth, predictions, len(CLASSES))
    reporting.save_confusion_matrix(out / "custom_dataset_confusion.png", matrix, CLASSES)
    events.close()
    print(
        f"{torch.current_backend()} on {device}: {seconds:.1f} s with {options.workers} workers, "
        f"test accuracy {100 * right:.2f}% of {len(truth)} images"
    )


if __name__ == "__main__":
    reporting.run(main)
