"""A training run that goes on where it was stopped: checkpoints of all its parts, the last few kept, damaged ones passed over.

    saved = Checkpoints("run", keep_last=3)
    loader = Resumable(DataLoader(...))
    saved.restore(model=model, optimizer=optimizer, scheduler=scheduler, loader=loader)
    for epoch in range(loader.epoch, 10):
        for batch in loader:
            ...
            saved.save(step, model=model, optimizer=optimizer, scheduler=scheduler, loader=loader)

PyTorch has no such thing; the files are those of torch.save, and torch.load(weights_only=True) reads them.
"""

from __future__ import annotations

import os
import pickle
import re
import warnings
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from ..backends import host_random
from ..data.sampler import Sampler
from ..random import Generator, get_rng_state, set_rng_state
from ..serialization import load, save

__all__ = ["Checkpoints", "Resumable", "get_random_state", "set_random_state"]


def get_random_state() -> dict[str, Any]:
    """The default generator's state, NumPy's and Python's."""
    return {"generator": get_rng_state(), **host_random.get_state()}


def set_random_state(state: dict[str, Any]) -> None:
    """Go back to what get_random_state() gave."""
    set_rng_state(state["generator"].cpu())
    host_random.set_state(state)


class Checkpoints:
    """The checkpoints <name>-<step>.pt in a folder, the newest `keep_last` of them (None: all). One process writes; steps grow."""

    def __init__(self, folder: Any, keep_last: int | None = 3, name: str = "checkpoint") -> None:
        if keep_last is not None and keep_last < 1:
            raise ValueError(f"keep_last is a positive number or None, not {keep_last}")
        self.folder, self.keep_last, self.name = Path(folder), keep_last, name
        self._cleared = False

    def paths(self) -> list[Path]:
        """What is there, oldest first."""
        pattern = re.compile(re.escape(self.name) + r"-(\d+)\.pt")
        found = {p: m for p in self.folder.glob("*.pt") if (m := pattern.fullmatch(p.name))}
        return sorted(found, key=lambda p: int(found[p][1]))

    def save(self, step: int, /, **parts: Any) -> Path:
        """Write the parts (what has a state_dict by that, all else as it is) and the random states; drop old files.

        ValueError for a step that is not a whole number from 0 on.
        """
        if not isinstance(step, int) or step < 0:
            raise ValueError(f"step is a whole number from 0 on, not {step}")
        self.folder.mkdir(parents=True, exist_ok=True)
        if not self._cleared:  # what a killed run left
            for left in self.folder.glob(f".{self.name}-*.tmp"):
                left.unlink(missing_ok=True)
            self._cleared = True
        path = self.folder / f"{self.name}-{step:010d}.pt"
        states = {key: x.state_dict() if hasattr(x, "state_dict") else x for key, x in parts.items()}
        save({"step": step, "parts": states, "random": get_random_state()}, path)
        if self.keep_last is not None:
            for old in [p for p in self.paths() if p != path][: -self.keep_last + 1 or None]:
                old.unlink(missing_ok=True)
        return path

    def load(self, map_location: Any = None) -> dict[str, Any] | None:
        """The newest checkpoint that is sound, or None where there is none; a damaged one is passed over with a warning.

        RuntimeError where all are damaged.
        """
        seen: set[Path] = set()
        while paths := [
            p for p in self.paths() if p not in seen
        ]:  # looked up again: the run that writes drops old ones
            seen.add(path := paths[-1])
            try:
                found = load(path, map_location)
            except FileNotFoundError:
                continue
            except (RuntimeError, pickle.UnpicklingError, EOFError, OSError) as error:
                warnings.warn(f"{os.fspath(path)} is passed over: {error}", stacklevel=2)
                continue
            if isinstance(found, dict) and {"step", "parts", "random"} <= set(found):
                return found
            warnings.warn(f"{os.fspath(path)} is passed over: it is no checkpoint of Checkpoints.save", stacklevel=2)
        if seen:
            raise RuntimeError(f"none of the {len(seen)} checkpoints in {self.folder} can be loaded")
        return None

    def restore(self, map_location: Any = None, /, **parts: Any) -> dict[str, Any] | None:
        """Put the newest sound checkpoint into the parts, and set the random states. Gives what `load` does.

        KeyError for a part that was not saved.
        """
        found = self.load(map_location)
        if found is None:
            return None
        for key in parts:
            if key not in found["parts"]:
                raise KeyError(f"the checkpoint of step {found['step']} has no part {key!r}: {list(found['parts'])}")
        for key, part in parts.items():
            part.load_state_dict(found["parts"][key])
        set_random_state(found["random"])
        return found


class Resumable:
    """A DataLoader that knows where it is: `epoch`, and `batch` of it; its state_dict takes it there again.

    Going on within an epoch starts from the random states in which the epoch began and passes over the batches that were
    seen (they are loaded again), so the rest of the epoch is what it would have been.
    """

    def __init__(self, loader: Any) -> None:
        self.loader = loader
        self.epoch = self.batch = 0
        self._begin: dict[str, Any] | None = None  # random states at the start of the running epoch
        self._resumed = False

    def __len__(self) -> int:
        return len(self.loader)

    def _generators(self) -> list[Any]:
        """The loader's, and those of its samplers, however they are nested."""
        found: list[Any] = []
        owners, at = [self.loader], 0
        while at < len(owners):
            for name, value in vars(owners[at]).items():
                if isinstance(value, Generator):
                    if not any(value is other for other in found):
                        found.append(value)
                elif isinstance(value, Sampler) or name in ("sampler", "batch_sampler"):
                    if hasattr(value, "__dict__") and not any(value is other for other in owners):
                        owners.append(value)
            at += 1
        return found

    def __iter__(self) -> Iterator[Any]:
        skip, now = 0, None
        if self._resumed and self._begin is not None:
            skip, now = self.batch, get_random_state()
            set_random_state(self._begin)
            for g, state in zip(self._generators(), self._begin["generators"], strict=True):
                g.set_state(state)
        else:
            self._begin = {**get_random_state(), "generators": [g.get_state() for g in self._generators()]}
        self._resumed, self.batch = False, skip
        batches = iter(self.loader)
        for _ in range(skip):
            next(batches, None)
        if now is not None:
            set_random_state(now)
        for batch in batches:
            self.batch += 1
            yield batch
        self.epoch, self.batch, self._begin = self.epoch + 1, 0, None

    def state_dict(self) -> dict[str, Any]:
        return {"epoch": self.epoch, "batch": self.batch, "begin": self._begin}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        self.epoch, self.batch, self._begin = state["epoch"], state["batch"], state["begin"]
        self._resumed = True
