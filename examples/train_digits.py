"""Train the tutorials' MLP on scikit-learn's handwritten digits (1797 real 8x8 images; no download).

python examples/train_digits.py --backend numba --epochs 15
python examples/train_digits.py --compare        # every backend that can run here, and a table
python examples/train_digits.py --checkpoint digits.pt --resume
"""

from __future__ import annotations

import argparse
import os
import time
from pathlib import Path

import numpy as np
import reporting
from sklearn.datasets import load_digits
from tqdm import tqdm

import polytensor as torch
from polytensor import nn
from polytensor.utils.data import DataLoader, TensorDataset, random_split


class NeuralNetwork(nn.Module):
    """Flatten, then three linear layers with ReLU between."""

    def __init__(self) -> None:
        super().__init__()
        self.flatten = nn.Flatten()
        self.linear_relu_stack = nn.Sequential(
            nn.Linear(64, 128), nn.ReLU(), nn.Linear(128, 128), nn.ReLU(), nn.Linear(128, 10)
        )

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.linear_relu_stack(self.flatten(x))


def datasets(dtype: torch.dtype) -> tuple[TensorDataset, TensorDataset]:
    """1437 images to train on and 360 to test with, the same on every backend and for every seed."""
    digits = load_digits()
    images = torch.tensor(digits.images / 16.0, dtype=dtype, device="cpu")
    labels = torch.tensor(digits.target.astype(np.int64), device="cpu")
    whole = TensorDataset(images, labels)
    train, test = random_split(whole, [1437, 360], generator=torch.Generator().manual_seed(0))
    return tuple(
        TensorDataset(*(t[torch.tensor(part.indices, device="cpu")] for t in whole.tensors)) for part in (train, test)
    )


def accuracy(model: nn.Module, loader: DataLoader) -> float:
    model.eval()
    correct = total = 0
    with torch.no_grad():
        for x, y in loader:
            correct += (model(x).argmax(1) == y).type(torch.float).sum().item()
            total += len(y)
    return correct / total


def train(options: argparse.Namespace, backend: str | None) -> dict:
    """One run: the losses of all steps, seconds of training, test accuracy, the final weights."""
    if backend is not None:
        torch.set_backend(backend)
    torch.manual_seed(options.seed)
    dtype = {"float32": torch.float32, "float64": torch.float64}[options.dtype]
    train_set, test_set = datasets(dtype)
    shuffle = torch.Generator().manual_seed(options.seed + 1)
    loader = DataLoader(train_set, batch_size=options.batch_size, shuffle=True, generator=shuffle)
    model = NeuralNetwork().to(torch.get_default_device()).to(dtype)
    loss_fn = nn.CrossEntropyLoss()
    optimizer = torch.optim.Adam(model.parameters(), lr=options.lr)
    losses: list[float] = []
    start_epoch = 0
    if options.resume and options.checkpoint and os.path.exists(options.checkpoint):
        try:
            saved = torch.load(options.checkpoint)
            model.load_state_dict(saved["model"])
            optimizer.load_state_dict(saved["optimizer"])
            shuffle.set_state(saved["shuffle"].cpu())
            torch.set_rng_state(saved["random"].cpu())
            losses, start_epoch = list(saved["losses"]), saved["epoch"]
        except reporting.UNREADABLE as error:
            raise RuntimeError(f"cannot go on from {options.checkpoint}: {reporting.one_line(error)}") from None
    name = torch.current_backend()
    seconds = 0.0
    bar = tqdm(range(start_epoch, options.epochs), desc=f"{name:6}", disable=options.quiet)
    for epoch in bar:
        model.train()
        begin = time.perf_counter()
        for x, y in loader:
            loss = loss_fn(model(x), y)
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
            losses.append(loss.item())
        seconds += time.perf_counter() - begin
        bar.set_postfix(loss=f"{losses[-1]:.4f}")
        if options.checkpoint:
            state = {
                "model": model.state_dict(), "optimizer": optimizer.state_dict(), "shuffle": shuffle.get_state(),
                "random": torch.get_rng_state(), "losses": losses, "epoch": epoch + 1,
            }  # fmt: skip
            torch.save(state, options.checkpoint)
    return {
        "backend": name, "device": str(torch.get_default_device()), "losses": losses, "seconds": seconds,
        "rate": len(train_set) * (options.epochs - start_epoch) / max(seconds, 1e-9),
        "accuracy": accuracy(model, DataLoader(test_set, batch_size=360)), "model": model, "steps": len(loader),
    }  # fmt: skip


def compare(options: argparse.Namespace) -> None:
    """Train on every backend that can run here; print a table and draw the loss curves."""
    results = []
    for name in torch.available_backends():
        warm = argparse.Namespace(**{**vars(options), "epochs": 1})
        begin = time.perf_counter()
        train(warm, name)  # kernels are compiled here, so that the seconds below compare training alone
        ready = time.perf_counter() - begin
        results.append({**train(options, name), "ready": ready})
    reference = next(r for r in results if r["backend"] == "numpy")
    columns = f"{'backend':8} {'device':7} {'seconds':>8} {'samples/s':>10} {'accuracy':>9} {'1st epoch diff':>15}"
    print(f"\n{columns} {'max diff':>10} {'warm-up s':>10}")
    for r in results:
        diff = [abs(a - b) / abs(b) for a, b in zip(r["losses"], reference["losses"], strict=True)]
        print(
            f"{r['backend']:8} {r['device']:7} {r['seconds']:8.2f} {r['rate']:10.0f} {100 * r['accuracy']:8.2f}% "
            f"{max(diff[: r['steps']]):15.1e} {max(diff):10.1e} {r['ready']:10.2f}"
        )
    for name, (ok, reason, hint) in torch.backend_status().items():
        if not ok:
            print(f"{name:8} cannot run here: {reason}; {hint}")
    curves = {r["backend"]: r["losses"] for r in results}
    reporting.save_loss_curve(options.out, curves, xlabel="step", title="Training loss", log=True)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--epochs", type=reporting.at_least(1), default=20)
    parser.add_argument("--batch-size", type=reporting.at_least(1), default=32)
    parser.add_argument("--lr", type=reporting.rate, default=1e-3)
    parser.add_argument("--seed", type=int, default=42)
    parser.add_argument("--dtype", choices=["float32", "float64"], default="float32")
    parser.add_argument("--backend", help="numpy, numba or cupy; default: POLYTENSOR_BACKEND, else numpy")
    parser.add_argument("--checkpoint", help="written after every epoch")
    parser.add_argument("--resume", action="store_true", help="go on from --checkpoint if it exists")
    parser.add_argument("--compare", action="store_true", help="train on every backend that can run here")
    parser.add_argument("--out", default="digits.png", help="where --compare draws the loss curves")
    parser.add_argument("--quiet", action="store_true", help="no progress bar")
    options = parser.parse_args()
    if options.resume and not options.checkpoint:
        parser.error("--resume goes on from --checkpoint, which is not given")
    for path in filter(None, [options.checkpoint, options.compare and options.out]):
        reporting.check_folder(Path(path).parent)
    try:
        torch.get_default_device()
        if options.compare:
            compare(options)
            return
        result = train(options, options.backend)
    except RuntimeError as error:
        raise SystemExit(f"train_digits: {error}") from None
    print(
        f"{result['backend']} on {result['device']}: {result['seconds']:.2f} s, {result['rate']:.0f} samples/s, "
        f"test accuracy {100 * result['accuracy']:.2f}%"
    )


if __name__ == "__main__":
    reporting.run(main)
