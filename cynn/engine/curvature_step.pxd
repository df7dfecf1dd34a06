# A step that computes H v instead of the gradient, where H is the Hessian of the loss by the parameters.
from cynn.engine.tangent_step cimport TangentStep


cdef class CurvatureStep(TangentStep):
    pass
