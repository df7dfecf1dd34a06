import os
from typing import Any

from cynn.faces.face_method import FaceMethod as FaceMethod

class FaceMethods:
    def to_c(
        self,
        path: str | os.PathLike[str],
        *,
        dtype: str = "float32",
        calibration: Any = None,
        selftest: Any = None,
        exact: bool = False,
        header: bool = False,
    ) -> None: ...
    def to_fortran(self, path: str | os.PathLike[str], *, dtype: str = "float32") -> None: ...
    def to_html(
        self,
        path: str | os.PathLike[str],
        *,
        examples: Any = None,
        labels: Any = None,
        inputs: Any = None,
        dtype: str = "float32",
        title: str | None = None,
    ) -> None: ...
    def to_js(self, path: str | os.PathLike[str]) -> None: ...
    def to_onnx(self, path: str | os.PathLike[str], *, opset: int = 17) -> None: ...
    def to_python(self, path: str | os.PathLike[str]) -> None: ...
    def watch(
        self,
        *,
        examples: Any = None,
        labels: Any = None,
        inputs: Any = None,
        dtype: str = "float32",
        title: str | None = None,
    ) -> Any: ...
