"""pytest plugin: the fixture `device` over the available backends, and --polytensor-backends.

Installed with the package (entry point pytest11). It imports nothing of an array library before a test asks.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest


def pytest_addoption(parser: Any) -> None:
    parser.getgroup("polytensor").addoption(
        "--polytensor-backends",
        default=None,
        metavar="NAMES",
        help="comma-separated backends for the `device` fixture; fails when one cannot run (default: all that can)",
    )


def pytest_configure(config: Any) -> None:
    # pytest resets the warning filters; as in PyTorch, log(0) and 0/0 stay silent inside the library
    config.addinivalue_line("filterwarnings", r"ignore::RuntimeWarning:polytensor\.")
    named = config.getoption("--polytensor-backends")
    if named is None:
        return
    from polytensor import devices

    names = [name.strip() for name in named.split(",") if name.strip()]
    if not names:
        raise pytest.UsageError("--polytensor-backends: expected at least one backend name")
    for name in names:
        try:
            devices.get_backend(name)
        except RuntimeError as error:
            raise pytest.UsageError(f"--polytensor-backends: {error}") from None
    config.stash[_NAMES] = names


_NAMES = pytest.StashKey[list[str]]()


def pytest_generate_tests(metafunc: Any) -> None:
    if "polytensor_backend" not in metafunc.fixturenames:
        return
    metafunc.parametrize("polytensor_backend", _chosen(metafunc.config), indirect=True)


def _chosen(config: Any) -> list[str]:
    names = config.stash.get(_NAMES, None)
    if names is None:
        from polytensor import devices

        names = config.stash[_NAMES] = devices.available_backends()
    return names  # type: ignore[no-any-return]


@pytest.fixture(scope="session")
def backend_names(request: Any) -> list[str]:
    """The names of all backends under test, for a test that runs them side by side."""
    return _chosen(request.config)


@pytest.fixture
def polytensor_backend(request: Any) -> str:
    """The name of one backend; a test that asks for it runs once for each."""
    return request.param  # type: ignore[no-any-return]


@pytest.fixture
def device(polytensor_backend: str) -> Iterator[Any]:
    """The device of one backend, which is also the current backend during the test."""
    from polytensor import devices

    with devices.use_backend(polytensor_backend):
        yield devices.backend_device(polytensor_backend)
