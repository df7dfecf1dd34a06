"""Which instruction sets this CPU supports, according to the compiler's runtime."""

cdef extern from *:
    """
    #if defined(__x86_64__) && defined(__GNUC__)
    static int cynn_has_avx2(void) {
        __builtin_cpu_init();
        return __builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma")
            && __builtin_cpu_supports("bmi2");
    }
    static int cynn_has_avx512(void) {
        return cynn_has_avx2() && __builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512bw")
            && __builtin_cpu_supports("avx512cd") && __builtin_cpu_supports("avx512dq")
            && __builtin_cpu_supports("avx512vl");
    }
    #else
    static int cynn_has_avx2(void) { return 0; }
    static int cynn_has_avx512(void) { return 0; }
    #endif
    """
    bint cynn_has_avx2()
    bint cynn_has_avx512()


def supported_levels():
    """The kernel levels that this CPU supports, the best last."""
    levels = ["baseline"]
    if cynn_has_avx2():
        levels.append("avx2")
    if cynn_has_avx512():
        levels.append("avx512")
    return levels
