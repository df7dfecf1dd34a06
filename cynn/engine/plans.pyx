"""Plans, which calls of a network keep with their buffers, so that the next call of the same kind is quick.

A plan is an object with a method `again`, which has the parameters of the call. It returns None if settings, shapes or
dtypes have changed, or a value is wrong. The full call then makes a new plan, or raises the error.
"""

import numpy as np

cdef tuple CHANGEABLE = (list, dict, np.ndarray)


cdef class Plans:
    """The plans of all calls of a network.

    A call takes a plan out and puts it back when it is done, so no two threads use the same plan. When a setting on
    which plans depend changes, the network gets new `Plans`. A call that is running then puts its plan back into the
    old ones, which no call uses any more.

    Attributes
    ----------
    objective : tuple, or None
        The settings of the last call, and the losses that were made of them. Calls may share them.
    """

    cdef readonly object objective
    cdef dict of_calls

    def __cinit__(self):
        self.of_calls = {}

    def again(self, str call, *given):
        """Run a call with the plan of an earlier one.

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
        """Take out the plan of an earlier call. No other thread can get it until it is put back.

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
            The plan.
        """
        cdef list kept = self.of_calls.get(call)
        if kept is None:
            kept = self.of_calls[call] = []
        kept.append(plan)


def are_given_again(tuple settings, tuple before):
    """Whether settings are those of an earlier call: equal strings, or the same objects if these cannot change.

    Parameters
    ----------
    settings, before : tuple
        The settings of this call, and of the earlier one.

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
