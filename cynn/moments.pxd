# Moving averages of gradients, such as Adam's moments. They start at 0, in slots.
#
# Read beta from h into a local double before the loop over the elements: the compiler then converts it once, not per
# element.
from libc.float cimport DBL_MIN, FLT_MIN
from libc.math cimport pow
from libc.stdint cimport int64_t

from cynn.abi cimport floating
from cynn.vector_math cimport absolute


# x, or 0 for a subnormal number. What decays by a factor per step, as the velocity of a weight without gradient does,
# ends as the smallest subnormal number, which never becomes 0. Processors need a hundred cycles for each.
cdef inline floating without_subnormal(floating x) noexcept nogil:
    cdef floating smallest = FLT_MIN if floating is float else DBL_MIN
    return 0 if absolute(x) < smallest else x


# beta mean + (1 - beta) x
cdef inline floating moving_average(double beta, floating mean, floating x) noexcept nogil:
    return without_subnormal(<floating>beta * mean + <floating>(1 - beta) * x)


# beta mean + (1 - beta) x²
cdef inline floating moving_average_of_square(double beta, floating mean, floating x) noexcept nogil:
    return without_subnormal(<floating>beta * mean + <floating>(1 - beta) * x * x)


# 1 - beta^t: an average that started at 0 is divided by it after t steps
cdef inline double bias_correction(double beta, int64_t t) noexcept nogil:
    return 1 - pow(beta, t)
