# A step that computes the Hessian of the loss by the parameters, times a vector.
from cynn.engine.tangent_step cimport TangentStep


cdef class CurvatureStep(TangentStep):
    pass
