"""The Numba backend's threads, forks, compilation and its cache."""

import os
import re
import subprocess
import sys

import numba_checks
import numpy as np
import pytest
from numba_checks import NUMBA, NUMPY, THREADS, same, values

dtype = numba_checks.dtype


def test_bits_do_not_depend_on_threads(dtype, monkeypatch):
    x = values((1000, 999), dtype)

    def run():
        y = (
            NUMBA.sum(x, (0,), False),
            NUMBA.sum(x, (1,), False),
            NUMBA.var(x, None, 1, False),
            NUMBA.softmax(x, 1),
        )
        return [np.asarray(a).tobytes() for a in (*y, NUMBA.sum(x, None, False), NUMBA.mse_loss(x, x * x, 1))]

    monkeypatch.setattr(THREADS, "PARALLEL_NS", np.inf)
    serial = run()
    monkeypatch.setattr(THREADS, "PARALLEL_NS", 0)
    before = THREADS.get_num_threads()
    try:
        for n in (1, 2, 4):
            THREADS.set_num_threads(n)
            assert run() == serial
    finally:
        THREADS.set_num_threads(before)


def test_compiled_kernels_are_of_all_sources(tmp_path):
    """A kernel inlines functions of other files: it is compiled anew when one of them changes."""
    from polytensor.backends.numba.cache import sources

    for made in (NUMBA._softmax.softmax_kernel.serial, NUMBA._softmax.softmax_kernel.parallel):
        assert made._cache._impl.locator.get_source_stamp() == sources()
    folder = tmp_path / "a" / "numba"
    folder.mkdir(parents=True)
    seen = set()
    for file in (folder / "kernel.py", folder / "inlined.py", folder.parent / "polynomials.py"):
        for text in ("1", "2"):
            file.write_text(text)
            sources.cache_clear()
            seen.add(sources(folder))
    assert len(seen) == 6
    sources.cache_clear()


def test_a_busy_budget_means_serial(monkeypatch):
    """Two threads never run parallel kernels at once, and neither waits."""
    monkeypatch.setattr(THREADS, "PARALLEL_NS", 0)
    x = values((300, 300), "float32")
    with THREADS._lock:
        same(NUMBA.sigmoid(x), NUMPY.sigmoid(x))


BESIDE_PYTORCH = """
import numpy as np
from polytensor.backends.numba import NumbaBackend, spread
b = NumbaBackend()
b._threads.PARALLEL_NS = 0
spread.set_work(0)
x = np.ones((300, 300), "f")
b.sigmoid(x), b.add(x, x)
"""


@pytest.mark.parametrize("first", [False, True], ids=["loaded after", "loaded before"])
def test_pytorch_keeps_its_number_of_threads(oracle, first):
    """It shares GNU OpenMP with Numba."""
    code = "import torch\n" + BESIDE_PYTORCH if first else BESIDE_PYTORCH + "import torch\n"
    env = {**os.environ, "OMP_NUM_THREADS": "2", "NUMBA_NUM_THREADS": "4"}
    env.pop("MKL_NUM_THREADS", None)  # which would decide
    done = subprocess.run(
        [sys.executable, "-c", code + "print(torch.get_num_threads())"],
        env=env,
        check=True,
        capture_output=True,
        text=True,
    )
    assert done.stdout.split() == ["2"]


FORK = """
import os, numpy as np
from polytensor.backends.numba import NumbaBackend
b = NumbaBackend()
b._threads.PARALLEL_NS = 0
x = np.ones((300, 300), "f")
b.sigmoid(x)
pid = os.fork()
if pid == 0:
    b.sigmoid(x)
    os._exit(b._threads.get_num_threads() - 1)
raise SystemExit(os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]))
"""


@pytest.mark.skipif(not hasattr(os, "fork"), reason="needs fork")
def test_a_forked_child_runs_serial():
    subprocess.run([sys.executable, "-W", "ignore", "-c", FORK], check=True, timeout=120)


def test_importing_the_package_leaves_numba_alone():
    code = "import sys, polytensor.backends.numba; raise SystemExit('numba' in sys.modules)"
    subprocess.run([sys.executable, "-c", code], check=True, timeout=60)


def test_warmup_counts_compile_seconds():
    NUMBA.warmup(np.float32)
    assert NUMBA.warmup(np.float32) == 0
    assert NUMBA.compile_seconds >= 0


def test_warmup_command(capsys):
    from polytensor.__main__ import warmup

    warmup(["float32"])
    lines = capsys.readouterr().out.splitlines()
    assert "numpy: nothing to compile ahead" in lines
    assert any(re.fullmatch(r"numba: float32 ready in [\d.]+ s, [\d.]+ s of it compiling", line) for line in lines)


SCRIPT = """
import sys, time
import numpy as np
from numba import prange
from numba.core.caching import IndexDataCacheFile as File
from polytensor.backends.numba.threads import Kernel


def body(x, out):
    for i in prange(x.size):
        out[i] = x[i] + x.dtype.type(x.itemsize)


read = File._load_index
File._load_index = lambda self: (read(self), time.sleep(0.4))[0]  # so that all have read before any writes
kernel = Kernel(body)
for name in sys.argv[1:]:
    x = np.arange(5, dtype=name)
    out = np.empty_like(x)
    kernel(0.0, x, out)
    assert out.tolist() == [v + x.itemsize for v in range(5)], (name, out)
print(sum(kernel.serial.stats.cache_hits.values()))
"""


def test_processes_may_compile_at_the_same_time(tmp_path):
    """Each compiles the kernel for a dtype of its own into one new cache; another process then loads all of them."""
    script = tmp_path / "kernels.py"
    script.write_text(SCRIPT)
    names = ["float32", "float64", "int32", "int64"]
    env = {**os.environ, "NUMBA_CACHE_DIR": str(tmp_path / "cache")}
    runs = [
        subprocess.Popen([sys.executable, str(script), n], env=env, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
        for n in names
    ]
    for run in runs:
        _, error = run.communicate(timeout=300)
        assert run.returncode == 0, error.decode()
    last = subprocess.run([sys.executable, str(script), *names], env=env, capture_output=True, text=True, timeout=300)
    assert last.returncode == 0, last.stderr
    assert last.stdout.strip() == "4", "all four were in the cache"


COMPILING = """
import os, threading, time, numba, numpy as np
from numba.core.compiler_lock import global_compiler_lock
from polytensor.backends.numba import NumbaBackend
b = NumbaBackend()
held = threading.Event()

def compiling():
    with global_compiler_lock:
        held.set()
        time.sleep(0.3)

thread = threading.Thread(target=compiling)
thread.start()
held.wait()
pid = os.fork()
if pid == 0:
    b.sum(np.ones(100000, "f"), None, False)
    os._exit(0)
for _ in range(600):
    found, status = os.waitpid(pid, os.WNOHANG)
    if found:
        raise SystemExit(os.waitstatus_to_exitcode(status))
    time.sleep(0.1)
os.kill(pid, 9)
raise SystemExit("the child hangs")
"""


@pytest.mark.skipif(not hasattr(os, "fork"), reason="needs fork")
def test_a_fork_while_a_thread_compiles():
    subprocess.run([sys.executable, "-W", "ignore", "-c", COMPILING], check=True, timeout=120)
