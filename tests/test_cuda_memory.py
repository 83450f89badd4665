"""Memory of torch.cuda on a machine of two fake devices: counts, limits, page-locked copies, other streams."""

import gc
import threading

import numpy as np
import pytest

pytest.importorskip("cupy")


import polytensor as torch  # noqa: E402
from polytensor import devices  # noqa: E402


def test_peaks_are_exact_and_by_device(machine):
    torch.cuda.init()
    from polytensor.backends.cupy import memory

    memory.accounts()
    take = machine.cuda.get_allocator()
    a, b = take(1000), take(3000)
    del b
    c = take(100)
    cuda = torch.cuda
    assert (cuda.memory_allocated(), cuda.max_memory_allocated()) == (1024 + 512, 1024 + 3072)
    assert cuda.memory_reserved() == cuda.max_memory_reserved() == 1024 + 3072 + 512
    assert cuda.memory_allocated(1) == cuda.max_memory_allocated("cuda:1") == 0
    with cuda.device(1):
        d = take(5)
    assert cuda.memory_allocated(torch.device("cuda", 1)) == 512
    cuda.reset_peak_memory_stats()
    assert cuda.max_memory_allocated() == 1536
    del a
    cuda.empty_cache()
    assert cuda.memory_reserved() == 512 and cuda.max_memory_reserved() == 4608
    assert cuda.mem_get_info() == (machine.room - 512, machine.room)
    assert cuda.memory_stats_as_nested_dict()["allocated_bytes"]["all"] == {"current": 512, "peak": 1536}
    assert "in use by arrays" in cuda.memory_summary()
    assert c.device_id == 0 and d.device_id == 1
    assert set(cuda.memory_stats()) <= {f"{n}_bytes.all.{k}" for n in ("active", "allocated", "reserved")
                                        for k in ("current", "peak")} | {"num_ooms"}  # fmt: skip


def test_peaks_count_all_threads(machine):
    from polytensor.backends.cupy import memory

    torch.cuda.init()
    memory.accounts()
    take, held = machine.cuda.get_allocator(), []
    threads = [threading.Thread(target=lambda: held.append(take(512))) for _ in range(4)]
    for t in threads:
        t.start()
    for t in threads:
        t.join()
    held.clear()
    assert (torch.cuda.memory_allocated(), torch.cuda.max_memory_allocated()) == (0, 2048)


def test_pools_of_graphs_count(machine):
    from polytensor.backends.cupy import memory

    torch.cuda.init()
    memory.accounts()
    usual = machine.cuda.get_allocator()(512)
    pool = devices.get_backend("cupy").new_pool()
    held = pool.malloc(2048)
    assert torch.cuda.memory_allocated() == torch.cuda.max_memory_allocated() == 2560 == torch.cuda.memory_reserved()
    del held
    assert torch.cuda.memory_allocated() == 512 and torch.cuda.memory_reserved() == 2560 and usual
    with pytest.raises(torch.OutOfMemoryError, match="PolyTensor holds 2.50 KiB of it: 512 bytes in use"):
        pool.malloc(machine.room + 1)
    del pool
    gc.collect()
    assert torch.cuda.memory_reserved() == 512
    mine = torch.cuda.MemPool()
    with torch.cuda.use_mem_pool(mine):
        part = machine.cuda.get_allocator()(4096)
    assert mine.base.used_bytes() == 4096 and torch.cuda.memory_allocated() == 4608 and part.device_id == 0
    assert mine.id != torch.cuda.MemPool().id
    with pytest.raises(NotImplementedError):
        torch.cuda.MemPool(use_on_oom=True)


def test_a_graphs_pool_keeps_what_is_free_in_it(machine):
    """A replay writes to blocks that were freed during the capture."""
    torch.cuda.init()
    pool = devices.get_backend("cupy").new_pool()
    held = pool.malloc(machine.room // 2)
    del held
    with pytest.raises(torch.OutOfMemoryError, match="1024.00 KiB of which 512.00 KiB is free"):
        pool.malloc(machine.room * 3 // 4)
    assert pool.total_bytes() == machine.room // 2 and torch.cuda.memory_stats()["num_ooms"] == 1
    del pool
    gc.collect()


def test_the_memory_of_a_dropped_graph_comes_back(machine):
    """CuPy lets go of a pool, but not of the blocks that are free in it."""
    from polytensor.backends.cupy import memory

    torch.cuda.init()
    pool = devices.get_backend("cupy").new_pool()
    result, middle = pool.malloc(512), pool.malloc(2048)
    del middle, pool
    gc.collect()
    assert torch.cuda.mem_get_info()[0] == machine.room - 512 and len(memory.accounts().retired) == 1
    del result
    torch.cuda.empty_cache()
    assert torch.cuda.mem_get_info()[0] == machine.room and not memory.accounts().retired


def test_a_users_allocator_stays(machine):
    def mine(size):
        return machine.pool.malloc(size)

    machine.cuda.set_allocator(mine)
    torch.cuda.init()
    assert torch.cuda.memory_allocated() == 0 and machine.cuda.get_allocator() is mine


def test_out_of_memory_names_op_size_and_what_is_free(machine, monkeypatch):
    from polytensor.backends.cupy import memory

    backend = devices.resolve("cuda:0").backend
    memory.accounts()
    take = machine.cuda.get_allocator()
    kept = take(300 << 10)
    for name in ("matmul", "exp"):
        monkeypatch.setattr(backend, name, lambda *xs: take(1 << 20))
    x = torch.ones(3, 3, device="cuda:0")
    with pytest.raises(torch.OutOfMemoryError) as caught:
        x @ x
    assert str(caught.value) == (
        "CUDA out of memory. Tried to allocate 1024.00 KiB for matmul. GPU 0 has a total capacity of 1024.00 KiB of which "
        "724.00 KiB is free. PolyTensor holds 300.00 KiB of it: 300.00 KiB in use by tensors and 0 bytes kept for reuse, "
        "which torch.cuda.empty_cache() gives back."
    )
    assert torch.cuda.OutOfMemoryError is torch.OutOfMemoryError and isinstance(caught.value, RuntimeError)
    with pytest.raises(RuntimeError, match="for exp"):
        torch.nn.functional.softplus(x.exp())
    assert torch.cuda.memory_stats()["num_ooms"] == 2 and kept
    with monkeypatch.context() as patch:
        patch.setattr(backend, "empty", lambda *xs: take(1 << 20))
        for make, name in ((torch.empty, "empty"), (lambda n, device: torch.empty_like(x), "empty_like")):
            with pytest.raises(torch.OutOfMemoryError, match=f"for {name}\\."):
                make(3, device="cuda:0")
    y = torch.ones(2, 2, device="cuda:0", requires_grad=True)
    loss = y.sin().sum()
    monkeypatch.setattr(backend, "cos", lambda x: take(1 << 20))
    with pytest.raises(torch.OutOfMemoryError, match="for SinBackward0"):
        loss.backward()
    p = torch.ones(3, device="cuda:0", requires_grad=True)
    p.grad = torch.ones(3, device="cuda:0")
    optimizer = torch.optim.SGD([p], lr=0.1)
    for name in ("sgd_step", "sgd", "multi_tensor_sgd", "optim_step"):
        if hasattr(backend, name):
            monkeypatch.setattr(backend, name, lambda *xs: take(1 << 20))
            with pytest.raises(torch.OutOfMemoryError, match=r"for (SGD\.step|sgd)"):
                optimizer.step()


def test_limits(machine):
    torch.cuda.init()
    from polytensor.backends.cupy import memory

    memory.accounts()
    take = machine.cuda.get_allocator()
    torch.cuda.set_per_process_memory_fraction(0.5, 1)
    assert torch.cuda.get_per_process_memory_fraction(1) == 0.5 and torch.cuda.get_per_process_memory_fraction() == 1.0
    with torch.cuda.device(1), pytest.raises(torch.OutOfMemoryError, match=r"GPU 1 .* It may hold 512.00 KiB"):
        take(600 << 10)
    assert take(600 << 10)
    for bad, error in ((1, TypeError), (1.5, ValueError)):
        with pytest.raises(error):
            torch.cuda.set_per_process_memory_fraction(bad)


@pytest.mark.parametrize(
    "size, words", [(5, "5 bytes"), (1536, "1.50 KiB"), (3 << 20, "3.00 MiB"), (5 << 29, "2.50 GiB")]
)
def test_sizes_in_words(size, words):
    from polytensor.backends.cupy.memory import in_words

    assert in_words(size) == words


# ---- page-locked memory ---------------------------------------------------------------------------------------------
def test_pinned_memory(machine):
    x = torch.arange(4.0)
    p = x.pin_memory()
    assert (
        p.is_pinned()
        and not x.is_pinned()
        and p.pin_memory() is p
        and p.tolist() == x.tolist()
        and p.device == x.device
    )
    with pytest.raises(RuntimeError, match="only dense CPU tensors can be pinned"):
        x.cuda().pin_memory()
    for made in (
        torch.empty(3, pin_memory=True), torch.zeros(2, pin_memory=True), torch.full((2,), 1.0, pin_memory=True),
        torch.tensor([1, 2], pin_memory=True), torch.rand(2, pin_memory=True), torch.arange(3, pin_memory=True),
        torch.randint(3, (2,), pin_memory=True), torch.ones_like(x, pin_memory=True), torch.randn_like(x, pin_memory=True),
    ):  # fmt: skip
        assert made.is_pinned()


def test_copies_from_pinned_memory_overlap_and_keep_their_buffer(machine):
    p = torch.arange(4.0).pin_memory()
    machine.deferred = True
    a = p.to("cuda", non_blocking=True)
    assert a._a.view(np.ndarray).tolist() == [0, 0, 0, 0]  # still on its way
    p.fill_(7)
    torch.cuda.synchronize()
    assert a.tolist() == [7, 7, 7, 7]  # what PyTorch warns of: the buffer was written to before
    b = p.to("cuda")
    p.fill_(8)
    assert b.tolist() == [7, 7, 7, 7]  # a plain copy waits


def test_copies_to_the_host_overlap(machine):
    from polytensor.backends.cupy import memory

    x = torch.arange(4.0, device="cuda")
    machine.deferred = True
    host = x.to("cpu", non_blocking=True)
    assert host.is_pinned() and host.tolist() == [0, 0, 0, 0] and len(memory.accounts().pending) == 1
    alive = memory.accounts().pending[0][1][0]
    del x
    assert alive.shape == (4,)
    torch.cuda.synchronize()
    assert host.tolist() == [0, 1, 2, 3]
    memory.accounts().release()
    assert not memory.accounts().pending
    y = torch.arange(3.0, device="cuda")
    cast = y.to("cpu", torch.float64, non_blocking=True)
    torch.cuda.synchronize()
    assert cast.dtype is torch.float64 and cast.tolist() == [0, 1, 2]
    buffer = torch.empty(3, pin_memory=True).zero_()
    version = buffer._version
    buffer.copy_(y, non_blocking=True)
    assert buffer.tolist() == [0, 0, 0] and buffer._version == version + 1
    torch.cuda.synchronize()
    assert buffer.tolist() == [0, 1, 2]
    plain = torch.empty(3)
    plain.copy_(y, non_blocking=True)
    assert plain.tolist() == [0, 1, 2] and y.cpu().tolist() == [0, 1, 2]


def test_loader_pins_and_copies_without_waiting(machine):
    data = torch.utils.data.TensorDataset(torch.arange(6.0), torch.arange(6))
    loader = torch.utils.data.DataLoader(data, batch_size=3, pin_memory=True)
    for x, y in loader:
        assert x.is_pinned() and y.is_pinned()
        assert x.to("cuda", non_blocking=True).tolist() == x.tolist()
    assert machine.calls["pinned to device"] == 2


def test_saved_tensors_wait_in_pinned_memory(machine):
    x = torch.arange(3.0, device="cuda:1", requires_grad=True)
    before = len(machine.pinned)
    with torch.autograd.graph.save_on_cpu(pin_memory=True):
        y = (x * x).exp().sum()
    assert len(machine.pinned) > before and torch.cuda.current_device() == 0
    y.backward()
    assert torch.allclose(x.grad.cpu(), 2 * torch.arange(3.0) * torch.arange(3.0).square().exp())
    assert machine.calls["pinned to device"] >= 2
    cpu = torch.ones(2, requires_grad=True)
    with torch.autograd.graph.save_on_cpu(pin_memory=True):
        (cpu * cpu).sum().backward()
    assert cpu.grad.tolist() == [2, 2]


# ---- memory that other streams use ----------------------------------------------------------------------------------
def test_memory_that_a_capture_uses_rests_until_its_end(machine, monkeypatch):
    from polytensor.backends.cupy import memory

    x = torch.ones(4, device="cuda:1")
    side = torch.cuda.Stream("cuda:1")
    x.record_stream(side)
    with monkeypatch.context() as patch:
        patch.setattr(side.base, "is_capturing", lambda: True)
        del x
        gc.collect()
        memory.accounts().release()
        assert len(memory.accounts().pending) == 1 and not side.base.queue
    memory.accounts().release()
    assert not memory.accounts().pending


def test_memory_that_another_stream_uses_rests(machine):
    from polytensor.backends.cupy import memory

    x = torch.ones(4, device="cuda:1")
    side = torch.cuda.Stream("cuda:1")
    x.record_stream(side)
    view = x[1:]
    del x
    gc.collect()
    assert not memory.accounts().pending
    side.base.queue.append(lambda: None)
    del view
    gc.collect()
    assert len(memory.accounts().pending) == 1
    memory.accounts().release()
    assert len(memory.accounts().pending) == 1  # the stream is still at it
    side.synchronize()
    memory.accounts().release()
    assert not memory.accounts().pending
    for tensor, error in ((torch.ones(2), NotImplementedError), (torch.ones(2, device="cuda"), RuntimeError)):
        with pytest.raises(error):
            tensor.record_stream(side if error is NotImplementedError else None)
