"""Parameter, under PyTorch's path."""

from ..tensor import Parameter as Parameter
