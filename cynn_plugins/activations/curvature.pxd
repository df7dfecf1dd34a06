# The directional derivative of backward, of single elements: f' dgrad + f'' dz grad.
from libc.stdint cimport int64_t

from cynn.abi cimport floating

# f'' of one element, computed in double.
ctypedef double (*SecondDerivative)(const double *h, double z, double a) noexcept nogil


# dgrad += f''(z) dz grad, after backward has made f' dgrad of it
cdef inline void add_curvature(
    SecondDerivative second, const double *h, int64_t size, const floating *z, const floating *a,
    const floating *grad, const floating *dz, floating *dgrad
) noexcept nogil:
    cdef int64_t i
    for i in range(size):
        dgrad[i] += <floating>(second(h, z[i], a[i]) * dz[i] * grad[i])
