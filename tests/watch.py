"""Hooks of a long run, on a GPU above all: failures told as they come, processes replaced that hang or whose device is lost."""

import faulthandler
import os
import sys

import pytest

MOST = 8 << 20  # bytes of the file of failures, from which on they are only named


def add_options(parser):
    parser.addoption("--failures", metavar="FILE", help="write each failure to this file as it comes")
    parser.addoption("--longest", type=float, metavar="SECONDS", help="end a process whose test takes longer")


def lost():
    """Whether CUDA no longer works in this process: after an illegal access every call fails, whatever the test."""
    cupy = sys.modules.get("cupy")
    if cupy is None:
        return False
    try:
        if cupy.cuda.is_available():
            cupy.cuda.runtime.deviceSynchronize()
    except RuntimeError:
        return True
    return False


class Watch:
    """pytest-xdist starts another process for one that ends, and counts the test that ran there as failed."""

    def __init__(self, config):
        self.longest = config.getoption("--longest")
        self.worker = hasattr(config, "workerinput")
        self.stderr = os.dup(2) if self.longest else None  # pytest puts a file in its place during the tests
        name = None if self.worker else config.getoption("--failures")
        self.file = open(name, "w", buffering=1) if name else None  # noqa: SIM115

    @pytest.hookimpl(wrapper=True, tryfirst=True)
    def pytest_runtest_protocol(self, item):
        before = item.session.testsfailed
        if self.longest:
            faulthandler.dump_traceback_later(self.longest, exit=True, file=self.stderr)
        try:
            return (yield)
        finally:
            if self.longest:
                faulthandler.cancel_dump_traceback_later()
            if item.session.testsfailed > before and lost():
                if not self.worker:
                    pytest.exit("CUDA no longer works in this process", 3)
                os._exit(3)

    def pytest_collectreport(self, report):
        self.pytest_runtest_logreport(report)

    def pytest_runtest_logreport(self, report):
        if self.file is None or not report.failed:
            return
        text = report.longreprtext
        crash = getattr(report.longrepr, "reprcrash", None)
        why = crash.message.strip().partition("\n")[0] if crash else text.strip().rpartition("\n")[2]
        if self.file.tell() > MOST:
            text = ""
        self.file.write(f"FAILED {report.nodeid} - {why}\n{text}\n\n")
