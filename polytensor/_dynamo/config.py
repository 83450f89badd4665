"""torch._dynamo.config: any attribute may be set, and none has an effect."""

from ..settings import patcher

patch = patcher(globals())
