"""The errors and warnings that AstroRIM raises."""

from __future__ import annotations

from typing import TYPE_CHECKING

from astropy.utils.exceptions import AstropyUserWarning

if TYPE_CHECKING:
    from collections.abc import Iterable

__all__ = [
    "AstroRIMError",
    "AstroRIMWarning",
    "CheckpointError",
    "ObservationError",
    "PluginError",
    "PluginWarning",
    "SimulationError",
    "SpectrumError",
    "UnknownNameError",
]


class AstroRIMError(Exception):
    """Base of every error that is AstroRIM's own."""


class ObservationError(AstroRIMError, ValueError):
    """An image, its noise, PSF, WCS or metadata cannot be used as they are."""


class SimulationError(AstroRIMError, ValueError):
    """A simulator was asked for something that it cannot draw or write."""


class SpectrumError(AstroRIMError, ValueError):
    """A spectrum or a cube cannot be used as it is, or does not say what was asked."""


class CheckpointError(AstroRIMError, ValueError):
    """Trained weights are missing, damaged or do not match what loads them."""


class PluginError(AstroRIMError):
    """A plugin breaks the contract of the hook or interface that it implements."""


class UnknownNameError(AstroRIMError, LookupError):
    """A name that no plugin has registered.

    Parameters
    ----------
    kind : str
        What was looked up, for example ``"lens model"``.
    name : str
        The name that was asked for.
    available : iterable of str
        The names that exist.
    """

    def __init__(self, kind: str, name: str, available: Iterable[str]) -> None:
        self.kind = kind
        self.name = name
        self.available = tuple(sorted(available))
        names = ", ".join(self.available) or "none"
        super().__init__(f"unknown {kind} {name!r}; available: {names}")

    def __reduce__(self) -> tuple[type, tuple[str, str, tuple[str, ...]]]:
        return type(self), (self.kind, self.name, self.available)


class AstroRIMWarning(AstropyUserWarning):
    """A problem with the data or the fit that the user can do something about."""


class PluginWarning(AstroRIMWarning):
    """A plugin could not be loaded and was left out."""
