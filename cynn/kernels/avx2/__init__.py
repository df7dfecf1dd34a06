"""Kernels compiled for one level of CPU; built from the sources in cynn/kernels/leveled."""
