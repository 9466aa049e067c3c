"""What was done to an observation, written into its ``meta``."""

from __future__ import annotations

from typing import Any

from astropy.io import fits

__all__ = ["record"]


def record(meta: Any, key: str, value: Any, comment: str) -> None:
    """Write a value into a header with its comment, or into a dictionary without.

    Parameters
    ----------
    meta : `~astropy.io.fits.Header` or dict
        Changed in place.
    key : str
        At most eight characters.
    value : object
        What a FITS card can hold.
    comment : str
        Of the card.
    """
    meta[key] = (value, comment) if isinstance(meta, fits.Header) else value
