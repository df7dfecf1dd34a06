"""The table: a method of `Network`, and the function of a face that it is.

Nothing else below a face names one. `table.pyi` has the signatures, which a test holds to those of the functions.
"""

from __future__ import annotations

from cynn.faces.face_method import FaceMethod

__all__ = ["FaceMethods"]


class FaceMethods:
    """What `Network` has from the faces."""

    to_c = FaceMethod("cynn.interop.c_file:to_c")
    to_fortran = FaceMethod("cynn.interop.fortran_file:to_fortran")
    to_js = FaceMethod("cynn.interop.js_file:to_js")
    to_onnx = FaceMethod("cynn.interop.onnx_file:to_onnx")
    to_python = FaceMethod("cynn.interop.python_file:to_python")
