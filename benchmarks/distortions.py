"""Digits drawn by slightly other hands: elastic and affine distortions, for `fit(transform=)`."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt
from scipy.ndimage import gaussian_filter

Array = npt.NDArray[Any]

SIDE = 28
PADDED = SIDE + 2  # a black frame, so that what lies outside an image needs no case of its own
PIXELS = SIDE * SIDE


class Distortions:
    """Each image is turned, scaled and moved a little, and bent by a smooth random displacement of its pixels.

    A pixel of the new image is taken from where the maps lead in the old one, between its four neighbours there.
    The displacements are drawn once, many of them, and a batch takes two for each image, one for each direction:
    smoothing is what costs.

    Source: Simard, Steinkraus and Platt, "Best practices for convolutional neural networks applied to visual
    document analysis", 2003, section 2. Theirs are alpha = 34 and sigma = 4, for images of 29 pixels.

    Parameters
    ----------
    alpha : float
        The size of the displacements: what uniform noise between -1 and 1 is multiplied by, when it is smooth.
    sigma : float
        How smooth they are, in pixels.
    rotation : float
        The largest angle, in degrees.
    scaling : float
        By what share either side becomes shorter or longer at most.
    shift : float
        By how many pixels an image moves at most, in either direction.
    """

    def __init__(
        self,
        *,
        alpha: float = 34.0,
        sigma: float = 4.0,
        rotation: float = 7.5,
        scaling: float = 0.1,
        shift: float = 1.0,
        displacements: int = 2000,
        seed: int = 0,
    ) -> None:
        self.rotation, self.scaling, self.shift = np.deg2rad(rotation), scaling, shift
        margin = round(3 * sigma)
        noise = np.random.default_rng(seed).uniform(-1, 1, (displacements, *2 * [SIDE + 2 * margin]))
        smooth = gaussian_filter(noise.astype(np.float32), (0, sigma, sigma), mode="constant")
        inside = smooth[:, margin : margin + SIDE, margin : margin + SIDE]
        self.displacements = alpha * inside.reshape(displacements, PIXELS)
        line = np.arange(SIDE, dtype=np.float32) - (SIDE - 1) / 2
        self.grid = np.stack(np.meshgrid(line, line, indexing="ij")).reshape(2, PIXELS)

    def __call__(self, x: Array, y: Any, generator: np.random.Generator) -> tuple[Array, Any]:
        """Rows of 784 pixels, distorted, as float32; y stays as it is."""
        n = len(x)
        images = np.zeros((n, PADDED, PADDED), np.float32)
        images[:, 1:-1, 1:-1] = x.reshape(n, SIDE, SIDE)
        pixels = images.reshape(-1)
        place = self._places(n, generator)
        corner = place.astype(np.int32)  # down, and right
        place -= corner
        down, right = place[:, 0], place[:, 1]
        first = corner[:, 0]
        first *= PADDED
        first += corner[:, 1]
        first += PADDED**2 * np.arange(n, dtype=np.int32)[:, None]
        above = _between(pixels.take(first), pixels.take(first + 1), right)
        first += PADDED
        below = _between(pixels.take(first), pixels.take(first + 1), right)
        return _between(above, below, down), y

    def _places(self, n: int, generator: np.random.Generator) -> Array:
        """Where in the padded images the pixels are taken from: the row and the column of each, (n, 2, 784)."""
        angle = generator.uniform(-self.rotation, self.rotation, n)
        turned = np.array([[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]]).transpose(2, 0, 1)
        scaled = turned * generator.uniform(1 - self.scaling, 1 + self.scaling, (n, 1, 2))
        place = scaled.astype(np.float32) @ self.grid
        place += self.displacements[generator.integers(len(self.displacements), size=(n, 2))]
        middle = generator.uniform(-self.shift, self.shift, (n, 2, 1)) + (PADDED - 1) / 2
        place += middle.astype(np.float32)
        return np.clip(place, 0, PADDED - 1.001, out=place)


def _between(a: Array, b: Array, fraction: Array) -> Array:
    """A fraction of the way from a to b; in b's memory."""
    b -= a
    b *= fraction
    b += a
    return b
