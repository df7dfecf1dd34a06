"""The engine: forward passes and training steps, compiled; no Python runs inside, and no GIL is held.

What enters has been checked: rows, operations (:mod:`cynn.engine.operations`) and the structs of parts. It may use the
kernels, the plugin ABI and the errors; it knows no layers, no networks and no files.
"""
