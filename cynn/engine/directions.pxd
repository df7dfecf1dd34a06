# How operations act on blocks that have several rows for each row of values.
from libc.stdint cimport int64_t

from cynn.engine.dtypes cimport Dtype
from cynn.engine.workspace cimport Node


ctypedef enum Kind:
    ELEMENTWISE  # an activation that multiplies a tangent, or a gradient, by f'(z), element by element
    LINEAR       # reads nothing but the block: so one block for all rows gives one block for all rows
    OTHER


cdef Kind kind_of(const Node *node) noexcept nogil
cdef void slope_of(const Dtype *dtype, const Node *node, int64_t rows, void *slope) noexcept nogil
cdef void fill(const Dtype *dtype, int64_t size, double value, void *out) noexcept nogil
cdef void repeat_block(const Dtype *dtype, void *block, int64_t size, int64_t rows) noexcept nogil
