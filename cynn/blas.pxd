# Row-major matrix products for plugins, on the calling thread alone: from cynn.blas cimport gemm.
from cynn.kernels.blas cimport gemm, gemv
