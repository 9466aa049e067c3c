"""Everything that was drawn for a simulated lens, as FITS keywords and as a table."""

from __future__ import annotations

import functools
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

import astropy.units as u
import numpy as np
from astropy.io import fits
from astropy.table import QTable

from astrorim.lensing.system import LensSystem, SumLens
from astrorim.plugins import load_plugins

if TYPE_CHECKING:
    from torch import Tensor

    from astrorim.interfaces import LensModel, SimulatedLenses
    from astrorim.parameters import Parameter

__all__ = [
    "EFFECT",
    "OBSERVATION_UNITS",
    "absent_parameters",
    "applied_effects",
    "as_array",
    "dataset_of",
    "header_number",
    "metadata_unit",
    "pair_names",
    "parameter_units",
    "parameter_values",
    "truth_header",
    "truth_table",
]

EFFECT = "effect_"
"""What the names of metadata begin with that say whether an effect was applied."""

_PLACES = ((1.37, 0.59), (-0.83, 1.21))
"""Positions, arcsec, at which a component that exists deflects light."""

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
        Seed, simulator, models, frame and sampling, as plain numbers and text.
    """
    return {
        "seed": simulated.seed,
        "simulator": simulated.simulator,
        "lens_model": simulated.lens_model,
        "light_model": simulated.light_model,
        "shape": list(simulated.image.shape[1:]),
        "supersampling": simulated.psf_supersampling,
    }


def _system(simulated: SimulatedLenses) -> LensSystem:
    plugins = load_plugins()
    lens = plugins.lens_models.resolve(simulated.lens_model)
    return LensSystem(lens, plugins.light_models.create(simulated.light_model))


def _parameter_unit(parameter: Parameter) -> u.UnitBase:
    """Unit in a simulated observation: light amplitudes are in its adu."""
    return parameter.unit * u.adu if parameter.linear else parameter.unit


def parameter_units(simulated: SimulatedLenses) -> dict[str, u.UnitBase]:
    """Unit of each parameter of lens and light in a simulated observation.

    Parameters
    ----------
    simulated : SimulatedLenses
        A batch.

    Returns
    -------
    dict of str to `~astropy.units.UnitBase`
        By the names of the combined parameter vector, in its order.
    """
    return {p.name: _parameter_unit(p) for p in _system(simulated).parameters}


def parameter_values(simulated: SimulatedLenses) -> dict[str, np.ndarray]:
    """Lens and light parameters by the names of the combined parameter vector.

    Parameters
    ----------
    simulated : SimulatedLenses
        A batch.

    Returns
    -------
    dict of str to ndarray, (B,)
        In the units of `parameter_units`.
    """
    values = {name: as_array(value) for name, value in simulated.lens.items()}
    return values | {f"light_{name}": as_array(v) for name, v in simulated.light.items()}


def absent_parameters(simulated: SimulatedLenses, i: int) -> set[str]:
    """Lens parameters that mean nothing, as no component that has them deflects light.

    Parameters
    ----------
    simulated : SimulatedLenses
        A batch.
    i : int
        Position of the lens in the batch.

    Returns
    -------
    set of str
    """
    lens = _system(simulated).lens
    x, y = (simulated.image.new_tensor(p)[None, :] for p in zip(*_PLACES, strict=True))
    single: tuple[tuple[str, LensModel], ...] = (("", lens),)
    present: set[str] = set()
    for label, model in lens.components if isinstance(lens, SumLens) else single:
        names = {p.name: f"{p.name}_{label}" if label else p.name for p in model.parameters}
        own = {
            name: simulated.lens[full][i].to(x.dtype)[None, None]
            for name, full in names.items()
        }
        if any(bool((alpha != 0).any()) for alpha in model.deflection(x, y, own)):
            present |= set(names.values())
    return {p.name for p in lens.parameters} - present


def applied_effects(simulated: SimulatedLenses, i: int) -> list[str]:
    """Names of the effects that were applied to a lens.

    Parameters
    ----------
    simulated : SimulatedLenses
        A batch.
    i : int
        Position of the lens in the batch.

    Returns
    -------
    list of str
        With hyphens, as in ``psf-mismatch``.
    """
    return [
        name.removeprefix(EFFECT).replace("_", "-")
        for name, values in simulated.metadata.items()
        if name.startswith(EFFECT) and float(values[i]) != 0
    ]


def truth_header(simulated: SimulatedLenses, i: int) -> fits.Header:
    """FITS keywords of what was drawn for a lens.

    Components that the lens does not have are left out; they, and the parameters of the
    source's components, are in `truth_table`.

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
    if simulated.simulator:
        header["SIMNAME"] = (simulated.simulator, "simulator")
    header["SIMSEED"] = (simulated.seed, "seed of the dataset")
    header["SIMINDEX"] = (int(simulated.index[i]), "number of the lens in the dataset")
    header["LENSMOD"] = (simulated.lens_model, "lens model")
    header["LIGHTMOD"] = (simulated.light_model, "lens-light model")
    values = parameter_values(simulated)
    absent = absent_parameters(simulated, i)
    for parameter in _system(simulated).parameters:
        if parameter.name in absent:
            continue
        unit = _parameter_unit(parameter).to_string("fits")
        label = f"[{unit}] {parameter.name}" if unit else parameter.name
        header[parameter.fits_key] = (header_number(values[parameter.name][i]), label)
    for name, (key, _, comment) in _METADATA.items():
        if name in simulated.metadata:
            value = header_number(simulated.metadata[name][i])
            header[key] = (value if np.isfinite(value) else None, comment)
    header["EFFECTS"] = (",".join(applied_effects(simulated, i)), "effects applied")
    return header


def truth_table(
    simulated: SimulatedLenses, rows: list[int], files: Mapping[str, Sequence[str]]
) -> QTable:
    """One row for each lens with everything drawn, every column with its unit.

    Parameters
    ----------
    simulated : SimulatedLenses
        A batch.
    rows : list of int
        Positions in the batch of the lenses that are wanted.
    files : mapping of str to sequence of str
        Columns with the names of each lens' files.

    Returns
    -------
    `~astropy.table.QTable`
        `dataset_of` is its ``meta``. Effects are one where applied and zero where not.
    """
    table = QTable(meta=dataset_of(simulated))
    table["index"] = as_array(simulated.index)[rows]
    for kind, names in files.items():
        table[kind] = np.array(names)
    values = parameter_values(simulated)
    for name, unit in parameter_units(simulated).items():
        table[name] = values[name][rows] << unit
    table["pixel_scale"] = as_array(simulated.pixel_scale)[rows] << u.arcsec / u.pix
    for name, value in simulated.metadata.items():
        if name in table.colnames:
            continue
        column = as_array(value)[rows]
        unit = metadata_unit(name, simulated.simulator)
        if name.startswith(EFFECT):
            column = column.astype(np.uint8)
        table[name] = column if unit is None else column << unit
    return table


@functools.cache
def _declared_units(simulator: str) -> dict[str, u.UnitBase]:
    """Units of what a registered simulator declares that it draws."""
    simulators = load_plugins().simulators
    if simulator not in simulators:
        return {}
    return {p.name: p.unit for p in simulators.create(simulator).parameters}


def metadata_unit(name: str, simulator: str = "") -> u.UnitBase | None:
    """Unit of what a simulator recorded.

    Parameters
    ----------
    name : str
        Key of ``metadata``.
    simulator : str, optional
        Its name, for what it alone declares.

    Returns
    -------
    `~astropy.units.UnitBase` or None
        None for plain numbers.
    """
    if name in _METADATA:
        return _METADATA[name][1]
    if name in OBSERVATION_UNITS:
        return OBSERVATION_UNITS[name]
    if name == "pixel_scale":
        return u.arcsec / u.pix
    kind, _, rest = name.partition("_")
    number, _, parameter = rest.partition("_")
    if kind in {"source", "clump"} and number.isdigit():
        return _COMPONENT_UNITS.get(parameter)
    unit = _declared_units(simulator).get(name, u.dimensionless_unscaled)
    return None if unit == u.dimensionless_unscaled else unit
