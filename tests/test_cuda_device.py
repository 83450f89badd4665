"""What only a CUDA device can show: memory, streams, copies that overlap, other libraries. Skipped without one."""

import gc

import numpy as np
import pytest

import polytensor as torch

cuda = torch.cuda
if not cuda.is_available():
    pytest.skip("no CUDA device is usable here", allow_module_level=True)
several = pytest.mark.skipif(cuda.device_count() < 2, reason="needs two CUDA devices")


def test_memory_is_counted():
    torch.ones(1, device="cuda") + 1  # what is made once and stays
    gc.collect()
    cuda.empty_cache()
    cuda.reset_peak_memory_stats()
    before = cuda.memory_allocated()
    x = torch.empty(1 << 20, device="cuda")
    assert cuda.memory_allocated() == before + (4 << 20)
    y = x + 1
    del x, y
    assert cuda.memory_allocated() == before and cuda.max_memory_allocated() == before + (8 << 20)
    assert cuda.memory_reserved() >= 8 << 20 and cuda.max_memory_reserved() >= cuda.memory_reserved()
    free, total = cuda.mem_get_info()
    cuda.empty_cache()
    assert cuda.mem_get_info()[0] >= free and total == cuda.get_device_properties(0).total_memory
    assert "in use by arrays" in cuda.memory_summary()


def test_out_of_memory_tells_what_was_asked_for():
    total = cuda.mem_get_info()[1]
    with pytest.raises(torch.OutOfMemoryError, match=r"Tried to allocate .* GiB for empty"):
        torch.empty(total, device="cuda")
    x = torch.ones(1 << 10, 1, device="cuda")
    with pytest.raises(torch.OutOfMemoryError, match=r"for (mul|expand)"):
        x.expand(-1, total // 1024) * 2.0
    used = cuda.memory_reserved()
    cuda.set_per_process_memory_fraction((used + (64 << 20)) / total)
    try:
        with pytest.raises(torch.OutOfMemoryError, match="It may hold"):
            torch.empty(128 << 20, dtype=torch.uint8, device="cuda")
    finally:
        cuda.set_per_process_memory_fraction(1.0)
    assert torch.ones(8, device="cuda").sum().item() == 8


def test_streams_and_events():
    side, start, end = cuda.Stream(), cuda.Event(enable_timing=True), cuda.Event(enable_timing=True)
    x = torch.rand(1024, 1024, device="cuda")
    start.record()
    side.wait_stream(cuda.current_stream())
    with cuda.stream(side):
        y = x @ x
        y.record_stream(cuda.default_stream())
    cuda.current_stream().wait_stream(side)
    z = y + 1
    end.record()
    end.synchronize()
    assert start.elapsed_time(end) > 0 and side.query()
    assert np.allclose(z.cpu().numpy(), x.cpu().numpy() @ x.cpu().numpy() + 1, rtol=1e-3)
    outside = cuda.ExternalStream(side.cuda_stream)
    with cuda.stream(outside):
        assert cuda.current_stream() == side and (x * 0).sum().item() == 0
    cuda.synchronize()


def test_copies_from_and_to_page_locked_memory():
    host = torch.arange(1 << 20, dtype=torch.float32).pin_memory()
    assert host.is_pinned() and not torch.ones(3).is_pinned()
    for _ in range(20):
        there = host.to("cuda", non_blocking=True)
        back = (there * 2).to("cpu", non_blocking=True)
        cuda.current_stream().synchronize()
        assert back.is_pinned() and torch.equal(back, host * 2)
    buffer = torch.empty(1 << 20, pin_memory=True)
    buffer.copy_(there, non_blocking=True)
    del there
    cuda.synchronize()
    assert torch.equal(buffer, host)
    first = host.to("cuda")
    host.fill_(-1)  # a plain copy is over when it returns
    assert first[5].item() == 5


def test_batches_of_a_loader():
    data = torch.utils.data.TensorDataset(torch.arange(64.0), torch.arange(64))
    for x, y in torch.utils.data.DataLoader(data, batch_size=16, pin_memory=True):
        assert x.is_pinned() and torch.equal(x.to("cuda", non_blocking=True).cpu(), x) and y.is_pinned()


def test_bfloat16_training():
    torch.manual_seed(0)
    layer = torch.nn.TransformerEncoderLayer(32, 4, 64, dropout=0.0, batch_first=True)
    model = torch.nn.Sequential(layer, torch.nn.Linear(32, 4)).cuda()
    x, y = torch.randn(8, 10, 32, device="cuda"), torch.randint(4, (80,), device="cuda")
    optimizer, scaler = torch.optim.AdamW(model.parameters(), lr=0.01), torch.amp.GradScaler("cuda")
    losses = []
    for _ in range(10):
        optimizer.zero_grad()
        with torch.autocast("cuda", dtype=torch.bfloat16):
            loss = torch.nn.functional.cross_entropy(model(x).flatten(0, 1).float(), y)
        scaler.scale(loss).backward()
        scaler.step(optimizer)
        scaler.update()
        losses.append(loss.item())
    assert losses[-1] < 0.8 * losses[0]


def test_memory_shared_with_pytorch():
    oracle = pytest.importorskip("torch")
    if not oracle.cuda.is_available():
        pytest.skip("the PyTorch that is installed has no CUDA")
    x = torch.arange(6.0, device="cuda").reshape(2, 3).t()
    theirs = oracle.from_dlpack(x)
    assert theirs.data_ptr() == x.data_ptr() and theirs.stride() == x.stride() and theirs.tolist() == x.tolist()
    with cuda.stream(cuda.Stream()):
        late = torch.rand(1 << 24, device="cuda") + 1
        theirs = oracle.from_dlpack(late)  # their stream waits for ours, which is still at it
    assert theirs.data_ptr() == late.data_ptr() and (theirs >= 1).all().item()
    side = oracle.cuda.Stream()
    with oracle.cuda.stream(side):
        made = oracle.rand(1 << 20, device="cuda") + 1
        ours = torch.from_dlpack(made)  # our stream waits for theirs
    assert ours.data_ptr() == made.data_ptr() and (ours >= 1).all().item()
    ours.fill_(3)
    cuda.synchronize()
    assert made[7].item() == 3
    half = torch.ones(4, dtype=torch.bfloat16, device="cuda")
    assert oracle.from_dlpack(half).dtype is oracle.bfloat16
    assert torch.from_dlpack(oracle.to_dlpack(oracle.ones(2, device="cuda"))).tolist() == [1, 1]
    assert oracle.as_tensor(x, device="cuda").data_ptr() == x.data_ptr()
    assert torch.as_tensor(oracle.ones(3, device="cuda")).tolist() == [1, 1, 1]


@several
def test_several_devices():
    x = torch.rand(257, 129, device="cuda:0", requires_grad=True)
    y = (x.t().to("cuda:1") * 2).softmax(0)
    assert y.device == torch.device("cuda:1") and cuda.current_device() == 0
    y.square().sum().backward()
    z = x.detach().cpu().requires_grad_()
    (z.t() * 2).softmax(0).square().sum().backward()
    assert torch.allclose(x.grad.cpu(), z.grad, atol=1e-6)
    with cuda.device(1):
        assert torch.ones(2, device="cuda").device.index == 1
    with pytest.raises(RuntimeError, match="two devices"):
        x + y.t()


@several
def test_data_parallel():
    torch.manual_seed(0)
    model = torch.nn.Sequential(torch.nn.Linear(16, 32), torch.nn.GELU(), torch.nn.Linear(32, 4)).cuda()
    x = torch.randn(64, 16, device="cuda")
    whole = model(x)
    parts = torch.nn.DataParallel(model)(x)
    assert torch.allclose(whole, parts, atol=1e-5)
    parts.sum().backward()
    grads = [p.grad.clone() for p in model.parameters()]
    model.zero_grad()
    whole.sum().backward()
    assert all(torch.allclose(p.grad, g, atol=1e-3) for p, g in zip(model.parameters(), grads, strict=True))
