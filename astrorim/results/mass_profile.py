"""`MassProfile`: Einstein radius, mass and convergence profile, in a cosmology."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from typing import TYPE_CHECKING

import astropy.units as u
import numpy as np
from astropy.cosmology import Cosmology
from astropy.table import QTable

from astrorim.cosmology import (
    check_redshifts,
    critical_surface_density,
    lensing_distances,
    mass_inside,
    resolve_cosmology,
    sis_velocity_dispersion,
)
from astrorim.results.apertures import (
    RADIUS_RANGE,
    check_radii,
    critical_curve,
    effective_einstein_radius,
    mean_convergence_inside,
    ring_convergence,
)
from astrorim.results.critical_curves import CriticalCurves, find_critical_curves
from astrorim.results.files import read_asdf, write_asdf
from astrorim.results.lens_samples import (
    band_of_samples,
    plain_parameters,
    resolve_lens_model,
    spread_samples,
)
from astrorim.results.mass_maps import MassMaps, make_maps
from astrorim.results.parameter_table import bounds_from_samples

if TYPE_CHECKING:
    from os import PathLike
    from pathlib import Path

    from astropy.wcs import WCS

    from astrorim.grid import SourceGrid
    from astrorim.interfaces import LensModel
    from astrorim.results.reconstruction import Reconstruction

__all__ = ["MassProfile"]


@dataclass(eq=False, repr=False)
class MassProfile:
    r"""Mass of a lens, from its model, its redshifts and a cosmology.

    The **effective Einstein radius** is that of the circle about the lens's centre inside
    which the mean convergence of the whole model is 1, and the Einstein mass is the mass
    projected inside it, :math:`\pi (D_l \theta)^2 \Sigma_\mathrm{crit}`. It differs
    from the parameter ``b`` (intermediate axis) of an elliptical lens by a few per cent,
    and from the radius of the area inside the critical curve. Bounds come from the
    posterior samples, at fixed redshifts and cosmology. A mass sheet that the data cannot
    see (the mass-sheet degeneracy) is not in the bounds.

    Make one with `from_reconstruction` or `from_parameters`.

    Parameters
    ----------
    name : str
        Name of the lens.
    lens_model : str
        Registered name, for example ``"sie+shear"``.
    lens : dict of str to float
        Point estimate of the lens parameters: internal names, declared units.
    samples : dict of str to ndarray, (S,)
        Posterior samples of the lens parameters.
    z_lens, z_source : float
        Redshifts.
    cosmology : `~astropy.cosmology.Cosmology`
        The cosmology.
    einstein_radius : `~astropy.units.Quantity`
        Effective Einstein radius, arcsec.
    einstein_radius_samples : `~astropy.units.Quantity`, (S,)
        The same for each sample, arcsec; NaN where there is none.
    mass_sheet : float, optional
        Factor lambda of a mass-sheet transformation
        (`~astrorim.lensing.mass_sheet.MassSheetTransformed`); 1 for none.
    wcs : `~astropy.wcs.WCS`, optional
        Sky frame of the image, from which sky position angles come.
    critical_curve_radius : `~astropy.units.Quantity`
        Radius of the circle with the area inside the tangential critical curve, arcsec;
        NaN where it is not one closed curve around the lens.

    Raises
    ------
    ValueError
        If ``z_source`` does not exceed ``z_lens``.
    """

    name: str
    lens_model: str
    lens: dict[str, float]
    z_lens: float
    z_source: float
    cosmology: Cosmology
    einstein_radius: u.Quantity
    critical_curve_radius: u.Quantity
    samples: dict[str, np.ndarray] = field(default_factory=dict)
    einstein_radius_samples: u.Quantity = field(default_factory=lambda: [] * u.arcsec)
    mass_sheet: float = 1.0
    wcs: WCS | None = None

    def __post_init__(self) -> None:
        self.z_lens, self.z_source = check_redshifts(self.z_lens, self.z_source)

    @classmethod
    def from_reconstruction(
        cls,
        result: Reconstruction,
        *,
        cosmology: str | Cosmology = "Planck15",
        z_lens: float | None = None,
        z_source: float | None = None,
        mass_sheet: float = 1.0,
    ) -> MassProfile:
        """Mass profile of a reconstructed lens.

        Parameters
        ----------
        result : Reconstruction
            The reconstruction.
        cosmology : str or `~astropy.cosmology.Cosmology`, optional
            As for `~astrorim.cosmology.resolve_cosmology`.
        z_lens, z_source : float, optional
            Redshifts; the observation's by default.
        mass_sheet : float, optional
            Factor lambda of a mass-sheet transformation.

        Returns
        -------
        MassProfile

        Raises
        ------
        ValueError
            If a redshift is missing or the source is not behind the lens, or the mean
            convergence reaches 1 nowhere.
        """
        observation = result.observation
        return cls.from_parameters(
            result.lens_model,
            result.lens,
            observation.z_lens if z_lens is None else z_lens,
            observation.z_source if z_source is None else z_source,
            cosmology=cosmology,
            samples=result.samples,
            name=result.name,
            mass_sheet=mass_sheet,
            wcs=observation.wcs,
        )

    @classmethod
    def from_parameters(
        cls,
        lens_model: str,
        parameters: Mapping[str, float | u.Quantity],
        z_lens: float | None,
        z_source: float | None,
        *,
        cosmology: str | Cosmology = "Planck15",
        samples: Mapping[str, np.ndarray] | None = None,
        name: str = "lens",
        mass_sheet: float = 1.0,
        wcs: WCS | None = None,
    ) -> MassProfile:
        """Mass profile of a lens model.

        Parameters
        ----------
        lens_model : str
            Registered name, or names joined by ``+``.
        parameters : mapping of str to float or `~astropy.units.Quantity`
            Every parameter of the model, by its internal name; plain numbers are in the
            declared units.
        z_lens, z_source : float
            Redshifts.
        cosmology : str or `~astropy.cosmology.Cosmology`, optional
            As for `~astrorim.cosmology.resolve_cosmology`.
        samples : mapping of str to ndarray, (S,), optional
            Posterior samples, in the declared units; a parameter without samples is held.
        name : str, optional
            Name of the lens.
        mass_sheet : float, optional
            Factor lambda of a mass-sheet transformation.
        wcs : `~astropy.wcs.WCS`, optional
            Sky frame of the image, for sky position angles.

        Returns
        -------
        MassProfile

        Raises
        ------
        ValueError
            If a redshift or a parameter is missing, the source is not behind the lens, or
            the mean convergence reaches 1 nowhere.
        """
        z_lens, z_source = check_redshifts(z_lens, z_source)
        model = resolve_lens_model(lens_model, mass_sheet)
        lens = plain_parameters(model, parameters)
        radius = effective_einstein_radius(model, spread_samples(lens, {}))[0]
        if not math.isfinite(radius):
            raise ValueError(
                f"the mean convergence of {lens_model!r} must cross 1 between "
                f"{RADIUS_RANGE[0]:g} and {RADIUS_RANGE[1]:g} arcsec to have an Einstein "
                f"radius, got parameters {lens}"
            )
        given = samples or {}
        chains = {key: np.asarray(given[key], dtype=float) for key in lens if key in given}
        radii = np.empty(0)
        if chains:
            radii = effective_einstein_radius(model, spread_samples(lens, chains))
        x, y = critical_curve(model, lens).T
        # area in polar coordinates, (1/2) closed integral of r^2 dphi: pi times mean r^2
        square = np.mean((x - lens.get("x0", 0.0)) ** 2 + (y - lens.get("y0", 0.0)) ** 2)
        return cls(
            name=name,
            lens_model=lens_model,
            lens=lens,
            z_lens=z_lens,
            z_source=z_source,
            cosmology=resolve_cosmology(cosmology),
            einstein_radius=radius * u.arcsec,
            critical_curve_radius=math.sqrt(square) * u.arcsec,
            samples=chains,
            einstein_radius_samples=radii * u.arcsec,
            mass_sheet=mass_sheet,
            wcs=wcs.celestial if wcs is not None and wcs.has_celestial else None,
        )

    @property
    def einstein_radius_bounds(self) -> u.Quantity:
        """Lower and upper 68 % bound of `einstein_radius`, (2,); NaN without samples."""
        radii = self.einstein_radius_samples.to_value(u.arcsec)
        if not np.isfinite(radii).any():
            return [math.nan, math.nan] * u.arcsec
        return bounds_from_samples(self.einstein_radius.to_value(u.arcsec), radii) * u.arcsec

    @property
    def critical_surface_density(self) -> u.Quantity:
        """Critical surface density, Msun / kpc^2."""
        return critical_surface_density(self.z_lens, self.z_source, self.cosmology)

    def _mass(self, radius: u.Quantity, mean_convergence: float | np.ndarray) -> u.Quantity:
        return mass_inside(
            radius,
            mean_convergence,
            z_lens=self.z_lens,
            z_source=self.z_source,
            cosmology=self.cosmology,
        )

    @property
    def einstein_mass(self) -> u.Quantity:
        """Mass projected inside `einstein_radius`, Msun."""
        return self._mass(self.einstein_radius, 1.0)

    @property
    def einstein_mass_bounds(self) -> u.Quantity:
        """Lower and upper 68 % bound of `einstein_mass`, (2,); NaN without samples."""
        return self._mass(self.einstein_radius_bounds, 1.0)

    @property
    def model(self) -> LensModel:
        """The lens model, after the mass-sheet transformation if there is one."""
        return resolve_lens_model(self.lens_model, self.mass_sheet)

    @property
    def sis_velocity_dispersion(self) -> u.Quantity:
        """Velocity dispersion of the SIS of the same `einstein_radius`, km / s."""
        return self._dispersion(self.einstein_radius)

    @property
    def sis_velocity_dispersion_bounds(self) -> u.Quantity:
        """Lower and upper 68 % bound of `sis_velocity_dispersion`, (2,)."""
        return self._dispersion(self.einstein_radius_bounds)

    def _dispersion(self, radius: u.Quantity) -> u.Quantity:
        return sis_velocity_dispersion(
            radius, z_lens=self.z_lens, z_source=self.z_source, cosmology=self.cosmology
        )

    def to_kpc(self, radius: u.Quantity) -> u.Quantity:
        """Length in the plane of the lens, kpc, of an angle."""
        distance = lensing_distances(self.z_lens, self.z_source, self.cosmology).lens
        return (radius.to_value(u.rad) * distance).to(u.kpc)

    def critical_curves(self) -> CriticalCurves:
        """All critical curves, caustics and cuts of the point estimate."""
        return find_critical_curves(self.model, self.lens)

    def maps(self, grid: SourceGrid) -> MassMaps:
        """Maps of the point estimate on the pixels of a grid, with `wcs`, if it is theirs.

        Parameters
        ----------
        grid : SourceGrid
            The pixels, such as ``observation.grid``.

        Returns
        -------
        MassMaps
        """
        return make_maps(self.model, self.lens, grid, self.wcs)

    def convergence_profile(self, radii: u.Quantity) -> QTable:
        r"""Convergence :math:`\kappa(R)`, averaged over circles about the lens.

        Parameters
        ----------
        radii : `~astropy.units.Quantity`, (R,)
            Angular radii, positive.

        Returns
        -------
        `~astropy.table.QTable`
            Columns ``radius`` (arcsec), ``convergence``, ``convergence_lower`` and
            ``convergence_upper`` (68 % bounds; NaN without samples).

        Raises
        ------
        ValueError
            If a radius is not positive.
        """
        radius = check_radii(radii)
        rows = band_of_samples(ring_convergence, self.model, self.lens, self.samples, radius)
        return QTable(
            [radius * u.arcsec, *(row * u.dimensionless_unscaled for row in rows)],
            names=["radius", "convergence", "convergence_lower", "convergence_upper"],
        )

    def enclosed_mass(self, radii: u.Quantity) -> QTable:
        """Mass projected inside circles about the lens.

        Parameters
        ----------
        radii : `~astropy.units.Quantity`, (R,)
            Angular radii, positive.

        Returns
        -------
        `~astropy.table.QTable`
            Columns ``radius`` (arcsec), ``mass``, ``mass_lower`` and ``mass_upper``
            (Msun, 68 % bounds; NaN without samples).

        Raises
        ------
        ValueError
            If a radius is not positive.
        """
        radius = check_radii(radii)
        rows = band_of_samples(
            mean_convergence_inside, self.model, self.lens, self.samples, radius
        )
        return QTable(
            [radius * u.arcsec, *(self._mass(radius * u.arcsec, row) for row in rows)],
            names=["radius", "mass", "mass_lower", "mass_upper"],
        )

    def write(self, path: str | PathLike[str], *, overwrite: bool = False) -> Path:
        """Write to an ASDF file, which appears complete or not at all.

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
        return write_asdf(path, {"mass_profile": self}, overwrite=overwrite)

    @classmethod
    def read(cls, path: str | PathLike[str]) -> MassProfile:
        """Read what `write` wrote.

        Raises
        ------
        ValueError
            If the file holds no mass profile.
        """
        return read_asdf(path, "mass_profile", cls)

    def __asdf_traverse__(self) -> dict[str, object]:
        return {item.name: getattr(self, item.name) for item in fields(self)}

    def __repr__(self) -> str:
        lower, upper = self.einstein_radius_bounds.value
        mass = self.einstein_mass.value
        return (
            f"<MassProfile {self.name!r}: effective Einstein radius "
            f"{self.einstein_radius.value:.4f} ({lower:.4f} to {upper:.4f}) arcsec, "
            f"Einstein mass {mass:.4g} Msun, z = {self.z_lens:g}, {self.z_source:g}, "
            f"{self.cosmology.name or type(self.cosmology).__name__}>"
        )
