"""Parameters of a lens model and their posterior samples, as masses take them."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING

import astropy.units as u
import numpy as np

if TYPE_CHECKING:
    from astrorim.interfaces import LensModel

__all__ = ["band_of_samples", "plain_parameters", "resolve_lens_model", "spread_samples"]


def resolve_lens_model(lens_model: str, mass_sheet: float = 1.0) -> LensModel:
    """Lens model of a registered name, after a mass-sheet transformation if there is one.

    Parameters
    ----------
    lens_model : str
        Registered name, or names joined by ``+``.
    mass_sheet : float, optional
        Factor lambda of the transformation; 1 for none.

    Returns
    -------
    LensModel
    """
    from astrorim.plugins import load_plugins

    model = load_plugins().lens_models.resolve(lens_model)
    if mass_sheet == 1:
        return model
    from astrorim.lensing.mass_sheet import MassSheetTransformed

    return MassSheetTransformed(model, mass_sheet)


def plain_parameters(
    model: LensModel, parameters: Mapping[str, float | u.Quantity]
) -> dict[str, float]:
    """The model's parameters as numbers in their declared units.

    Parameters
    ----------
    model : LensModel
        What declares them.
    parameters : mapping of str to float or `~astropy.units.Quantity`
        By name; others than the model's are left out.

    Returns
    -------
    dict of str to float

    Raises
    ------
    ValueError
        If one is missing.
    """
    missing = [p.name for p in model.parameters if p.name not in parameters]
    if missing:
        raise ValueError(
            f"parameters of {model.name!r} must include {', '.join(missing)}, "
            f"got {', '.join(parameters) or 'none'}"
        )
    return {
        p.name: float(u.Quantity(parameters[p.name], p.unit).to_value(p.unit))
        for p in model.parameters
    }


def spread_samples(
    lens: Mapping[str, float], samples: Mapping[str, np.ndarray]
) -> dict[str, np.ndarray]:
    """Samples of every parameter; constant where none are given.

    Parameters
    ----------
    lens : mapping of str to float
        Point estimate.
    samples : mapping of str to ndarray, (S,)
        Samples of some of the parameters; none for the point estimate alone.

    Returns
    -------
    dict of str to ndarray, (S,)
        Of one element without samples.
    """
    number = max((chain.size for chain in samples.values()), default=1)
    return {name: samples.get(name, np.full(number, value)) for name, value in lens.items()}


def band_of_samples(
    function: Callable[..., np.ndarray],
    model: LensModel,
    lens: Mapping[str, float],
    samples: Mapping[str, np.ndarray],
    radius: np.ndarray,
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Value and 68 % bounds of a function of the radius.

    Parameters
    ----------
    function : callable
        Of model, parameters (S,) and radii (S, R), arcsec; returns (S, R).
    model : LensModel
        The lens model.
    lens : mapping of str to float
        Point estimate.
    samples : mapping of str to ndarray, (S,)
        Posterior samples.
    radius : ndarray, (R,), arcsec
        Radii.

    Returns
    -------
    value, lower, upper : ndarray, (R,)
        Bounds are NaN without samples.
    """
    value = function(model, spread_samples(lens, {}), radius[None])[0]
    if not samples:
        return value, np.full_like(value, np.nan), np.full_like(value, np.nan)
    params = spread_samples(lens, samples)
    number = max(chain.size for chain in samples.values())
    draws = function(model, params, np.broadcast_to(radius, (number, radius.size)))
    lower, upper = np.nanquantile(draws, [0.16, 0.84], axis=0)
    return value, lower, upper
