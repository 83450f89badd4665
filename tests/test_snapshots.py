"""Checkpoints of a whole run: killed saves, damaged files, the last few kept, and a run that goes on bit by bit the same."""

import json
import os
import random
import subprocess
import sys
import warnings
from pathlib import Path

import pytest

import polytensor as pt
from polytensor.utils.snapshots import Checkpoints, Resumable

KILLED = """
import os, random, signal, sys, time, warnings
import polytensor as pt
from polytensor.utils.snapshots import Checkpoints

warnings.simplefilter("error")  # no damaged file is ever passed over
folder, goal = sys.argv[1], int(sys.argv[2])
draw = random.Random(0)
last = halves = 0
for _ in range(goal):
    told, tell = os.pipe()
    child = os.fork()
    if child == 0:
        try:
            saved, step = Checkpoints(folder, keep_last=2), last
            while True:
                step += 1
                os.write(tell, b"x")
                saved.save(step, x=pt.full((200_000,), float(step)), step=step)
        finally:
            os._exit(1)
    os.close(tell)
    for _ in range(draw.randint(1, 4)):
        assert os.read(told, 1)  # a save begins
    time.sleep(draw.uniform(0.0, 0.02))
    os.kill(child, signal.SIGKILL)
    assert os.waitpid(child, 0)[1] == signal.SIGKILL
    os.close(told)
    left = [n for n in os.listdir(folder) if n.endswith(".tmp")]
    halves += len(left)
    assert len(left) <= 1 and len(os.listdir(folder)) - len(left) <= 3
    found = Checkpoints(folder).load()
    if found is None:
        assert last == 0
    else:
        assert found["step"] >= last and found["parts"]["step"] == found["step"]
        assert (found["parts"]["x"] == float(found["step"])).all()
        last = found["step"]
print(halves, last)
"""


@pytest.mark.skipif(not hasattr(os, "fork"), reason="fork and SIGKILL")
def test_kill_9_in_the_middle_of_saves(tmp_path):
    goal = int(os.environ.get("POLYTENSOR_KILLS", "60"))
    done = subprocess.run(
        [sys.executable, "-c", KILLED, str(tmp_path), str(goal)], capture_output=True, text=True, timeout=60 + goal
    )
    assert done.returncode == 0, done.stderr
    halves, last = map(int, done.stdout.split())
    assert halves >= goal // 10 and last >= goal  # half-written files, and saves that stood


def test_the_last_few_are_kept_and_damaged_ones_passed_over(tmp_path):
    saved = Checkpoints(tmp_path / "run", keep_last=3)
    assert saved.restore() is None
    for step in range(1, 6):
        saved.save(step, value=step)
    assert [p.name for p in saved.paths()] == [f"checkpoint-{i:010d}.pt" for i in (3, 4, 5)]
    *_, middle, newest = saved.paths()
    newest.write_bytes(newest.read_bytes()[:-100])
    with pytest.warns(UserWarning, match="0005.pt is passed over: cannot load"):
        assert saved.load()["parts"] == {"value": 4}
    data = bytearray(middle.read_bytes())
    data[data.index(b"value") + 1] ^= 8
    middle.write_bytes(data)
    with pytest.warns(UserWarning):
        assert saved.load()["step"] == 3
    for path in saved.paths():
        path.write_bytes(b"")
    with pytest.warns(UserWarning), pytest.raises(RuntimeError, match="none of the 3 checkpoints"):
        saved.load()
    with pytest.raises(ValueError):
        Checkpoints(tmp_path, keep_last=0)


class Run:
    """A small run with dropout, shuffling, momentum, a schedule, and augmentation from Python's random numbers."""

    def __init__(self, folder):
        pt.manual_seed(1)
        random.seed(1)
        self.model = pt.nn.Sequential(pt.nn.Linear(4, 8), pt.nn.Dropout(0.3), pt.nn.Linear(8, 1))
        self.optimizer = pt.optim.Adam(self.model.parameters(), lr=0.01)
        self.scheduler = pt.optim.lr_scheduler.StepLR(self.optimizer, 5)
        x = pt.arange(80.0).reshape(20, 4) / 80
        g = pt.Generator().manual_seed(3)
        self.loader = Resumable(pt.utils.data.DataLoader(list(x), 3, shuffle=True, collate_fn=self.jitter, generator=g))
        self.saved = Checkpoints(folder)
        self.step, self.losses = 0, []

    @staticmethod
    def jitter(rows):
        return pt.stack(rows) + random.random() * pt.rand(4)

    def parts(self):
        return {k: getattr(self, k) for k in ("model", "optimizer", "scheduler", "loader")}

    def train(self, steps):
        for _ in range(self.loader.epoch, 10):
            for x in self.loader:
                self.optimizer.zero_grad()
                loss = (self.model(x) - x.sum(1, keepdim=True)).square().mean()
                loss.backward()
                self.optimizer.step()
                self.scheduler.step()
                self.losses.append(loss.item())
                self.step += 1
                self.saved.save(self.step, **self.parts())
                if self.step == steps:
                    return self.losses


@pytest.mark.parametrize("stop", [1, 6, 7, 10, 14])
def test_a_run_goes_on_as_if_it_had_not_stopped(tmp_path, stop):
    whole = Run(tmp_path / "whole").train(18)
    first = Run(tmp_path / "a").train(stop)
    second = Run(tmp_path / "a")
    pt.rand(5), random.random()
    second.step = second.saved.restore(**second.parts())["step"]
    assert second.step == stop
    assert first + second.train(18) == whole


@pytest.mark.skipif(not hasattr(os, "fork"), reason="fork and SIGKILL")
def test_killed_runs_go_on_with_the_same_batches(tmp_path):
    """Workers as processes and threads, lazy and nested samplers, streams: killed three times, at any place in an epoch."""
    script = str(Path(__file__).with_name("resumed_runs.py"))
    done = subprocess.run([sys.executable, script, str(tmp_path)], capture_output=True, text=True, timeout=120)
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout) == {"runs": 15, "wrong": []}


def test_pytorch_reads_a_checkpoint(oracle, tmp_path):
    run = Run(tmp_path)
    run.train(2)
    found = oracle.load(run.saved.paths()[-1], weights_only=True)
    assert found["parts"]["model"]["0.weight"].tolist() == run.model[0].weight.tolist()
    with pytest.raises(KeyError, match="no part 'net'"):
        run.saved.restore(net=run.model)


@pytest.mark.parametrize("step", [-1, 1.5, "3"])
def test_a_step_is_a_whole_number(tmp_path, step):
    saved = Checkpoints(tmp_path, keep_last=1)
    saved.save(3, x=1)
    with pytest.raises(ValueError, match="step is a whole number from 0 on"):
        saved.save(step, x=2)
    assert saved.load()["parts"] == {"x": 1} and len(saved.paths()) == 1


def test_a_reader_that_is_overtaken(tmp_path, monkeypatch):
    """All that it listed is dropped while it opens the newest: it looks again, and says nothing."""
    saved, listed = Checkpoints(tmp_path, keep_last=1), Checkpoints.paths
    saved.save(1, x=1)

    def late(self):
        paths = listed(self)
        if len(paths) == 1 and paths[0].name.endswith("1.pt"):
            saved.save(2, x=2)
        return paths

    reader = Checkpoints(tmp_path)
    monkeypatch.setattr(Checkpoints, "paths", late)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert reader.load()["step"] == 2
