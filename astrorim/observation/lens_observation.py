"""`LensObservation`: the image of a lens with all that a reconstruction needs to know."""

from __future__ import annotations

import copy
from typing import TYPE_CHECKING, Any

import astropy.units as u
import numpy as np
from astropy.coordinates import SkyCoord
from astropy.io import fits, registry
from astropy.nddata import (
    CCDData,
    InverseVariance,
    NDUncertainty,
    StdDevUncertainty,
    VarianceUncertainty,
    overlap_slices,
)

from astrorim.exceptions import ObservationError
from astrorim.grid import ImageGrid
from astrorim.observation import checks
from astrorim.observation.attributes import ObservationAttributes
from astrorim.observation.headers import attributes_to_header
from astrorim.observation.orientation import Orientation, orientation_of
from astrorim.observation.unified_io import ObservationRead
from astrorim.quantities import PIXEL_SCALE_UNIT, parse_unit

if TYPE_CHECKING:
    from collections.abc import Sequence

    from astropy.wcs import WCS

__all__ = ["LensObservation"]


class LensObservation(ObservationAttributes, CCDData):
    """Image of a gravitational lens with its noise, PSF, sky frame and redshifts.

    Every attribute survives slicing, copies, arithmetic, unit conversion, files and the
    functions of ccdproc. What cannot be right is refused when it is set; `check` refuses
    what only the whole image shows.

    Parameters
    ----------
    data : ndarray, (H, W), ``unit``
        The image, or another observation, whose attributes are then taken over.
    unit : str or `~astropy.units.UnitBase`
        Unit of the data, linear in flux.
    uncertainty : `~astropy.nddata.NDUncertainty` or ndarray, (H, W), optional
        Noise of each pixel; a plain array is a standard deviation in ``unit``.
    mask : ndarray of bool, (H, W), optional
        True where a pixel is to be ignored.
    wcs : `~astropy.wcs.WCS`, optional
        Sky frame; the only source of sky angles.
    psf : ndarray, (K, K), optional
        PSF stamp, K odd. It is normalised to sum one; ``meta["PSFSUM"]`` keeps the sum
        that it had.
    psf_supersampling : int, optional
        Elements of the PSF along the side of a detector pixel.
    pixel_scale : str or `~astropy.units.Quantity`, optional
        Side of a pixel; needed where there is no WCS, and compared with it where there is.
    band : str, optional
        Filter.
    name : str, optional
        Name of the lens; outputs are named after it.
    z_lens, z_source : float, optional
        Redshifts.
    exposure : str or `~astropy.units.Quantity`, optional
        Exposure time.
    gain : str or `~astropy.units.Quantity`, optional
        Electrons per count, electron/adu.
    meta : `~astropy.io.fits.Header` or dict, optional
        Everything else that the file's header says.
    **kwargs
        Further arguments of `~astropy.nddata.CCDData`, for example ``copy``.

    Raises
    ------
    ObservationError
        If the unit is missing or logarithmic, shapes differ, the PSF is even-sized, not
        finite or without light, the pixels are not square, the pixel scale contradicts
        the WCS, or the source is not behind the lens.

    Examples
    --------
    >>> import numpy as np
    >>> from astrorim.observation import LensObservation
    >>> observation = LensObservation(np.eye(9), unit="electron/s",
    ...                               pixel_scale="0.05 arcsec", band="F814W")
    >>> observation[2:7, 2:7].grid
    ImageGrid(shape=(5, 5), pixel_scale=0.05, x0=0.0, y0=0.0)
    """

    read = registry.UnifiedReadWriteMethod(ObservationRead)

    def __init__(
        self,
        data: Any,
        *,
        unit: str | u.UnitBase | None = None,
        uncertainty: NDUncertainty | np.ndarray | None = None,
        mask: np.ndarray | None = None,
        wcs: WCS | None = None,
        psf: np.ndarray | None = None,
        psf_supersampling: int | None = None,
        pixel_scale: str | u.Quantity | None = None,
        band: str | None = None,
        name: str | None = None,
        z_lens: float | None = None,
        z_source: float | None = None,
        exposure: str | u.Quantity | None = None,
        gain: str | u.Quantity | None = None,
        meta: Any = None,
        **kwargs: Any,
    ) -> None:
        if unit is not None:
            unit = parse_unit(unit, name="unit")
        if meta is not None:
            kwargs["meta"] = meta
        image = {"unit": unit, "uncertainty": uncertainty, "mask": mask, "wcs": wcs, "psf": psf}
        try:
            super().__init__(data, **image, **kwargs)
        except ObservationError:
            raise
        except ValueError as error:
            if unit is None and getattr(data, "unit", None) is None:
                raise ObservationError(
                    "unit must be given, got None; pass unit=, for example unit='electron/s'"
                ) from error
            raise ObservationError(
                f"{error}; uncertainty and mask must have the image's shape {np.shape(data)}"
            ) from error
        if self.unit is not None:
            parse_unit(self.unit, name="unit")

        def chosen(value: Any, attribute: str) -> Any:
            return value if value is not None else getattr(data, attribute, None)

        self.band = chosen(band, "band")
        self.name = chosen(name, "name")
        self._set_redshifts(chosen(z_lens, "z_lens"), chosen(z_source, "z_source"))
        self.exposure = chosen(exposure, "exposure")
        self.gain = chosen(gain, "gain")
        self.psf_supersampling = chosen(psf_supersampling, "psf_supersampling") or 1
        self._pixel_scale: u.Quantity | None = None
        scale = chosen(pixel_scale, "_pixel_scale")
        if scale is not None:
            self.pixel_scale = scale
        elif self.wcs is not None:
            checks.resolve_pixel_scale(self.wcs, None)
        self._check_shapes()
        self._normalise_psf()

    def _check_shapes(self) -> None:
        if np.ndim(self.data) not in (0, 2):  # scalars are operands of arithmetic
            raise ObservationError(
                f"data must be a two-dimensional image, got shape {self.data.shape}; "
                "pick one plane of it"
            )
        if self.mask is not None and np.ndim(self.mask):
            checks.check_shape("mask", np.shape(self.mask), self.shape)
        if self.uncertainty is not None and np.ndim(self.uncertainty.array):
            checks.check_shape("uncertainty", self.uncertainty.array.shape, self.shape)

    @property
    def uncertainty(self) -> NDUncertainty | None:
        """Noise of each pixel, (H, W), or None."""
        return self._uncertainty

    @uncertainty.setter
    def uncertainty(self, value: NDUncertainty | np.ndarray | None) -> None:
        if isinstance(value, np.ndarray):
            value = StdDevUncertainty(value)
        CCDData.uncertainty.fset(self, value)

    @property
    def grid(self) -> ImageGrid:
        """The pixel grid, origin at the array's centre, arcsec."""
        return ImageGrid(self.shape, self.pixel_scale.to_value(PIXEL_SCALE_UNIT))

    @property
    def orientation(self) -> Orientation | None:
        """Where north and east lie on the image, from the WCS; None without one."""
        return orientation_of(self.wcs)

    @property
    def has_noise(self) -> bool:
        """Whether there is a noise map."""
        return self.uncertainty is not None

    @property
    def noise(self) -> np.ndarray:
        """Standard deviation of each pixel, (H, W), in the data's unit.

        Not finite where the noise map says nothing, for example where an inverse variance
        is zero; `good` is False there.

        Raises
        ------
        ObservationError
            If there is no noise map.
        """
        if self.uncertainty is None:
            raise ObservationError(
                "there is no noise map; pass uncertainty=, or estimate one with "
                "astrorim.observation.measure_sky_noise"
            )
        array = np.asarray(self.uncertainty.array)
        powers = {StdDevUncertainty: 1, VarianceUncertainty: 2, InverseVariance: -2}
        power = powers.get(type(self.uncertainty))
        if power is None:
            raise ObservationError(
                "uncertainty must be StdDevUncertainty, VarianceUncertainty or "
                f"InverseVariance, got {type(self.uncertainty).__name__}"
            )
        unit = self.uncertainty.unit
        factor = 1.0 if unit is None else unit.to(self.unit**power)
        with np.errstate(divide="ignore", invalid="ignore"):
            return array if (power, factor) == (1, 1.0) else (array * factor) ** (1 / power)

    @property
    def good(self) -> np.ndarray:
        """Usable pixels, (H, W) bool: unmasked, finite, with positive, finite noise."""
        good = np.isfinite(self.data)
        if self.mask is not None:
            good &= ~np.asarray(self.mask, dtype=bool)
        if self.has_noise:
            good &= np.isfinite(self.noise) & (self.noise > 0)
        return good

    def check(self) -> None:
        """Refuse an image without information, bad noise, or a PSF that is too large.

        Raises
        ------
        ObservationError
            If all usable pixels are equal or there are none, an unmasked pixel's noise is
            not positive and finite, the PSF is larger than the image, or the pixel scale
            is unknown.
        """
        ignored = np.zeros(self.shape, bool) if self.mask is None else np.asarray(self.mask)
        checks.check_content(self.data, ignored)
        if self.uncertainty is not None:
            checks.check_noise(self.uncertainty.array, ignored | ~np.isfinite(self.data))
        if self.psf is not None:
            checks.check_psf_fits(self.psf, self.psf_supersampling, self.shape)
        _ = self.pixel_scale

    def _slice(self, item: Any) -> dict[str, Any]:
        items = item if isinstance(item, tuple) else (item,)
        ranges = [i for i in items if i is not Ellipsis]
        if not all(isinstance(i, slice) and i.step in (None, 1) for i in ranges):
            raise ObservationError(
                "an observation must be sliced by ranges of rows and columns without a "
                f"step, got {item!r}; index .data for single rows or pixels, use mask= to "
                "leave pixels out, and sum pixels to bin an image"
            )
        return super()._slice(item) | self.attributes()

    def _arithmetic(self, *args: Any, **kwargs: Any) -> tuple[Any, dict[str, Any]]:
        state = self.attributes()
        psf, self._psf = self._psf, None  # NDData announces that it drops a PSF
        try:
            result, attributes = super()._arithmetic(*args, **kwargs)
        finally:
            self._psf = psf
        return result, attributes | state

    def convert_unit_to(
        self, unit: str | u.UnitBase, equivalencies: Sequence[Any] = ()
    ) -> LensObservation:
        """Convert data and noise to another unit.

        Variances scale with the square of the factor and inverse variances with its
        inverse square.

        Parameters
        ----------
        unit : str or `~astropy.units.UnitBase`
            The new unit of the data.
        equivalencies : list of tuple, optional
            Equivalencies to allow.

        Returns
        -------
        LensObservation
            All other attributes unchanged.
        """
        new_unit = parse_unit(unit, name="unit")
        factor = self.unit.to(new_unit, 1.0, list(equivalencies))
        uncertainty = None
        if self.uncertainty is not None:
            powers = {VarianceUncertainty: 2, InverseVariance: -2}
            power = powers.get(type(self.uncertainty), 1)
            uncertainty = type(self.uncertainty)(self.uncertainty.array * factor**power)
        return type(self)(
            self.unit.to(new_unit, self.data, list(equivalencies)),
            unit=new_unit,
            uncertainty=uncertainty,
            mask=self.mask,
            wcs=self.wcs,
            meta=copy.deepcopy(self.meta),
            **self.attributes(),
        )

    def cutout(
        self,
        size_pixels: int | tuple[int, int],
        centre: tuple[float, float] | SkyCoord | None = None,
    ) -> LensObservation:
        """Cut a smaller image out of this one, with its PSF and all other attributes.

        Parameters
        ----------
        size_pixels : int or tuple of int
            Side of the square, or rows and columns ``(ny, nx)``.
        centre : tuple of float or `~astropy.coordinates.SkyCoord`, optional
            Pixel coordinate ``(column, row)`` or place on the sky; the array's centre by
            default.

        Returns
        -------
        LensObservation
            A view of the data.

        Raises
        ------
        ObservationError
            If the cutout reaches beyond the image, or a place on the sky is given and
            there is no WCS.
        """
        size = (size_pixels, size_pixels) if np.isscalar(size_pixels) else size_pixels
        if centre is None:
            centre = ((self.shape[1] - 1) / 2, (self.shape[0] - 1) / 2)
        elif isinstance(centre, SkyCoord):
            if self.wcs is None:
                raise ObservationError(
                    f"centre={centre!r} needs a WCS, which this image does not have; pass "
                    "a pixel coordinate (column, row)"
                )
            centre = self.wcs.world_to_pixel(centre)
        column, row = (float(c) for c in centre)
        try:
            slices, _ = overlap_slices(self.shape, size, (row, column), mode="strict")
        except ValueError as error:
            raise ObservationError(
                f"the cutout must lie inside the image of shape {self.shape}, got "
                f"size_pixels={size_pixels} about (column, row) = ({column:g}, {row:g})"
            ) from error
        return self[slices]

    def to_hdu(self, *args: Any, **kwargs: Any) -> fits.HDUList:
        """Write into FITS HDUs, every attribute in the header or an HDU of its own.

        Parameters
        ----------
        *args, **kwargs
            As for `astropy.nddata.CCDData.to_hdu`.

        Returns
        -------
        `~astropy.io.fits.HDUList`
            ``PRIMARY``, and ``MASK``, ``UNCERT``, ``PSFIMAGE`` where they exist.
        """
        hdus = super().to_hdu(*args, **kwargs)
        attributes_to_header(self, hdus[0].header)
        return hdus
