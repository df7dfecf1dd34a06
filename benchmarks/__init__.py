"""How fast CyNN is, next to other libraries: ``python -m benchmarks``."""
