"""Cosmological distances of a batch of lenses, from tables of any astropy cosmology."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import astropy.units as u
import numpy as np
import torch
from astropy import constants

from astrorim.cosmology import resolve_cosmology

if TYPE_CHECKING:
    from astropy.cosmology import FLRW
    from torch import Tensor

__all__ = ["Distances"]

_HIGHEST_REDSHIFT = 4.0
_KNOTS = 8193
_ARCSEC = u.arcsec.to(u.rad)
_C = constants.c.to_value(u.km / u.s)
_C2_4PI_G = (constants.c**2 / (4 * math.pi * constants.G)).to_value(u.Msun / u.Mpc)


class Distances:
    """Distances and densities by interpolation in 8193 redshifts from 0 to 4.

    Parameters
    ----------
    cosmology : str or `~astropy.cosmology.FLRW`, optional
        Name of an astropy cosmology, or an object.
    """

    def __init__(self, cosmology: str | FLRW = "Planck15") -> None:
        self.cosmology = resolve_cosmology(cosmology)
        redshift = np.linspace(0, _HIGHEST_REDSHIFT, _KNOTS)
        self._comoving = np.asarray(self.cosmology.comoving_distance(redshift).to_value(u.Mpc))
        density = self.cosmology.critical_density(redshift)
        self._density = np.asarray(density.to_value(u.Msun / u.Mpc**3))
        self._curvature = float(self.cosmology.Ok0)
        self._hubble_distance = float(self.cosmology.hubble_distance.to_value(u.Mpc))

    @property
    def name(self) -> str:
        """Name of the cosmology."""
        return self.cosmology.name or "custom"

    def _look_up(self, table: np.ndarray, redshift: Tensor) -> Tensor:
        values = torch.as_tensor(table).to(redshift)
        place = redshift * ((_KNOTS - 1) / _HIGHEST_REDSHIFT)
        first = place.floor().clamp(0, _KNOTS - 2).to(torch.int64)
        return torch.lerp(values[first], values[first + 1], place - first)

    def angular_diameter(self, near: Tensor, far: Tensor) -> Tensor:
        """Angular diameter distance from one redshift to another.

        Parameters
        ----------
        near, far : Tensor, (...)
            Redshifts, ``far`` beyond ``near``; at most 4.

        Returns
        -------
        Tensor, (...), Mpc
            Hogg (1999, astro-ph/9905116), equations 16, 18 and 19.
        """
        comoving = self._look_up(self._comoving, far) - self._look_up(self._comoving, near)
        if self._curvature:
            root = math.sqrt(abs(self._curvature)) / self._hubble_distance
            function = torch.sinh if self._curvature > 0 else torch.sin
            comoving = function(root * comoving) / root
        return comoving / (1 + far)

    def einstein_radius(
        self, velocity_dispersion: Tensor, z_lens: Tensor, z_source: Tensor
    ) -> Tensor:
        r"""Einstein radius of an isothermal sphere, :math:`4\pi(\sigma/c)^2 D_{ls}/D_s`.

        Parameters
        ----------
        velocity_dispersion : Tensor, (...), km/s
            :math:`\sigma`.
        z_lens, z_source : Tensor, (...)
            Redshifts.

        Returns
        -------
        Tensor, (...), arcsec
            Narayan & Bartelmann (1996, astro-ph/9606001), equation 43.
        """
        ratio = self.angular_diameter(z_lens, z_source) / self.angular_diameter(
            torch.zeros_like(z_source), z_source
        )
        return 4 * math.pi * (velocity_dispersion / _C) ** 2 * ratio / _ARCSEC

    def halo(
        self, mass: Tensor, concentration: Tensor, z_lens: Tensor, z_source: Tensor
    ) -> tuple[Tensor, Tensor]:
        r"""Lensing parameters of an NFW halo of given mass.

        With :math:`r_{200}` from :math:`M = 200 \rho_c \frac{4\pi}{3} r_{200}^3`, the
        scale radius :math:`r_{200}/c`, :math:`\rho_s = \frac{200}{3} \rho_c
        \frac{c^3}{\ln(1+c) - c/(1+c)}` and :math:`\kappa_s = \rho_s r_s /
        \Sigma_\mathrm{crit}` (Wright & Brainerd 2000, ApJ 534, 34, equations 1 to 3 and 9).

        Parameters
        ----------
        mass : Tensor, (...), solar masses
            :math:`M_{200c}`.
        concentration : Tensor, (...)
            c.
        z_lens, z_source : Tensor, (...)
            Redshifts.

        Returns
        -------
        kappa_s : Tensor, (...)
        rs : Tensor, (...), arcsec
        """
        density = self._look_up(self._density, z_lens)
        c = concentration
        radius = (3 * mass / (800 * math.pi * density)) ** (1 / 3) / c
        profile = torch.log1p(c) - c / (1 + c)
        scale_density = 200 / 3 * density * c**3 / profile
        zero = torch.zeros_like(z_source)
        lens_distance = self.angular_diameter(zero, z_lens)
        source_distance = self.angular_diameter(zero, z_source)
        between = self.angular_diameter(z_lens, z_source)
        critical = _C2_4PI_G * source_distance / (lens_distance * between)
        return scale_density * radius / critical, radius / lens_distance / _ARCSEC
