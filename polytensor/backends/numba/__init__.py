"""The Numba backend: NumPy arrays, with compiled kernels where they win. Importing this does not import Numba."""

from .backend import NumbaBackend

__all__ = ["NumbaBackend"]
