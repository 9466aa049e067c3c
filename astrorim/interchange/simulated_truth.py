"""Everything that was drawn for a simulated lens, as FITS keywords and as a table."""

from __future__ import annotations

from typing import TYPE_CHECKING

import astropy.units as u
import numpy as np
from astropy.io import fits
from astropy.table import QTable

from astrorim.lensing.system import LensSystem
from astrorim.plugins import load_plugins

if TYPE_CHECKING:
    from torch import Tensor

    from astrorim.interfaces import SimulatedLenses
    from astrorim.parameters import Parameter, ParameterSet

__all__ = [
    "OBSERVATION_UNITS",
    "as_array",
    "dataset_of",
    "header_number",
    "pair_names",
    "truth_header",
    "truth_table",
]

_METADATA = {
    "source_magnitude": ("SRCMAG", u.mag, "[mag] AB magnitude of the unlensed source"),
    "lens_magnitude": ("LENSMAG", u.mag, "[mag] AB magnitude of the lens light"),
    "sky": ("SKYRATE", u.adu / u.s, "[adu/s] sky in a detector pixel"),
    "read_noise": ("RDNOISE", u.electron, "[electron] read noise"),
    "psf_fwhm": ("PSFFWHM", u.arcsec, "[arcsec] FWHM of the PSF"),
    "effective_einstein_radius": ("THETAEFF", u.arcsec, "[arcsec] mean convergence one inside"),
    "arc_visibility": ("ARCVIS", None, "99th percentiles, arcs over lens light"),
    "arcs_visible": ("ARCSVIS", None, "1 if the arcs are as visible as required"),
    "lens_magnitude_redraws": ("LMREDRAW", None, "redraws of the lens magnitude"),
    "magnification": ("MAGNIF", None, "flux of the arcs in the frame over the source's"),
    "sky_subtracted": ("SKYSUB", None, "1 if the mean sky is taken off"),
}
OBSERVATION_UNITS = {"exposure": u.s, "gain": u.electron / u.adu}
"""Units of the metadata that an observation has attributes for."""

_COMPONENT_UNITS = {
    "amplitude": u.adu / u.arcsec**2,
    "half_light_radius": u.arcsec,
    "sigma": u.arcsec,
    "x0": u.arcsec,
    "y0": u.arcsec,
}


def pair_names(index: int, suffix: str = "") -> tuple[str, str]:
    """File names of a pair: the truth and the observation.

    Parameters
    ----------
    index : int
        Number of the lens in its dataset.
    suffix : str, optional
        Put after the number.

    Returns
    -------
    tuple of str
        ``source_XXXXX.fits`` and ``lensed_XXXXX.fits``.
    """
    return f"source_{index:05d}{suffix}.fits", f"lensed_{index:05d}{suffix}.fits"


def header_number(value: object) -> float:
    """Shortest decimal number that is a float32.

    Parameters
    ----------
    value : float or Tensor, ()
        One number.

    Returns
    -------
    float
    """
    return float(str(np.float32(value)))  # type: ignore[arg-type]


def as_array(values: Tensor) -> np.ndarray:
    """Array of a tensor's numbers, (...), in its unit, wherever the tensor lives.

    Parameters
    ----------
    values : Tensor, (...)
        Any unit.

    Returns
    -------
    ndarray, (...)
    """
    return np.asarray(values.detach().cpu())


def dataset_of(simulated: SimulatedLenses) -> dict[str, int | str | list[int]]:
    """What all lenses of one dataset have in common.

    Parameters
    ----------
    simulated : SimulatedLenses
        A batch of it.

    Returns
    -------
    dict
        Seed, models, frame and sampling, as plain numbers and text.
    """
    return {
        "seed": simulated.seed,
        "lens_model": simulated.lens_model,
        "light_model": simulated.light_model,
        "shape": list(simulated.image.shape[1:]),
        "supersampling": simulated.psf_supersampling,
    }


def _parameters(simulated: SimulatedLenses) -> ParameterSet:
    plugins = load_plugins()
    lens = plugins.lens_models.resolve(simulated.lens_model)
    return LensSystem(lens, plugins.light_models.create(simulated.light_model)).parameters


def _parameter_unit(parameter: Parameter) -> u.UnitBase:
    """Unit in a simulated observation: light amplitudes are in its adu."""
    return parameter.unit * u.adu if parameter.linear else parameter.unit


def _truth_values(simulated: SimulatedLenses) -> dict[str, np.ndarray]:
    """Lens and light parameters, (B,), by the names of the combined parameter vector."""
    values = {name: as_array(value) for name, value in simulated.lens.items()}
    return values | {f"light_{name}": as_array(v) for name, v in simulated.light.items()}


def truth_header(simulated: SimulatedLenses, i: int) -> fits.Header:
    """FITS keywords of what was drawn for a lens.

    The parameters of the source's components are in `truth_table` alone.

    Parameters
    ----------
    simulated : SimulatedLenses
        A batch.
    i : int
        Position of the lens in the batch.

    Returns
    -------
    `~astropy.io.fits.Header`
        Units stand in brackets in the comments.
    """
    header = fits.Header()
    header["SIMSEED"] = (simulated.seed, "seed of the dataset")
    header["SIMINDEX"] = (int(simulated.index[i]), "number of the lens in the dataset")
    header["LENSMOD"] = (simulated.lens_model, "lens model")
    header["LIGHTMOD"] = (simulated.light_model, "lens-light model")
    values = _truth_values(simulated)
    for parameter in _parameters(simulated):
        unit = _parameter_unit(parameter).to_string("fits")
        label = f"[{unit}] {parameter.name}" if unit else parameter.name
        header[parameter.fits_key] = (header_number(values[parameter.name][i]), label)
    for name, (key, _, comment) in _METADATA.items():
        if name in simulated.metadata:
            value = header_number(simulated.metadata[name][i])
            header[key] = (value if np.isfinite(value) else None, comment)
    return header


def truth_table(simulated: SimulatedLenses, rows: list[int], *, suffix: str = "") -> QTable:
    """One row for each lens with everything drawn, every column with its unit.

    Parameters
    ----------
    simulated : SimulatedLenses
        A batch.
    rows : list of int
        Positions in the batch of the lenses that are wanted.
    suffix : str, optional
        As for `pair_names`.

    Returns
    -------
    `~astropy.table.QTable`
        `dataset_of` is its ``meta``.
    """
    table = QTable(meta=dataset_of(simulated))
    index = as_array(simulated.index)[rows]
    table["index"] = index
    table["source"], table["lensed"] = (
        np.array([pair_names(int(n), suffix)[which] for n in index]) for which in (0, 1)
    )
    values = _truth_values(simulated)
    for parameter in _parameters(simulated):
        table[parameter.name] = values[parameter.name][rows] << _parameter_unit(parameter)
    table["pixel_scale"] = as_array(simulated.pixel_scale)[rows] << u.arcsec / u.pix
    for name, value in simulated.metadata.items():
        unit = _unit_of(name)
        column = as_array(value)[rows]
        table[name] = column if unit is None else column << unit
    return table


def _unit_of(name: str) -> u.UnitBase | None:
    if name in _METADATA:
        return _METADATA[name][1]
    if name in OBSERVATION_UNITS:
        return OBSERVATION_UNITS[name]
    kind, _, rest = name.partition("_")
    number, _, parameter = rest.partition("_")
    if kind in {"source", "clump"} and number.isdigit():
        return _COMPONENT_UNITS.get(parameter)
    return None
