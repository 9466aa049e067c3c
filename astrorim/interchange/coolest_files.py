r"""Lenses in files of the COOLEST standard (Galan et al. 2023, JOSS 8, 5567), and back.

COOLEST has x to the right and y upwards, as our frame, arcsec, radii as product averages of
the axes, and position angles in degrees from +y towards -x, in (-90, 90]: from north to east
where y is north and east is to the left. An angle :math:`\phi` from +x is therefore
:math:`\phi - 90^\circ` there. The axes written are those of the pixel array, whatever its
orientation on the sky. The files are plain JSON and FITS; no other package is needed.
"""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from astropy.io import fits

from astrorim.interchange.lenstronomy_profiles import (
    lens_components,
    lens_from_lenstronomy,
    lens_to_lenstronomy,
)
from astrorim.interchange.parameter_files import StartParameters
from astrorim.plugins import load_plugins
from astrorim.results.parameter_table import LIGHT_PREFIX

if TYPE_CHECKING:
    from os import PathLike

    from astrorim.grid import SourceGrid
    from astrorim.observation import LensObservation
    from astrorim.results import Reconstruction

__all__ = ["read_coolest", "write_coolest"]

Values = dict[str, Any]

_MASSES = {
    "SIE": ("SIE", {"theta_E": "theta_E"}),
    "SIS": ("SIE", {"theta_E": "theta_E"}),
    "EPL": ("PEMD", {"theta_E": "theta_E", "gamma": "gamma"}),
    "SHEAR": ("ExternalShear", {}),
    "CONVERGENCE": ("ConvergenceSheet", {"kappa": "kappa_s"}),
}
"""lenstronomy's profiles: COOLEST's, and its names of what only changes its name."""

_FIELDS = ("ExternalShear", "ConvergenceSheet")
_LIGHT = {"amplitude": "I_eff", "half_light_radius": "theta_eff", "sersic_index": "n"}
_CENTRE = ("center_x", "center_y")


def _angle(component1: Any, component2: Any) -> Any:
    """Position angle of a spin-2 vector in COOLEST's convention, deg, in (-90, 90]."""
    phi = np.degrees(0.5 * np.arctan2(component2, component1)) - 90
    return np.where(phi <= -90, phi + 180, phi)


def _vector(modulus: float, angle: float) -> tuple[float, float]:
    """Components of a spin-2 vector from its modulus and COOLEST's position angle, deg."""
    phi = math.radians(angle + 90)
    return modulus * math.cos(2 * phi), modulus * math.sin(2 * phi)


def _shape(own: Mapping[str, Any]) -> Values:
    """Axis ratio and position angle of an ellipse; a round one points along y."""
    modulus = np.hypot(own.get("e1", 0.0), own.get("e2", 0.0))
    return {
        "q": (1 - modulus) / (1 + modulus),
        "phi": _angle(own.get("e1", -1.0), own.get("e2", 0.0)) if "e1" in own else 0.0,
    }


def _mass_values(profile: str, own: Mapping[str, Any]) -> Values:
    _, names = _MASSES[profile]
    values = {theirs: own[ours] for ours, theirs in names.items()}
    if profile == "SHEAR":
        return {
            "gamma_ext": np.hypot(own["gamma1"], own["gamma2"]),
            "phi_ext": _angle(own["gamma1"], own["gamma2"]),
        }
    if profile == "CONVERGENCE":
        return values
    return values | _shape(own) | {name: own[name] for name in _CENTRE}


def _light_values(light: Mapping[str, Any]) -> Values:
    values = {theirs: light[ours] for ours, theirs in _LIGHT.items()}
    return values | _shape(light) | {"center_x": light["x0"], "center_y": light["y0"]}


def _parameter(value: Any, chain: Any, name: str, owner: str) -> Values:
    point = float(value)
    statistics: Values = dict.fromkeys(("mean", "median", "percentile_16th", "percentile_84th"))
    finite = np.asarray([] if chain is None else chain, dtype=float).ravel()
    finite = finite[np.isfinite(finite)]
    if finite.size:
        if name.startswith("phi"):
            finite = point + np.mod(finite - point + 90, 180) - 90
        low, middle, high = np.percentile(finite, [16, 50, 84])
        found = (finite.mean(), middle, low, high)
        statistics = dict(zip(statistics, map(float, found), strict=True))
    return {
        "fixed": False,
        "id": f"{owner}-{name}",
        "point_estimate": {"value": point},
        "posterior_stats": statistics,
        "prior": {"type": None},
    }


def _profile(kind: str, values: Values, chains: Values | None, owner: str) -> Values:
    owner = f"{owner}-{kind}"
    chains = chains or {}
    return {
        "id": owner,
        "type": kind,
        "parameters": {n: _parameter(v, chains.get(n), n, owner) for n, v in values.items()},
    }


def _pixels(array: np.ndarray, path: Path, grid: SourceGrid, *, overwrite: bool) -> Values:
    fits.PrimaryHDU(np.asarray(array, dtype=float)).writeto(path, overwrite=overwrite)
    left, right, bottom, top = grid.extent
    return {
        "fits_file": {"path": path.name},
        "field_of_view_x": [left, right],
        "field_of_view_y": [bottom, top],
        "num_pix_x": array.shape[1],
        "num_pix_y": array.shape[0],
    }


def _samples(result: Reconstruction, names: Mapping[str, float], prefix: str) -> Values | None:
    found = {n: result.samples[prefix + n] for n in names if prefix + n in result.samples}
    return found if len(found) == len(names) else None


def _origin(observation: LensObservation) -> Values:
    """Right ascension and declination of the array's centre; zero where unknown."""
    wcs = observation.wcs
    if wcs is None or not wcs.has_celestial:
        return {"ra": "00h00m00s", "dec": "+00d00m00s"}
    rows, columns = observation.shape
    centre = wcs.celestial.pixel_to_world((columns - 1) / 2, (rows - 1) / 2).icrs
    ra, dec = centre.to_string("hmsdms", precision=6).split()
    return {"ra": ra, "dec": dec}


def write_coolest(
    reconstruction: Reconstruction, path: str | PathLike[str], *, overwrite: bool = False
) -> Path:
    """Write a reconstruction as a COOLEST template, its images as FITS beside it.

    A ``sis`` is written as an SIE with axis ratio one; COOLEST has no other. The labels of
    a sum and the background are not kept.

    Parameters
    ----------
    reconstruction : Reconstruction
        A result with noise and PSF.
    path : path-like
        The JSON file; ``<stem>_image.fits``, ``<stem>_noise.fits``, ``<stem>_psf.fits``
        and ``<stem>_source.fits`` (flux per arcsec^2) are written beside it.
    overwrite : bool, optional
        Whether existing files may be replaced.

    Returns
    -------
    `~pathlib.Path`

    Raises
    ------
    FileExistsError
        If a file exists and ``overwrite`` is False.
    ValueError
        If there is no PSF, or COOLEST has no such model: its NFW halo is given by a
        density, which needs distances.
    """
    from astrorim.grid import SourceGrid

    target, observation = Path(path), reconstruction.observation
    if observation.psf is None:
        raise ValueError("the observation must have a PSF, got None; set observation.psf")
    model, light_model = reconstruction.lens_model, reconstruction.light_model
    for component in lens_components(model):
        if component.profile not in _MASSES:
            raise ValueError(f"COOLEST has no counterpart of {component.name!r} of {model!r}")
    if load_plugins().light_models.canonical_name(light_model) != "sersic":
        raise ValueError(f"only the light model 'sersic' can be written, got {light_model!r}")
    beside = {
        key: target.with_name(f"{target.stem}_{key}.fits")
        for key in ("image", "noise", "psf", "source")
    }
    taken = [p.name for p in (target, *beside.values()) if p.exists()]
    if taken and not overwrite:
        raise FileExistsError(
            f"{target.parent} already holds {', '.join(taken)}; pass overwrite=True to "
            "replace them"
        )
    profiles, kwargs = lens_to_lenstronomy(model, reconstruction.lens)
    chains = _samples(reconstruction, reconstruction.lens, "")
    sampled = (
        [None] * len(profiles) if chains is None else lens_to_lenstronomy(model, chains)[1]
    )
    galaxy: list[Values] = []
    field: list[Values] = []
    for profile, own, chain in zip(profiles, kwargs, sampled, strict=True):
        kind = _MASSES[profile][0]
        group, owner = (field, "1-massfield") if kind in _FIELDS else (galaxy, "0-galaxy")
        drawn = None if chain is None else _mass_values(profile, chain)
        owner = f"{owner}-mass-{len(group)}"
        group.append(_profile(kind, _mass_values(profile, own), drawn, owner))
    chains = _samples(reconstruction, reconstruction.light, LIGHT_PREFIX)
    light = _profile(
        "Sersic",
        _light_values(reconstruction.light),
        None if chains is None else _light_values(chains),
        "0-galaxy-light-0",
    )
    scale = observation.grid.pixel_scale
    kernel = np.asarray(observation.psf)
    planes = {
        "image": (observation.data, observation.grid),
        "noise": (observation.noise, observation.grid),
        "psf": (kernel, SourceGrid(kernel.shape, scale / observation.psf_supersampling)),
        "source": (reconstruction.source, reconstruction.source_grid),
    }
    target.parent.mkdir(parents=True, exist_ok=True)
    pixels = {
        key: _pixels(array, beside[key], grid, overwrite=overwrite)
        for key, (array, grid) in planes.items()
    }
    owner = "2-galaxy-light-0-PixelatedRegularGrid"
    source = {
        "id": owner,
        "type": "PixelatedRegularGrid",
        "parameters": {"pixels": {"id": f"{owner}-pixels", **pixels["source"]}},
    }
    z_lens, z_source = observation.z_lens, observation.z_source
    entities: list[Values] = [
        {"type": "Galaxy", "name": "lens", "redshift": z_lens, "mass_model": galaxy,
         "light_model": [light]},
        {"type": "MassField", "name": "field", "redshift": z_lens, "mass_model": field},
        {"type": "Galaxy", "name": "source", "redshift": z_source, "mass_model": [],
         "light_model": [source]},
    ]  # fmt: skip
    document = {
        "standard": "COOLEST",
        "mode": "MAP",
        "coordinates_origin": _origin(observation),
        "cosmology": None,
        "lensing_entities": entities,
        "likelihoods": None,
        "observation": {
            "pixels": pixels["image"],
            "noise": {"type": "NoiseMap", "noise_map": pixels["noise"]},
            "exposure_time": None,
            "mag_zero_point": None,
            "mag_sky_brightness": None,
        },
        "instrument": {
            "name": "",
            "band": observation.band or "",
            "pixel_size": scale,
            "readout_noise": 0.0,
            "psf": {"type": "PixelatedPSF", "description": None, "pixels": pixels["psf"]},
        },
        "meta": {"name": reconstruction.name, "unit": reconstruction.unit.to_string()},
    }
    text = json.dumps(document, indent=2, allow_nan=False)
    target.write_text(text + "\n", encoding="utf-8")
    return target


def read_coolest(path: str | PathLike[str]) -> StartParameters:
    """Lens and lens light of a COOLEST template, as a start for a fit.

    Galaxies with mass are lenses, and their light is lens light; others are left out.

    Parameters
    ----------
    path : path-like
        The JSON file.

    Returns
    -------
    StartParameters

    Raises
    ------
    TypeError
        If a value is not a number.
    ValueError
        If the file is no COOLEST template, a profile is not one of ours, a value is
        missing or not finite, or lenses lie at different redshifts.
    """
    try:
        document = json.loads(Path(path).read_text(encoding="utf-8"))
    except (json.JSONDecodeError, UnicodeDecodeError) as error:
        raise ValueError(f"{path} is not JSON: {error}") from error
    if not isinstance(document, dict) or "lensing_entities" not in document:
        raise ValueError(f"{path} must be a COOLEST template, with 'lensing_entities'")
    lenses = [entity for entity in document["lensing_entities"] if entity.get("mass_model")]
    redshifts = {entity.get("redshift") for entity in lenses} - {None}
    if len(redshifts) > 1:
        raise ValueError(
            f"all lenses of {path} must have one redshift, got {sorted(redshifts)}"
        )
    masses = [_read_mass(profile) for entity in lenses for profile in entity["mass_model"]]
    lens_model, lens = lens_from_lenstronomy(
        [profile for profile, _ in masses], [own for _, own in masses]
    )
    lights = [profile for entity in lenses for profile in entity.get("light_model") or []]
    if len(lights) > 1 or any(profile["type"] != "Sersic" for profile in lights):
        raise ValueError(
            f"the lens light of {path} must be one Sersic profile, got "
            f"{', '.join(profile['type'] for profile in lights)}"
        )
    return StartParameters(lens_model, lens, _read_light(lights[0]) if lights else {})


def _points(profile: Mapping[str, Any], names: tuple[str, ...]) -> dict[str, float]:
    kind, parameters = profile["type"], profile.get("parameters", {})
    values = {}
    for name in names:
        value = parameters.get(name, {}).get("point_estimate", {}).get("value")
        if value is None:
            raise ValueError(f"{kind!r} needs a point estimate of {name!r}, got none")
        if isinstance(value, bool) or not isinstance(value, (int, float)):
            raise TypeError(f"{name} of {kind!r} must be a number, got {value!r}")
        if not math.isfinite(value):
            raise ValueError(f"{name} of {kind!r} must be finite, got {value!r}")
        values[name] = float(value)
    return values


def _ellipse(values: Mapping[str, float], kind: str) -> dict[str, float]:
    if not 0 < values["q"] <= 1:
        raise ValueError(f"q of {kind!r} must lie in (0, 1], got {values['q']}")
    e1, e2 = _vector((1 - values["q"]) / (1 + values["q"]), values["phi"])
    return {"e1": e1, "e2": e2}


def _read_mass(profile: Mapping[str, Any]) -> tuple[str, dict[str, float]]:
    kind = profile["type"]
    known = {theirs: ours for ours, (theirs, _) in _MASSES.items() if ours != "SIS"}
    if kind not in known:
        raise ValueError(
            f"COOLEST's mass profile {kind!r} is not one of ours; those that can be read: "
            f"{', '.join(known)}"
        )
    names = _MASSES[known[kind]][1]
    if kind == "ExternalShear":
        values = _points(profile, ("gamma_ext", "phi_ext"))
        gamma1, gamma2 = _vector(values["gamma_ext"], values["phi_ext"])
        return "SHEAR", {"gamma1": gamma1, "gamma2": gamma2}
    shape = () if kind == "ConvergenceSheet" else ("q", "phi", *_CENTRE)
    values = _points(profile, (*names.values(), *shape))
    own = {ours: values[theirs] for ours, theirs in names.items()}
    if shape:
        own |= _ellipse(values, kind) | {name: values[name] for name in _CENTRE}
    return known[kind], own


def _read_light(profile: Mapping[str, Any]) -> dict[str, float]:
    values = _points(profile, (*_LIGHT.values(), "q", "phi", *_CENTRE))
    light = {ours: values[theirs] for ours, theirs in _LIGHT.items()}
    centre = {"x0": values["center_x"], "y0": values["center_y"]}
    return light | _ellipse(values, "Sersic") | centre
