"""Simulated lenses as ASDF files: the observation and the truth, one file for each lens."""

from __future__ import annotations

import copy
import functools
import io
from typing import TYPE_CHECKING, Any

import astropy.units as u
import numpy as np

from astrorim.interchange.simulated_pairs import (
    BRIGHTNESS,
    frame_wcs,
    to_observation,
    truth_images,
)
from astrorim.interchange.simulated_truth import (
    EFFECT,
    absent_parameters,
    applied_effects,
    as_array,
    dataset_of,
    header_number,
    metadata_unit,
    parameter_units,
    parameter_values,
)

if TYPE_CHECKING:
    from astrorim.interfaces import SimulatedLenses

__all__ = ["asdf_bytes", "asdf_name", "truth_tree"]

_NAMES = {
    "SOURCEDET": "source_on_detector",
    "NOISEFREE": "noise_free",
    "LENSLIGHT": "lens_light",
    "ARCS": "arcs",
    "OTHERLGT": "other_light",
    "TRUEPSF": "rendering_psf",
    "COSMICS": "cosmic_rays",
    "NOISEKER": "noise_kernel",
}


def asdf_name(index: int, suffix: str = "") -> str:
    """File name of a lens.

    Parameters
    ----------
    index : int
        Number of the lens in its dataset.
    suffix : str, optional
        Put after the number.

    Returns
    -------
    str
        ``lens_XXXXX.asdf``.
    """
    return f"lens_{index:05d}{suffix}.asdf"


def truth_tree(simulated: SimulatedLenses, i: int, on_detector: np.ndarray) -> dict[str, Any]:
    """Truth of a lens as a tree of plain types, arrays and quantities.

    Parameters
    ----------
    simulated : SimulatedLenses
        A batch.
    i : int
        Position of the lens in the batch.
    on_detector : ndarray, (H, W), adu/arcsec^2
        Its source, as `~astrorim.interchange.simulated_pairs.detector_sources` gives it.

    Returns
    -------
    dict
        ``dataset``, ``index``, ``parameters``, ``metadata``, ``effects``, ``source`` and
        ``images``. Components that the lens does not have are left out.
    """
    absent = absent_parameters(simulated, i)
    values = parameter_values(simulated)
    parameters = {
        name: header_number(values[name][i]) * unit
        for name, unit in parameter_units(simulated).items()
        if name not in absent
    }
    metadata = {
        name: _number(header_number(column[i]), metadata_unit(name, simulated.simulator))
        for name, column in simulated.metadata.items()
        if not name.startswith(EFFECT) and np.isfinite(float(column[i]))
    }
    image = as_array(simulated.source_image[i])
    scale = header_number(simulated.source_pixel_scale[i])
    centre = tuple(simulated.source_centre[i].tolist())
    return {
        "dataset": dataset_of(simulated),
        "index": int(simulated.index[i]),
        "parameters": parameters,
        "metadata": metadata,
        "effects": applied_effects(simulated, i),
        "source": {
            "surface_brightness": image * BRIGHTNESS,
            "pixel_scale": scale * u.arcsec / u.pix,
            "centre": np.array(centre) * u.arcsec,
            "wcs": frame_wcs(image.shape, scale, centre),
        },
        "images": {
            _NAMES[name]: data if unit is None else data * unit
            for name, (data, unit) in truth_images(simulated, i, on_detector).items()
        },
    }


def _number(value: float, unit: u.UnitBase | None) -> float | u.Quantity:
    return value if unit is None else value * unit


def asdf_bytes(simulated: SimulatedLenses, i: int, on_detector: np.ndarray) -> bytes:
    """ASDF file of a lens, with the trees ``observation`` and ``truth``.

    Parameters
    ----------
    simulated : SimulatedLenses
        A batch.
    i : int
        Position of the lens in the batch.
    on_detector : ndarray, (H, W), adu/arcsec^2
        Its source, as `~astrorim.interchange.simulated_pairs.detector_sources` gives it.

    Returns
    -------
    bytes
        The same for the same lens, in any process.
    """
    return _file_of(
        {
            # asdf lists what it used in the order of a set, unless it is listed already
            "history": {"extensions": copy.deepcopy(_extensions())},
            "observation": to_observation(simulated, i),
            "truth": truth_tree(simulated, i, on_detector),
        }
    )


def _file_of(tree: dict[str, Any]) -> bytes:
    import asdf

    buffer = io.BytesIO()
    asdf.AsdfFile(tree).write_to(buffer)
    return buffer.getvalue()


@functools.cache
def _extensions() -> list[Any]:
    """What asdf says of the extensions that all our files use, sorted."""
    import asdf
    from astropy.nddata import StdDevUncertainty

    from astrorim.observation import LensObservation

    every_type = LensObservation(
        np.eye(3),
        unit=u.adu,
        uncertainty=StdDevUncertainty(np.ones((3, 3))),
        wcs=frame_wcs((3, 3), 1.0),
        exposure=1 * u.s,
        gain=1 * u.electron / u.adu,
    )
    tree = {"observation": every_type, "values": [np.ones(2) * BRIGHTNESS, 1 * u.mag]}
    with asdf.open(io.BytesIO(_file_of(tree))) as file:
        extensions = list(file.tree["history"]["extensions"])
    return sorted(extensions, key=lambda entry: str(entry.get("extension_uri", "")))
