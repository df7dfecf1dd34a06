"""For those who write plugins: the table of `cynn plugins`, new packages from templates, kernels by their address.

It may use all that a plugin may use, and the registry.
"""
