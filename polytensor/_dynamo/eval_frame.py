"""torch._dynamo.eval_frame: the class of a compiled module, of which there are none."""

from __future__ import annotations

from ..absent import refuse_class
from ..nn.module import Module

OptimizedModule = refuse_class("torch._dynamo.OptimizedModule", "torch.compile hands modules back as they are", Module)
