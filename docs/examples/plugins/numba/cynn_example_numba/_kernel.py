"""The kernel, compiled by Numba as it is imported.

The rules for it are in cynn/abi.h.
"""

from math import atan

from numba import cfunc, types

H = types.CPointer(types.float64)


def compiled(number):
    """The functions for float32 or float64."""
    array = types.CPointer(number)
    head = H, types.int64, types.int64

    @cfunc(types.void(*head, array, array), error_model="numpy")
    def forward(h, rows, cols, z, a):
        slope = number(h[0])
        for i in range(rows * cols):
            a[i] = atan(slope * z[i])

    @cfunc(types.void(*head, array, array, array), error_model="numpy")
    def backward(h, rows, cols, z, a, grad):
        slope = number(h[0])
        one = number(1)
        for i in range(rows * cols):
            x = slope * z[i]
            grad[i] = grad[i] * slope / (one + x * x)

    return {"forward": forward, "backward": backward}


float32 = compiled(types.float32)
float64 = compiled(types.float64)
