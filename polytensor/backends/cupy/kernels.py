"""CUDA sources of pooling and scatters."""

from .launch import CTYPES, register

MAX_POOL2D = r"""
// One thread per output element. The first maximum wins, and so does the first NaN.
template <typename T>
__global__ void max_pool2d(const T* x, T* y, i64* index, i64 total, int H, int W, int OH, int OW, int KH, int KW,
                           int SH, int SW, int PH, int PW, int DH, int DW) {
    for (i64 i = blockIdx.x * (i64)blockDim.x + threadIdx.x; i < total; i += (i64)gridDim.x * blockDim.x) {
        int ow = i % OW, oh = (i / OW) % OH;
        const T* plane = x + i / ((i64)OW * OH) * H * W;
        T best = 0;
        i64 where = -1;
        for (int a = 0; a < KH; ++a) {
            int h = oh * SH - PH + a * DH;
            if (h < 0 || h >= H) continue;
            for (int b = 0; b < KW; ++b) {
                int w = ow * SW - PW + b * DW;
                if (w < 0 || w >= W) continue;
                T v = plane[(i64)h * W + w];
                if (where < 0 || v > best || (v != v && best == best)) { best = v; where = (i64)h * W + w; }
            }
        }
        y[i] = best; index[i] = where;
    }
}
"""

SCATTER_RUNS = r"""
// One thread per run of equal rows; it combines the run's values in their order. NaN stays.
template <typename T> __device__ T combine(T a, T b, int op) {
    if (op == 0) return a * b;
    if (a != a || b != b) return a != a ? a : b;
    return op == 1 ? (b > a ? b : a) : (b < a ? b : a);
}
template <typename T> __device__ Complex<T> combine(Complex<T> a, Complex<T> b, int op) {
    return a * b;
}
template <typename T>
__global__ void scatter_runs(T* x, const i64* rows, const i64* starts, const i64* order, const T* value, i64 runs,
                             i64 n, int op) {
    for (i64 r = blockIdx.x * (i64)blockDim.x + threadIdx.x; r < runs; r += (i64)gridDim.x * blockDim.x) {
        i64 end = r + 1 < runs ? starts[r + 1] : n;
        T total = x[rows[starts[r]]];
        for (i64 k = starts[r]; k < end; ++k) total = combine(total, value[order[k]], op);
        x[rows[starts[r]]] = total;
    }
}
"""

REAL = ("float32", "float64", "int32", "int64")
register("max_pool2d", MAX_POOL2D, [(CTYPES[d],) for d in REAL])
register("scatter_runs", SCATTER_RUNS, [(CTYPES[d],) for d in (*REAL, "complex64", "complex128")])
