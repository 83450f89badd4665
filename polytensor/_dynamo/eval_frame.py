"""torch._dynamo.eval_frame: the class of a compiled module, of which there are none."""

from __future__ import annotations

from ..absent import refuse
from ..nn.module import Module


class OptimizedModule(Module):
    """No module is an instance of it: torch.compile hands modules back as they are."""

    __init__ = refuse("torch._dynamo.OptimizedModule", "torch.compile hands modules back as they are")
