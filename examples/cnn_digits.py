"""A convolutional network on scikit-learn's handwritten digits (1797 real 8x8 images; no download).

python examples/cnn_digits.py --epochs 15
POLYTENSOR_BACKEND=numba python examples/cnn_digits.py
"""

from __future__ import annotations

import argparse
import time

import numpy as np
import reporting
from sklearn.datasets import load_digits
from tqdm import tqdm

import polytensor as torch
import polytensor.nn.functional as F
from polytensor import nn
from polytensor.utils.data import DataLoader, TensorDataset, random_split


class Net(nn.Module):
    """Two convolutions, pooling, two linear layers."""

    def __init__(self) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(1, 32, 3, padding=1)
        self.conv2 = nn.Conv2d(32, 64, 3, padding=1)
        self.drop = nn.Dropout(0.3)
        self.fc1 = nn.Linear(64 * 4 * 4, 128)
        self.fc2 = nn.Linear(128, 10)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        x = F.relu(self.conv1(x))
        x = F.max_pool2d(F.relu(self.conv2(x)), 2)
        x = self.drop(torch.flatten(x, 1))
        return self.fc2(self.drop(F.relu(self.fc1(x))))


def datasets() -> list[torch.utils.data.Subset]:
    """1437 images to train on and 360 to test with."""
    digits = load_digits()
    images = torch.from_numpy((digits.images / 16.0).astype(np.float32)).unsqueeze(1)
    labels = torch.from_numpy(digits.target.astype(np.int64))
    return random_split(TensorDataset(images, labels), [1437, 360], generator=torch.Generator().manual_seed(0))


def shifted(x: torch.Tensor, largest: int = 1) -> torch.Tensor:
    """The batch moved by up to `largest` pixels in each direction, zeros coming in."""
    dy, dx = torch.randint(0, 2 * largest + 1, (2,)).tolist()
    padded = F.pad(x, (largest, largest, largest, largest))
    return padded[:, :, dy : dy + x.shape[2], dx : dx + x.shape[3]]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--epochs", type=reporting.at_least(1), default=25)
    parser.add_argument("--batch-size", type=reporting.at_least(1), default=64)
    parser.add_argument("--lr", type=reporting.rate, default=2e-3)
    parser.add_argument("--seed", type=int, default=0)
    options = parser.parse_args()
    torch.manual_seed(options.seed)
    device = torch.get_default_device()
    train_set, test_set = datasets()
    loader = DataLoader(train_set, batch_size=options.batch_size, shuffle=True)
    model = Net().to(device)
    optimizer = torch.optim.Adam(model.parameters(), lr=options.lr)
    begin = time.perf_counter()
    bar = tqdm(range(options.epochs), desc="epochs")
    for epoch in bar:
        model.train()
        for group in optimizer.param_groups:  # down to a twentieth, in a straight line
            group["lr"] = options.lr * (1 - 0.95 * epoch / options.epochs)
        for x, y in loader:
            loss = F.cross_entropy(model(shifted(x)), y)
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
        bar.set_postfix(loss=f"{loss.item():.4f}")
    seconds = time.perf_counter() - begin
    model.eval()
    with torch.no_grad():
        x, y = next(iter(DataLoader(test_set, batch_size=len(test_set))))
        right = (model(x).argmax(1) == y).float().mean().item()
    print(f"{device}: {seconds:.1f} s, test accuracy {100 * right:.2f}%")


if __name__ == "__main__":
    reporting.run(main)
