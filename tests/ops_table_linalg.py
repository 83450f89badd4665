"""Products, einsum, factorisations, solvers, norms."""

import numpy as np
from ops_table import BOOL, F32, F64, I64, add, arr, const, family, ints

NAN = float("nan")
F16 = np.float16


def well(*shape, dtype=F64, layout="c"):
    """A maker of square matrices far from singular."""

    def make(rng):
        n = shape[-1]
        x = (rng.uniform(-1, 1, shape) + 2 * np.eye(n) * np.arange(1, n + 1)).astype(dtype)
        return np.ascontiguousarray(x.swapaxes(-1, -2)).swapaxes(-1, -2) if layout == "t" else x

    return make


def positive(*shape, dtype=F64):
    def make(rng):
        x = rng.uniform(-1, 1, shape)
        return (x @ x.swapaxes(-1, -2) + np.eye(shape[-1]) * np.arange(1, shape[-1] + 1)).astype(dtype)

    return make


def symmetric(*shape, dtype=F64):
    def make(rng):
        x = rng.uniform(-1, 1, shape)
        return (x + x.swapaxes(-1, -2) + 3 * np.eye(shape[-1]) * np.arange(shape[-1])).astype(dtype)

    return make


def singular(*shape):
    """Zeros but for ones on the diagonal up to the last; in a batch only the last matrix is singular."""
    x = np.zeros(shape)
    x[...] = np.eye(shape[-1])
    x.reshape(-1, *shape[-2:])[-1, -1, -1] = 0
    return const(x)


# ---- products ------------------------------------------------------------------------------------------------
def pairs(a, b, **kw):
    """Two makers per dtype and layout of shapes a and b."""
    return {
        "c": (arr(*a), arr(*b)), "t": (arr(*a, layout="t"), arr(*b, layout="t")), "s": (arr(*a, layout="s"), arr(*b)),
        "f32": (arr(*a, dtype=F32), arr(*b, dtype=F32)), "i64": (arr(*a, dtype=I64), arr(*b, dtype=I64)),
        "bool": (arr(*a, dtype=BOOL), arr(*b, dtype=BOOL)), "mix": (arr(*a), arr(*b, dtype=F32)),
        "mixint": (arr(*a, dtype=I64), arr(*b)), "f16": (arr(*a, dtype=F16), arr(*b, dtype=F16)),
    }  # fmt: skip


PRODUCTS = {
    "mm": ([(2, 3), (3, 4)], [(0, 3), (3, 2)], [(2, 0), (0, 3)], [(2, 3), (2, 3)], [(3,), (3, 2)], [(2, 3), (3,)],
           [(2, 2), (1, 2, 2)]),
    "bmm": ([(2, 2, 3), (2, 3, 4)], [(0, 2, 3), (0, 3, 2)], [(2, 3, 2), (2, 3, 2)], [(2, 3, 2), (3, 2, 2)], [(2, 2), (2, 2, 2)]),
    "mv": ([(2, 3), (3,)], [(0, 3), (3,)], [(2, 0), (0,)], [(2, 3), (2,)], [(2,), (2,)], [(2, 3), (3, 1)]),
    "dot": ([(3,), (3,)], [(0,), (0,)], [(3,), (4,)], [(2, 2), (2,)], [(), ()]),
    "vdot": ([(3,), (3,)], [(3,), (2,)], [(2, 2), (2,)]),
    "inner": ([(2, 3), (4, 3)], [(3,), (3,)], [(2, 2, 3), (3,)], [(), (2, 3)], [(2,), ()], [(2, 3), (2, 2)], [(2, 0), (3, 0)]),
    "outer": ([(2,), (3,)], [(0,), (3,)], [(2, 2), (3,)], [(2,), ()]),
    "ger": ([(2,), (3,)],),
    "kron": ([(2, 3), (3, 2)], [(2,), (2, 3)], [(2, 1, 2), (3, 2)], [(), (2, 2)], [(2, 0), (2, 2)]),
    "matmul": ([(2, 3), (3, 4)], [(2, 2, 3), (3, 4)], [(3,), (2, 3, 2)], [(2, 1, 2, 3), (3, 3, 2)], [(3,), (3,)], [(), (3,)],
               [(2, 3), (2,)], [(2, 2, 3), (3, 3, 2)], [(2, 2, 2), (2,)]),
}  # fmt: skip
for op, shapes in PRODUCTS.items():
    for k, (a, b) in enumerate(shapes):
        makers = pairs(a, b) if k == 0 else {"c": (arr(*a), arr(*b))}
        name = op + "x".join(f"{a}{b}".split())
        family(name, lambda t, x, y, op=op: getattr(t, op)(x, y), makers)
    a, b = shapes[0]
    add(f"{op}.method", lambda t, x, y, op=op: getattr(x, op)(y), arr(*a), arr(*b))
    add(
        f"{op}.out",
        lambda t, x, y, op=op: getattr(t, op)(x, y, out=t.empty(0, dtype=t.float64, device=x.device)),
        arr(*a),
        arr(*b),
        grad=False,
    )

ADDS = {
    "addmm": [((2, 4), (2, 3), (3, 4)), ((4,), (2, 3), (3, 4)), ((), (2, 3), (3, 4)), ((2, 1), (2, 3), (3, 4)),
              ((2, 4), (2, 3), (2, 4)), ((3,), (2, 3), (3, 4)), ((4,), (3,), (3, 4)), ((0, 4), (0, 3), (3, 4)),
              ((1, 2, 4), (2, 3), (3, 4))],
    "addmv": [((2,), (2, 3), (3,)), ((), (2, 3), (3,)), ((1,), (2, 3), (3,)), ((3,), (2, 3), (3,)), ((2,), (2, 3), (2,)),
              ((2, 2), (2, 3), (3,))],
    "addr": [((2, 3), (2,), (3,)), ((3,), (2,), (3,)), ((), (2,), (3,)), ((2, 2), (2,), (3,)), ((2, 3), (2, 2), (3,))],
    "baddbmm": [((2, 2, 4), (2, 2, 3), (2, 3, 4)), ((4,), (2, 2, 3), (2, 3, 4)), ((2, 4), (2, 2, 3), (2, 3, 4)),
                ((3,), (2, 2, 3), (2, 3, 4)), ((2, 2, 4), (2, 3), (2, 3, 4)), ((2, 2, 4), (2, 2, 3), (3, 3, 4))],
    "addbmm": [((2, 4), (3, 2, 3), (3, 3, 4)), ((4,), (3, 2, 3), (3, 3, 4)), ((2, 4), (0, 2, 3), (0, 3, 4)),
               ((2, 4), (3, 2, 3), (3, 2, 4)), ((2, 4), (2, 3), (3, 3, 4))],
}  # fmt: skip
for op, shapes in ADDS.items():
    for k, (a, b, c) in enumerate(shapes):
        makers = {"c": (arr(*a), arr(*b), arr(*c))}
        if k == 0:
            makers |= {
                d.__name__: (arr(*a, dtype=d), arr(*b, dtype=d), arr(*c, dtype=d)) for d in (F32, I64, BOOL)
            } | {
                "t": (arr(*a, layout="t"), arr(*b, layout="t"), arr(*c, layout="t")),
                "mix1": (arr(*a, dtype=F32), arr(*b), arr(*c)), "mix2": (arr(*a), arr(*b, dtype=F32), arr(*c)),
                "mix3": (arr(*a), arr(*b), arr(*c, dtype=F32)),
            }  # fmt: skip
        name = f"{op}{a}{b}{c}".replace(" ", "")
        if op == "addr":  # PyTorch promotes here and then fails in the backward pass
            makers = {k: v for k, v in makers.items() if not k.startswith("mix")}
        family(name, lambda t, x, y, z, op=op: getattr(t, op)(x, y, z), makers)
        family(name + "ab", lambda t, x, y, z, op=op: getattr(t, op)(x, y, z, beta=2, alpha=3), makers)
        family(name + "f", lambda t, x, y, z, op=op: getattr(t, op)(x, y, z, beta=0.5, alpha=-1.5), makers)
        add(name + "0", lambda t, x, y, z, op=op: getattr(t, op)(x * NAN, y, z, beta=0), arr(*a), arr(*b), arr(*c))
        add(name + "a0", lambda t, x, y, z, op=op: getattr(x, op)(y, z, alpha=0), arr(*a), arr(*b), arr(*c))
        if op != "addbmm" or a == (2, 4):  # PyTorch's addbmm_ writes to a tensor of another shape
            add(
                name + "_",
                lambda t, x, y, z, op=op: getattr(x.clone(), op + "_")(y, z, beta=0.5),
                arr(*a),
                arr(*b),
                arr(*c),
            )
    add(name + "node", lambda t, x, y, z, op=op: getattr(t, op)(x.requires_grad_(), y, z, beta=2).grad_fn.name(),
        *(arr(*s) for s in shapes[0]), grad=False)  # fmt: skip
    for factor in ("alpha", "beta"):
        add(f"{op}.{factor}.complex", lambda t, x, y, z, op=op, k=factor: getattr(t, op)(x, y, z, **{k: 1j}),
            *(arr(*s) for s in shapes[0]), grad=False)  # fmt: skip
    add(f"{op}.out3", lambda t, x, y, z, op=op: getattr(t, op)(x, y, z, out=t.empty(0, dtype=t.float64, device=x.device)),
        *(arr(*s) for s in shapes[0]), grad=False)  # fmt: skip
add(
    "addr.bool.alpha0",
    lambda t, x, y, z: t.addr(x, y, z, alpha=0),
    arr(2, 3, dtype=BOOL),
    arr(2, dtype=BOOL),
    arr(3, dtype=BOOL),
)
add(
    "addr.bool.beta0",
    lambda t, x, y, z: t.addr(x, y, z, beta=0),
    arr(2, 3, dtype=BOOL),
    arr(2, dtype=BOOL),
    arr(3, dtype=BOOL),
)
add("addr.promotes", lambda t, x, y, z: t.addr(x, y, z, alpha=2.5), arr(2, 3), arr(2, dtype=I64), arr(3, dtype=I64))

for dtype in (F64, F32, I64, BOOL, F16):
    family("trace", lambda t, x: t.trace(x), {dtype.__name__: (arr(3, 4, dtype=dtype),)})
family(
    "trace",
    lambda t, x: x.trace(),
    {"t": (arr(4, 3, layout="t"),), "empty": (arr(0, 3),), "1d": (arr(3),), "3d": (arr(1, 2, 2),)},
)

CHAINS = [[(2, 3), (3, 4), (4, 1)], [(5, 2), (2, 6), (6, 1), (1, 4), (4, 2)], [(2, 3)], [(2, 3), (2, 4)], [(2, 3), (3,)], [(3,), (3,)],
          [(3,), (3, 2), (2,)], [(3,), (3, 2)], [(2, 2), (2,), (2, 2)], [(2, 0), (0, 3)]]  # fmt: skip
for shapes in CHAINS:
    name = "x".join(map(str, shapes)).replace(" ", "")
    add(f"chain_matmul{name}", lambda t, *xs: t.chain_matmul(*xs), *(arr(*s) for s in shapes))
    add(f"multi_dot{name}", lambda t, *xs: t.linalg.multi_dot(xs), *(arr(*s) for s in shapes))
add("multi_dot.mix", lambda t, x, y: t.linalg.multi_dot([x, y]), arr(2, 2), arr(2, 2, dtype=F32))

DOTS = {
    "1": ((2, 3), (3, 4), 1), "2": ((2, 3, 4), (3, 4, 2), 2), "0": ((2,), (3,), 0),
    "lists": ((2, 3, 4), (4, 2), ([2, 0], [0, 1])),
    "negative": ((2, 3), (2, 3), ([-1], [-1])), "ones": ((2, 1), (3, 2), ([1], [0])), "wrong": ((2, 3), (2, 3), 1),
    "twice": ((2, 2), (2, 2), ([0, 0], [0, 1])), "uneven": ((2, 2), (2, 2), ([0], [0, 1])), "minus": ((2,), (2,), -1),
    "many": ((2, 2), (2, 2), 3), "range": ((2, 2), (2, 2), ([2], [0])), "all": ((2, 3), (2, 3), 2),
    "float": ((2,), (2,), 1.5),
}  # fmt: skip
for tag, (a, b, dims) in DOTS.items():
    add(f"tensordot[{tag}]", lambda t, x, y, dims=dims: t.tensordot(x, y, dims), arr(*a), arr(*b))
family(
    "tensordot", lambda t, x, y: t.tensordot(x, y, dims=1), {k: v for k, v in pairs((2, 3), (3, 4)).items() if k != "c"}
)

EINSUMS = [
    ("ij,jk", (2, 3), (3, 4)), ("ij,jk->ki", (2, 3), (3, 4)), ("ij,kj->ik", (2, 3), (4, 3)), ("ii", (3, 3)), ("ii->i", (3, 3)),
    ("iji->j", (3, 2, 3)), ("iii->i", (2, 2, 2)), ("ij->", (2, 3)), ("ij->j", (2, 3)), ("ij->ji", (2, 3)), ("ij", (2, 3)), ("ba", (2, 3)),
    ("bA", (2, 3)), ("i,j", (2,), (3,)), ("i,i", (3,), (3,)), ("i,i->i", (3,), (3,)), ("bij,bjk->bik", (2, 2, 3), (2, 3, 2)),
    ("bij,bjk->ikb", (2, 2, 3), (2, 3, 2)), ("...ij,...jk->...ik", (2, 2, 3), (3, 2)), ("...ij,...jk", (2, 1, 2, 3), (4, 3, 2)),
    ("i...,j...->ij...", (2, 3), (4, 3)), ("...", (2, 3)), ("...->", (2, 3)), ("i...->i", (2, 3)), ("...i->...", (2, 3)),
    ("i...j->j...", (2, 3, 4)), ("ij,jk,kl->il", (2, 3), (3, 4), (4, 2)), ("ij,jk,kl,lm->im", (2, 3), (3, 4), (4, 2), (2, 3)),
    ("ij,ik,il->jkl", (3, 2), (3, 2), (3, 4)), ("bn,anm,bm->ba", (2, 3), (5, 3, 4), (2, 4)), ("ij,ij->", (2, 3), (2, 3)),
    ("ij,ij->ij", (2, 3), (2, 3)), ("ij,jk", (2, 1), (3, 4)), ("ij,ij->ij", (2, 1), (1, 3)), ("i,j->ij", (1,), (1,)), ("", ()),
    (",", (), ()), ("i,->i", (2,), ()), ("ij,jk,kl", (2, 0), (0, 3), (3, 2)), (" i j , j k -> i k ", (2, 3), (3, 2)),
    ("ij,jk", (2, 3)), ("ij", (2, 3), (3,)), ("ij,jk->ii", (2, 3), (3, 4)), ("ij->ik", (2, 3)), ("i", (2, 3)), ("ijk", (2, 3)),
    ("ii", (2, 3)), ("ij,jk", (2, 3), (4, 4)), ("i1", (2, 3)), ("..i", (2, 3)), ("i-", (2, 3)), ("i...j...", (2, 3)), ("ij...k", (2, 2)),
    ("i,i", (2,), (0,)), ("i->i...", (2,)), ("...i,...i->...", (2, 3), (4, 3)), ("...i->i...", (2, 3, 4)), ("i...->...", (2, 3)),
    ("ab,ac,ad,ae,af,ag,ah,ai->bcdefghi", *[(2, 2)] * 8), ("ij,kl->", (2, 3), (4, 2)), ("bhqd,bhkd->bhqk", (2, 2, 3, 4), (2, 2, 5, 4)),
]  # fmt: skip
for equation, *shapes in EINSUMS:
    name = f"einsum[{equation}|{'x'.join(map(str, shapes))}]".replace(" ", "_")
    add(name, lambda t, *xs, equation=equation: t.einsum(equation, *xs), *(arr(*s) for s in shapes), strides=True)
family(
    "einsum.ijjk",
    lambda t, x, y: t.einsum("ij,jk", x, y),
    {k: v for k, v in pairs((2, 3), (3, 4)).items() if k != "c"},
    layout=False,
)
family("einsum.mul", lambda t, x, y: t.einsum("ij,ij->ij", x, y), pairs((2, 3), (2, 3)), strides=True)
add("einsum.sub", lambda t, x, y: t.einsum(x, [0, 1], y, [1, 2]), arr(2, 3), arr(3, 4))
add("einsum.subout", lambda t, x, y: t.einsum(x, [0, 1], y, [1, 2], [2, 0]), arr(2, 3), arr(3, 4), strides=True)
add("einsum.subdots", lambda t, x, y: t.einsum(x, [..., 1], y, [1, 2], [..., 2]), arr(2, 3), arr(3, 4))
add("einsum.subcase", lambda t, x: t.einsum(x, [27, 1]), arr(2, 3), layout=False)
add("einsum.subrange", lambda t, x: t.einsum(x, [0, 60]), arr(2, 3))
add("einsum.list", lambda t, x, y: t.einsum("ij,jk", [x, y]), arr(2, 3), arr(3, 4))
add("einsum.none", lambda t, x: t.einsum("ij"), arr(2, 3))

family("cross", lambda t, x, y: t.cross(x, y), {
    **pairs((2, 3), (2, 3)), "first": (arr(3, 3), arr(3, 3)), "bc": (arr(1, 3), arr(2, 3)), "none": (arr(2, 2), arr(2, 2)),
    "ndim": (arr(3), arr(2, 3)), "empty": (arr(0, 3), arr(0, 3)), "shape": (arr(4, 3), arr(2, 3)),
})  # fmt: skip
add("cross.dim0", lambda t, x, y: t.cross(x, y, dim=0), arr(3, 2), arr(3, 2))
add("cross.dim-2", lambda t, x, y: x.cross(y, -2), arr(3, 2), arr(3, 2))
add("cross.dim1", lambda t, x, y: t.cross(x, y, 1), arr(3, 2), arr(3, 2))
family("linalg.cross", lambda t, x, y: t.linalg.cross(x, y), {
    "c": (arr(3, 3), arr(3, 3)), "bc": (arr(1, 3), arr(2, 3)), "none": (arr(2, 2), arr(2, 2)), "0d": (arr(), arr()),
})  # fmt: skip
family("vecdot", lambda t, x, y: t.linalg.vecdot(x, y), {
    **pairs((2, 3), (2, 3)), "bc": (arr(2, 3), arr(3)), "wrong": (arr(2, 3), arr(2)), "0d": (arr(), arr()), "empty": (arr(2, 0), arr(2, 0)),
})  # fmt: skip
add("vecdot.dim", lambda t, x, y: t.linalg.vecdot(x, y, dim=0), arr(2, 3), arr(2, 3))
family("vander", lambda t, x: t.linalg.vander(x), {
    "c": (arr(3),), "2d": (arr(2, 3),), "i64": (arr(3, dtype=I64),), "f32": (arr(4, dtype=F32),), "0d": (arr(),),
    "one": (arr(1),),
})  # fmt: skip
for n in (0, 1, 2, 5):
    add(f"vander.N{n}", lambda t, x, n=n: t.linalg.vander(x, N=n), arr(3))

for p in (0, 0.5, 1, 1.5, 2, 3, float("inf"), -1):
    family(f"cdist.p{p}", lambda t, x, y, p=p: t.cdist(x, y, p), {
        "c": (arr(4, 3), arr(2, 3)), "t": (arr(4, 3, layout="t"), arr(2, 3, layout="t")), "batch": (arr(2, 1, 4, 3), arr(3, 2, 3)),
        "f32": (arr(4, 3, dtype=F32), arr(2, 3, dtype=F32)), "empty": (arr(0, 3), arr(2, 3)), "m0": (arr(2, 0), arr(3, 0)),
        "big": (arr(30, 2), arr(3, 2)), "same": (const([[1.0, 2], [3, 4]]), const([[1.0, 2], [3, 5]])),
    })  # fmt: skip
family("cdist", lambda t, x, y: t.cdist(x, y), {
    "i64": (arr(2, 2, dtype=I64), arr(2, 2, dtype=I64)), "f16": (arr(2, 2, dtype=F16), arr(2, 2, dtype=F16)),
    "1d": (arr(2), arr(2, 2)),
    "columns": (arr(2, 3), arr(2, 2)), "mix": (arr(2, 2), arr(2, 2, dtype=F32)), "batch": (arr(2, 2, 2), arr(3, 2, 2)),
})  # fmt: skip
add("cdist.mode", lambda t, x, y: t.cdist(x, y, compute_mode="fast"), arr(2, 2), arr(2, 2))
add("cdist.mm", lambda t, x, y: t.cdist(x, y, compute_mode="use_mm_for_euclid_dist"), arr(4, 2), arr(3, 2))

# ---- square matrices -----------------------------------------------------------------------------------------
SQUARE = {
    "c": (well(3, 3),), "t": (well(3, 3, layout="t"),), "batch": (well(2, 3, 3),), "batch2": (well(2, 1, 2, 2),),
    "f32": (well(3, 3, dtype=F32),),
    "one": (well(1, 1),), "empty": (arr(0, 0),), "bempty": (arr(2, 0, 0),), "b0": (arr(0, 3, 3),),
    "big": (well(40, 40),),
    "rect": (arr(2, 3),), "1d": (arr(3),), "0d": (arr(),), "i64": (arr(3, 3, dtype=I64),),
    "bool": (arr(2, 2, dtype=BOOL),),
    "f16": (well(3, 3, dtype=F16),), "nan": (const([[NAN, 1], [1, 2]]),),
}  # fmt: skip
SINGULAR = {"sing": (singular(3, 3),), "sbatch": (singular(2, 3, 3),)}


def without_signs(r, k):
    """The singular vectors that the singular values belong to, without their sign."""
    return r.U[..., :k].abs(), r.Vh[..., :k, :].abs()


for op in ("inv", "det", "slogdet", "inv_ex", "matrix_exp"):
    makers = SQUARE | SINGULAR
    if op in ("slogdet", "inv_ex"):  # LAPACK's leftovers of a failure differ
        makers = makers | {"sing": (singular(3, 3),), "nan": (well(2, 2),), "sbatch": (well(2, 2, 2),)}
    if op == "inv_ex":
        makers.pop("sing")
    if op == "matrix_exp":
        makers = {k: v for k, v in makers.items() if k not in ("f16", "big", "nan")} | {"large": (arr(3, 3, lo=-30, hi=20),),
            "mixed": (const([[[0.01, 0], [0.02, 0]], [[9.0, 1], [2, 3]]]),), "tiny": (const([[1e-9, 0], [1, 1e-5]]),)}  # fmt: skip
    if op == "inv":  # where LAPACK stops at NaN differs
        makers.pop("nan")
    if op in ("det",):
        makers = makers | {
            "rank1": (const([[1.0, 2, 3], [2, 4, 6], [1, 1, 1]]),),
            "rank2less": (const(np.ones((3, 3))),),
        }
    family(f"linalg.{op}", lambda t, x, op=op: getattr(t.linalg, op)(x), makers, layout=False)
for op in ("inverse", "det", "slogdet", "logdet", "matrix_exp"):
    makers = {k: v for k, v in SQUARE.items() if k not in ("nan", "f16", "big")}
    family(
        op, lambda t, x, op=op: getattr(t, op)(x), makers | {"negative": (const([[-2.0, 1], [0, 1]]),)}, layout=False
    )
    add(f"{op}.method", lambda t, x, op=op: getattr(x, op)(), well(3, 3), layout=False)
add("logdet.sing", lambda t, x: t.logdet(x), singular(2, 3, 3), grad=False)
for op in ("inv", "inverse"):
    where = (lambda t, op=op: getattr(t, op)) if op == "inverse" else (lambda t, op=op: getattr(t.linalg, op))
    add(
        f"{op}.out",
        lambda t, x, f=where: f(t)(x, out=t.empty(3, 3, dtype=t.float64, device=x.device)),
        well(3, 3),
        grad=False,
        layout=False,
    )
for n in (-3, -1, 0, 1, 2, 5):
    family(f"matrix_power{n}", lambda t, x, n=n: t.linalg.matrix_power(x, n), {
        k: SQUARE[k] for k in ("c", "batch", "f32", "rect", "1d", "empty", "i64", "b0")
    } | {"sing": SINGULAR["sbatch"]}, layout=False)  # fmt: skip
add("matrix_power.method", lambda t, x: x.matrix_power(3), well(2, 2))

SYSTEMS = {
    "mat": (well(3, 3), arr(3, 2)), "vec": (well(3, 3), arr(3)), "bvec": (well(2, 3, 3), arr(2, 3)),
    "bmat": (well(2, 3, 3), arr(2, 3, 4)),
    "bc": (well(2, 1, 3, 3), arr(4, 3, 2)), "bc2": (well(3, 3), arr(2, 3, 2)),
    "f32": (well(3, 3, dtype=F32), arr(3, 2, dtype=F32)),
    "mix": (well(3, 3), arr(3, 2, dtype=F32)), "shape": (well(3, 3), arr(2, 2)), "empty": (arr(0, 0), arr(0, 2)),
    "k0": (well(3, 3), arr(3, 0)),
    "i64": (arr(3, 3, dtype=I64), arr(3, 2, dtype=I64)), "rect": (arr(2, 3), arr(2, 2)), "1d": (arr(3), arr(3)),
    "0d": (well(2, 2), arr()),
    "t": (well(3, 3, layout="t"), arr(3, 2, layout="t")), "big": (well(70, 70), arr(70, 3)),
    "square": (well(3, 3), arr(3, 3)),
    "batches": (well(2, 3, 3), arr(3, 3, 2)),
}  # fmt: skip
family(
    "linalg.solve",
    lambda t, a, b: t.linalg.solve(a, b),
    SYSTEMS | {"sing": (singular(3, 3), arr(3, 2)), "sbatch": (singular(2, 3, 3), arr(3, 2))},
    layout=False,
)
family("linalg.solve.right", lambda t, a, b: t.linalg.solve(a, b.mT if b.ndim > 1 else b, left=False), {
    k: v for k, v in SYSTEMS.items() if k not in ("bvec",)}, layout=False)  # fmt: skip
family(
    "linalg.solve_ex",
    lambda t, a, b: t.linalg.solve_ex(a, b),
    {k: SYSTEMS[k] for k in ("mat", "bc", "vec")},
    layout=False,
)
for upper in (False, True):
    for unit in (False, True):

        def triangular(t, a, b, upper=upper, unit=unit):
            return t.linalg.solve_triangular(a, b, upper=upper, unitriangular=unit)

        # for mixed dtypes PyTorch answers nonsense
        family(
            f"solve_triangular{upper:d}{unit:d}",
            triangular,
            {k: v for k, v in SYSTEMS.items() if k != "mix"},
            layout=False,
        )
        add(
            f"solve_triangular.right{upper:d}{unit:d}",
            lambda t, a, b, u=upper, v=unit: t.linalg.solve_triangular(a, b, upper=u, left=False, unitriangular=v),
            well(3, 3),
            arr(2, 2, 3),
            layout=False,
        )
        for transpose in (False, True):
            add(
                f"triangular_solve{upper:d}{unit:d}{transpose:d}",
                lambda t, a, b, u=upper, v=unit, w=transpose: tuple(t.triangular_solve(b, a, u, w, v)),
                well(3, 3),
                arr(2, 3, 2),
                layout=False,
            )
add(
    "solve_triangular.zero",
    lambda t, a, b: t.linalg.solve_triangular(a, b, upper=True),
    singular(2, 2),
    arr(2, 2),
    grad=False,
    layout=False,
)

POSITIVE = {
    "c": (positive(3, 3),), "batch": (positive(2, 3, 3),), "f32": (positive(3, 3, dtype=F32),),
    "big": (positive(40, 40),), "one": (positive(1, 1),),
    "not": (const([[1.0, 2], [2, 1]]),), "bnot": (const([[[1.0, 0], [0, 1]], [[1.0, 2], [2, 1]]]),),
    **{k: SQUARE[k] for k in ("empty", "bempty", "b0", "rect", "1d", "i64", "bool", "f16", "nan")},
}  # fmt: skip
for upper in (False, True):
    family(f"linalg.cholesky{upper:d}", lambda t, x, u=upper: t.linalg.cholesky(x, upper=u), POSITIVE, layout=False)
    family(
        f"cholesky{upper:d}",
        lambda t, x, u=upper: t.cholesky(x, u),
        {k: POSITIVE[k] for k in ("c", "batch", "not", "i64", "f16", "rect", "1d")},
        layout=False,
    )
    add(
        f"cholesky_ex{upper:d}",
        lambda t, x, u=upper: tuple(t.linalg.cholesky_ex(x, upper=u)),
        positive(2, 3, 3),
        layout=False,
    )
    add(
        f"cholesky_solve{upper:d}",
        lambda t, b, x, u=upper: t.cholesky_solve(b, x, u),
        arr(2, 3, 2),
        well(3, 3),
        layout=False,
    )
    family(
        f"cholesky_inverse{upper:d}",
        lambda t, x, u=upper: t.cholesky_inverse(x, u),
        {k: SQUARE[k] for k in ("c", "batch", "f32", "empty", "i64", "f16", "rect", "1d")} | SINGULAR,
        layout=False,
    )
add(
    "cholesky_ex.info",
    lambda t, x: t.linalg.cholesky_ex(x).info,
    const([[[1.0, 0], [0, 1]], [[1.0, 2], [2, 1]]]),
    grad=False,
)
add("cholesky_ex.check", lambda t, x: t.linalg.cholesky_ex(x, check_errors=True), const([[1.0, 2], [2, 1]]), grad=False)
add("inv_ex.check", lambda t, x: t.linalg.inv_ex(x, check_errors=True), singular(2, 2), grad=False)
add("inv_ex.info", lambda t, x: t.linalg.inv_ex(x).info, singular(3, 2, 2), grad=False)
for tag, a in {"c": positive(3, 3), "rect": arr(2, 3), "i64": arr(3, 3, dtype=I64)}.items():
    add(
        f"cholesky_solve[{tag}]",
        lambda t, b, x: t.cholesky_solve(b, x),
        arr(3, 2, dtype=I64 if tag == "i64" else F64),
        a,
        layout=False,
    )

MATRICES = {
    "c": (arr(4, 3),), "wide": (arr(2, 4),), "square": (well(3, 3),), "batch": (arr(2, 3, 2),),
    "t": (arr(4, 3, layout="t"),), "f32": (arr(4, 3, dtype=F32),),
    "empty": (arr(0, 0),), "m0": (arr(0, 3),), "n0": (arr(3, 0),), "b0": (arr(0, 3, 2),), "1d": (arr(3),),
    "i64": (arr(3, 2, dtype=I64),),
    "f16": (arr(3, 2, dtype=F16),), "nan": (const([[NAN, 1], [1, 2], [1, 1]]),), "big": (arr(50, 40),),
}  # fmt: skip
NO_NAN = {k: v for k, v in MATRICES.items() if k != "nan"}
for mode in ("reduced", "complete", "r"):
    family(f"linalg.qr.{mode}", lambda t, x, mode=mode: tuple(t.linalg.qr(x, mode)), NO_NAN, layout=False)
add("linalg.qr.wrong", lambda t, x: t.linalg.qr(x, "full"), arr(2, 2))
family("qr", lambda t, x: tuple(t.qr(x)), {k: MATRICES[k] for k in ("c", "wide", "batch")}, layout=False)
add("qr.complete", lambda t, x: tuple(t.qr(x, some=False)), arr(4, 3), grad=False, layout=False)
family(
    "geqrf",
    lambda t, x: tuple(t.geqrf(x)),
    {k: v for k, v in NO_NAN.items() if k not in ("m0", "n0", "b0", "empty")},
    grad=False,
    layout=False,
)
family("svdvals", lambda t, x: t.linalg.svdvals(x), MATRICES, layout=False)
for full in (False, True):
    family(f"svd.s{full:d}", lambda t, x, f=full: t.linalg.svd(x, f).S, MATRICES, layout=False)
    family(
        f"svd.shapes{full:d}", lambda t, x, f=full: [tuple(y.shape) for y in t.linalg.svd(x, f)], MATRICES, grad=False
    )
    family(f"svd.uv{full:d}", lambda t, x, f=full: without_signs(t.linalg.svd(x, f), min(x.shape[-2:])),
        {k: MATRICES[k] for k in ("c", "wide", "square", "batch", "t", "f32")}, layout=False)  # fmt: skip
family(
    "svd",
    lambda t, x: [y.abs() for y in t.svd(x)],
    {k: MATRICES[k] for k in ("c", "wide", "batch", "1d", "i64")},
    layout=False,
)
add("svd.novectors", lambda t, x: tuple(t.svd(x, compute_uv=False)), arr(4, 3), grad=False, layout=False)
add("svd.driver", lambda t, x: t.linalg.svd(x, driver="gesvd"), arr(2, 2))

SYMMETRIC = {
    "c": (symmetric(3, 3),), "batch": (symmetric(2, 3, 3),), "f32": (symmetric(3, 3, dtype=F32),),
    "one": (symmetric(1, 1),), "triangle": (well(3, 3),),
    **{k: SQUARE[k] for k in ("empty", "bempty", "b0", "rect", "1d", "i64", "f16")},
}  # fmt: skip
for uplo in ("L", "U", "u"):
    family(f"eigvalsh.{uplo}", lambda t, x, u=uplo: t.linalg.eigvalsh(x, u), SYMMETRIC, layout=False)
    family(f"eigh.{uplo}", lambda t, x, u=uplo: [y.abs() for y in t.linalg.eigh(x, u)], SYMMETRIC, layout=False)
add("eigh.wrong", lambda t, x: t.linalg.eigh(x, "X"), symmetric(2, 2))

family("linalg.lu", lambda t, x: tuple(t.linalg.lu(x)), NO_NAN, layout=False)
family("linalg.lu_factor", lambda t, x: tuple(t.linalg.lu_factor(x)), NO_NAN | SINGULAR, layout=False)
family("linalg.lu_factor_ex", lambda t, x: tuple(t.linalg.lu_factor_ex(x)), SINGULAR, grad=False, layout=False)
family("lu", lambda t, x: tuple(t.lu(x)), {k: MATRICES[k] for k in ("c", "wide", "batch")}, layout=False)
add("lu.infos", lambda t, x: tuple(x.lu(get_infos=True)), singular(2, 3, 3), grad=False, layout=False)
family(
    "lu_unpack",
    lambda t, x: tuple(t.lu_unpack(*t.linalg.lu_factor(x))),
    {k: MATRICES[k] for k in ("c", "wide", "batch", "square")},
    layout=False,
)
add(
    "lu_unpack.data",
    lambda t, x: tuple(t.lu_unpack(*t.linalg.lu_factor(x), unpack_pivots=False)),
    arr(3, 3),
    layout=False,
)
add(
    "lu_unpack.pivots",
    lambda t, x: tuple(t.lu_unpack(*t.linalg.lu_factor(x), unpack_data=False)),
    arr(3, 3),
    grad=False,
    layout=False,
)
for left in (True, False):
    for adjoint in (True, False):

        def solved(t, a, b, left=left, adjoint=adjoint):
            return t.linalg.lu_solve(*t.linalg.lu_factor(a), b, left=left, adjoint=adjoint)

        add(f"lu_solve{left:d}{adjoint:d}", solved, arr(2, 3, 3), arr(3, 3), layout=False)
add("lu_solve.old", lambda t, a, b: t.lu_solve(b, *t.linalg.lu_factor(a)), arr(3, 3), arr(3, 2), layout=False)

family("pinv", lambda t, x: t.linalg.pinv(x), MATRICES, layout=False)
family("pinverse", lambda t, x: t.pinverse(x), {k: MATRICES[k] for k in ("c", "wide", "batch")}, layout=False)
add("pinv.rank", lambda t, x: t.linalg.pinv(x), const([[1.0, 2], [2, 4], [0, 0]]), grad=False, layout=False)
add("pinv.hermitian", lambda t, x: t.linalg.pinv(x, hermitian=True), symmetric(3, 3), grad=False, layout=False)
add("pinv.hermitian.rect", lambda t, x: t.linalg.pinv(x, hermitian=True), arr(3, 2), grad=False, layout=False)
add("pinv.rtol", lambda t, x: t.linalg.pinv(x, rtol=0.5), arr(3, 3), grad=False, layout=False)
add("pinv.atol", lambda t, x, a: t.linalg.pinv(x, atol=a), arr(2, 3, 3), const([0.5, 1.0]), grad=False, layout=False)
add("pinv.rcond", lambda t, x: t.linalg.pinv(x, 0.5), arr(3, 3), grad=False, layout=False)
family("matrix_rank", lambda t, x: t.linalg.matrix_rank(x), MATRICES | SINGULAR, grad=False)
add("matrix_rank.tol", lambda t, x: t.linalg.matrix_rank(x, 2.0), well(3, 3), grad=False)
add("matrix_rank.rtol", lambda t, x: t.linalg.matrix_rank(x, rtol=0.5), well(3, 3), grad=False)
add("matrix_rank.hermitian", lambda t, x: t.linalg.matrix_rank(x, hermitian=True), symmetric(2, 3, 3), grad=False)
add("matrix_rank.atol", lambda t, x, a: t.linalg.matrix_rank(x, atol=a), arr(2, 3, 3), const([0.5, 1.0]), grad=False)

LEAST = {
    "tall": (arr(5, 3), arr(5, 2)), "wide": (arr(2, 4), arr(2, 3)), "square": (well(3, 3), arr(3, 2)),
    "vec": (arr(5, 3), arr(5)), "batch": (arr(2, 5, 3), arr(2, 5, 2)),
    "bvec": (arr(2, 5, 3), arr(2, 5)), "f32": (arr(5, 3, dtype=F32), arr(5, 2, dtype=F32)),
    "i64": (arr(3, 2, dtype=I64), arr(3, 2, dtype=I64)), "1d": (arr(3), arr(3)),
    "mix": (arr(3, 2), arr(3, 2, dtype=F32)), "shape": (arr(3, 2), arr(2, 2)), "0d": (arr(3, 2), arr()),
}  # fmt: skip
for driver in (None, "gels", "gelsy", "gelsd", "gelss", "other"):
    family(
        f"lstsq.{driver}",
        lambda t, a, b, d=driver: tuple(t.linalg.lstsq(a, b, driver=d)),
        LEAST,
        layout=False,
        grad=False,
    )
family(
    "lstsq.grad",
    lambda t, a, b: t.linalg.lstsq(a, b).solution,
    {k: LEAST[k] for k in ("tall", "wide", "square", "batch")},
    layout=False,
)

family("householder_product", lambda t, x, tau: t.linalg.householder_product(x, tau), {
    "c": (arr(4, 3), arr(3)), "few": (arr(4, 3), arr(2)), "batch": (arr(2, 4, 3), arr(2, 3)),
    "square": (arr(3, 3), arr(3)), "f32": (arr(4, 3, dtype=F32), arr(3, dtype=F32)),
    "wide": (arr(2, 3), arr(2)), "many": (arr(4, 2), arr(3)), "1d": (arr(3), arr(3)), "tau": (arr(2, 4, 3), arr(3)),
    "mix": (arr(4, 3), arr(3, dtype=F32)),
    "i64": (arr(4, 3, dtype=I64), arr(3, dtype=I64)),
}, layout=False)  # fmt: skip
add("orgqr", lambda t, x, tau: t.orgqr(x, tau), arr(4, 3), arr(3), layout=False)
for left in (True, False):
    for transpose in (True, False):
        add(
            f"ormqr{left:d}{transpose:d}",
            lambda t, x, tau, y, a=left, b=transpose: t.ormqr(x, tau, y, a, b),
            arr(4, 3),
            arr(3),
            arr(4, 4),
            layout=False,
        )
add("tensorinv", lambda t, x: t.linalg.tensorinv(x), arr(2, 3, 6, 1), layout=False)
add("tensorinv.1", lambda t, x: t.linalg.tensorinv(x, ind=1), arr(6, 2, 3), layout=False)
add("tensorinv.wrong", lambda t, x: t.linalg.tensorinv(x), arr(2, 3, 5))
add("tensorinv.0", lambda t, x: t.linalg.tensorinv(x, ind=0), arr(2, 2))
add("tensorsolve", lambda t, x, y: t.linalg.tensorsolve(x, y), arr(2, 3, 6), arr(2, 3), layout=False)
add("tensorsolve.dims", lambda t, x, y: t.linalg.tensorsolve(x, y, dims=(0,)), arr(6, 2, 3), arr(2, 3), layout=False)
add("tensorsolve.wrong", lambda t, x, y: t.linalg.tensorsolve(x, y), arr(2, 3, 5), arr(2, 3))

# ---- norms -----------------------------------------------------------------------------------------------------
INF = float("inf")
NORMS = {
    "c": (arr(3, 4),), "t": (arr(3, 4, layout="t"),), "f32": (arr(3, 4, dtype=F32),), "f16": (arr(3, 4, dtype=F16),),
    "1d": (arr(5),), "3d": (arr(2, 3, 4),), "0d": (arr(),),
    "zeros": (const(np.zeros((2, 3))),), "some0": (const([[0.0, 1], [2, 0]]),),
    "ties": (const([[1.0, -1], [1, 0.5]]),), "empty": (arr(0, 3),), "i64": (arr(2, 2, dtype=I64),),
    "nan": (const([[NAN, 1], [0, INF]]),), "bool": (arr(2, 2, dtype=BOOL),),
}  # fmt: skip
for p in (0, 0.5, 1, 1.5, 2, 3, 3.5, -1, -2, INF, -INF):
    smooth = {k: v for k, v in NORMS.items() if p not in (-1, -2) or k not in ("zeros", "some0", "nan", "0d")}
    family(f"vector_norm.p{p}", lambda t, x, p=p: t.linalg.vector_norm(x, p), smooth)
    family(f"vector_norm.p{p}.dim", lambda t, x, p=p: t.linalg.vector_norm(x, p, -1, True), smooth)
    family(f"vector_norm.p{p}.dims", lambda t, x, p=p: t.linalg.vector_norm(x, p, (0, 1)), smooth)
    family(f"norm.p{p}", lambda t, x, p=p: t.norm(x, p), smooth)
    family(
        f"linalg.norm.p{p}",
        lambda t, x, p=p: t.linalg.norm(x, p),
        {k: smooth[k] for k in ("c", "1d", "3d", "f32", "i64")},
    )
    family(
        f"linalg.norm.p{p}.dim",
        lambda t, x, p=p: t.linalg.norm(x, p, dim=0),
        {k: smooth[k] for k in ("c", "1d", "3d", "f32", "i64")},
    )
    for tag, dims in {"": (-2, -1), "01": (0, 1), "10": (1, 0), "same": (0, 0), "one": (0,)}.items():
        makers = {k: NORMS[k] for k in ("c", "3d", "f32", "1d", "i64", "ties")}
        family(f"matrix_norm.p{p}{tag}", lambda t, x, p=p, d=dims: t.linalg.matrix_norm(x, p, d), makers)
for p in ("fro", "nuc", "abc"):
    family(
        f"matrix_norm.{p}",
        lambda t, x, p=p: t.linalg.matrix_norm(x, p),
        {k: NORMS[k] for k in ("c", "3d", "f32", "1d", "i64", "f16")},
    )
    family(
        f"matrix_norm.{p}.keep",
        lambda t, x, p=p: t.linalg.matrix_norm(x, p, (0, 1), True),
        {k: NORMS[k] for k in ("c", "3d")},
    )
    family(f"linalg.norm.{p}", lambda t, x, p=p: t.linalg.norm(x, p), {k: NORMS[k] for k in ("c", "3d", "1d")})
    family(
        f"linalg.norm.{p}.dim", lambda t, x, p=p: t.linalg.norm(x, p, (1, 0)), {k: NORMS[k] for k in ("c", "3d", "1d")}
    )
    family(f"norm.{p}", lambda t, x, p=p: t.norm(x, p), {k: NORMS[k] for k in ("c", "3d", "1d", "f32", "i64")})
    family(f"norm.{p}.dim", lambda t, x, p=p: x.norm(p, (0, 1), True), {k: NORMS[k] for k in ("c", "3d", "1d")})
family("linalg.norm", lambda t, x: t.linalg.norm(x), NORMS)
family("linalg.norm.3dims", lambda t, x: t.linalg.norm(x, dim=(0, 1, 2)), {"3d": NORMS["3d"]})
family("linalg.norm.3dims2", lambda t, x: t.linalg.norm(x, 2, dim=(0, 1, 2)), {"3d": NORMS["3d"]})
family("norm", lambda t, x: x.norm(), NORMS)
family("norm.dim", lambda t, x: x.norm(dim=0), NORMS)
family("norm.dtype", lambda t, x: t.norm(x, dtype=t.float64), {k: NORMS[k] for k in ("c", "f32", "i64")})
family(
    "vector_norm.dtype",
    lambda t, x: t.linalg.vector_norm(x, dtype=t.float64),
    {k: NORMS[k] for k in ("c", "f32", "i64")},
)
family("vector_norm.narrow", lambda t, x: t.linalg.vector_norm(x, dtype=t.float32), {k: NORMS[k] for k in ("c", "f32")})
add(
    "vector_norm.out",
    lambda t, x: t.linalg.vector_norm(x, out=t.empty((), dtype=t.float64, device=x.device)),
    arr(3),
    grad=False,
)
add("norm.out", lambda t, x: t.norm(x, 2, 0, out=t.empty(2, dtype=t.float64, device=x.device)), arr(3, 2), grad=False)
for p in (None, 2, -2, "fro", "nuc", 1, -1, INF, -INF, 3, "abc"):
    family(
        f"cond.{p}",
        lambda t, x, p=p: t.linalg.cond(x, p),
        {k: SQUARE[k] for k in ("c", "batch", "f32", "empty", "bempty", "1d", "i64", "rect")},
        grad=p in (None, 2, -2, "nuc"),
        layout=False,
    )
    family(f"cond.{p}.sing", lambda t, x, p=p: t.linalg.cond(x, p), SINGULAR, grad=False)
family("linalg.diagonal", lambda t, x: t.linalg.diagonal(x, offset=1), {"c": (arr(3, 4),), "batch": (arr(2, 3, 3),)})
add("ints", lambda t, x: t.linalg.matrix_power(x, 2), ints(2, 2))
