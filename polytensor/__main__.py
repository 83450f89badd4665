"""``python -m polytensor info | warmup | run script.py args...``"""

from __future__ import annotations

import argparse
import os
import platform
import runpy
import sys


def info() -> None:
    """Backends and whether they can run, devices, threads, versions."""
    import importlib.metadata

    import polytensor
    from polytensor import backends, devices

    print(f"polytensor {polytensor.__version__}, Python {platform.python_version()}, {platform.platform()}")
    chosen = os.environ.get("POLYTENSOR_BACKEND")
    print(f"POLYTENSOR_BACKEND: {chosen or 'not set (numpy)'}")
    print("backends:")
    for name, (ok, reason, hint) in devices.backend_status().items():
        print(f"  {name:8} " + ("can run" if ok else f"cannot run: {reason}" + (f"; {hint}" if hint else "")))
    print("dtypes, as polytensor.backends.capabilities() lists them:")
    for name, row in backends.capabilities().items():
        for i, text in enumerate(dict.fromkeys(row.values())):
            print(f"  {'' if i else name:8} {text}: {', '.join(d for d in row if row[d] == text)}")
    print(f"devices: cpu{''.join(f', cuda:{i}' for i in range(polytensor.cuda.device_count()))}")
    print(f"CUDA: {cuda_libraries()}")
    print(f"threads: {polytensor.get_num_threads()} of {os.cpu_count()} cores")
    try:
        from threadpoolctl import threadpool_info

        for pool in threadpool_info():
            print(
                f"BLAS: {pool['internal_api']} {pool.get('version')} ({pool.get('architecture')}), {pool['num_threads']} threads"
            )
    except ImportError:
        print("BLAS: install threadpoolctl to see which")
    from polytensor.backends.cupy.cudnn import status

    if devices.backend_status()["cupy"][0]:
        version, reason = status()
        print(f"convolution and attention: {f'cuDNN {version}' if version else f'our own kernels, since {reason}'}")
    for package in ("numpy", "numba", "cupy-cuda12x", "cupy-cuda13x", "ml_dtypes", "threadpoolctl"):
        try:
            print(f"{package}: {importlib.metadata.version(package)}")
        except importlib.metadata.PackageNotFoundError:
            print(f"{package}: not installed")


def cuda_libraries() -> str:
    """The CUDA libraries that the cupy backend uses, with versions, in one line."""
    from importlib.util import find_spec

    if find_spec("cupy") is None:
        return "CuPy is not installed"
    from polytensor.backends.cupy.runtime import libraries

    return "; ".join(f"{name} {text}" for name, text in libraries().items())


def warmup(dtypes: list[str]) -> None:
    """Compile the kernels of each backend that has a compiler, so that later programs load them from its cache."""
    from time import perf_counter

    from polytensor import devices
    from polytensor.utils.progress import progress

    for name in devices.available_backends():
        prepare = getattr(devices.get_backend(name), "warmup", None)
        if prepare is None:
            print(f"{name}: nothing to compile ahead")
            continue
        lines = []
        with progress(len(dtypes), name, unit="dtype") as update:
            for dtype in dtypes:
                begin = perf_counter()
                compiled = prepare(dtype)
                lines.append(f"{dtype} ready in {perf_counter() - begin:.1f} s, {compiled:.1f} s of it compiling")
                update(1)
        for line in lines:
            print(f"{name}: {line}", flush=True)


def run(script: str, args: list[str]) -> None:
    """Run a PyTorch script with torch resolving to polytensor."""
    from polytensor.compat import install_torch_alias

    if not os.path.isfile(script):
        sys.exit(f"python -m polytensor run: no such file: {script}")
    install_torch_alias()
    sys.argv = [script, *args]
    sys.path[0] = os.path.dirname(os.path.abspath(script))
    runpy.run_path(script, run_name="__main__")


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m polytensor")
    commands = parser.add_subparsers(dest="command", required=True)
    commands.add_parser("info", help="backends, devices, threads, versions")
    warmer = commands.add_parser("warmup", help="compile every kernel now, not at its first use")
    warmer.add_argument("--dtype", nargs="+", choices=("float32", "float64"), default=["float32"])
    runner = commands.add_parser("run", help="run an unmodified PyTorch script")
    runner.add_argument("script")
    runner.add_argument("args", nargs=argparse.REMAINDER)
    options = parser.parse_args()
    if options.command == "info":
        info()
    elif options.command == "warmup":
        warmup(options.dtype)
    else:
        run(options.script, options.args)


if __name__ == "__main__":
    main()
