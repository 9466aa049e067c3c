"""Lines and bands of galaxies: where they lie, and how strong they usually are.

All wavelengths are in vacuum, angstrom. Those of atoms and ions are the Ritz wavelengths
of the NIST Atomic Spectra Database; the G band, a blend of CH lines, lies where the SDSS
table of galaxy lines has it; the two iron blends lie in the middle of their Lick windows
(Trager et al. 1998, ApJS 116, 1, table 1, converted from air).

Equivalent widths and intrinsic widths of absorption features are round numbers for bright
early-type galaxies. They say what to expect, within a factor of two, and are no
measurement.
"""

from __future__ import annotations

from dataclasses import dataclass

__all__ = ["ABSORPTION_FEATURES", "EMISSION_FEATURES", "SpectralFeature"]


@dataclass(frozen=True)
class SpectralFeature:
    r"""One line, or several lines whose strengths are in a fixed ratio.

    Parameters
    ----------
    name : str
        For tables and figures, for example ``"[O III]"``.
    wavelengths : tuple of float
        Rest wavelengths in vacuum, angstrom.
    ratios : tuple of float
        Relative strength of each line.
    intrinsic_width : float, optional
        Standard deviation beyond the motions of the stars or the gas, angstrom; that of a
        blend or a band.
    equivalent_width : float, optional
        Expected equivalent width of all lines together, angstrom in the rest frame;
        of absorption features.

    Raises
    ------
    ValueError
        If there is no wavelength, or not one positive ratio for each.
    """

    name: str
    wavelengths: tuple[float, ...]
    ratios: tuple[float, ...]
    intrinsic_width: float = 0.0
    equivalent_width: float = 0.0

    def __post_init__(self) -> None:
        if not self.wavelengths or len(self.wavelengths) != len(self.ratios):
            raise ValueError(
                f"a feature must have wavelengths and one ratio for each, got "
                f"{len(self.wavelengths)} wavelengths and {len(self.ratios)} ratios for "
                f"{self.name!r}"
            )
        if min(self.wavelengths) <= 0 or min(self.ratios) <= 0:
            raise ValueError(
                f"wavelengths and ratios must be positive, got {self.wavelengths} and "
                f"{self.ratios} for {self.name!r}"
            )

    @property
    def centre(self) -> float:
        """Rest wavelength of the strongest line and of those within 0.2 % of it, angstrom.

        Their mean, weighted with their strengths: of the doublet [O II], but of the
        stronger line of [O III].
        """
        strongest = self.wavelengths[self.ratios.index(max(self.ratios))]
        near = [
            (wavelength, ratio)
            for wavelength, ratio in zip(self.wavelengths, self.ratios, strict=True)
            if abs(wavelength / strongest - 1) < 2e-3
        ]
        return sum(w * r for w, r in near) / sum(r for _, r in near)


EMISSION_FEATURES: tuple[SpectralFeature, ...] = (
    # 3729/3726 is 1.35 where the density is some 100 per cm3; the limits of 0.35 and 1.5
    # move the centroid of an unresolved doublet by less than 2e-4 of the wavelength
    SpectralFeature("[O II]", (3727.092, 3729.875), (1.0, 1.35)),
    SpectralFeature("[Ne III]", (3869.86, 3968.59), (1.0, 0.30)),
    SpectralFeature("Hdelta", (4102.892,), (1.0,)),
    SpectralFeature("Hgamma", (4341.684,), (1.0,)),
    SpectralFeature("Hbeta", (4862.683,), (1.0,)),
    # 2.98: Storey & Zeippen 2000, MNRAS 312, 813
    SpectralFeature("[O III]", (4960.295, 5008.240), (1.0, 2.98)),
    SpectralFeature("Halpha", (6564.614,), (1.0,)),
    SpectralFeature("[N II]", (6549.86, 6585.27), (1.0, 3.0)),
    SpectralFeature("[S II]", (6718.29, 6732.67), (1.0, 0.75)),
)
"""Nebular lines of star-forming galaxies and of active nuclei, [O II] to [S II]."""

ABSORPTION_FEATURES: tuple[SpectralFeature, ...] = (
    SpectralFeature("Ca K", (3934.777,), (1.0,), 5.5, 8.0),
    SpectralFeature("Ca H", (3969.590,), (1.0,), 5.5, 7.0),
    SpectralFeature("Ca I", (4227.92,), (1.0,), 2.5, 1.2),
    SpectralFeature("G band", (4305.61,), (1.0,), 9.0, 5.5),
    SpectralFeature("Hbeta", (4862.683,), (1.0,), 4.0, 1.6),
    SpectralFeature("Mg b", (5168.761, 5174.125, 5185.048), (0.8, 1.0, 1.0), 3.0, 4.3),
    SpectralFeature("Fe 5270", (5267.1,), (1.0,), 7.0, 2.9),
    SpectralFeature("Fe 5335", (5333.6,), (1.0,), 7.0, 2.6),
    SpectralFeature("Na D", (5891.582, 5897.558), (1.2, 1.0), 1.5, 4.0),
)
"""Absorption of old stars, Ca K to Na D."""
