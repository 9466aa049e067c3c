r"""The image of a lens in one line, from the cube of an integral-field spectrograph.

With the fluxes :math:`f_k` of a pixel in the channels :math:`k`, the line's flux is

.. math::

    F = \sum_{k \in \mathrm{line}} \Delta_k \left( f_k - C(\lambda_k) \right)
      = \sum_k h_k f_k, \qquad
    \mathrm{Var}\, F = \sum_k h_k^2\, \mathrm{Var} f_k

where :math:`C` is the polynomial that fits the channels of the side bands by least
squares. It is linear in all channels, so that :math:`h_k` and with them the variance,
that of the continuum included, are exact for independent channels.
"""

from __future__ import annotations

import warnings
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import astropy.constants as const
import astropy.units as u
import numpy as np

from astrorim.exceptions import AstroRIMWarning, SpectrumError
from astrorim.observation import LensObservation
from astrorim.spectra.lines import ABSORPTION_FEATURES, EMISSION_FEATURES

if TYPE_CHECKING:
    from specutils import Spectrum

__all__ = ["LineBands", "line_image", "observed_wavelength"]


@dataclass(frozen=True)
class LineBands:
    """Where the line is, and where its continuum is taken from.

    Widths are wavelengths or velocities about the line.

    Parameters
    ----------
    wavelength : `~astropy.units.Quantity`
        Observed, in the cube's own medium (air for MUSE).
    half_width : `~astropy.units.Quantity`
        From the line's centre to the edge of its band.
    side_gap : `~astropy.units.Quantity`, optional
        From the band to each side band; ``half_width`` by default.
    side_width : `~astropy.units.Quantity`, optional
        Of each side band; five times ``half_width`` by default.

    Raises
    ------
    SpectrumError
        If a width is not positive, or neither a wavelength nor a velocity.
    """

    wavelength: u.Quantity
    half_width: u.Quantity
    side_gap: u.Quantity | None = None
    side_width: u.Quantity | None = None

    def __post_init__(self) -> None:
        half = self._in_wavelength("half_width", self.half_width)
        object.__setattr__(self, "half_width", half)
        for name, default in (("side_gap", half), ("side_width", 5 * half)):
            given = getattr(self, name)
            value = default if given is None else self._in_wavelength(name, given)
            object.__setattr__(self, name, value)

    def _in_wavelength(self, name: str, width: u.Quantity) -> u.Quantity:
        width = u.Quantity(width)
        if width.unit.is_equivalent(u.km / u.s):
            width = (width / const.c * self.wavelength).to(u.AA)
        if not width.unit.is_equivalent(u.AA):
            raise SpectrumError(
                f'{name} must be a wavelength or a velocity, such as "300 km/s", got {width}'
            )
        if not (np.isscalar(width.value) and width > 0 * u.AA):
            raise SpectrumError(f"{name} must be positive, got {width}")
        return width.to(u.AA)

    def channels(self, wavelength: u.Quantity) -> tuple[np.ndarray, np.ndarray]:
        """Channels of the line and of its side bands.

        Parameters
        ----------
        wavelength : `~astropy.units.Quantity`, (L,)
            Centres of the channels.

        Returns
        -------
        line, side : ndarray of bool, (L,)

        Raises
        ------
        SpectrumError
            If the line's band reaches beyond the cube or lies between two channels, or
            there are fewer than three side channels.
        """
        offset = (wavelength - self.wavelength).to_value(u.AA)
        half, gap, width = (
            getattr(self, n).to_value(u.AA) for n in ("half_width", "side_gap", "side_width")
        )
        line = np.abs(offset) <= half
        side = (np.abs(offset) > half + gap) & (np.abs(offset) <= half + gap + width)
        reach = f"{wavelength.min().to(u.AA):.1f} to {wavelength.max().to(u.AA):.1f}"
        if offset.min() > -half or offset.max() < half:
            raise SpectrumError(
                f"the line's band, {self.wavelength.to(u.AA):.1f} +- {half:.1f} Angstrom, must "
                f"lie inside the cube, which reaches from {reach}; check wavelength="
            )
        if not line.any():
            raise SpectrumError(
                f"half_width must reach a channel, got {half:.3g} Angstrom; make it larger"
            )
        if side.sum() < 3:
            raise SpectrumError(
                f"the side bands must hold at least 3 channels, got {side.sum()}; the cube "
                f"reaches from {reach}: make side_width= larger or side_gap= smaller"
            )
        return line, side


def observed_wavelength(name: str, redshift: float, *, in_air: bool = False) -> u.Quantity:
    """Where a line by name is observed.

    Parameters
    ----------
    name : str
        Such as ``"[O II]"`` or ``"Halpha"``, spaces and capitals not counting. Of
        several lines the strongest, or the mean of a close pair.
    redshift : float
        Redshift of the source.
    in_air : bool, optional
        Whether the wavelength is wanted in air; in vacuum by default.

    Returns
    -------
    `~astropy.units.Quantity`
        Angstrom.

    Raises
    ------
    SpectrumError
        If there is no such line; the message lists them.
    """
    features = {
        f.name.replace(" ", "").lower(): f for f in (*ABSORPTION_FEATURES, *EMISSION_FEATURES)
    }
    key = name.replace(" ", "").lower()
    if key not in features:
        names = ", ".join(f.name for f in EMISSION_FEATURES)
        raise SpectrumError(f"unknown line {name!r}; available: {names}")
    feature = features[key]
    observed = feature.centre * (1 + redshift) * u.AA
    if not in_air:
        return observed
    from specutils.utils.wcs_utils import vac_to_air

    return vac_to_air(observed).to(u.AA)


def line_image(
    cube: Spectrum,
    bands: LineBands,
    *,
    continuum_degree: int = 1,
    psf: np.ndarray | None = None,
    **attributes: Any,
) -> LensObservation:
    """Image of a cube in one line, the continuum subtracted.

    Flux densities per wavelength or frequency are integrated over the line; other units
    (electrons, counts) are summed over its channels.

    Parameters
    ----------
    cube : `~specutils.Spectrum`, (L, H, W)
        With the WCS that it was read with: `extract_region` of specutils drops it.
    bands : LineBands
        The line and its side bands.
    continuum_degree : int, optional
        Degree of the polynomial through the side bands, 0 to 3.
    psf : ndarray, (K, K), optional
        PSF at the line's wavelength, on the cube's pixels.
    **attributes
        Further attributes of the observation, such as ``name``, ``z_lens``, ``z_source``,
        ``band`` and ``pixel_scale``.

    Returns
    -------
    LensObservation
        With the celestial part of the WCS, the noise of the line's flux where the cube
        has one, and masked pixels where a channel of the line, or too many of the side
        bands, are missing.

    Raises
    ------
    SpectrumError
        If the cube does not have three axes with the wavelength first, or the bands do
        not fit it.
    """
    flux = np.asarray(cube.flux.value, dtype=float)
    if flux.ndim != 3 or cube.spectral_axis_index != 0:
        raise SpectrumError(
            "the cube must have three axes, wavelength first, got shape "
            f"{flux.shape} with the wavelength on axis {cube.spectral_axis_index}; read it "
            "with astrorim.spectra.read_cube"
        )
    if not 0 <= continuum_degree <= 3:
        raise SpectrumError(f"continuum_degree must be 0 to 3, got {continuum_degree}")
    wavelength = cube.spectral_axis.to(u.AA, u.spectral())
    line, side = bands.channels(wavelength)
    used = line | side
    steps, unit = _channel_widths(cube.flux.unit, wavelength)
    variance = _variance_of(cube)
    good = np.isfinite(flux[used])
    if cube.mask is not None:
        good &= ~np.asarray(cube.mask[used], dtype=bool)
    if variance is not None:
        good &= np.isfinite(variance[used]) & (variance[used] > 0)
    in_line, in_side = line[used], side[used]
    scale = float(np.ptp(wavelength[used].value)) / 2
    x = (wavelength[used] - bands.wavelength).to_value(u.AA) / scale
    powers = x[:, None] ** np.arange(continuum_degree + 1)
    weight = good & in_side[:, None, None]
    # every pixel has its own normal equations, for it may lack channels of its own
    normal = np.einsum("kp,kq,kyx->yxpq", powers, powers, weight.astype(float))
    wanted = (steps[used] * in_line) @ powers
    masked = ~good[in_line].all(axis=0) | (weight.sum(axis=0) < continuum_degree + 2)
    normal[masked] = np.eye(continuum_degree + 1)
    coefficients = np.linalg.solve(normal, np.broadcast_to(wanted, normal.shape[:3])[..., None])
    h = (steps[used] * in_line)[:, None, None] - weight * np.einsum(
        "kp,yxp->kyx", powers, coefficients[..., 0]
    )
    data = (h * np.where(good, flux[used], 0)).sum(axis=0)
    noise = None
    if variance is not None:
        noise = np.sqrt((h**2 * np.where(good, variance[used], 0)).sum(axis=0))
        noise[masked] = np.nan
    data[masked] = np.nan
    from astropy.io import fits

    meta = fits.Header()
    meta["LINEWAVE"] = bands.wavelength.to_value(u.AA), "observed wavelength, Angstrom"
    meta["LINEHALF"] = bands.half_width.value, "half width of the band, Angstrom"
    meta["CONTDEG"] = continuum_degree, "degree of the continuum polynomial"
    return LensObservation(
        data, unit=unit, uncertainty=noise, mask=masked, wcs=_celestial_wcs(cube),
        psf=psf, meta=meta, **attributes,
    )  # fmt: skip


def _channel_widths(unit: u.UnitBase, wavelength: u.Quantity) -> tuple[np.ndarray, u.UnitBase]:
    """What a channel's flux is multiplied with, (L,), and the unit of the product."""
    width = np.abs(np.gradient(wavelength.to_value(u.AA)))
    flux = u.erg / u.s / u.cm**2
    # of a pixel, or per solid angle
    for area in (u.dimensionless_unscaled, u.sr, u.pix, u.pix**2, u.beam):
        plain = u.Unit(unit) * area
        if plain.is_equivalent(flux / u.AA):
            return width, unit * u.AA
        if plain.is_equivalent(flux / u.Hz):
            hertz = (const.c / wavelength**2 * width * u.AA).to_value(u.Hz)
            return hertz, unit * u.Hz
    return np.ones_like(width), unit


def _variance_of(cube: Spectrum) -> np.ndarray | None:
    from astropy.nddata import VarianceUncertainty

    if cube.uncertainty is None:
        warnings.warn(
            "the cube has no noise; measure it on the image with "
            "astrorim.observation.with_measured_noise",
            AstroRIMWarning,
            stacklevel=3,
        )
        return None
    with np.errstate(divide="ignore", invalid="ignore"):
        return np.asarray(cube.uncertainty.represent_as(VarianceUncertainty).array, dtype=float)


def _celestial_wcs(cube: Spectrum) -> Any:
    wcs = cube.wcs
    if wcs is None or not getattr(wcs, "has_celestial", False):
        return None
    return wcs.celestial
