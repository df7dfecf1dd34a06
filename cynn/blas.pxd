# Row-major matrix products for the kernels of plugins: from cynn.blas cimport gemm. On the calling thread alone.
from cynn.kernels.blas cimport gemm, gemv
