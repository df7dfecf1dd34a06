from collections.abc import Mapping
from typing import Any

def activation_kernel(
    functions: Mapping[str, Any], *, needs_z: bool, needs_a: bool, rowwise: bool, in_place: bool
) -> Any: ...
def loss_kernel(functions: Mapping[str, Any], *, fuses_with: str | None, class_index: bool) -> Any: ...
def operation_kernel(
    functions: Mapping[str, Any],
    *,
    propagates_nonfinite: bool,
    divisible: bool,
    gradient_in_place: bool,
    in_place: bool,
    needs_out: bool,
    only_training: bool,
    prefetches: bool,
    affine_in_x: bool,
) -> Any: ...
def optimizer_kernel(functions: Mapping[str, Any], *, n_slots: int, elementwise: bool) -> Any: ...
