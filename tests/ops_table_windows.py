"""torch.signal.windows."""

from ops_table import add, attempt

OPTIONS = {
    "bartlett": [{}], "blackman": [{}], "cosine": [{}], "hamming": [{}], "hann": [{}], "nuttall": [{}],
    "exponential": [{}, {"tau": 3.0}, {"tau": 0.0}, {"center": 1.0}, {"center": 1.0, "sym": False}],
    "gaussian": [{}, {"std": 0.9}, {"std": -1.0}], "general_hamming": [{}, {"alpha": 0.3}],
    "general_cosine": [{"a": [0.46, 0.23, 0.31]}, {"a": []}, {"a": 1}], "kaiser": [{}, {"beta": 2.0}, {"beta": -1.0}],
}  # fmt: skip


for name, choices in OPTIONS.items():
    for i, kw in enumerate(choices):
        for sym in (True, False):
            add(
                f"signal.windows.{name}.{i}.{sym}",
                lambda t, name=name, kw=kw, sym=sym: [
                    attempt(
                        lambda: getattr(t.signal.windows, name)(M, **{"sym": sym, **kw}, dtype=getattr(t, d)).to("cpu")
                    )
                    for M in (0, 1, 2, 3, 7, 10, -1)
                    for d in ("float64", "float32", "int64", "float16")
                ],
                host=True,
            )
add("signal.windows.grad", lambda t: t.signal.windows.hann(4, requires_grad=True).requires_grad)
