# Row-major matrix products for plugins, on the calling thread alone: from cynn.blas cimport gemm.
# Arguments that cannot be compute nothing, and are a KernelError for whoever has run the kernel.
from cynn.kernels.blas cimport gemm, gemv
