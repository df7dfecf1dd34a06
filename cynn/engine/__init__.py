"""The engine: compiled forward passes and training steps, without Python code and without the GIL.

Its input is checked: rows, operations (:mod:`cynn.engine.operations`) and the structs of parts. It may use the kernels,
the plugin ABI and the errors. It does not depend on layers, networks or files.
"""
