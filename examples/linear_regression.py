"""A line through noisy points: data, model, loss, optimizer and training loop, with the two plots as PNG files.

python examples/linear_regression.py --epochs 100 --plots .
POLYTENSOR_BACKEND=numba python examples/linear_regression.py
"""

from __future__ import annotations

import argparse
import time
from pathlib import Path
from typing import Any

import reporting
from tqdm import tqdm

import polytensor as torch
from polytensor import nn
from polytensor.utils.data import DataLoader, TensorDataset

SLOPE, BIAS, NOISE = 42.4, 14.5, 10.0


def dataset(count: int) -> TensorDataset:
    """`count` points around the line, the same on every backend."""
    x = torch.randn(count, 1)
    return TensorDataset(x, SLOPE * x + BIAS + NOISE * torch.randn(count, 1))


def least_squares(x: torch.Tensor, y: torch.Tensor) -> tuple[float, float]:
    """Slope and bias of the best line, solved for directly."""
    design = torch.cat([x, torch.ones_like(x)], 1)
    slope, bias = torch.linalg.lstsq(design, y).solution.flatten().tolist()
    return slope, bias


def plot(folder: Path, losses: list[float], data: TensorDataset, model: nn.Module) -> None:
    """The loss curve and the points with both lines."""
    x, y = (t.cpu() for t in data.tensors)
    line = torch.linspace(x.min().item(), x.max().item(), 100, device=next(model.parameters()).device).unsqueeze(1)
    with torch.no_grad():
        fitted = model(line).cpu()
    line = line.cpu()

    def fit(figure: Any) -> None:
        axes = figure.subplots()
        axes.scatter(x.numpy(), y.numpy(), s=12, label="points")
        axes.plot(line.numpy(), fitted.numpy(), color="tab:red", label="learned")
        axes.plot(line.numpy(), (SLOPE * line + BIAS).numpy(), "--", color="tab:green", label="true")
        axes.set(xlabel="x", ylabel="y", title="Fit")
        axes.grid()
        axes.legend()

    loss = folder / "linear_regression_loss.png"
    reporting.save_loss_curve(loss, {"training": losses}, ylabel="mean squared error", title="Training loss")
    reporting.save_figure(folder / "linear_regression_fit.png", fit)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--epochs", type=reporting.at_least(1), default=100)
    parser.add_argument("--samples", type=reporting.at_least(2), default=100)
    parser.add_argument("--batch-size", type=reporting.at_least(1), default=16)
    parser.add_argument("--lr", type=reporting.rate, default=1e-2)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--plots", type=Path, default=Path("."), help="folder for the PNG files")
    options = parser.parse_args()
    reporting.check_folder(options.plots)
    torch.manual_seed(options.seed)
    device = torch.get_default_device()
    data = dataset(options.samples)
    loader = DataLoader(data, batch_size=options.batch_size, shuffle=True)
    model = nn.Linear(1, 1).to(device)
    criterion = nn.MSELoss()
    optimizer = torch.optim.SGD(model.parameters(), lr=options.lr)
    losses = []
    begin = time.perf_counter()
    bar = tqdm(range(options.epochs), desc="epochs")
    for _ in bar:
        total = 0.0
        for x, y in loader:
            loss = criterion(model(x), y)
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
            total += loss.item() * len(x)
        losses.append(total / len(data))
        bar.set_postfix(loss=f"{losses[-1]:.2f}")
    seconds = time.perf_counter() - begin
    slope, bias = least_squares(*data.tensors)
    print(
        f"{device}: {seconds:.1f} s, learned {model.weight.item():.2f} x + {model.bias.item():.2f}, "
        f"least squares {slope:.2f} x + {bias:.2f}, true {SLOPE} x + {BIAS}"
    )
    plot(options.plots, losses, data, model)


if __name__ == "__main__":
    reporting.run(main)
