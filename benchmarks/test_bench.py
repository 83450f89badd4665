"""The same cases for pytest-benchmark: ``pytest benchmarks --benchmark-only``."""

import pytest
from cases import GROUPS

import polytensor

CASES = [(group, name) for group, make in GROUPS.items() for name in make(polytensor)]


@pytest.mark.parametrize(("group", "name"), CASES, ids=[f"{g}: {n}" for g, n in CASES])
def test_case(benchmark, polytensor_backend, group, name):
    with polytensor.use_backend(polytensor_backend):
        benchmark(GROUPS[group](polytensor)[name])
