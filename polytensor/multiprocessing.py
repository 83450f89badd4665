"""torch.multiprocessing: Python's own, which sends tensors as sharing.py says. Source: torch.multiprocessing."""

from multiprocessing import *  # noqa: F403
from typing import Any

from . import sharing as _sharing  # noqa: F401  it tells pickles between processes how tensors are sent

_strategies = {"file_descriptor", "file_system"}
_strategy = ["file_descriptor"]


def get_all_sharing_strategies() -> set[str]:
    return set(_strategies)


def get_sharing_strategy() -> str:
    return _strategy[0]


def set_sharing_strategy(new_strategy: str) -> None:
    """Accepted: shared memory is handed on by its descriptor under every strategy."""
    if new_strategy not in _strategies:
        raise AssertionError(f"invalid sharing strategy: {new_strategy}")
    _strategy[0] = new_strategy


def spawn(
    fn: Any,
    args: tuple[Any, ...] = (),
    nprocs: int = 1,
    join: bool = True,
    daemon: bool = False,
    start_method: str = "spawn",
) -> Any:
    """Run fn(i, *args) in `nprocs` processes. RuntimeError where one of them fails. Source: torch.multiprocessing.spawn."""
    context = get_context(start_method)  # noqa: F405
    processes = [context.Process(target=fn, args=(i, *args), daemon=daemon) for i in range(nprocs)]
    for p in processes:
        p.start()
    if not join:
        return processes
    for p in processes:
        p.join()
    failed = [i for i, p in enumerate(processes) if p.exitcode]
    if failed:
        raise RuntimeError(f"process {failed[0]} terminated with exit code {processes[failed[0]].exitcode}")
    return None
