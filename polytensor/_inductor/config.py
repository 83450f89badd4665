"""torch._inductor.config: any attribute may be set, and none has an effect."""

from types import SimpleNamespace

from ..settings import patcher

cpp, triton = SimpleNamespace(), SimpleNamespace()
patch = patcher(globals())
