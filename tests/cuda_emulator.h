// What a CUDA source of ours needs to run on the CPU: see cuda_emulator.py. Threads are fibers, blocks run in turn.
#pragma once
#include <math.h>
#include <setjmp.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <ucontext.h>
#include <unistd.h>

#define __global__
#define __device__
#define __host__
#define __constant__ const
#define __forceinline__ inline
#define __noinline__ __attribute__((noinline))
#define __restrict__ __restrict
#define __launch_bounds__(...)
#define __align__(n) alignas(n)
#define __shared__ static
#define SHARED(T, name) T* name = reinterpret_cast<T*>(emulator::dynamic_shared())

struct uint3 { unsigned x, y, z; };
struct dim3 {
    unsigned x, y, z;
    constexpr dim3(unsigned x = 1, unsigned y = 1, unsigned z = 1) : x(x), y(y), z(z) {}
};
#define VECTORS(T, name) \
    struct name##1 { T x; }; \
    struct alignas(2 * sizeof(T)) name##2 { T x, y; }; \
    struct name##3 { T x, y, z; }; \
    struct alignas(4 * sizeof(T) > 16 ? 16 : 4 * sizeof(T)) name##4 { T x, y, z, w; }; \
    inline name##2 make_##name##2(T x, T y) { return {x, y}; } \
    inline name##3 make_##name##3(T x, T y, T z) { return {x, y, z}; } \
    inline name##4 make_##name##4(T x, T y, T z, T w) { return {x, y, z, w}; }
typedef unsigned char uchar; typedef unsigned short ushort; typedef unsigned int uint; typedef unsigned long ulong;
namespace vectors { typedef long long ll; typedef unsigned long long ull; typedef signed char sc; }
VECTORS(vectors::sc, char) VECTORS(uchar, uchar) VECTORS(short, short) VECTORS(ushort, ushort) VECTORS(int, int)
struct uint1 { unsigned x; };
struct alignas(8) uint2 { unsigned x, y; };
struct alignas(16) uint4 { unsigned x, y, z, w; };
inline uint2 make_uint2(unsigned x, unsigned y) { return {x, y}; }
inline uint4 make_uint4(unsigned x, unsigned y, unsigned z, unsigned w) { return {x, y, z, w}; }
VECTORS(vectors::ll, longlong) VECTORS(vectors::ull, ulonglong) VECTORS(float, float) VECTORS(double, double)

// ---- the machine ------------------------------------------------------------------------------------------------------
// Its state lies in .data: .bss holds nothing but the static shared memory of the kernel.
#define STATE static __attribute__((section(".data")))
STATE uint3 threadIdx = {0, 0, 0};
STATE uint3 blockIdx = {0, 0, 0};
STATE dim3 blockDim;
STATE dim3 gridDim;
static const int warpSize = 32;

namespace emulator {
enum Wait { RUNNING, AT_BLOCK, AT_WARP, DONE };
struct Thread {
    Wait state;
    int line, stack;    // where it waits; which stack it has, or -1
    unsigned mask;      // the lanes that it waits for
    unsigned given;     // the lanes that took part in the last exchange
    void* sp;           // where it goes on
    unsigned char slot[16], seen[16];  // what it gives to its warp, and gave at the last exchange
};
struct Region { unsigned char *map, *data; size_t length, size; };  // an array between pages that cannot be touched
STATE Thread* threads = nullptr;
STATE Thread* now = nullptr;
STATE int index = 0;    // of the thread that runs
STATE unsigned char* stacks = nullptr;
STATE size_t stack_size = 0;
STATE unsigned char* dynamic = nullptr;
STATE void* home = nullptr;
STATE void (*body)() = nullptr;
STATE char* error = nullptr;
STATE bool unordered = false;  // floats were added atomically
STATE sigjmp_buf escape = {};
STATE Region* regions = nullptr;
STATE int region_count = 0;

inline unsigned char* dynamic_shared() { return dynamic; }
#if defined(__x86_64__)
// Saves what a call must keep on this stack, leaves its address in *from, and goes on at `to`.
__attribute__((naked, noinline)) static void change(void**, void*) {
    asm volatile(
        "pushq %rbp\n pushq %rbx\n pushq %r12\n pushq %r13\n pushq %r14\n pushq %r15\n"
        "movq %rsp, (%rdi)\n movq %rsi, %rsp\n"
        "popq %r15\n popq %r14\n popq %r13\n popq %r12\n popq %rbx\n popq %rbp\n ret\n");
}
#else
static void change(void** from, void* to) {
    ucontext_t here;
    *from = &here;
    swapcontext(&here, static_cast<ucontext_t*>(to));
}
#endif
inline void leave() { change(&now->sp, home); }
static void thread_main() {
    body();
    now->state = DONE;
    leave();
    __builtin_trap();
}
inline void* fresh(unsigned char* stack) {
#if defined(__x86_64__)
    void** top = reinterpret_cast<void**>(stack + stack_size) - 1;  // as a call leaves it
    *--top = reinterpret_cast<void*>(thread_main);
    return top - 6;
#else
    ucontext_t* context = reinterpret_cast<ucontext_t*>(stack + stack_size - 4096);
    getcontext(context);
    context->uc_stack.ss_sp = stack;
    context->uc_stack.ss_size = stack_size - 4096;
    makecontext(context, thread_main, 0);
    return context;
#endif
}
inline void enter(int i) {
    index = i;
    now = threads + i;
    threadIdx.x = i % blockDim.x;
    threadIdx.y = i / blockDim.x % blockDim.y;
    threadIdx.z = i / blockDim.x / blockDim.y;
}
inline void wait(Wait why, int line, unsigned mask = 0) {
    now->state = why; now->line = line; now->mask = mask;
    leave();
}
[[noreturn]] static void fail(const char* what) {
    snprintf(error, 300, "%s (block %u,%u,%u, thread %u,%u,%u)", what, blockIdx.x, blockIdx.y, blockIdx.z,
             threadIdx.x, threadIdx.y, threadIdx.z);
    siglongjmp(escape, 1);
}
[[noreturn]] static void fail_at(const char* what, int line) {
    char text[200];
    snprintf(text, 200, "line %d: %s", line, what);
    fail(text);
}

// Lets those lanes of a warp go on whose whole mask waits at one line.
static bool release_warp(Thread* lanes, int width) {
    for (int i = 0; i < width; ++i) {
        if (lanes[i].state != AT_WARP) continue;
        unsigned here = 0;
        bool all = true;
        for (int j = 0; j < width; ++j) {
            if (!(lanes[i].mask >> j & 1) || lanes[j].state == DONE) continue;
            all = all && lanes[j].state == AT_WARP && lanes[j].line == lanes[i].line && lanes[j].mask == lanes[i].mask;
            here |= 1u << j;
        }
        if (!all) continue;
        for (int j = 0; j < width; ++j) {
            if (!(here >> j & 1)) continue;
            memcpy(lanes[j].seen, lanes[j].slot, 16);
            lanes[j].given = here;
            lanes[j].state = RUNNING;
        }
        return true;
    }
    return false;
}

// One block. Its threads run one after the other, each up to a barrier; backwards where asked.
static void run_block(int n, bool backwards) {
    static_assert(sizeof(void*) == 8, "64 bits");
    int idle[1024], idles = 0, left = n;
    for (int i = 0; i < n; ++i) { idle[idles++] = n - 1 - i; threads[i].state = RUNNING; threads[i].stack = -1; }
    for (;;) {
        for (int k = 0; k < n; ++k) {
            enter(backwards ? n - 1 - k : k);
            Thread& t = *now;
            if (t.state != RUNNING) continue;
            if (t.stack < 0) {
                t.stack = idle[--idles];
                t.sp = fresh(stacks + t.stack * stack_size);
            }
            change(&home, t.sp);
            if (t.state == DONE) { --left; idle[idles++] = t.stack; }
        }
        if (!left) return;
        bool moved = false;
        for (int w = 0; w < n; w += 32)
            while (release_warp(threads + w, n - w < 32 ? n - w : 32)) moved = true;
        if (moved) continue;
        for (int i = 0; i < n; ++i) {
            enter(i);
            if (now->state == AT_WARP) fail_at("a warp waits for lanes that do not come", now->line);
        }
        int line = 0;
        for (int i = 0; i < n; ++i) if (threads[i].state == AT_BLOCK) line = threads[i].line;
        for (int i = 0; i < n; ++i) {
            enter(i);
            if (now->state == DONE) fail_at("a thread ended where the others wait at a barrier", line);
            if (now->line != line) fail_at("the threads of a block wait at two barriers", line);
            now->state = RUNNING;
        }
    }
}

// ---- arguments --------------------------------------------------------------------------------------------------------
enum Class { ANY, FLOAT, SIGNED, UNSIGNED, BOOL, COMPLEX, BFLOAT, POINTER, STRUCT };
template <typename T> struct Code { static const int value = STRUCT << 16 | sizeof(T); };
template <typename T> struct Code<const T> : Code<T> {};
template <typename T> struct Code<volatile T> : Code<T> {};
template <typename T> struct Code<T*> { static const int value = POINTER << 16 | 8; };
template <> struct Code<void> { static const int value = ANY << 16; };
#define CODE(T, kind) template <> struct Code<T> { static const int value = kind << 16 | sizeof(T); };
CODE(float, FLOAT) CODE(double, FLOAT) CODE(bool, BOOL) CODE(char, SIGNED) CODE(signed char, SIGNED)
CODE(short, SIGNED) CODE(int, SIGNED) CODE(long, SIGNED) CODE(long long, SIGNED) CODE(unsigned char, UNSIGNED)
CODE(unsigned short, UNSIGNED) CODE(unsigned, UNSIGNED) CODE(unsigned long, UNSIGNED) CODE(unsigned long long, UNSIGNED)
#define LIKE(name, T) template <> struct Code<name> : Code<T> {};
LIKE(float2, float) LIKE(float4, float) LIKE(double2, double) LIKE(int2, int) LIKE(int4, int) LIKE(uint2, unsigned)
LIKE(uint4, unsigned) LIKE(longlong2, long long) LIKE(ulonglong2, unsigned long long) LIKE(char4, signed char)
LIKE(uchar4, unsigned char) LIKE(short4, short) LIKE(ushort4, unsigned short)

template <size_t... I> struct Seq {};
#if defined(__clang__)
template <typename S, S... I> using Counted = Seq<I...>;
template <int N> using Count = __make_integer_seq<Counted, size_t, N>;
#else
template <int N> using Count = Seq<__integer_pack(N)...>;
#endif
template <typename A> struct Pointee { static const int value = -1; };
template <typename T> struct Pointee<T*> { static const int value = Code<T>::value; };
template <typename T> struct Pointee<T* __restrict> { static const int value = Code<T>::value; };
template <auto F, typename... A, size_t... I> void invoke(void (*)(A...), Seq<I...>, void** values) {
    F(*static_cast<A*>(values[I])...);
}
template <typename... A> int signature(void (*)(A...), int* element, int* value) {
    const int elements[] = {Pointee<A>::value..., 0}, values[] = {Code<A>::value..., 0};
    for (size_t i = 0; i < sizeof...(A); ++i) { element[i] = elements[i]; value[i] = values[i]; }
    return sizeof...(A);
}
template <typename... A> constexpr int arity(void (*)(A...)) { return sizeof...(A); }
STATE void** values = nullptr;
template <auto F> void call() { invoke<F>(F, Count<arity(F)>(), values); }

// ---- a launch ---------------------------------------------------------------------------------------------------------
static void on_signal(int number, siginfo_t* info, void*) {
    unsigned char* at = static_cast<unsigned char*>(info->si_addr);
    char text[200];
    for (int i = 0; number == SIGSEGV && i < region_count; ++i) {
        Region& r = regions[i];
        if (at < r.map || at >= r.map + r.length) continue;
        long before = r.data - at, past = at - (r.data + r.size);
        snprintf(text, 200, "access %ld bytes %s %s of %zu bytes", before > 0 ? before : past,
                 before > 0 ? "before" : "past the end of",
                 i == region_count - 1 ? "dynamic shared memory" : "an array", r.size);
        fail(text);
    }
    if (number == SIGSEGV && at + 2 * stack_size >= stacks && at < stacks + 1025 * stack_size) fail("the stack of a thread is full");
    if (number == SIGILL) fail("misaligned access, index out of a fixed array, division by zero, or a wide shift");
    snprintf(text, 200, "signal %d at address %p", number, static_cast<void*>(at));
    fail(text);
}
static bool make_region(Region& r, const void* from, size_t size, bool right, unsigned char fill) {
    size_t page = 4096, inner = ((size + 15) / page + 1) * page, low = reinterpret_cast<size_t>(from) & 15;
    r.size = size;
    r.length = inner + 2 * page;
    void* got = mmap(nullptr, r.length, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (got == MAP_FAILED) return false;
    r.map = static_cast<unsigned char*>(got);
    mprotect(r.map + page, inner, PROT_READ | PROT_WRITE);
    memset(r.map + page, fill, inner);
    r.data = r.map + page + (right ? (inner - size - low) / 16 * 16 : 0) + low;
    if (from) memcpy(r.data, from, size);
    return true;
}
static bool all_are(unsigned char fill, const unsigned char* from, const unsigned char* to) {
    return from >= to || (*from == fill && !memcmp(from, from + 1, to - from - 1));
}
static bool untouched(const Region& r, unsigned char fill) {
    return all_are(fill, r.map + 4096, r.data) && all_are(fill, r.data + r.size, r.map + r.length - 4096);
}
}  // namespace emulator
extern "C" char __bss_start[] __attribute__((visibility("hidden"))), _end[] __attribute__((visibility("hidden")));
namespace emulator {

struct Launch {
    int arguments, groups;
    void** values;          // of scalars: their addresses
    int* group;             // the group that an argument points into, or -1
    size_t* offset;         // and where
    void** start;           // of a group's memory
    size_t* size;
    unsigned grid[3], block[3];
    size_t shared;
    unsigned char* stacks;
    size_t stack_size;
    int once;               // no second run
    char* error;
};
static void run_grid(const Launch& l, Region* r, bool backwards) {
    void* pointers[64];
    void* passed[64];
    for (int i = 0; i < l.arguments; ++i) {
        if (l.group[i] >= 0) pointers[i] = r[l.group[i]].data + l.offset[i];
        passed[i] = l.group[i] >= 0 ? static_cast<void*>(&pointers[i]) : l.values[i];
    }
    values = passed;
    regions = r;
    dynamic = r[l.groups].data;
    blockDim = dim3(l.block[0], l.block[1], l.block[2]);
    gridDim = dim3(l.grid[0], l.grid[1], l.grid[2]);
    size_t blocks = (size_t)l.grid[0] * l.grid[1] * l.grid[2];
    for (size_t k = 0; k < blocks; ++k) {
        size_t b = backwards ? blocks - 1 - k : k;
        blockIdx.x = b % l.grid[0];
        blockIdx.y = b / l.grid[0] % l.grid[1];
        blockIdx.z = b / l.grid[0] / l.grid[1];
        memset(__bss_start, 0xff, _end - __bss_start);
        memset(dynamic, 0xff, l.shared);
        run_block(l.block[0] * l.block[1] * l.block[2], backwards);
    }
}
// Runs twice: arrays at the end of their pages, then at the start and with the threads in reverse. Both must agree.
static int launch(const Launch& l, void (*run)()) {
    static const int numbers[] = {SIGSEGV, SIGBUS, SIGILL, SIGFPE, SIGTRAP};
    struct sigaction old[5], mine = {};
    unsigned char alternate[1 << 15];
    stack_t stack = {}, old_stack;
    Region first[65] = {}, second[65] = {};
    Thread all[1024];
    threads = all; body = run; error = l.error; stacks = l.stacks; stack_size = l.stack_size; unordered = false;
    region_count = l.groups + 1;
    stack.ss_sp = alternate;
    stack.ss_size = sizeof(alternate);
    sigaltstack(&stack, &old_stack);
    mine.sa_sigaction = on_signal;
    mine.sa_flags = SA_SIGINFO | SA_ONSTACK;
    for (int i = 0; i < 5; ++i) sigaction(numbers[i], &mine, &old[i]);
    volatile int failed = sigsetjmp(escape, 1);
    if (!failed) {
        for (int pass = 0; pass < (l.once ? 1 : 2); ++pass) {
            Region* r = pass ? second : first;
            unsigned char fill = pass ? 0xa5 : 0x5a;
            for (int g = 0; g <= l.groups; ++g) {
                bool shared = g == l.groups;
                if (!make_region(r[g], shared ? nullptr : l.start[g], shared ? l.shared : l.size[g], !pass, fill))
                    fail("no memory");
            }
            run_grid(l, r, pass);
            for (int g = 0; g <= l.groups; ++g) if (!untouched(r[g], fill)) fail("a write outside of an array");
        }
        for (int g = 0; g < l.groups; ++g) {
            if (!l.once && !unordered && memcmp(first[g].data, second[g].data, l.size[g]))
                fail("the result hangs on the order in which threads run, or on memory outside of an array");
            if (memcmp(first[g].data, l.start[g], l.size[g])) memcpy(l.start[g], first[g].data, l.size[g]);
        }
    }
    for (int i = 0; i < 5; ++i) sigaction(numbers[i], &old[i], nullptr);
    sigaltstack(&old_stack, nullptr);
    for (int g = 0; g <= l.groups; ++g) {
        if (first[g].map) munmap(first[g].map, first[g].length);
        if (second[g].map) munmap(second[g].map, second[g].length);
    }
    return failed;
}

// ---- warps ------------------------------------------------------------------------------------------------------------
template <typename T> void exchange(int line, unsigned mask, T v) {
    static_assert(sizeof(T) <= 16, "a value of one register or four");
    if (!(mask >> (index & 31) & 1)) fail_at("a lane is not in its own mask", line);
    memset(now->slot, 0, 16);
    memcpy(now->slot, &v, sizeof(T));
    wait(AT_WARP, line, mask);
}
template <typename T> T lane_value(int lane) {
    T v;
    memset(static_cast<void*>(&v), 0xff, sizeof(T));  // of a lane that takes no part: nobody knows
    if (now->given >> lane & 1) memcpy(static_cast<void*>(&v), threads[(index & ~31) + lane].seen, sizeof(T));
    return v;
}
template <typename T> T shuffle(int line, unsigned mask, T v, int lane, int width = 32) {
    exchange(line, mask, v);
    return lane_value<T>((index & 31 & ~(width - 1)) + (lane & (width - 1)));
}
template <typename T> T shuffle_to(int line, unsigned mask, T v, int lane) {
    exchange(line, mask, v);
    return lane_value<T>(lane);
}
template <typename T> T shuffle_up(int line, unsigned mask, T v, unsigned by, int width = 32) {
    int lane = index & 31, to = lane - (int)by;
    return shuffle_to(line, mask, v, to < (lane & ~(width - 1)) ? lane : to);
}
template <typename T> T shuffle_down(int line, unsigned mask, T v, unsigned by, int width = 32) {
    int lane = index & 31, to = lane + (int)by;
    return shuffle_to(line, mask, v, to >= (lane & ~(width - 1)) + width ? lane : to);
}
template <typename T> T shuffle_xor(int line, unsigned mask, T v, int by, int width = 32) {
    int lane = index & 31, to = lane ^ by;
    return shuffle_to(line, mask, v, to >= (lane & ~(width - 1)) + width ? lane : to);
}
inline unsigned ballot(int line, unsigned mask, int yes) {
    exchange(line, mask, (int)(yes != 0));
    unsigned bits = 0;
    for (int j = 0; j < 32; ++j) bits |= (now->given >> j & 1) && lane_value<int>(j) ? 1u << j : 0;
    return bits;
}
inline int all(int line, unsigned mask, int yes) { unsigned bits = ballot(line, mask, yes); return bits == now->given; }
template <typename T> unsigned match_any(int line, unsigned mask, T v) {
    exchange(line, mask, v);
    unsigned bits = 0;
    for (int j = 0; j < 32; ++j) bits |= (now->given >> j & 1) && lane_value<T>(j) == v ? 1u << j : 0;
    return bits;
}
}  // namespace emulator
#define __syncthreads() emulator::wait(emulator::AT_BLOCK, __LINE__)
#define FIRST(a, ...) a
#define __syncwarp(...) emulator::exchange(__LINE__, FIRST(__VA_ARGS__ __VA_OPT__(, ) 0xffffffffu), 0)
#define STORE_WORD(p, word) (*(p) = (word))
#define UNSEEN(word)
#define IN_GLOBAL(p)
#define __shfl_sync(...) emulator::shuffle(__LINE__, __VA_ARGS__)
#define __shfl_up_sync(...) emulator::shuffle_up(__LINE__, __VA_ARGS__)
#define __shfl_down_sync(...) emulator::shuffle_down(__LINE__, __VA_ARGS__)
#define __shfl_xor_sync(...) emulator::shuffle_xor(__LINE__, __VA_ARGS__)
#define __ballot_sync(mask, yes) emulator::ballot(__LINE__, mask, yes)
#define __any_sync(mask, yes) (emulator::ballot(__LINE__, mask, yes) != 0)
#define __all_sync(mask, yes) emulator::all(__LINE__, mask, yes)
#define __match_any_sync(mask, v) emulator::match_any(__LINE__, mask, v)
inline void __threadfence() {}
inline void __threadfence_block() {}

// ---- atomics ----------------------------------------------------------------------------------------------------------
namespace emulator {
template <typename T> struct Same { typedef T type; };
template <typename T> using same = typename Same<T>::type;
}  // namespace emulator
template <typename T> T atomicAdd(T* p, emulator::same<T> v) {
    if (emulator::Code<T>::value >> 16 != emulator::SIGNED && emulator::Code<T>::value >> 16 != emulator::UNSIGNED)
        emulator::unordered = true;
    T old = *p;
    *p = old + v;
    return old;
}
#define ATOMIC(name, value) \
    template <typename T> T name(T* p, emulator::same<T> v) { T old = *p; *p = value; return old; }
ATOMIC(atomicSub, old - v) ATOMIC(atomicExch, v) ATOMIC(atomicMax, v > old ? v : old) ATOMIC(atomicMin, v < old ? v : old)
ATOMIC(atomicOr, old | v) ATOMIC(atomicAnd, old & v) ATOMIC(atomicXor, old ^ v)
template <typename T> T atomicCAS(T* p, emulator::same<T> is, emulator::same<T> v) {
    T old = *p;
    if (old == is) *p = v;
    return old;
}

// ---- numbers ----------------------------------------------------------------------------------------------------------
namespace emulator {
template <typename To, typename From> To bits(From v) {
    static_assert(sizeof(To) == sizeof(From), "as many bits");
    To out;
    memcpy(static_cast<void*>(&out), &v, sizeof(To));
    return out;
}
inline unsigned short half_bits(double v) {
    unsigned short sign = bits<unsigned long long>(v) >> 63 << 15;
    double a = fabs(v);
    if (a != a) return 0x7fff;
    if (a >= 65520) return sign | 0x7c00;
    if (a < 0x1p-14) return sign | (unsigned short)nearbyint(a * 0x1p24);
    int e = ilogb(a);
    return sign | (unsigned short)(((e + 15) << 10) + (int)nearbyint(ldexp(a, 10 - e)) - 1024);
}
inline float half_value(unsigned short x) {
    int e = x >> 10 & 31, m = x & 1023;
    double a = e == 31 ? (m ? (double)NAN : (double)INFINITY) : e ? ldexp(1024 + m, e - 25) : ldexp(m, -24);
    return x >> 15 ? -a : a;
}
inline unsigned short bfloat_bits(float v) {
    unsigned u = bits<unsigned>(v);
    return v != v ? 0x7fff : (u + 0x7fff + (u >> 16 & 1)) >> 16;
}
inline float bfloat_value(unsigned short x) { return bits<float>((unsigned)x << 16); }
}  // namespace emulator

#define SMALL_FLOAT(name, to, from) \
    struct name { \
        unsigned short x; \
        name() = default; \
        template <typename N, typename = decltype(float(N()))> name(N v) : x(emulator::to(v)) {} \
        operator float() const { return emulator::from(x); } \
        name& operator+=(name b) { return *this = name(float(*this) + float(b)); } \
        name& operator-=(name b) { return *this = name(float(*this) - float(b)); } \
        name& operator*=(name b) { return *this = name(float(*this) * float(b)); } \
        name& operator/=(name b) { return *this = name(float(*this) / float(b)); } \
    }; \
    inline name operator+(name a, name b) { return a += b; } \
    inline name operator-(name a, name b) { return a -= b; } \
    inline name operator*(name a, name b) { return a *= b; } \
    inline name operator/(name a, name b) { return a /= b; } \
    inline name operator-(name a) { a.x ^= 0x8000; return a; } \
    inline bool operator<(name a, name b) { return float(a) < float(b); } \
    inline bool operator>(name a, name b) { return float(a) > float(b); } \
    inline bool operator<=(name a, name b) { return float(a) <= float(b); } \
    inline bool operator>=(name a, name b) { return float(a) >= float(b); } \
    inline bool operator==(name a, name b) { return float(a) == float(b); } \
    inline bool operator!=(name a, name b) { return float(a) != float(b); }
SMALL_FLOAT(__half, half_bits, half_value)
SMALL_FLOAT(__nv_bfloat16, bfloat_bits, bfloat_value)
typedef __half half;
typedef __nv_bfloat16 nv_bfloat16;
struct alignas(4) __half2 { __half x, y; };
struct alignas(4) __nv_bfloat162 { __nv_bfloat16 x, y; };
typedef __half2 half2;
typedef __nv_bfloat162 nv_bfloat162;
template <typename T, int N> struct Pack;
template <typename T> struct Complex;
namespace emulator {
CODE(__half, FLOAT)
CODE(__nv_bfloat16, BFLOAT)
LIKE(__half2, __half)
LIKE(__nv_bfloat162, __nv_bfloat16)
template <typename T, int N> struct Code<Pack<T, N>> : Code<T> {};
template <typename T> struct Code<Complex<T>> { static const int value = COMPLEX << 16 | 2 * sizeof(T); };
}  // namespace emulator
inline float __half2float(__half v) { return v; }
inline __half __float2half(float v) { return v; }
inline __half __float2half_rn(float v) { return v; }
inline __half __double2half(double v) { return v; }
inline float __low2float(__half2 v) { return v.x; }
inline float __high2float(__half2 v) { return v.y; }
inline float2 __half22float2(__half2 v) { return {v.x, v.y}; }
inline __half2 __floats2half2_rn(float x, float y) { return {x, y}; }
inline __half2 __float22half2_rn(float2 v) { return {v.x, v.y}; }
inline __half2 __halves2half2(__half x, __half y) { return {x, y}; }
inline unsigned short __half_as_ushort(__half v) { return v.x; }
inline __half __ushort_as_half(unsigned short v) { __half h; h.x = v; return h; }
inline float __bfloat162float(__nv_bfloat16 v) { return v; }
inline __nv_bfloat16 __float2bfloat16(float v) { return v; }
inline __nv_bfloat16 __float2bfloat16_rn(float v) { return v; }
inline __nv_bfloat16 __double2bfloat16(double v) { return v; }
inline float2 __bfloat1622float2(__nv_bfloat162 v) { return {v.x, v.y}; }
inline __nv_bfloat162 __floats2bfloat162_rn(float x, float y) { return {x, y}; }
inline __nv_bfloat162 __float22bfloat162_rn(float2 v) { return {v.x, v.y}; }
inline unsigned short __bfloat16_as_ushort(__nv_bfloat16 v) { return v.x; }
inline __nv_bfloat16 __ushort_as_bfloat16(unsigned short v) { __nv_bfloat16 h; h.x = v; return h; }

template <typename A, typename B> auto max(A a, B b) -> decltype(true ? a : b) { return a < b ? b : a; }
template <typename A, typename B> auto min(A a, B b) -> decltype(true ? a : b) { return b < a ? b : a; }
inline float max(float a, float b) { return fmaxf(a, b); }
inline float min(float a, float b) { return fminf(a, b); }
inline double max(double a, double b) { return fmax(a, b); }
inline double min(double a, double b) { return fmin(a, b); }
template <typename T> T __ldg(const T* p) { return *p; }
template <typename T> T __ldcs(const T* p) { return *p; }
template <typename T> void __stcs(T* p, emulator::same<T> v) { *p = v; }
inline unsigned long long __umul64hi(unsigned long long a, unsigned long long b) { return (unsigned __int128)a * b >> 64; }
inline unsigned __umulhi(unsigned a, unsigned b) { return (unsigned long long)a * b >> 32; }
inline int __popc(unsigned v) { return __builtin_popcount(v); }
inline int __popcll(unsigned long long v) { return __builtin_popcountll(v); }
inline int __clz(int v) { return v ? __builtin_clz(v) : 32; }
inline int __clzll(long long v) { return v ? __builtin_clzll(v) : 64; }
inline int __ffs(int v) { return __builtin_ffs(v); }
inline int __ffsll(long long v) { return __builtin_ffsll(v); }
inline int __float_as_int(float v) { return emulator::bits<int>(v); }
inline unsigned __float_as_uint(float v) { return emulator::bits<unsigned>(v); }
inline float __int_as_float(int v) { return emulator::bits<float>(v); }
inline float __uint_as_float(unsigned v) { return emulator::bits<float>(v); }
inline long long __double_as_longlong(double v) { return emulator::bits<long long>(v); }
inline double __longlong_as_double(long long v) { return emulator::bits<double>(v); }
inline float __fadd_rn(float a, float b) { return a + b; }
inline float __fsub_rn(float a, float b) { return a - b; }
inline float __fmul_rn(float a, float b) { return a * b; }
inline float __fdiv_rn(float a, float b) { return a / b; }
inline float __fsqrt_rn(float a) { return sqrtf(a); }
inline float __frcp_rn(float a) { return 1 / a; }
inline float __fmaf_rn(float a, float b, float c) { return fmaf(a, b, c); }
inline double __dadd_rn(double a, double b) { return a + b; }
inline double __dsub_rn(double a, double b) { return a - b; }
inline double __dmul_rn(double a, double b) { return a * b; }
inline double __ddiv_rn(double a, double b) { return a / b; }
inline double __dsqrt_rn(double a) { return sqrt(a); }
inline double __fma_rn(double a, double b, double c) { return fma(a, b, c); }
inline float __int2float_rn(int v) { return v; }
inline float __uint2float_rn(unsigned v) { return v; }
inline float __ll2float_rn(long long v) { return v; }
inline float __ull2float_rn(unsigned long long v) { return v; }
inline double __ll2double_rn(long long v) { return v; }
inline double __ull2double_rn(unsigned long long v) { return v; }
inline float __double2float_rn(double v) { return v; }
inline float rsqrtf(float v) { return 1 / sqrtf(v); }
inline double rsqrt(double v) { return 1 / sqrt(v); }
inline float cospif(float v) { return cos(v * M_PI); }
inline float sinpif(float v) { return sin(v * M_PI); }
inline double cospi(double v) { return cos(v * M_PI); }
inline double sinpi(double v) { return sin(v * M_PI); }
inline void sincospif(float v, float* s, float* c) { *s = sinpif(v); *c = cospif(v); }
inline void sincospi(float v, float* s, float* c) { sincospif(v, s, c); }
inline void sincospi(double v, double* s, double* c) { *s = sinpi(v); *c = cospi(v); }
inline float normcdff(float v) { return erfcf(-v * 0.70710678f) / 2; }
inline double normcdf(double v) { return erfc(-v * M_SQRT1_2) / 2; }
