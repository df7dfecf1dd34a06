"""The table of the methods that faces provide, and where their functions are.

No other module below the faces names a face. `table.pyi` has the signatures; a test compares them with those of the
functions.
"""

from __future__ import annotations

from cynn.faces.face_method import FaceMethod

__all__ = ["FaceMethods"]


class FaceMethods:
    """The methods that faces provide, for `Network` and for the estimators for tables."""

    to_c = FaceMethod("cynn.interop.c_file:to_c")
    to_fortran = FaceMethod("cynn.interop.fortran_file:to_fortran")
    to_html = FaceMethod("cynn.web.page:to_html")
    to_js = FaceMethod("cynn.interop.js_file:to_js")
    to_onnx = FaceMethod("cynn.interop.onnx_file:to_onnx")
    to_python = FaceMethod("cynn.interop.python_file:to_python")
    watch = FaceMethod("cynn.web.widget:watch")
