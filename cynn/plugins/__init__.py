"""Tools for authors of plugins: the table of `cynn plugins`, new packages from templates, kernels from addresses.

They may use everything that a plugin may use, and the registry.
"""
