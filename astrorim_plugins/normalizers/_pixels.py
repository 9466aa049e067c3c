"""The pixels that a scaling is found from."""

from __future__ import annotations

import numpy as np

__all__ = ["usable_pixels"]


def usable_pixels(data: np.ndarray, mask: np.ndarray | None) -> np.ndarray:
    """Finite, unmasked pixels of an image.

    Parameters
    ----------
    data : ndarray, (H, W)
        Image, in its own unit.
    mask : ndarray of bool, (H, W), optional
        True where a pixel is not to be used.

    Returns
    -------
    ndarray, (N,)
        float64, in the image's unit.

    Raises
    ------
    ValueError
        If the shapes differ, no pixel is left, or all have the same value.
    """
    data = np.asarray(data, dtype=np.float64)
    keep = np.isfinite(data)
    if mask is not None:
        mask = np.asarray(mask, dtype=bool)
        if mask.shape != data.shape:
            raise ValueError(
                f"mask must have the shape of data, {data.shape}, got {mask.shape}"
            )
        keep &= ~mask
    values = data[keep]
    if values.size == 0:
        raise ValueError(
            f"data must have a finite, unmasked pixel, got none among {data.size}; "
            "check the file and the mask"
        )
    if values.min() == values.max():
        raise ValueError(
            f"data must vary, got {values.size} pixels that all are {values[0]:g}; "
            "check that the right image extension was read"
        )
    return values
