"""`Reconstruction`: what comes out when a lens is reconstructed."""

from __future__ import annotations

from dataclasses import dataclass, field, fields
from functools import cached_property
from typing import TYPE_CHECKING, Any

import astropy.units as u
import numpy as np
from astropy.wcs import WCS
from scipy.ndimage import binary_dilation

from astrorim.results.files import read_asdf, write_asdf, write_directory
from astrorim.results.parameter_table import (
    LIGHT_PREFIX,
    build_parameter_table,
    further_parameters,
)

if TYPE_CHECKING:
    from os import PathLike
    from pathlib import Path

    from astropy.table import QTable

    from astrorim.grid import SourceGrid
    from astrorim.observation import LensObservation

__all__ = ["Reconstruction"]


@dataclass(eq=False, repr=False)
class Reconstruction:
    """The unlensed source, the lens, and the image that they predict.

    Everything is in the observation's own unit, called *flux* below; numbers are numpy
    arrays and Quantities.

    Parameters
    ----------
    name : str
        Name of the lens; output files start with it.
    observation : LensObservation
        The input as it was read.
    source : ndarray, (n, m), flux per arcsec^2
        Surface brightness of the source, on the source plane.
    source_grid : SourceGrid
        Where the pixels of ``source`` lie, arcsec, along the axes of the image.
    forward_image : ndarray, (H, W), flux
        The image that source, lens, lens light, PSF and background predict.
    lens_light : ndarray, (H, W), flux
        The lens galaxy's part of ``forward_image``, PSF applied.
    background : float, flux
        Constant part of ``forward_image``, per pixel.
    convergence : ndarray, (H, W), dimensionless
        Convergence of the lens model on the image's grid.
    lens_model, light_model : str
        Registered names, for example ``"sie+shear"`` and ``"sersic"``.
    lens : dict of str to float
        Point estimate of the lens parameters: internal names, declared units.
    light : dict of str to float
        Point estimate of the lens-light parameters.
    samples : dict of str to ndarray, (S,)
        Posterior samples; light names prefixed ``light_``.
    flags : dict of str to str
        Quality flags raised by this fit, each with advice.
    steps : dict of str to ndarray
        History: ``reduced_chi2`` after each round of the inference, and ``source``,
        (T, n, m), after each step of the last recurrence.
    provenance : dict
        Versions, checksum of the weights, options, seed, checksum of the input.
    units : dict of str to `~astropy.units.UnitBase`, optional
        Units of light parameters (prefixed) and of lens parameters that none of the
        nine reported ones covers; taken from the models' declarations where left out.

    Raises
    ------
    ValueError
        If shapes of images, source and grid, or lengths of samples, do not match.
    """

    name: str
    observation: LensObservation
    source: np.ndarray
    source_grid: SourceGrid
    forward_image: np.ndarray
    lens_light: np.ndarray
    background: float
    convergence: np.ndarray
    lens_model: str
    light_model: str
    lens: dict[str, float]
    light: dict[str, float]
    samples: dict[str, np.ndarray] = field(default_factory=dict)
    flags: dict[str, str] = field(default_factory=dict)
    steps: dict[str, np.ndarray] = field(default_factory=dict)
    provenance: dict[str, Any] = field(default_factory=dict)
    units: dict[str, u.UnitBase] = field(default_factory=dict)

    def __post_init__(self) -> None:
        shape = self.observation.data.shape
        for label in ("forward_image", "lens_light", "convergence"):
            array = np.asarray(getattr(self, label))
            if array.shape != shape:
                raise ValueError(
                    f"{label} must have the observation's shape {shape}, got {array.shape}"
                )
            setattr(self, label, array)
        self.source = np.asarray(self.source)
        if self.source.shape != self.source_grid.shape:
            raise ValueError(
                f"source must have its grid's shape {self.source_grid.shape}, "
                f"got {self.source.shape}"
            )
        self.background = float(self.background)
        self.lens = {name: float(value) for name, value in self.lens.items()}
        self.light = {name: float(value) for name, value in self.light.items()}
        self.samples = {name: np.asarray(chain) for name, chain in self.samples.items()}
        lengths = {name: chain.shape for name, chain in self.samples.items()}
        if len(set(lengths.values())) > 1 or any(len(s) != 1 for s in lengths.values()):
            raise ValueError(
                f"samples must be one-dimensional and of equal length, got shapes {lengths}"
            )
        self.steps = {name: np.asarray(history) for name, history in self.steps.items()}
        needed = {*further_parameters(self.lens), *(LIGHT_PREFIX + n for n in self.light)}
        missing = needed - set(self.units)
        if missing:
            declared = _declared_units(self.lens_model, self.light_model, self.source_unit)
            self.units = {**{n: declared[n] for n in missing if n in declared}, **self.units}
        undeclared = sorted(needed - set(self.units))
        if undeclared:
            raise ValueError(
                f"units must give the unit of {', '.join(undeclared)}: neither "
                f"{self.lens_model!r} nor {self.light_model!r} declares it"
            )

    @property
    def unit(self) -> u.UnitBase:
        """The observation's unit: that of images, per pixel."""
        return self.observation.unit

    @property
    def source_unit(self) -> u.UnitBase:
        """Unit of the source: flux per square arcsecond."""
        return self.unit / u.arcsec**2

    @property
    def arcs(self) -> np.ndarray:
        """Lensed source with PSF applied, without lens light and background: (H, W), flux."""
        return self.forward_image - self.lens_light - self.background

    @property
    def residual(self) -> np.ndarray:
        """Observation minus forward image: (H, W), flux; NaN where the data are."""
        return np.asarray(self.observation.data) - self.forward_image

    @property
    def normalised_residual(self) -> np.ndarray:
        """Residual in units of the noise: (H, W); NaN where masked or without noise."""
        good = self.observation.good
        result = np.full(good.shape, np.nan)
        result[good] = self.residual[good] / self.observation.noise[good]
        return result

    @property
    def chi2_map(self) -> np.ndarray:
        """Square of the normalised residual: (H, W); NaN where masked."""
        return self.normalised_residual**2

    @property
    def arc_mask(self) -> np.ndarray:
        """Pixels where the model has arcs: (H, W), bool.

        Where `arcs` exceeds the noise, dilated by two pixels, without masked pixels.
        """
        good = self.observation.good
        noise = np.where(good, self.observation.noise, np.inf)
        return binary_dilation(self.arcs > noise, iterations=2) & good

    @property
    def reduced_chi2(self) -> float:
        """Mean of `chi2_map` over unmasked pixels (parameters are not subtracted)."""
        return float(np.nanmean(self.chi2_map))

    @property
    def arc_reduced_chi2(self) -> float:
        """Mean of `chi2_map` over `arc_mask`; NaN if the model has no arcs."""
        inside = self.chi2_map[self.arc_mask]
        return float(inside.mean()) if inside.size else float("nan")

    @cached_property
    def parameters(self) -> QTable:
        """Lens and light parameters with their 68 % bounds and units.

        Three rows, ``value``, ``lower`` and ``upper`` (column ``row``), and one column
        for each parameter: the nine reported ones, further ones of the lens, and
        ``light_*``. What the data do not constrain is listed in
        ``parameters.meta["unconstrained"]`` and shows its prior's width.
        """
        return build_parameter_table(self.lens, self.light, self.samples, self.units)

    def parameter(self, name: str) -> tuple[u.Quantity, u.Quantity, u.Quantity]:
        """Value, lower and upper 68 % bound of one parameter.

        Parameters
        ----------
        name : str
            A column of `parameters`, for example ``"b"``.

        Returns
        -------
        tuple of `~astropy.units.Quantity`

        Raises
        ------
        KeyError
            If there is no such parameter; the message lists those that exist.
        """
        available = self.parameters.colnames[1:]
        if name not in available:
            raise KeyError(f"no parameter {name!r}; available: {', '.join(available)}")
        value, lower, upper = self.parameters[name]
        return value, lower, upper

    @property
    def source_wcs(self) -> WCS | None:
        """Celestial WCS of the source's pixels; None where the observation has none.

        Oriented as the observation, with a reference pixel and pixel scale of its own.
        The source plane's origin is the line of sight through the image's centre.
        """
        wcs = self.observation.wcs
        if wcs is None or not wcs.has_celestial:
            return None
        image, grid = self.observation.grid, self.source_grid
        rows, columns = image.shape
        middle = wcs.celestial.all_pix2world([[(columns - 1) / 2, (rows - 1) / 2]], 0)
        own = _without_distortion(wcs.celestial)
        column, row = own.wcs_world2pix(middle, 0)[0]
        ratio = grid.pixel_scale / image.pixel_scale
        origin = np.array(grid.to_pixel(0.0, 0.0))
        own.wcs.crpix = (own.wcs.crpix - 1 - [column, row]) / ratio + origin + 1
        if own.wcs.has_cd():
            own.wcs.cd = own.wcs.cd * ratio
        else:
            own.wcs.cdelt = own.wcs.cdelt * ratio
        own.wcs.set()
        own.array_shape = grid.shape
        return own

    def write(self, path: str | PathLike[str], *, overwrite: bool = False) -> Path:
        """Write everything to one ASDF file, which appears complete or not at all.

        Parameters
        ----------
        path : path-like
            File to write.
        overwrite : bool, optional
            Whether an existing file may be replaced.

        Returns
        -------
        `~pathlib.Path`

        Raises
        ------
        FileExistsError
            If the file exists and ``overwrite`` is False.
        """
        return write_asdf(path, {"reconstruction": self}, overwrite=overwrite)

    @classmethod
    def read(cls, path: str | PathLike[str]) -> Reconstruction:
        """Read what `write` wrote; needs neither torch nor the lens model's plugin.

        Raises
        ------
        ValueError
            If the file holds no reconstruction.
        """
        return read_asdf(path, "reconstruction", cls)

    def to_directory(
        self, directory: str | PathLike[str], *, overwrite: bool = True
    ) -> dict[str, Path]:
        """Write the six files of this lens; all of them appear, or none.

        ``<name>_source.fits``, ``<name>_forward.fits``, ``<name>_residual.fits``,
        ``<name>_parameters.json``, ``<name>_diagnostic.png`` and ``<name>.asdf``.

        Parameters
        ----------
        directory : path-like
            Made if it does not exist.
        overwrite : bool, optional
            Whether existing files may be replaced.

        Returns
        -------
        dict of str to `~pathlib.Path`
            Keys ``source``, ``forward``, ``residual``, ``parameters``, ``diagnostic``
            and ``asdf``.

        Raises
        ------
        FileExistsError
            If one of the files exists and ``overwrite`` is False.
        """
        return write_directory(self, directory, overwrite=overwrite)

    def __asdf_traverse__(self) -> dict[str, object]:
        return {item.name: getattr(self, item.name) for item in fields(self)}

    def __repr__(self) -> str:
        value, lower, upper = self.parameter("b")
        return (
            f"<Reconstruction {self.name!r}: {self.lens_model} + {self.light_model}, "
            f"b = {value.value:.4f} ({lower.value:.4f} to {upper.value:.4f}) arcsec, "
            f"reduced chi2 = {self.reduced_chi2:.3f}, "
            f"flags: {', '.join(self.flags) or 'none'}>"
        )

    def _repr_html_(self) -> str:
        from astrorim.plotting.html import reconstruction_html

        return reconstruction_html(self)


def _without_distortion(wcs: WCS) -> WCS:
    """Copy of a celestial WCS, its projection and linear part only."""
    plain = wcs.deepcopy()
    plain.sip = None
    plain.cpdis1 = plain.cpdis2 = plain.det2im1 = plain.det2im2 = None
    plain.wcs.ctype = [axis.removesuffix("-SIP") for axis in plain.wcs.ctype]
    return plain


def _declared_units(
    lens_model: str, light_model: str, brightness: u.UnitBase
) -> dict[str, u.UnitBase]:
    """Units that the models' plugins declare; amplitudes are in ``brightness``."""
    from astrorim.plugins import load_plugins

    plugins = load_plugins()
    lens = plugins.lens_models.resolve(lens_model).parameters
    light = plugins.light_models.create(light_model).parameters
    units = {parameter.name: parameter.unit for parameter in lens}
    return units | {
        LIGHT_PREFIX + parameter.name: brightness if parameter.linear else parameter.unit
        for parameter in light
    }
