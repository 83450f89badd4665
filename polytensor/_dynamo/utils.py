"""torch._dynamo.utils: the counters of a compiler, which stay at zero."""

from collections import Counter, defaultdict

counters: defaultdict[str, Counter[str]] = defaultdict(Counter)
