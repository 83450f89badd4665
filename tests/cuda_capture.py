"""CUDA graphs without a GPU: a twin whose capture records calls, and whose replay makes them again into the same memory.

Recorded are the functions and methods of arrays (cupy_twin), launches of our kernels (cuda_emulator) and products
(fake_cublas). A replay repeats them with the values that memory has then, and with the numbers of the host that the capture
had: what a real graph does. Under capture, reading a value on the host is an error, as with CUDA.
"""

import ctypes
import gc
from contextlib import contextmanager
from types import SimpleNamespace

import cuda_emulator
import cupy_twin
import numpy as np
from cupy_twin import Array, TwinBackend
from cupy_watch import WAITING, masked
from fake_cublas import Entry

from polytensor.backends.cupy import launch

READS = ("__bool__", "__int__", "__float__", "__index__", "item", "tolist")


class Unsupported(RuntimeError):
    """Stands for CUDARuntimeError: cudaErrorStreamCaptureUnsupported."""


class Recorder:
    """The calls of a capture; `launch` makes them again."""

    def __init__(self):
        self.calls, self.depth, self.paused = [], 0, False
        # a capture computes nothing: memory is put back when it ends
        self.before = [(a, a.copy()) for a in map(owner, gc.get_objects()) if a is not None]

    def run(self, fn, *args, **kwargs):
        if self.depth or self.paused:
            return fn(*args, **kwargs)
        self.depth += 1
        try:
            result = fn(*args, **kwargs)
        finally:
            self.depth -= 1
        self.calls.append((fn, args, kwargs, result))
        return result

    def forget(self):
        """What was computed on the way."""
        for *_, result in self.calls:
            for a in arrays(result):
                np.ndarray.view(a, np.ndarray)[...] = np.zeros(1, a.dtype)
        for a, values in self.before:
            a[...] = values

    def launch(self, stream=None):
        for fn, args, kwargs, result in self.calls:
            again = fn(*args, **kwargs)
            for old, new in zip(arrays(result), arrays(again), strict=True):
                if not np.may_share_memory(old, new):
                    np.copyto(np.asarray(old).view(np.ndarray), np.asarray(new).view(np.ndarray))


def owner(x):
    """The memory of an Array as a plain array that may be written to; None for anything else."""
    if not issubclass(type(x), Array):  # isinstance would ask odd objects for their class
        return None
    a = np.ndarray.view(x, np.ndarray)
    return a if a.flags.writeable and a.size else None


def arrays(x):
    if isinstance(x, (tuple, list)):
        return [a for y in x for a in arrays(y)]
    return [x] if isinstance(x, Array) else []


@contextmanager
def recording(recorder):
    """All work on arrays goes to the recorder too."""
    kept = []

    def put(home, name, value):
        kept.append((home, name, home.__dict__.get(name)))
        setattr(home, name, value)

    def through(home, name):
        plain = getattr(home, name)
        put(home, name, lambda *args, **kwargs: recorder.run(plain, *args, **kwargs))

    def refused(name):
        plain = getattr(np.ndarray, name)

        def read(self, *args):
            if not recorder.depth and not recorder.paused:
                raise Unsupported(f"cudaErrorStreamCaptureUnsupported: {name}")
            return plain(np.ndarray.view(self, np.ndarray), *args)

        return read

    for name in ("__array_ufunc__", "__setitem__", *(n for n in cupy_twin.METHODS if n in Array.__dict__)):
        if name not in ("base", "data", "flags", *READS) and callable(Array.__dict__.get(name)):
            through(Array, name)
    getitem = cupy_twin.looks[-1]

    def get(self, index):
        if masked(index) and not recorder.depth:
            raise Unsupported("cudaErrorStreamCaptureUnsupported: x[mask]")
        fancy = any(isinstance(i, (Array, list)) for i in (index if isinstance(index, tuple) else (index,)))
        return recorder.run(getitem, self, index) if fancy else getitem(self, index)

    cupy_twin.looks.append(get)
    for name in READS:
        put(Array, name, refused(name))
    called = cupy_twin.call

    def call(func, *args):
        if func.__name__ in WAITING and not recorder.depth:
            raise Unsupported(f"cudaErrorStreamCaptureUnsupported: {func.__name__}")
        return recorder.run(called, func, *args)

    put(cupy_twin, "call", call)
    through(cupy_twin, "scatter")
    product = Entry.__call__

    def entry(self, *args):
        if "emm" not in self.name and "Matmul" not in self.name:
            return product(self, *args)
        now = [type(x)(x.value) if isinstance(x, ctypes._SimpleCData) else x for x in args]  # they are used again
        return recorder.run(product, self, *now)

    put(Entry, "__call__", entry)
    load, ready = launch.load, dict(launch.ready)

    def loaded(*args):
        made = load(*args)
        return cuda_emulator.Called(lambda *a, **k: recorder.run(made, *a, **k))

    put(launch, "load", loaded)
    launch.ready.clear()
    try:
        yield
    finally:
        cupy_twin.looks.remove(get)
        for home, name, value in reversed(kept):
            delattr(home, name) if value is None else setattr(home, name, value)
        launch.ready.clear()
        launch.ready.update(ready)


class CaptureTwin(TwinBackend):
    """A twin with streams and graphs."""

    name = "twin"
    streams = (0,)

    def new_pool(self):
        return SimpleNamespace()

    def _current_stream(self):
        return SimpleNamespace(ptr=1)

    def _usual_allocator(self):
        return None

    def forget_workspaces(self):
        return []

    def empty_cache(self):
        pass

    def _start(self, capture):
        self.recorder = Recorder()
        capture.context = recording(self.recorder)
        capture.context.__enter__()

    def _stop(self, capture):
        capture.context.__exit__(None, None, None)
        self.recorder.forget()
        return self.recorder

    def launch_graph(self, graph):
        graph.launch()

    def _beside(self, capture, host):
        self.recorder.paused = True
        try:
            made = np.array(host).view(Array)
            self.recorder.before.append((owner(made), np.array(host)))
            return made
        finally:
            self.recorder.paused = False
