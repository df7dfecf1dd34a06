from typing import Any

IS_AVAILABLE: bool
KERNELS: dict[str, Any]
