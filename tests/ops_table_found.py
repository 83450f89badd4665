"""Cases that a comparison with PyTorch's own sample inputs found wrong."""

import numpy as np
from ops_table import BOOL, F64, I64, add, arr, const, cplx, family, ints

family("flip.keyword", lambda t, x: t.flip(x, dims=[0, 1]), {"c": (arr(2, 3),)})
family("diff.none", lambda t, x, y: t.diff(x, 0, 0, y, y), {"c": (arr(3, 2), arr(1, 2))})
for n, shape in ((1, (2, 4, 5)), (2, (2, 4, 5, 4)), (3, (1, 4, 3, 4, 3))):
    w = (6, 2) + (2,) * n
    add(
        f"conv{n}d.complex",
        lambda t, x, y, n=n: getattr(t.nn.functional, f"conv{n}d")(x, y, groups=2),
        cplx(*shape),
        cplx(*w),
    )
    v = (4, 2) + (2,) * n
    add(
        f"conv_transpose{n}d.complex",
        lambda t, x, y, n=n: getattr(t.nn.functional, f"conv_transpose{n}d")(x, y, groups=2),
        cplx(*shape),
        cplx(*v),
    )
add("logsumexp.complex", lambda t, x: t.logsumexp(x * 4, 1), cplx(4, 5))
add("logcumsumexp.complex", lambda t, x: t.logcumsumexp(x, 1), cplx(2, 4))
add("rms_norm.complex", lambda t, x, w: t.nn.functional.rms_norm(x, (3,), w, 0.5), cplx(2, 3), cplx(3))
for name, x in {
    "0d": arr(dtype=I64),
    "u8": const([2, 3], np.uint8),
    "bool": arr(3, dtype=BOOL),
    "f": arr(2, 3),
}.items():
    add(f"linalg.vander.{name}", lambda t, x: t.linalg.vander(x, N=3), x)
for op in ("unique", "unique_consecutive", "geqrf", "histogram"):
    more = (3,) if op == "histogram" else ()
    for end in (lambda t, y: (type(y.grad_fn).__name__, y.requires_grad), lambda t, y: y.sum().backward()):
        family(
            f"{op}.underived",
            lambda t, x, op=op, more=more, end=end: end(t, getattr(t, op)(x.requires_grad_(), *more)[0]),
            {f"{end.__code__.co_firstlineno}.{len(end.__code__.co_names)}": (arr(3, 3),)},
            grad=False,
        )
family(
    "avg_pool.whole",
    lambda t, x, n: [
        getattr(t.nn.functional, f"avg_pool{k}d")(y, 3, 1, 1, True, count_include_pad=i)
        for k, y in ((1, x[0, 0]), (2, x[0]), (3, x))
        for i in (True, False)
    ],
    {"i64": (arr(1, 2, 4, 5, 6, dtype=I64), ints(1))},
)
family("index_add.alpha", lambda t, x, i, y: t.index_add(x, 0, i, y, alpha=False), {
    "bool": (arr(3, 2, dtype=BOOL), ints(2, hi=3), arr(2, 2, dtype=BOOL)),
    "f": (arr(3, 2, dtype=F64), ints(2, hi=3), arr(2, 2, dtype=F64)),
})  # fmt: skip
