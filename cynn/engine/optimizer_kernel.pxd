from cynn.abi cimport cynn_optimizer
from cynn.engine.kernel_object cimport KernelObject


cdef class OptimizerKernel(KernelObject):
    cdef cynn_optimizer functions
    cdef readonly int n_slots
