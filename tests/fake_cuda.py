"""A machine with two CUDA devices, in Python: what polytensor uses of cupy.cuda, with streams that do nothing by themselves.

Work of a stream waits until somebody waits for it (`Machine.finish`, an event, a synchronisation), so that a buffer that is
freed or written to early is seen. Memory is counted in blocks of 512 bytes against a limit. Arrays are those of cupy_twin;
each knows its device, and an array may only be used while its device is the current one, as CuPy has it without peer access.
"""

import threading
from collections import Counter, defaultdict
from contextlib import contextmanager
from itertools import count
from types import SimpleNamespace

import cupy_twin
import numpy as np
import pytest
from cupy_twin import Array, TwinBackend

from polytensor import devices
from polytensor.backends.cupy import CupyBackend


class CudaError(RuntimeError):
    """Stands for CUDARuntimeError."""

    def __init__(self, text, status=101):
        super().__init__(text)
        self.status = status


class Full(MemoryError):
    """Stands for cupy.cuda.memory.OutOfMemoryError."""


class Stream:
    """A queue of functions that wait to be called."""

    ids = count(0x1000, 0x10)
    machine = None
    null = None

    def __init__(self, null=False, non_blocking=False, ptds=False, priority=None):
        self.machine.calls["Stream"] += 1
        self.ptr = 0 if null else next(self.ids)
        self.device_id = -1 if null else self.machine.current
        self.is_non_blocking, self.priority = non_blocking, priority or 0

    @classmethod
    def from_external(cls, obj):
        version, ptr = obj.__cuda_stream__()
        assert version == 0
        self = object.__new__(cls)
        self.ptr, self.device_id, self.kept = ptr, -1, obj
        return self

    @property
    def place(self):
        return (self.machine.current if self.device_id < 0 else self.device_id, self.ptr)

    @property
    def queue(self):
        return self.machine.queues[self.place]

    def use(self):
        if self.device_id not in (-1, self.machine.current):
            raise RuntimeError(f"The device that the stream is created on ({self.device_id}) does not match")
        self.machine.local.streams[self.machine.current] = self
        return self

    def __enter__(self):
        self.machine.local.entered.append(self)
        return self.use()

    def __exit__(self, *exc):
        """Back to the stream of the last `with`, whatever use() has set since, as CuPy does."""
        self.machine.local.entered.pop()
        self.machine.local.entered[-1].use()

    @property
    def done(self):
        return not self.queue

    def synchronize(self):
        self.machine.calls["synchronize"] += 1
        self.machine.finish(self.place)

    def wait_event(self, event):
        self.queue.append(lambda: event.synchronize())

    def is_capturing(self):
        return False

    def __eq__(self, other):
        return self.ptr == other.ptr

    def __hash__(self):
        return self.ptr


class Event:
    machine = None

    def __init__(self, block=False, disable_timing=False, interprocess=False):
        self.timed, self.device, self.ptr = not disable_timing, self.machine.current, next(Stream.ids)
        self.reached = True

    def record(self, stream=None):
        stream = self.machine.stream() if stream is None else stream
        if stream.place[0] != self.device:
            raise CudaError("cudaErrorInvalidResourceHandle: invalid resource handle")
        self.place, self.reached = stream.place, False
        self.machine.queues[self.place].append(self._reach)

    def _reach(self):
        self.reached, self.time = True, next(self.machine.clock)

    @property
    def done(self):
        return self.reached or not self.machine.queues[self.place]

    def synchronize(self):
        while not self.reached:
            self.machine.step(self.place)


class Memory:
    """A block of a device; it goes back to its pool when nobody has it."""

    def __init__(self, pool, ptr, size, device_id):
        self.pool, self.ptr, self.size, self.device_id = pool, ptr, size, device_id

    def __del__(self):
        self.pool.free(self)


class Fresh:
    """Stands for cupy.cuda.memory.Memory: a block of the driver's."""

    machine = None

    def __init__(self, size):
        self.size, self.device_id = size, self.machine.current
        if self.machine.taken[self.device_id] + size > self.machine.room:
            raise CudaError("cudaErrorMemoryAllocation: out of memory", 2)
        self.machine.taken[self.device_id] += size
        self.ptr = next(self.machine.addresses)


class Pointer:
    """Stands for cupy.cuda.MemoryPointer."""

    def __init__(self, mem, offset=0):
        self.mem, self.ptr, self.device_id = mem, mem.ptr + offset, mem.device_id


class Pool:
    """Stands for cupy.cuda.MemoryPool."""

    def __init__(self, machine, allocator=None):
        self.machine, self.allocator = machine, allocator or (lambda size: Pointer(machine.cuda.memory.Memory(size)))
        self.used, self.held, self.limits = Counter(), Counter(), Counter()
        self.blocks = defaultdict(list)

    def malloc(self, size):
        device, size = self.machine.current, -(-size // 512) * 512
        blocks = self.blocks[device, size]
        ptr = blocks.pop() if blocks else self.fresh(device, size)
        self.used[device] += size
        return Pointer(Memory(self, ptr, size, device))

    def fresh(self, device, size):
        """A block from the driver; where it has none, or the limit is reached, free ones go back first."""
        for _ in range(2):
            if self.held[device] + size <= (self.limits[device] or float("inf")):
                try:
                    made = self.allocator(size)
                except CudaError as error:
                    if error.status != 2:
                        raise
                else:
                    self.held[device] += size
                    return made.ptr
            self.free_all_blocks()
        raise Full(f"Out of memory allocating {size:,} bytes")

    def free(self, memory):
        self.used[memory.device_id] -= memory.size
        self.blocks[memory.device_id, memory.size].append(memory.ptr)

    def free_all_blocks(self, stream=None):
        for (device, size), blocks in self.blocks.items():
            if device == self.machine.current:
                self.held[device] -= size * len(blocks)
                self.machine.taken[device] -= size * len(blocks)
                blocks.clear()

    def used_bytes(self):
        return self.used[self.machine.current]

    def total_bytes(self):
        return self.held[self.machine.current]

    def set_limit(self, size=None, fraction=None):
        self.limits[self.machine.current] = size

    def get_limit(self):
        return self.limits[self.machine.current]


class Device:
    machine = None

    def __init__(self, device=None):
        self.id = self.machine.current if device is None else int(device)

    def use(self):
        self.machine.current = self.id
        return self

    def __enter__(self):
        self.machine.local.stack.append(self.machine.current)
        self.machine.current = self.id
        return self

    def __exit__(self, *exc):
        self.machine.current = self.machine.local.stack.pop()

    @property
    def pci_bus_id(self):
        return f"0000:0{self.id}:00.0"

    def synchronize(self):
        self.machine.calls["deviceSynchronize"] += 1
        for place in list(self.machine.queues):
            if place[0] == self.id:
                self.machine.finish(place)


class Local(threading.local):
    def __init__(self, null):
        self.current, self.stack, self.streams, self.entered = 0, [], {}, [null]


class Machine:
    """Two devices, their streams and memory, and the module `cupy` as far as it is used."""

    def __init__(self, devices=2, room=1 << 20):
        self.devices, self.room = devices, room
        self.calls, self.clock = Counter(), count()
        self.queues = defaultdict(list)
        self.pinned = []  # arrays in page-locked memory
        self.deferred = False  # whether copies wait in their stream
        machine = {"machine": self}
        stream = type("Stream", (Stream,), machine)
        stream.null = stream(null=True)
        self.local = Local(stream.null)
        self.taken, self.addresses = Counter(), count(1 << 20, 1 << 12)  # what pools have of each device, by address
        self.pool = Pool(self)
        self.allocator = self.pool.malloc
        runtime = SimpleNamespace(
            getDevice=lambda: self.current, setDevice=self.set_device, getDeviceCount=lambda: self.devices,
            memGetInfo=lambda: (self.room - self.taken[self.current], self.room), CUDARuntimeError=CudaError,
            pointerGetMemoryType=lambda p: 1 if any(a.ctypes.data <= p < a.ctypes.data + a.nbytes for a in self.pinned) else 0,
            memoryTypeHost=1, deviceCanAccessPeer=lambda a, b: int(a != b), runtimeGetVersion=lambda: 13000,
            driverGetVersion=lambda: 13010, getDeviceProperties=self.properties,
        )  # fmt: skip
        self.cuda = SimpleNamespace(
            runtime=runtime, Device=type("Device", (Device,), machine), Stream=stream, Event=type("Event", (Event,), machine),
            get_current_stream=lambda device_id=-1: self.stream(device_id), get_elapsed_time=lambda a, b: b.time - a.time,
            MemoryPool=type("MemoryPool", (Pool,), {"__init__": lambda pool, allocator=None: Pool.__init__(pool, self, allocator)}),
            using_allocator=self.using_allocator, get_allocator=lambda: self.allocator, set_allocator=self.set_allocator, is_available=lambda: True,
            memory=SimpleNamespace(OutOfMemoryError=Full, MemoryPointer=Pointer, Memory=type("Memory", (Fresh,), machine)),
            nvrtc=SimpleNamespace(getVersion=lambda: (13, 5)), get_cublas_handle=lambda: 7,
            device=SimpleNamespace(get_cusolver_handle=lambda: 8),
            profiler=SimpleNamespace(start=lambda: self.calls.update(["start"]), stop=lambda: self.calls.update(["stop"])),
        )  # fmt: skip
        pinned = SimpleNamespace(free_all_blocks=lambda: self.calls.update(["free pinned"]))
        self.cupy = SimpleNamespace(
            cuda=self.cuda, get_default_memory_pool=lambda: self.pool, __version__="fake",
            get_default_pinned_memory_pool=lambda: pinned,
        )  # fmt: skip

    @property
    def current(self):
        return self.local.current

    @current.setter
    def current(self, index):
        self.set_device(index)

    @contextmanager
    def using_allocator(self, allocator):
        before, self.allocator = self.allocator, allocator
        yield
        self.allocator = before

    def set_device(self, index):
        if not 0 <= index < self.devices:
            raise CudaError("cudaErrorInvalidDevice: invalid device ordinal")
        self.local.current = index

    def set_allocator(self, allocator):
        self.allocator = allocator

    def properties(self, index):
        if not 0 <= index < self.devices:
            raise CudaError("cudaErrorInvalidDevice: invalid device ordinal")
        names = (
            "totalGlobalMem multiProcessorCount warpSize maxThreadsPerMultiProcessor maxThreadsPerBlock sharedMemPerBlock "
            "regsPerMultiprocessor l2CacheSize integrated isMultiGpuBoard pciBusID pciDeviceID pciDomainID"
        )
        return {"name": f"Fake {index}".encode(), "major": 9, "minor": 0, **dict.fromkeys(names.split(), 1)}

    def stream(self, device_id=-1):
        return self.local.streams.get(self.current if device_id < 0 else device_id, self.cuda.Stream.null)

    def step(self, place):
        self.queues[place].pop(0)()

    def finish(self, place):
        while self.queues[place]:
            self.step(place)

    def submit(self, work):
        """Put work into the current stream; without `deferred` it is done at once."""
        if self.deferred:
            self.stream().queue.append(work)
        else:
            work()

    def empty_pinned(self, shape, dtype=float, order="C"):
        self.pinned.append(np.zeros(shape, dtype))
        return self.pinned[-1]

    # ---- arrays that know their device -----------------------------------------------------------------------------
    def check(self, x):
        device = x.__dict__.get("_device", 0)
        if device != self.current:
            raise ValueError(
                f"Array device must be same as the current device: array device = {device} while current = {self.current}."
            )

    def install(self, monkeypatch):
        """Let cupy_twin's arrays lie on this machine's devices."""
        machine, plain = self, cupy_twin.plain

        def checked(x):
            if isinstance(x, Array):
                machine.check(x)
            return plain(x)

        def finalize(array, obj):
            array.__dict__["_device"] = (
                obj.__dict__.get("_device", machine.current) if isinstance(obj, Array) else machine.current
            )

        monkeypatch.setattr(cupy_twin, "plain", checked)
        monkeypatch.setattr(Array, "__array_finalize__", finalize, raising=False)
        monkeypatch.setattr(
            Array, "device", property(lambda x: machine.cuda.Device(x.__dict__["_device"])), raising=False
        )
        monkeypatch.setattr(Array, "data", property(lambda x: ArrayPointer(x, machine)))
        monkeypatch.setattr(
            Array,
            "get",
            lambda x, stream=None, order="C", out=None, blocking=True: machine.get(x, out, blocking),
            raising=False,
        )
        for name in cupy_twin.METHODS - cupy_twin.VIEWS - {"get", "device", "data", "item", "tolist"}:
            method = Array.__dict__.get(name)
            if callable(method):
                monkeypatch.setattr(Array, name, self.checking(method))
        for name in ("reshape", "ravel"):
            monkeypatch.setattr(Array, name, self.copying(getattr(Array, name)))
        monkeypatch.setattr(Array, "__setitem__", self.checking(Array.__setitem__, False))
        monkeypatch.setattr(cupy_twin, "looks", [*cupy_twin.looks, self.checking(cupy_twin.looks[-1], True)])

    def checking(self, method, views=False):
        def call(x, *args, **kwargs):
            if not views or any(isinstance(i, np.ndarray) for i in (args[0] if isinstance(args[0], tuple) else args)):
                self.check(x)
            return method(x, *args, **kwargs)

        return call

    def copying(self, method):
        """A method that gives a view, or a copy where it cannot, which CuPy makes on the current device."""

        def call(x, *args, **kwargs):
            made = method(x, *args, **kwargs)
            if made.size and not np.may_share_memory(*[np.ndarray.view(a, np.ndarray) for a in (made, x)]):
                self.check(x)
            return made

        return call

    def get(self, x, out, blocking):
        self.check(x)
        source = x.view(np.ndarray)

        def copy():
            out[...] = source

        self.submit(copy)
        if blocking:
            self.stream().synchronize()
        return out


class ArrayPointer(cupy_twin.Pointer):
    def __init__(self, array, machine):
        super().__init__(array)
        self.machine, self.device_id = machine, array.__dict__["_device"]
        self.mem = SimpleNamespace(device_id=self.device_id, ptr=self.ptr)

    def copy_from_device_async(self, src, size, stream=None):
        self.machine.calls["peer"] += 1
        self.machine.check(self.array)
        self.machine.submit(lambda: self.array.view(np.ndarray).__setitem__(..., src.array.view(np.ndarray)))


def backend(machine):
    """A class of backends: cupy_twin's over a machine."""

    class FakeBackend(TwinBackend):
        name = "cupy"

        def __init__(self):
            super().__init__()
            self.xp.__dict__["cuda"] = machine.cuda
            self._blas.place = self._place
            make = self.xp.asarray
            self.xp.__dict__["asarray"] = lambda a, dtype=None, order=None, *, blocking=False: machine_asarray(
                machine, make, a, dtype, blocking
            )

        device_count, current_index, _place = CupyBackend.device_count, CupyBackend.current_index, CupyBackend._place
        to_dlpack, dlpack_device = CupyBackend.to_dlpack, CupyBackend.dlpack_device

    return FakeBackend


@contextmanager
def pretend(machine):
    """Within the block polytensor finds this machine's devices."""
    from polytensor.backends.cupy import memory, runtime

    with pytest.MonkeyPatch.context() as patch:
        patch.delenv("POLYTENSOR_BACKEND", raising=False)
        patch.setattr(memory, "cupy", machine.cupy)
        patch.setattr(runtime, "cupy", machine.cupy)
        patch.setattr(memory, "_accounts", None)
        patch.setattr(memory, "pinned_empty", machine.empty_pinned)
        patch.setattr(devices, "_instances", {k: v for k, v in devices._instances.items() if k != "cupy"})
        patch.setattr(devices, "_interned", {k: v for k, v in devices._interned.items() if k[0] != "cupy"})
        patch.setitem(devices._factories, "cupy", backend(machine))
        machine.install(patch)
        yield machine


def machine_asarray(machine, make, a, dtype, blocking):
    if type(a) is np.ndarray and any(np.shares_memory(a, p) for p in machine.pinned):
        machine.calls["pinned to device"] += 1
        out = make(np.zeros_like(a), dtype)
        machine.submit(lambda: out.view(np.ndarray).__setitem__(..., a))
        if blocking:
            machine.stream().synchronize()
        return out
    return make(a) if dtype is None else make(a, dtype)
