"""torch._dynamo.config: any attribute may be set, and none has an effect."""

from ..settings import patcher

cache_size_limit = recompile_limit = 8
capture_scalar_outputs = suppress_errors = verbose = disable = False
assume_static_by_default = automatic_dynamic_shapes = optimize_ddp = True
patch = patcher(globals())
