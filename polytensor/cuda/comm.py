"""Source: torch.cuda.comm."""

from ..nn.parallel.comm import *  # noqa: F403
