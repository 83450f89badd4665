"""The CuPy backend: CUDA devices."""

from .backend import CupyBackend as CupyBackend
