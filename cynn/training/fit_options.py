"""The options of `Network.fit`, and their checks."""

from __future__ import annotations

import os
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np

from cynn.engine import threads
from cynn.errors import InvalidParameterError, check_number, check_switch, check_whole_number, not_allowed
from cynn.training.communicator import Communicator

__all__ = ["FitOptions"]


@dataclass(kw_only=True, eq=False, repr=False)
class FitOptions:
    """All parameters of `Network.fit` except x and y, with the same names.

    Raises
    ------
    InvalidParameterError
        An option has an invalid value, whatever x and y are.
    """

    loss: Any
    loss_weights: Any
    optimizer: Any
    epochs: int
    batch_size: int | None
    rows: Any
    validation_data: Any
    validation_split: float | None
    metrics: Any
    sample_weight: Any
    dy_dx: Any
    derivative_weight: Any
    directions: Any
    class_weight: Any
    transform: Callable[..., Any] | None
    steps_per_epoch: int | None
    shuffle: bool | str | Callable[[int], Any]
    callbacks: Any
    resume: str | os.PathLike[str] | bool | None
    progress: bool
    n_threads: Any
    check_finite: bool
    communicator: Any

    def __post_init__(self) -> None:
        self.epochs = check_whole_number(self.epochs, "epochs", "fit")
        if self.batch_size is not None:
            self.batch_size = check_whole_number(self.batch_size, "batch_size", "fit", minimum=1, maximum=2**31 - 1)
        if self.communicator is not None:
            self.communicator = Communicator.of(self.communicator)
            self.n_threads = 1 if self.n_threads is None else self.n_threads
        self.n_threads: int = threads.resolve(self.n_threads)
        if isinstance(self.shuffle, (bool, np.bool_)):
            self.shuffle = bool(self.shuffle)
        elif not (callable(self.shuffle) or (isinstance(self.shuffle, str) and self.shuffle == "blocks")):
            raise not_allowed("shuffle", "fit", "True, False, 'blocks' or a function of the epoch", self.shuffle)
        if self.validation_split is not None:
            self.validation_split = check_number(self.validation_split, "validation_split", "fit", minimum=0, below=1)
        self.progress = check_switch(self.progress, "progress", "fit")
        self.check_finite = check_switch(self.check_finite, "check_finite", "fit")
        if self.transform is not None and not callable(self.transform):
            raise not_allowed("transform", "fit", "a function (x, y, generator)", self.transform)

    @property
    def has_derivatives(self) -> bool:
        """Whether derivatives are trained, given as `dy_dx` or in each batch."""
        return self.dy_dx is not None or self.derivative_weight is not None

    def check_for_derivatives(self, x_gives_batches: bool) -> None:
        """Raise an error for options that cannot be used with derivatives."""
        if self.dy_dx is None and not x_gives_batches:
            raise not_allowed("derivative_weight", "fit", "left out without dy_dx", self.derivative_weight)
        for name, is_given, reason in [
            ("transform", self.transform is not None, "it changes x, and not the derivatives"),
            ("communicator", self.communicator is not None, "ranks do not exchange derivatives"),
        ]:
            if is_given:
                raise InvalidParameterError(
                    f"The {name!r} parameter of fit must be left out with dy_dx: {reason}. Got one instead."
                )

    def check_for_rows(self) -> None:
        """Raise an error for options that cannot be used with arrays x and y."""
        if self.steps_per_epoch is not None:
            raise not_allowed("steps_per_epoch", "fit", "left out where y is given", self.steps_per_epoch)
        if self.validation_split and self.validation_data is not None:
            raise not_allowed("validation_split", "fit", "0 where there is validation_data", self.validation_split)

    def check_for_batches(self, class_weights: list[Any]) -> None:
        """Raise an error for options that cannot be used with an iterable of batches.

        Parameters
        ----------
        class_weights : list
            The class weights of each output.
        """
        for name, is_given in [
            ("validation_split", self.validation_split),
            ("sample_weight", self.sample_weight is not None),
            ("dy_dx", self.dy_dx is not None),
            ("directions", self.directions is not None),
            ("rows", self.rows is not None),
            ("transform", self.transform),
        ]:
            if is_given:
                raise InvalidParameterError(
                    f"The {name!r} parameter of fit must be left out where x gives batches. Got it instead."
                )
        if "balanced" in class_weights:
            raise InvalidParameterError(
                "The 'class_weight' parameter of fit must be a dict where x gives batches. Got 'balanced' instead."
            )
        if self.steps_per_epoch is not None:
            self.steps_per_epoch = check_whole_number(self.steps_per_epoch, "steps_per_epoch", "fit", minimum=1)
