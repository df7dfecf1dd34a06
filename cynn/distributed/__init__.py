"""Networks on other processes and machines, with existing engines: executors, Dask, joblib, MPI.

What enters: the members of a fleet, or one network and an MPI communicator.
It uses `many`'s members, checkpoints, and each engine only when one of its objects is given.
"""
