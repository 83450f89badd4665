"""What polytensor.backends.capabilities() says is what a backend does."""

import pytest

import polytensor as torch
from polytensor import backends, devices, dtypes
from polytensor.__main__ import info

NAMES = [d.name for d in dtypes.ALL]


@pytest.mark.parametrize("name", NAMES)
def test_each_dtype_does_what_the_table_says(device, name):
    text = backends.capabilities()[device.backend.name][name]
    d = getattr(torch, name)
    if text.startswith(backends.MISSING):
        with pytest.raises(RuntimeError, match="capabilities"):
            torch.zeros(2, dtype=d, device=device)
        return
    x = torch.ones(5000, dtype=d, device=device)
    assert x.dtype is d and x.tolist()[:2] == [1, 1] and x.to(torch.float64).sum().item() == 5000
    assert torch.arange(2, device=device).to(d).dtype is d
    if text == backends.CONVERTS:
        with pytest.raises(RuntimeError, match="Promotion for uint16, uint32, uint64 types is not supported"):
            x + torch.ones(1, dtype=torch.int64, device=device)
    else:
        total = x.sum()
        assert total.dtype is (torch.int64 if name.startswith(("int", "uint", "bool")) else d)
        # one rounding at the end: 5000 needs 10 bits, of which bfloat16 keeps 8
        assert total.item() == (4992 if name == "bfloat16" else 5000)
        assert (x + x).dtype is d
    if text == backends.VIA_NUMPY:
        assert device.backend.name == "numba" and not x.is_floating_point()


def test_every_backend_and_dtype_is_in_the_table():
    table = backends.capabilities()
    assert set(table) == set(devices.backend_names())
    assert all(list(row) == NAMES for row in table.values())
    usable = {name: ok for name, (ok, _, _) in devices.backend_status().items()}
    assert all(usable[n] or t.startswith("cannot run here: ") for n, row in table.items() for t in row.values())


def test_info_shows_the_table(capsys):
    info()
    shown = capsys.readouterr().out
    assert "polytensor.backends.capabilities()" in shown
    assert f"{backends.STORAGE}: float16, bfloat16" in shown


def test_a_dtype_without_its_package_is_told(monkeypatch):
    monkeypatch.setattr(dtypes.bfloat16, "array", None)
    assert (
        backends.capabilities()["numpy"]["bfloat16"] == "missing: the package ml_dtypes: pip install 'polytensor[bf16]'"
    )
    with pytest.raises(RuntimeError, match=r"torch.bfloat16 needs the package ml_dtypes: .*capabilities\(\)"):
        torch.zeros(2, dtype=torch.bfloat16)
