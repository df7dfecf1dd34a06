from cynn.abi cimport cynn_loss
from cynn.engine.kernel_object cimport KernelObject


cdef class LossKernel(KernelObject):
    cdef cynn_loss functions
    cdef int check_functions(self) except -1
