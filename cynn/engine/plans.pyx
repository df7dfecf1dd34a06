"""What calls of a network keep for those that follow: plans, with their buffers.

A plan is an object with a method `again`, which does a call with arguments in the order of its parameters. It returns
None if settings, shapes or dtypes are others, or a value is wrong, which is told where a plan is made.
"""

import numpy as np

cdef tuple CHANGEABLE = (list, dict, np.ndarray)


cdef class Plans:
    """The plans of all calls.

    A call takes a plan out and puts it back when it is done, so no two threads have the same. When a setting changes on
    which plans depend, a network gets new `Plans`: a call at work puts its plan back where nobody looks any more.

    Attributes
    ----------
    objective : tuple, or None
        The losses of the last call, behind the settings that they were made of. Calls may share them.
    """

    cdef readonly object objective
    cdef dict of_calls

    def __cinit__(self):
        self.of_calls = {}

    def again(self, str call, *given):
        """Do a call with a plan of earlier ones.

        Parameters
        ----------
        call : str
            The name of the call.
        given : object
            Its arguments, in order.

        Returns
        -------
        object
            What the call returns; None if there is no plan for it.
        """
        plan = self.take(call)
        if plan is None:
            return None
        try:
            return plan.again(*given)
        finally:
            self.keep(call, plan)

    cpdef take(self, str call):
        """Take out a plan that an earlier call has kept; no other thread gets it meanwhile.

        Parameters
        ----------
        call : str
            The name of the call.

        Returns
        -------
        object
            The plan, or None.
        """
        cdef list kept = self.of_calls.get(call)
        return kept.pop() if kept else None

    def keep_objective(self, objective):
        """Set `objective`.

        Parameters
        ----------
        objective : tuple
            Settings, and the losses that were made of them.
        """
        self.objective = objective

    cpdef keep(self, str call, plan):
        """Keep a plan for the next call.

        Parameters
        ----------
        call : str
            The name of the call.
        plan : object
            What it has used.
        """
        cdef list kept = self.of_calls.get(call)
        if kept is None:
            kept = self.of_calls[call] = []
        kept.append(plan)


def are_given_again(tuple settings, tuple before):
    """Whether settings are those of an earlier call: the same objects, which cannot change, or the same names.

    Parameters
    ----------
    settings, before : tuple
        Those of this call, and of the earlier one.

    Returns
    -------
    bool
        True only if they certainly mean the same.
    """
    for one, other in zip(settings, before):
        if one is None and other is None:
            continue
        if (one is not other or isinstance(one, CHANGEABLE)) and (type(one) is not str or one != other):
            return False
    return True
