"""Truths of simulated lenses, from the simulator or from the files that it wrote."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import astropy.units as u
import numpy as np
from astropy.io import fits

from astrorim.exceptions import AstroRIMError
from astrorim.grid import SourceGrid
from astrorim.interchange.simulated_pairs import kernel_of, to_observation
from astrorim.interchange.simulated_truth import absent_parameters, as_array
from astrorim.lensing.system import LIGHT_PREFIX, LensSystem
from astrorim.plugins import load_plugins
from astrorim.plugins.composites import parse_composite
from astrorim.results.lens_truth import LensTruth

if TYPE_CHECKING:
    from astrorim.interfaces import SimulatedLenses
    from astrorim.observation import LensObservation

__all__ = ["present_lens", "read_truth", "truth_of"]

_FARTHEST = 3.0  # median deviation from the noise-free truth, in units of the noise
_BRIGHT = 5.0  # times the noise, where that is looked at

_LIGHTS = {"LENSLIGHT": "lens_light", "OTHERLGT": "other_light", "NOISEFREE": "noise_free"}
_OTHERS = {"TRUEPSF": "rendering_psf", "COSMICS": "cosmic_rays"}


def truth_of(simulated: SimulatedLenses, i: int = 0) -> LensTruth:
    """Truth of one simulated lens.

    Parameters
    ----------
    simulated : SimulatedLenses
        A batch.
    i : int, optional
        Position of the lens in the batch.

    Returns
    -------
    LensTruth
        In adu.
    """
    absent = absent_parameters(simulated, i)
    values = {n: float(v[i]) for n, v in simulated.lens.items() if n not in absent}
    lens_model, lens = present_lens(simulated.lens_model, values)
    x0, y0 = simulated.source_centre[i].tolist()
    image = as_array(simulated.source_image[i])
    metadata = simulated.metadata
    return LensTruth(
        observation=to_observation(simulated, i),
        source=image,
        source_grid=SourceGrid(image.shape, float(simulated.source_pixel_scale[i]), x0, y0),
        lens_model=lens_model,
        light_model=simulated.light_model,
        lens=lens,
        light={name: float(value[i]) for name, value in simulated.light.items()},
        lens_light=as_array(simulated.lens_light[i]),
        effective_einstein_radius=float(metadata["effective_einstein_radius"][i]),
        magnification=float(metadata["magnification"][i]),
        other_light=_image(simulated.other_light, i),
        psf=kernel_of(simulated.rendering_psf, i),
        hit=None if simulated.cosmic_rays is None else as_array(simulated.cosmic_rays[i]) > 0,
        index=int(simulated.index[i]),
    )


def _image(images: object, i: int) -> np.ndarray | None:
    return None if images is None else as_array(images[i])  # type: ignore[index]


def present_lens(lens_model: str, values: dict[str, float]) -> tuple[str, dict[str, float]]:
    """Components of a lens model all of whose parameters are given, and these.

    Parameters
    ----------
    lens_model : str
        Registered lens model, or a sum.
    values : dict of str to float
        Parameters by internal name; those of components without mass are left out.

    Returns
    -------
    lens_model : str
        Sum of the components that are there.
    values : dict of str to float
        Their parameters.

    Raises
    ------
    ValueError
        If no component has all its parameters.
    """
    models = load_plugins().lens_models
    kept: list[str] = []
    present: dict[str, float] = {}
    for label, name in parse_composite(lens_model):
        suffix = f"_{label}" if label else ""
        own = [parameter.name + suffix for parameter in models.create(name).parameters]
        if all(key in values for key in own):
            kept.append(f"{name}@{label}" if label else name)
            present |= {key: values[key] for key in own}
    if not kept:
        raise ValueError(
            f"the truth must give the parameters of a component of {lens_model!r}, got "
            f"{', '.join(sorted(values)) or 'none'}"
        )
    return "+".join(kept), present


def read_truth(path: Path, observation: LensObservation) -> LensTruth:
    """Read the truth of an observation from what ``astrorim simulate`` wrote.

    Parameters
    ----------
    path : Path
        ``source_XXXXX.fits``, or the ``.asdf`` that holds observation and truth.
    observation : LensObservation
        Of that lens.

    Returns
    -------
    LensTruth
        In the observation's unit.

    Raises
    ------
    AstroRIMError
        If the file is not the truth of a lens, or not of this one.
    """
    try:
        found = _from_asdf(path) if path.suffix == ".asdf" else _from_fits(path)
        images = found["images"]
        noise_free, lens_light = images["noise_free"], images["lens_light"]
    except (OSError, KeyError, ValueError, TypeError) as error:
        raise AstroRIMError(
            f"{path} is not the truth of a simulated lens ({type(error).__name__}: {error}); "
            "give the directory that `astrorim simulate` wrote"
        ) from error
    try:
        factor = float((1 * u.adu).to_value(observation.unit))
    except u.UnitConversionError as error:
        raise AstroRIMError(
            f"{path} is in adu, the reconstruction in {observation.unit}; reconstruct the "
            "simulated image in its own unit"
        ) from error
    _check_same(path, observation, noise_free * factor)
    lens_model, lens = present_lens(found["lens_model"], found["lens"])
    linear = {
        p.name for p in load_plugins().light_models.create(found["light_model"]).parameters
        if p.linear
    }  # fmt: skip
    other = images.get("other_light")
    hit = images.get("cosmic_rays")
    return LensTruth(
        observation=observation,
        source=found["source"] * factor,
        source_grid=found["grid"],
        lens_model=lens_model,
        light_model=found["light_model"],
        lens=lens,
        light={n: v * (factor if n in linear else 1.0) for n, v in found["light"].items()},
        lens_light=lens_light * factor,
        effective_einstein_radius=found["effective_einstein_radius"],
        magnification=found["magnification"],
        other_light=None if other is None else other * factor,
        psf=images.get("rendering_psf"),
        hit=None if hit is None else hit > 0,
        index=found["index"],
    )


def _check_same(path: Path, observation: LensObservation, noise_free: np.ndarray) -> None:
    """Raise unless an image is its truth with noise."""
    shape = observation.data.shape
    if noise_free.shape != shape:
        raise AstroRIMError(
            f"{path} has a frame of {noise_free.shape} pixels, the reconstruction of {shape}: "
            "they are not of the same lens"
        )
    good = observation.good
    noise = np.where(good, observation.noise, np.inf)
    off = np.where(good, np.asarray(observation.data), 0) - noise_free
    bright = noise_free > _BRIGHT * noise
    if not bright.any():
        return
    far = float(np.median(np.abs(off - np.median(off[good]))[bright] / noise[bright]))
    if not far < _FARTHEST:
        raise AstroRIMError(
            f"{path} is not the truth of this image: where it is bright they differ by "
            f"{far:.1f} times the noise; the files of one dataset go together"
        )


def _split(
    values: dict[str, float], lens_model: str, light_model: str
) -> tuple[dict[str, float], dict[str, float]]:
    """Parameters of the lens, and of its light without prefix."""
    plugins = load_plugins()
    system = LensSystem(
        plugins.lens_models.resolve(lens_model), plugins.light_models.create(light_model)
    )
    names = list(system.parameters.names)
    lens = {n: values[n] for n in names[: system.num_lens] if n in values}
    light = {n.removeprefix(LIGHT_PREFIX): values[n] for n in names[system.num_lens :]}
    return lens, light


def _from_fits(path: Path) -> dict[str, Any]:
    with fits.open(path) as hdus:
        header = hdus[0].header
        source = np.asarray(hdus[0].data, dtype=float)
        images = {
            name: np.asarray(hdus[key].data, dtype=float)
            for key, name in {**_LIGHTS, **_OTHERS}.items()
            if key in hdus
        }
        lens_model, light_model = header["LENSMOD"], header["LIGHTMOD"]
        plugins = load_plugins()
        system = LensSystem(
            plugins.lens_models.resolve(lens_model), plugins.light_models.create(light_model)
        )
        values = {
            p.name: float(header[p.fits_key]) for p in system.parameters if p.fits_key in header
        }
        lens, light = _split(values, lens_model, light_model)
        scale = float(header["CDELT2"]) * 3600
        ny, nx = source.shape
        centre = [
            ((side + 1) / 2 - float(header[f"CRPIX{axis}"])) * scale
            for axis, side in ((1, nx), (2, ny))
        ]
        return {
            "source": source,
            "grid": SourceGrid(source.shape, scale, *centre),
            "images": images,
            "lens_model": lens_model,
            "light_model": light_model,
            "lens": lens,
            "light": light,
            "effective_einstein_radius": float(header["THETAEFF"]),
            "magnification": float(header["MAGNIF"]),
            "index": int(header["SIMINDEX"]),
        }


def _from_asdf(path: Path) -> dict[str, Any]:
    import asdf

    with asdf.open(path, memmap=False) as file:
        tree = file.tree["truth"]
        source, models = tree["source"], tree["dataset"]
        images = {
            name: np.asarray(getattr(image, "value", image), dtype=float)
            for name, image in tree["images"].items()
        }
        values = {name: float(u.Quantity(q).value) for name, q in tree["parameters"].items()}
        lens, light = _split(values, models["lens_model"], models["light_model"])
        brightness = np.array(source["surface_brightness"].value, dtype=float)
        x0, y0 = source["centre"].to_value(u.arcsec).tolist()
        scale = float(source["pixel_scale"].value)
        return {
            "source": brightness,
            "grid": SourceGrid(brightness.shape, scale, x0, y0),
            "images": images,
            "lens_model": models["lens_model"],
            "light_model": models["light_model"],
            "lens": lens,
            "light": light,
            "effective_einstein_radius": float(
                u.Quantity(tree["metadata"]["effective_einstein_radius"]).value
            ),
            "magnification": float(u.Quantity(tree["metadata"]["magnification"]).value),
            "index": int(tree["index"]),
        }
