"""What the examples share: options, and what they leave behind for people: pictures (matplotlib) and event files for
TensorBoard.

No script of its own; the examples next to it import it.
"""

from __future__ import annotations

import argparse
import functools
import math
import pickle
import sys
import tempfile
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import polytensor as torch
from polytensor.utils.tensorboard import SummaryWriter

# what a file can raise that is damaged, or none of ours
UNREADABLE = (
    OSError,
    RuntimeError,
    EOFError,
    LookupError,
    TypeError,
    ValueError,
    AttributeError,
    pickle.UnpicklingError,
)
INSTALL = "pip install 'polytensor[examples]'"


def at_least(least: int) -> Callable[[str], int]:
    """For an option's type: whole numbers from `least` on."""

    def number(text: str) -> int:
        if not text.removeprefix("-").isdecimal() or int(text) < least:
            raise argparse.ArgumentTypeError(f"{text!r} is not a whole number of {least} or more")
        return int(text)

    return number


def rate(text: str) -> float:
    """For an option's type: a number above 0."""
    try:
        value = float(text)
    except ValueError:
        value = math.nan
    if not 0 < value < math.inf:
        raise argparse.ArgumentTypeError(f"{text!r} is not a number above 0")
    return value


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The options that the examples share: --backend, --out, --tensorboard."""
    parser.add_argument("--backend", help="numpy, numba or cupy; default: POLYTENSOR_BACKEND, else numpy")
    parser.add_argument(
        "--out", type=Path, default=Path("out"), metavar="DIR", help="where pictures and files go (out)"
    )
    parser.add_argument("--tensorboard", type=Path, metavar="DIR", help="also write event files for TensorBoard there")


def start(options: argparse.Namespace) -> tuple[torch.device, Events]:
    """Where --backend computes, and the event files; a line and the end if it cannot run here, or must not write there."""
    try:
        if options.backend:
            torch.set_backend(options.backend)
        device = torch.get_default_device()
    except RuntimeError as error:
        raise SystemExit(str(error)) from None
    check_folder(options.out)
    torch.manual_seed(options.seed)
    return device, Events(options.tensorboard)


def check_folder(folder: Path) -> None:
    """Make the folder, and see that files can be made in it; else a line and the end, before any work is done."""
    try:
        folder.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryFile(dir=folder):
            pass
    except OSError as error:
        raise SystemExit(f"{folder}: nothing can be written there ({error.strerror})") from None


def one_line(error: BaseException) -> str:
    """What an error says, in one line, after its class where that is no more than a name or a number."""
    text = " ".join(str(error).split())
    return text if " " in text else f"{type(error).__name__}: {text}"


def run(main: Callable[[], None]) -> None:
    """The script's main(); one line says that a file could not be read or written, or that Ctrl-C was pressed."""
    try:
        main()
    except OSError as error:
        raise SystemExit(f"{Path(sys.argv[0]).stem}: {error}") from None
    except KeyboardInterrupt:
        print("stopped", file=sys.stderr)
        raise SystemExit(130) from None


@functools.cache
def _figure_class() -> Any:
    """matplotlib's Figure, which draws without a display; None, and one line, where matplotlib is missing."""
    try:
        from matplotlib.figure import Figure
    except ModuleNotFoundError:
        print(f"no pictures: matplotlib is not installed ({INSTALL})")
        return None
    return Figure


def save_figure(path: str | Path, draw: Callable[[Any], None], size: tuple[float, float] = (6.4, 4.8)) -> None:
    """draw(figure) on an empty figure of `size` inches, written to `path`; nothing without matplotlib."""
    if (make := _figure_class()) is None:
        return
    figure = make(figsize=size, layout="constrained")
    draw(figure)
    Path(path).parent.mkdir(parents=True, exist_ok=True)
    figure.savefig(path, dpi=120)
    print(f"picture: {path}")


def save_loss_curve(
    path: str | Path,
    curves: dict[str, Sequence[float]],
    xlabel: str = "epoch",
    ylabel: str = "loss",
    title: str = "Loss",
    log: bool = False,
) -> None:
    """One line for each of `curves`, {name: value after each epoch (or step)}."""

    def draw(figure: Any) -> None:
        axes = figure.subplots()
        for name, values in curves.items():
            axes.plot(
                range(1, len(values) + 1),
                values,
                marker="o" if len(values) <= 30 else None,
                ms=4,
                alpha=0.8,
                label=name,
            )
        axes.set(xlabel=xlabel, ylabel=ylabel, title=title, yscale="log" if log else "linear")
        axes.xaxis.get_major_locator().set_params(integer=True)
        axes.grid(alpha=0.4)
        if len(curves) > 1:
            axes.legend()

    save_figure(path, draw)


def confusion_matrix(labels: torch.Tensor, predictions: torch.Tensor, count: int) -> torch.Tensor:
    """(count, count) int64: how often what is of the row's class was taken for the column's."""
    return torch.bincount(labels * count + predictions, minlength=count * count).view(count, count).cpu()


def save_confusion_matrix(
    path: str | Path, matrix: torch.Tensor, classes: Sequence[str], title: str = "Confusion matrix"
) -> None:
    """The counts of `confusion_matrix`, coloured by their part of the row."""
    counts = matrix.tolist()
    shares = (matrix / matrix.sum(1, keepdim=True).clamp(min=1)).tolist()

    def draw(figure: Any) -> None:
        axes = figure.subplots()
        picture = axes.imshow(shares, cmap="Blues", vmin=0, vmax=1)
        ticks = range(len(classes))
        axes.set_xticks(ticks, classes, rotation=45, ha="right", rotation_mode="anchor")
        axes.set_yticks(ticks, classes)
        axes.set(xlabel="predicted", ylabel="true", title=title)
        for i in ticks:
            for j in ticks:
                if counts[i][j]:
                    color = "white" if shares[i][j] > 0.5 else "black"
                    axes.text(j, i, counts[i][j], ha="center", va="center", color=color, fontsize=8)
        figure.colorbar(picture, ax=axes, label="part of the true class", shrink=0.8)

    side = 3 + 0.42 * len(classes)
    save_figure(path, draw, (side + 0.8, side))


def save_sample_grid(
    path: str | Path,
    images: Sequence[torch.Tensor] | torch.Tensor,
    titles: Sequence[str],
    right: Sequence[bool] | None = None,
    columns: int = 6,
    title: str = "",
) -> None:
    """Images of (H, W), (1, H, W) or (3, H, W) with values in [0, 1] side by side, each under its title.

    Titles are green and red where `right` says which predictions are right.
    """
    colors = ["black"] * len(titles) if right is None else ["darkgreen" if r else "crimson" for r in right]
    rows = -(-len(titles) // columns)

    def draw(figure: Any) -> None:
        for axes in (grid := figure.subplots(rows, columns, squeeze=False)).flat:
            axes.set_axis_off()
        for axes, image, text, color in zip(grid.flat, images, titles, colors):
            shown = image.detach().cpu().float().clamp(0, 1)
            if shown.ndim == 3:
                shown = shown[0] if len(shown) == 1 else shown.permute(1, 2, 0)
            axes.imshow(shown.numpy(), cmap="gray", vmin=0, vmax=1)
            axes.set_title(text, fontsize=8, color=color)
        if title:
            figure.suptitle(title)

    save_figure(path, draw, (1.35 * columns, 1.6 * rows + (0.4 if title else 0)))


class Events:
    """TensorBoard's event files in `folder`; None writes nothing."""

    def __init__(self, folder: Path | None) -> None:
        self.folder, self.writer = folder, None
        if folder is None:
            return
        check_folder(folder)
        self.writer = SummaryWriter(str(folder))

    def scalars(self, step: int, **values: float) -> None:
        """One point on the curve of each name."""
        if self.writer is not None:
            for name, value in values.items():
                self.writer.add_scalar(name, float(value), step)

    def image(self, name: str, image: torch.Tensor, step: int = 0) -> None:
        """An image (C, H, W) with values in [0, 1]."""
        if self.writer is not None:
            self.writer.add_image(name, image.detach().cpu().float().clamp(0, 1), step)

    def close(self) -> None:
        """To be called at the end: the files are whole after it."""
        if self.writer is not None:
            self.writer.close()
            print(f"events: tensorboard --logdir {self.folder}")
