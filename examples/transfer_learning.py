"""Transfer learning: a ResNet18's weights file, its body frozen, a new head, fine-tuned on two classes that it has not seen.

python examples/transfer_learning.py                                # trains a small weights file first, if there is none
python examples/transfer_learning.py --weights resnet18-f37072fd.pth --image-size 112
python examples/transfer_learning.py --weights https://download.pytorch.org/models/resnet18-f37072fd.pth
POLYTENSOR_BACKEND=numba python examples/transfer_learning.py --unfreeze

The weights file has torchvision's names; a URL's checksum is the end of its name (as here) or follows it: #sha256=...
"""

from __future__ import annotations

import argparse
import time
from pathlib import Path

import drawing
import reporting
from tqdm import tqdm

import polytensor as torch
from polytensor import nn
from polytensor.utils.data import DataLoader, TensorDataset
from polytensor.vision import models

NEW = ["gear", "spiral"]
KNOWN = [name for name in drawing.SHAPES if name not in NEW]
MEAN, STD = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)  # what torchvision's weights were trained with


def drawn(classes: list[str], count: int, size: int, seed: int) -> TensorDataset:
    """`count` normalized images (3, size, size) of the classes in turn, and their labels."""
    kinds = [classes[i % len(classes)] for i in range(count)]
    images = drawing.draw(kinds, size, torch.Generator().manual_seed(seed))
    mean, std = (torch.tensor(v, device="cpu").view(3, 1, 1) for v in (MEAN, STD))
    return TensorDataset((images - mean) / std, torch.arange(count, device="cpu") % len(classes))


def train(
    model: nn.Module, data: TensorDataset, epochs: int, lr: float, bar: tqdm, frozen: bool = False
) -> list[float]:
    """The mean loss of each epoch; no batch is of one image, as batch statistics need two.

    `frozen`: only what asks for a gradient learns, and batch statistics stay as they are.
    """
    parameters = [p for p in model.parameters() if p.requires_grad]
    optimizer = torch.optim.AdamW(parameters)
    shuffle = torch.Generator().manual_seed(0)
    loader = DataLoader(data, 32, shuffle=True, generator=shuffle, drop_last=len(data) % 32 == 1)
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimizer, lr, total_steps=len(loader) * epochs)
    model.train(not frozen)
    losses = []
    for _ in range(epochs):
        total = 0.0
        for x, y in loader:
            loss = nn.functional.cross_entropy(model(x), y)
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
            schedule.step()
            total += loss.item() * len(y)
            bar.update()
        losses.append(total / len(data))
        bar.set_postfix(loss=f"{losses[-1]:.3f}")
    return losses


@torch.no_grad()
def predict(model: nn.Module, data: TensorDataset) -> torch.Tensor:
    """The class of each image."""
    model.eval()
    return torch.cat([model(x).argmax(1) for x, _ in DataLoader(data, batch_size=100)])


def accuracy(model: nn.Module, data: TensorDataset) -> float:
    """The part of the images whose class is found."""
    return (predict(model, data).cpu() == data.tensors[1]).float().mean().item()


def progress(what: str, data: TensorDataset, epochs: int) -> tqdm:
    """A bar of all batches of all epochs."""
    return tqdm(total=(len(data) + 30) // 32 * epochs, desc=what, unit="batch")  # no batch is of one image


def write_weights(path: Path, images: int, epochs: int, size: int) -> None:
    """Train a ResNet18 on drawn images of ten shapes and save its state_dict, as torchvision's files have it."""
    data, test = drawn(KNOWN, images, size, 1), drawn(KNOWN, 200, size, 2)
    model = models.resnet18(num_classes=len(KNOWN)).to(torch.get_default_device())
    with progress("weights file", data, epochs) as bar:
        train(model, data, epochs, 3e-3, bar)
    path.parent.mkdir(parents=True, exist_ok=True)
    torch.save(model.state_dict(), path)
    print(f"{path}: knows {len(KNOWN)} shapes, test accuracy {100 * accuracy(model, test):.1f}%")


def with_new_head(source: str, unfreeze: bool) -> nn.Module:
    """The ResNet18 of a weights file or URL with a head for the new classes; without `unfreeze` the head alone can learn."""
    if source.startswith(("http://", "https://")):
        state = torch.hub.load_state_dict_from_url(source, map_location="cpu", check_hash=True)
    else:
        state = torch.load(source, map_location="cpu", weights_only=True)
    model = models.resnet18(num_classes=len(state["fc.bias"]))
    model.load_state_dict(state)
    if not unfreeze:
        for p in model.parameters():
            p.requires_grad_(False)
    model.fc = nn.Linear(model.fc.in_features, len(NEW))
    return model.to(torch.get_default_device())


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument(
        "--weights", metavar="FILE", help="a path or URL; default: OUT/resnet18-shapes.pth, made if missing"
    )
    parser.add_argument("--image-size", type=reporting.at_least(8), default=32, help="side of the drawn images (32)")
    parser.add_argument(
        "--pretrain-images",
        type=reporting.at_least(2),
        default=1200,
        help="for a weights file that is made here (1200)",
    )
    parser.add_argument(
        "--pretrain-epochs", type=reporting.at_least(1), default=5, help="for a weights file that is made here (5)"
    )
    parser.add_argument(
        "--images", type=reporting.at_least(2), default=120, help="images of the new classes to train on (120)"
    )
    parser.add_argument("--test-images", type=reporting.at_least(1), default=300)
    parser.add_argument(
        "--epochs", type=reporting.at_least(1), default=8, help="of fine-tuning, and of training from scratch (8)"
    )
    parser.add_argument("--unfreeze", action="store_true", help="the body learns too")
    parser.add_argument("--seed", type=int, default=0)
    reporting.add_arguments(parser)
    options = parser.parse_args()
    (device, events), size = reporting.start(options), options.image_size
    weights = options.weights or str(options.out / "resnet18-shapes.pth")
    if options.weights is None and not Path(weights).exists():
        write_weights(Path(weights), options.pretrain_images, options.pretrain_epochs, size)

    data, test = drawn(NEW, options.images, size, 3), drawn(NEW, options.test_images, size, 4)
    try:
        tuned = with_new_head(weights, options.unfreeze)
    except reporting.UNREADABLE as error:
        raise SystemExit(f"transfer_learning: {weights}: {reporting.one_line(error)}") from None
    scratch = models.resnet18(num_classes=len(NEW)).to(device)
    counts = {
        name: sum(p.numel() for p in m.parameters() if p.requires_grad)
        for name, m in [("tuned", tuned), ("scratch", scratch)]
    }
    curves, found, seconds = {}, {}, {}
    for name, model, frozen, lr in (
        ("fine-tuned", tuned, not options.unfreeze, 1e-3 if options.unfreeze else 2e-2),
        ("from scratch", scratch, False, 1e-3),
    ):
        begin = time.perf_counter()
        with progress(name, data, options.epochs) as bar:
            curves[name] = train(model, data, options.epochs, lr, bar, frozen)
        seconds[name] = time.perf_counter() - begin
        found[name] = accuracy(model, test)
        for epoch, loss in enumerate(curves[name]):
            events.scalars(epoch + 1, **{f"loss/{name.replace(' ', '-')}": loss})

    out = options.out
    truth, predictions = test.tensors[1], predict(tuned, test).cpu()
    reporting.save_loss_curve(
        out / "transfer_learning_loss.png", curves, title=f"Training loss, {options.images} images"
    )
    shown = range(min(18, len(test)))
    scale, shift = (torch.tensor(v, device="cpu").view(3, 1, 1) for v in (STD, MEAN))  # images are on the CPU
    plain = [test[i][0] * scale + shift for i in shown]
    titles = [NEW[predictions[i]] for i in shown]
    right = [bool(predictions[i] == truth[i]) for i in shown]
    reporting.save_sample_grid(
        out / "transfer_learning_samples.png", plain, titles, right, title="What the fine-tuned model says"
    )
    reporting.save_confusion_matrix(
        out / "transfer_learning_confusion.png", reporting.confusion_matrix(truth, predictions, len(NEW)), NEW
    )
    events.close()
    for name, count in zip(curves, counts.values()):
        print(
            f"{torch.current_backend()} on {device}: {name:12} {count:>10,} weights learn, {seconds[name]:5.1f} s, "
            f"test accuracy {100 * found[name]:.2f}% after {options.epochs} epochs of {options.images} images"
        )


if __name__ == "__main__":
    reporting.run(main)
