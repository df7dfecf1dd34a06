# Atomic flags that any thread of a team may set. They have relaxed memory order, and so are as cheap as a plain int.

cdef extern from *:
    """
    #define cynn_raise_flag(flag) __atomic_store_n(flag, 1, __ATOMIC_RELAXED)
    #define cynn_lower_flag(flag) __atomic_store_n(flag, 0, __ATOMIC_RELAXED)
    #define cynn_is_raised(flag) __atomic_load_n(flag, __ATOMIC_RELAXED)
    """
    void raise_flag "cynn_raise_flag"(int *flag) noexcept nogil
    void lower_flag "cynn_lower_flag"(int *flag) noexcept nogil
    bint is_raised "cynn_is_raised"(const int *flag) noexcept nogil
