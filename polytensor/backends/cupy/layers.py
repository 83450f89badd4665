"""All kernel families behind layers, optimizers and random draws."""

from __future__ import annotations

from .channels import CudaChannels
from .many import CudaMany
from .norms import CudaNorms
from .optim import CudaOptim
from .pointwise import CudaPointwise
from .random import CudaRandom
from .recurrent import CudaRecurrent
from .rules import CudaRules
from .softmax import CudaSoftmax


class LayerKernels(
    CudaMany, CudaChannels, CudaNorms, CudaOptim, CudaPointwise, CudaRandom, CudaRecurrent, CudaRules, CudaSoftmax
):
    """Mixed into CupyBackend, before Backend."""
