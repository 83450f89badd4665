"""Grids and blocks that plain Python picks for our CUDA kernels: all is covered, and cards of any size are kept busy."""

import numpy as np
import pytest

from polytensor.backends.cupy.norms import TOGETHER, one_wave, resident
from polytensor.backends.cupy.rows import BLOCKS, LONGEST, VECTOR, forms, spread

SIZES = [*range(1, 70), 100, 127, 128, 129, 200, 255, 256, 257, 511, 513, 1000, 1023, 1024, 1025, 2047, 2049, 4096, 4097,
         8191, 8192, 8193, 16384, 16385, 50257, 1 << 20]  # fmt: skip


@pytest.mark.parametrize("wide", [False, True])
@pytest.mark.parametrize("ctype", VECTOR)
def test_rows_are_covered(ctype, wide):
    known = {form[1:] for form in forms([ctype])} | ({("8", "2")} if wide else set())
    for n in SIZES:
        v = VECTOR[ctype] if n % VECTOR[ctype] == 0 else 1
        for rows in (1, 7, 100_000):
            held, (blocks,), (threads, together) = spread(rows, n, v, wide)
            assert (str(v), held) in known
            assert threads & (threads - 1) == 0 if threads < 32 else threads % 32 == 0 and threads <= LONGEST
            assert threads * together % 32 == 0 and blocks * together >= min(rows, BLOCKS)
            packs, places = n // v, threads * int(held)
            assert packs <= places or held == "0" and packs > LONGEST
            if held == "0":
                continue
            # a warp is not mostly idle, and a full multiprocessor asks for enough at a time
            busy = packs / (threads * -(-packs // threads))
            assert busy > 0.5
            if n >= 8 and ctype in ("float", "double"):
                each = min(int(held), packs / threads) * v * (8 if ctype == "double" else 4)
                assert each >= 8


def test_sums_of_rows_take_one_wave():
    for most in (1, 108, 132 * 2, 132 * 8):
        for rows in (1, 3, 4, 100, 4096, 16384, 100_003):
            for together in (1, 4, 128):
                blocks = one_wave(rows, (1, together), most)
                turns = -(-rows // (blocks * together))
                assert 1 <= blocks <= most and blocks * turns * together >= rows
                if rows >= 20 * most * TOGETHER * together:
                    assert blocks > 0.9 * most  # and none waits for the others' last rows
                assert turns >= min(TOGETHER, -(-rows // together)) or blocks == 1


def test_threads_with_room_for_sums():
    assert resident(4, "1", np.float32) == 1024 and resident(8, "1", np.float32) == 768
    assert {resident(2, h, np.float64) for h in "014"} == {512}
