"""A run that can be killed at any moment and goes on to the same final bits: checkpoints of all that it is made of.

python examples/checkpointing.py                  # press Ctrl-C, or kill -9 it, whenever you like; then
python examples/checkpointing.py --resume         # prints the same digest as a run that nobody disturbed

A checkpoint holds the model, the optimizer, the schedule, the random states and the place in the loader; the last few
are kept. The final weights are written as safetensors and as a file that torch.load(weights_only=True) reads.
"""

from __future__ import annotations

import argparse
import hashlib
import time

import drawing
import reporting
from tqdm import tqdm

import polytensor as torch
from polytensor import nn, safetensors
from polytensor.utils.data import DataLoader, Dataset
from polytensor.utils.snapshots import Checkpoints, Resumable

CLASSES = ["disc", "ring", "square", "triangle", "star", "cross"]
SIZE = 24


class Shapes(Dataset):
    """Drawn images (3, 24, 24) and their classes; each time that one is asked for it is shifted and noisy in a new way."""

    def __init__(self, count: int, seed: int) -> None:
        self.labels = [i % len(CLASSES) for i in range(count)]
        self.images = drawing.draw([CLASSES[i] for i in self.labels], SIZE, torch.Generator().manual_seed(seed), True)

    def __len__(self) -> int:
        return len(self.labels)

    def __getitem__(self, index: int) -> tuple[torch.Tensor, int]:
        shift = torch.randint(-2, 3, (2,), device="cpu").tolist()
        image = torch.roll(self.images[index], shift, (1, 2))
        return image + 0.05 * torch.randn(image.shape, device="cpu"), self.labels[index]


class Net(nn.Module):
    """Two convolutions and two linear layers, with dropout."""

    def __init__(self) -> None:
        super().__init__()
        self.features = nn.Sequential(
            nn.Conv2d(3, 16, 3, padding=1), nn.ReLU(), nn.MaxPool2d(2),
            nn.Conv2d(16, 32, 3, padding=1), nn.BatchNorm2d(32), nn.ReLU(), nn.MaxPool2d(2),
        )  # fmt: skip
        self.classify = nn.Sequential(
            nn.Flatten(), nn.Linear(32 * 6 * 6, 64), nn.ReLU(), nn.Dropout(0.2), nn.Linear(64, len(CLASSES))
        )

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.classify(self.features(x))


def digest(state: dict[str, torch.Tensor]) -> str:
    """The SHA-256 of all names and all bits."""
    found = hashlib.sha256()
    for name in sorted(state):
        found.update(name.encode() + state[name].cpu().numpy().tobytes())
    return found.hexdigest()


@torch.no_grad()
def accuracy(model: nn.Module, data: Dataset) -> float:
    """The part of the images whose class is found."""
    model.eval()
    right = [(model(x).argmax(1) == y).float().mean().item() * len(y) for x, y in DataLoader(data, batch_size=100)]
    return sum(right) / len(data)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--resume", action="store_true", help="go on from the newest sound checkpoint, if there is one")
    parser.add_argument(
        "--every", type=reporting.at_least(1), default=10, help="steps from one checkpoint to the next (10)"
    )
    parser.add_argument("--keep-last", type=reporting.at_least(1), default=3, help="how many checkpoints stay (3)")
    parser.add_argument("--images", type=reporting.at_least(1), default=960)
    parser.add_argument("--epochs", type=reporting.at_least(1), default=16)
    parser.add_argument("--batch-size", type=reporting.at_least(1), default=32)
    parser.add_argument(
        "--workers",
        type=reporting.at_least(0),
        default=2,
        help="processes that make the batches; any number makes the same",
    )
    parser.add_argument("--seed", type=int, default=0)
    reporting.add_arguments(parser)
    options = parser.parse_args()
    device, events = reporting.start(options)
    out = options.out
    model = Net().to(device)
    loader = DataLoader(
        Shapes(options.images, 1), options.batch_size, shuffle=True, num_workers=options.workers,
        persistent_workers=options.workers > 0,
    )  # fmt: skip
    optimizer = torch.optim.AdamW(model.parameters())
    total = len(loader) * options.epochs
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimizer, 6e-3, total_steps=total)
    parts = {"model": model, "optimizer": optimizer, "schedule": schedule, "loader": Resumable(loader)}

    checkpoints = Checkpoints(out / "checkpoints", keep_last=options.keep_last)
    step, losses = 0, []
    if options.resume:
        try:
            found = checkpoints.restore(**parts)
        except reporting.UNREADABLE as error:
            raise SystemExit(f"checkpointing: cannot go on: {reporting.one_line(error)}") from None
        if found:
            step, losses = found["step"], found["parts"]["losses"]
            print(f"goes on after step {step} (epoch {parts['loader'].epoch}, batch {parts['loader'].batch})")
        else:
            print(f"{checkpoints.folder} holds no checkpoint: the run begins")
    elif checkpoints.paths():
        raise SystemExit(
            f"checkpointing: {checkpoints.folder} holds a run: --resume goes on with it, or choose another --out"
        )

    begin, first = time.perf_counter(), step
    with tqdm(total=total, initial=step, desc="training", unit="step") as bar:
        for _ in range(parts["loader"].epoch, options.epochs):
            model.train()
            for x, y in parts["loader"]:
                loss = nn.functional.cross_entropy(model(x), y)
                optimizer.zero_grad()
                loss.backward()
                optimizer.step()
                schedule.step()
                step += 1
                losses.append(loss.item())
                events.scalars(step, loss=losses[-1], lr=schedule.get_last_lr()[0])
                if step % options.every == 0 or step == total:
                    checkpoints.save(step, **parts, losses=losses)
                bar.update()
                bar.set_postfix(loss=f"{losses[-1]:.3f}", refresh=False)
    seconds = time.perf_counter() - begin
    events.close()

    state = model.state_dict()
    safetensors.save_file(state, out / "model.safetensors", metadata={"classes": " ".join(CLASSES)})
    torch.save(state, out / "model.pt")
    for file, again in (
        ("model.safetensors", safetensors.load_file(out / "model.safetensors")),
        ("model.pt", torch.load(out / "model.pt", weights_only=True)),
    ):
        fresh = Net().to(torch.get_default_device())
        fresh.load_state_dict(again)
        print(
            f"{out / file}: {'the same bits' if digest(fresh.state_dict()) == digest(state) else 'NOT THE SAME'} when loaded"
        )
    reporting.save_loss_curve(
        out / "checkpointing_loss.png",
        {"training": losses},
        xlabel="step",
        title=f"Loss, the last part from step {first}",
    )
    print("checkpoints: " + ", ".join(path.name for path in checkpoints.paths()))
    print(
        f"{torch.current_backend()}: {step - first} steps in {seconds:.1f} s, test accuracy "
        f"{100 * accuracy(model, Shapes(300, 2)):.2f}%, final weights {digest(state)}"
    )


if __name__ == "__main__":
    reporting.run(main)
