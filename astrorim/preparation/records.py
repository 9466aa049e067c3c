"""What was done to an observation: notes for the user, and cards of its ``meta``."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from astropy.io import fits

__all__ = ["Notes", "record"]


@dataclass
class Notes:
    """What a preparation tells the user.

    Parameters
    ----------
    steps : list of str
        What was done, in order.
    advice : list of str
        What to look at.
    """

    steps: list[str] = field(default_factory=list)
    advice: list[str] = field(default_factory=list)


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
