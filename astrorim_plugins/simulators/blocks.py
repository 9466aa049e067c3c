"""Groups of quantities that several simulators declare."""

from __future__ import annotations

import math

import astropy.units as u

from astrorim_plugins.simulators.declaration import Quantity
from astrorim_plugins.simulators.distributions import (
    Chance,
    Distribution,
    Fixed,
    OneOf,
    TruncatedPoisson,
    Uniform,
    WholeNumber,
)

__all__ = [
    "NUM_MAGNITUDES",
    "angle",
    "axes",
    "bulge_and_disk",
    "centred_halo",
    "charge_trails",
    "clumps",
    "correlated_noise",
    "cosmic_rays",
    "exposure",
    "extras",
    "group_halo",
    "lens_light",
    "mass",
    "neighbours",
    "photometry",
    "pixel_response",
    "plus_minus",
    "psf",
    "psf_mismatch",
    "redshifts",
    "second_deflector",
    "shift",
    "sky_gradient",
    "sky_residual",
    "source_centre",
    "spiral",
    "subhalos",
    "vignetting",
]

NUM_MAGNITUDES = 9
"""Draws of the lens light's magnitude: the first and eight more."""

NONE = u.dimensionless_unscaled
ANGLE = Uniform(0.0, math.pi)
FULL_ANGLE = Uniform(0.0, 2 * math.pi)


def plus_minus(value: float) -> Uniform:
    """Uniform from ``-value`` to ``value``."""
    return Uniform(-value, value)


def axes(
    name: str,
    symbol: str,
    unit: u.UnitBase,
    distribution: Distribution,
    text: str,
    count: int = 1,
) -> tuple[Quantity, Quantity]:
    """Two quantities, along x and y."""
    return tuple(  # type: ignore[return-value]
        Quantity(f"{name}_{axis}", f"{symbol}_{axis}", unit, distribution, text, count)
        for axis in "xy"
    )


def angle(name: str, symbol: str, text: str, count: int = 1) -> Quantity:
    """Position angle, uniform over half a turn."""
    return Quantity(name, symbol, u.rad, ANGLE, text, count, math.pi)


def redshifts(z_lens: Distribution, z_source: Distribution, count: int = 1) -> tuple:
    """Redshifts of lens and source."""
    return (
        Quantity("z_lens", r"z_\ell", NONE, z_lens, "redshift of the lens", count),
        Quantity("z_source", "z_s", NONE, z_source, "redshift of the source", count),
    )


def mass(
    strength: Quantity,
    ellipticity: Distribution,
    centre: float,
    shear: Distribution,
) -> tuple[Quantity, ...]:
    """Main deflector and external shear; strength by Einstein radius or dispersion."""
    return (
        strength,
        Quantity("ellipticity", "e", NONE, ellipticity, "(1-q)/(1+q) of the mass"),
        angle("orientation", r"\phi", "position angle of the mass"),
        Quantity("x0", "x_0", u.arcsec, plus_minus(centre), "lens centre"),
        Quantity("y0", "y_0", u.arcsec, plus_minus(centre), "lens centre"),
        Quantity("gamma", r"\gamma", NONE, shear, "external shear"),
        angle("gamma_orientation", r"\phi_\gamma", "position angle of the shear"),
    )


def centred_halo() -> tuple[Quantity, ...]:
    """NFW halo about the lens galaxy's centre."""
    return (
        Quantity("has_halo", "P_h", NONE, Chance(0.3), "an NFW halo about the lens' centre"),
        Quantity("kappa_s", r"\kappa_s", NONE, Uniform(0.0, 0.2), "characteristic convergence"),
        Quantity("rs", "r_s", u.arcsec, Uniform(2.0, 15.0), "scale radius"),
    )


def group_halo(
    probability: float,
    deflection: Distribution | None,
    scale_radius: Distribution | None,
    offset: Distribution,
    *,
    in_einstein_radii: bool = False,
) -> tuple[Quantity, ...]:
    """NFW halo of a group that the lens lives in, off its centre."""
    text = "group halo's centre minus the lens'"
    if in_einstein_radii:
        place = axes("group_offset_ratio", r"x_g/\theta_E", NONE, offset, text)
    else:
        place = axes("group_offset", "x_g", u.arcsec, offset, text)
    return (
        Quantity("has_group", "P_g", NONE, Chance(probability), "a group halo"),
        *(
            ()
            if deflection is None
            else (
                Quantity(
                    "group_deflection", r"\alpha_{R_s}", u.arcsec, deflection,
                    "deflection at the scale radius",
                ),
            )
        ),
        *(
            ()
            if scale_radius is None
            else (Quantity("group_rs", "R_g", u.arcsec, scale_radius, "scale radius"),)
        ),
        *place,
    )  # fmt: skip


def subhalos(
    probability: float, number: TruncatedPoisson, theta_e: Distribution, reach: float
) -> tuple[Quantity, ...]:
    """Isothermal subhalos about the lens."""
    most = number.most
    return (
        Quantity("has_subhalos", "P_b", NONE, Chance(probability), "subhalos, if any come"),
        Quantity("num_subhalos", "N_b", NONE, number, "number of subhalos"),
        Quantity("subhalo_theta_E", r"\theta_b", u.arcsec, theta_e, "Einstein radius", most),
        *axes(
            "subhalo_offset", r"x_b/\theta_E", NONE, plus_minus(reach),
            "centre minus the lens', in Einstein radii", most,
        ),
    )  # fmt: skip


def second_deflector(probability: float) -> tuple[Quantity, ...]:
    """Second galaxy beside the lens, with mass and light."""
    return (
        Quantity("has_second", "P_2", NONE, Chance(probability), "a second deflector"),
        Quantity(
            "second_ratio", r"\theta_2/\theta_E", NONE, Uniform(0.25, 0.9),
            "its Einstein radius over the first one's",
        ),
        Quantity("second_ellipticity", "e_2", NONE, Uniform(0.0, 0.7), "of its mass"),
        angle("second_orientation", r"\phi_2", "position angle of its mass"),
        *axes(
            "second_offset", r"x_2/\theta_E", NONE, plus_minus(0.6),
            "centre minus the first one's, in Einstein radii",
        ),
        Quantity("second_sersic_index", "n_2", NONE, Uniform(2.5, 5.0), "of its light"),
    )  # fmt: skip


def source_centre(offset: Distribution) -> tuple[Quantity, Quantity]:
    """Position of the source in Einstein radii."""
    return axes(
        "source_offset", r"x_s/\theta_E", NONE, offset, "source centre in Einstein radii"
    )


def bulge_and_disk(
    fraction: Distribution,
    radius: Distribution,
    disk_ratio: Distribution,
    sersic_index: Distribution,
    amplitude: Distribution,
    disk_amplitude_ratio: Distribution,
) -> tuple[Quantity, ...]:
    """Bulge, and a disk of similar shape about nearly the same centre."""
    shape = Uniform(0.8, 1.0)
    return (
        Quantity("bulge_fraction", "f_b", NONE, fraction, "weight of the bulge"),
        Quantity(
            "source_amplitude", "A_b", NONE, amplitude,
            "bulge at its half-light radius, relative",
        ),
        Quantity("source_half_light_radius", "R_b", u.arcsec, radius, "bulge"),
        Quantity("source_sersic_index", "n_b", NONE, sersic_index, "bulge"),
        Quantity("source_ellipticity", "e_b", NONE, Uniform(0.0, 0.6), "bulge"),
        angle("source_orientation", r"\phi_b", "bulge"),
        Quantity("disk_radius_ratio", "R_d/R_b", NONE, disk_ratio, "disk over bulge"),
        Quantity("disk_amplitude_ratio", "A_d/A_b", NONE, disk_amplitude_ratio, "same"),
        Quantity("disk_e1_ratio", "e_{1d}/e_{1b}", NONE, shape, "disk over bulge"),
        Quantity("disk_e2_ratio", "e_{2d}/e_{2b}", NONE, shape, "disk over bulge"),
        *axes("disk_offset", "x_d", u.arcsec, plus_minus(0.02), "disk's centre off bulge's"),
    )  # fmt: skip


def extras(
    most: int,
    reach: float,
    amplitude: Distribution,
    radius: Distribution,
    sersic_index: Distribution,
    ellipticity: Distribution | None = None,
) -> tuple[Quantity, ...]:
    """More profiles about the source: companions. Shape by modulus, or by components."""
    if ellipticity is None:
        shape: tuple[Quantity, ...] = tuple(
            Quantity(f"extra_e{i}", f"e_{{{i}x}}", NONE, plus_minus(0.4), "companion", most)
            for i in (1, 2)
        )
    else:
        shape = (
            Quantity("extra_ellipticity", "e_x", NONE, ellipticity, "companion", most),
            angle("extra_orientation", r"\phi_x", "companion", most),
        )
    return (
        Quantity("num_extras", "N_x", NONE, WholeNumber(0, most), "number of companions"),
        *axes(
            "extra_offset", r"x_x/\theta_E", NONE, plus_minus(reach),
            "companion's centre in Einstein radii", most,
        ),
        Quantity(
            "extra_amplitude", "A_x", NONE, amplitude,
            "companion at its half-light radius, relative", most,
        ),
        Quantity("extra_half_light_radius", "R_x", u.arcsec, radius, "companion", most),
        Quantity("extra_sersic_index", "n_x", NONE, sersic_index, "companion", most),
        *shape,
    )  # fmt: skip


def clumps(
    chance: Distribution,
    number: WholeNumber,
    largest: Distribution,
    least: float,
    sigma: Distribution,
    *,
    spread: float = 0.96,
    prefix: str = "clump",
) -> tuple[Quantity, ...]:
    """Gaussian clumps; positions as two numbers that the draw makes a place of."""
    most = number.high
    return (
        Quantity(f"has_{prefix}s", "P_c", NONE, chance, "whether there are clumps"),
        Quantity(f"num_{prefix}s", "N_c", NONE, number, "number of clumps, if any"),
        Quantity(
            f"{prefix}_max_amplitude", r"a_\max", NONE, largest,
            "largest amplitude, in units of the pattern's maximum",
        ),
        Quantity(
            f"{prefix}_amplitude", "a_c", NONE, Uniform(least, 1.0),
            f"amplitude; stretched to the interval from {least:g} to the largest", most,
        ),
        Quantity(f"{prefix}_sigma", r"\sigma_c", u.arcsec, sigma, "dispersion", most),
        *axes(
            f"{prefix}_offset", "x_c", u.arcsec, plus_minus(spread),
            "place: in the frame with wide_clumps, else area and angle about the source",
            most,
        ),
    )  # fmt: skip


def spiral(
    chance: Distribution, amplitude: float, *, turns: float | None = None
) -> tuple[Quantity, ...]:
    """Three-fold modulation of the source; ``turns`` in rad per two half-light radii."""
    winding = (
        ()
        if turns is None
        else (
            Quantity(
                "spiral_turns",
                "w",
                u.rad,
                Fixed(turns),
                "winding over two half-light radii of the disk",
            ),
        )
    )
    return (
        Quantity("has_spiral", "P_s", NONE, chance, "whether there is a spiral pattern"),
        Quantity("spiral_amplitude", "A_s", NONE, Fixed(amplitude), "relative"),
        *winding,
        Quantity(
            "spiral_phase", r"\varphi_0", u.rad, FULL_ANGLE, "phase", 1, 2 * math.pi
        ),
    )  # fmt: skip


def photometry(magnitude: Distribution, difference: Distribution) -> tuple[Quantity, ...]:
    """Magnitudes of source and lens light."""
    return (
        Quantity("source_magnitude", "m_s", u.mag, magnitude, "AB, unlensed"),
        Quantity(
            "magnitude_difference", r"m_\ell - m_s", u.mag, difference,
            "lens light minus source", NUM_MAGNITUDES,
        ),
    )  # fmt: skip


def lens_light(
    radius: Distribution, sersic_index: Distribution, offset: float
) -> tuple[Quantity, ...]:
    """Sersic profile of the lens galaxy, nearly aligned with its mass."""
    return (
        Quantity("light_half_light_radius", r"R_\ell", u.arcsec, radius, "lens light"),
        Quantity("light_sersic_index", r"n_\ell", NONE, sersic_index, "lens light"),
        Quantity(
            "light_ellipticity_ratio", r"e_\ell/e", NONE, Uniform(0.6, 1.0),
            "component of the light's ellipticity over the mass's", 2,
        ),
        Quantity(
            "light_ellipticity_offset", r"\Delta e", NONE, plus_minus(0.05),
            "added to each component of the light's ellipticity", 2,
        ),
        *axes(
            "light_offset", r"\Delta x_\ell", u.arcsec, plus_minus(offset),
            "light's centre minus the mass's",
        ),
    )  # fmt: skip


def exposure(
    time: Distribution, sky: Distribution, read_noise: Distribution
) -> tuple[Quantity, ...]:
    """Exposure time, sky and read noise."""
    return (
        Quantity("exposure", "t", u.s, time, "exposure time"),
        Quantity("sky", "S", u.ct / u.s, sky, "sky in a detector pixel"),
        Quantity("read_noise", r"\sigma_r", u.electron, read_noise, "read noise"),
    )


def psf(
    fwhm: Distribution,
    ellipticity: Distribution | None = None,
    kinds: OneOf | None = None,
    beta: Distribution | None = None,
) -> tuple[Quantity, ...]:
    """Point spread function; round and Gaussian unless said otherwise."""
    kind = () if kinds is None else (Quantity("psf_kind", "k", NONE, kinds, "kind of the PSF"),)
    shape = (
        ()
        if ellipticity is None
        else (
            Quantity("psf_ellipticity", "1 - q", NONE, ellipticity, "of the PSF"),
            Quantity("psf_angle", r"\phi_p", u.rad, FULL_ANGLE, "of the PSF", 1, 2 * math.pi),
        )
    )
    wings = (
        () if beta is None else (Quantity("psf_beta", r"\beta", NONE, beta, "Moffat exponent"),)
    )
    return (*kind, Quantity("psf_fwhm", "w", u.arcsec, fwhm, "FWHM of the PSF"), *shape, *wings)


def shift(probability: float) -> tuple[Quantity, ...]:
    """Pointing that is off by up to half a detector pixel."""
    return (
        Quantity("has_shift", "P", NONE, Chance(probability), "a pointing off by a fraction"),
        *axes("shift", r"\Delta", u.pix, plus_minus(0.5), "of the whole scene"),
    )


def sky_gradient(
    along_x: Distribution, along_y: Distribution | None = None
) -> tuple[Quantity, ...]:
    """Slope of the sky over the frame, relative to its mean."""
    second = (
        ()
        if along_y is None
        else (
            Quantity("sky_gradient_y", "g_y", NONE, along_y, "sky's rise from bottom to top"),
        )
    )
    return (
        Quantity("sky_gradient_x", "g_x", NONE, along_x, "sky's rise from left to right"),
        *second,
    )


def pixel_response(deviation: float) -> tuple[Quantity, ...]:
    """Photo-response non-uniformity, a fixed pattern of the detector."""
    return (
        Quantity(
            "response_deviation", r"\sigma_\mathrm{PRNU}", NONE, Fixed(deviation),
            "standard deviation of the pixels' response",
        ),
    )  # fmt: skip


def correlated_noise(probability: float) -> tuple[Quantity, ...]:
    """Noise that is correlated as drizzled images have it."""
    return (
        Quantity(
            "has_correlated_noise", "P_r", NONE, Chance(probability),
            "noise correlated between pixels",
        ),
        Quantity(
            "noise_correlation", r"\rho", NONE, Uniform(0.0, 0.4),
            "correlation of neighbouring pixels' noise",
        ),
    )  # fmt: skip


def sky_residual(probability: float, slope: float) -> tuple[Quantity, ...]:
    """Plane that a wrong sky subtraction leaves."""
    return (
        Quantity("has_sky_residual", "P_p", NONE, Chance(probability), "a plane left over"),
        *axes(
            "sky_residual", "b", NONE, plus_minus(slope),
            "slope of the plane, in units of the sky over half the frame",
        ),
    )  # fmt: skip


def psf_mismatch(
    probability: float, width: Distribution, ellipticity: Distribution, turn: float
) -> tuple[Quantity, ...]:
    """PSF handed to the observer that is not the one of the image."""
    return (
        Quantity(
            "has_psf_mismatch", "P_m", NONE, Chance(probability),
            "the PSF handed over is not that of the image",
        ),
        Quantity("mismatch_fwhm_ratio", "w'/w", NONE, width, "FWHM handed over, ratio"),
        Quantity(
            "mismatch_ellipticity", r"\Delta(1 - q)", NONE, ellipticity,
            "ellipticity handed over, minus the image's",
        ),
        Quantity(
            "mismatch_angle", r"\Delta\phi_p", u.rad, plus_minus(turn),
            "angle handed over, minus the image's",
        ),
    )  # fmt: skip


def cosmic_rays(probability: float, most: int, deposit: Distribution) -> tuple[Quantity, ...]:
    """Tracks of cosmic rays."""
    return (
        Quantity("has_cosmic_rays", "P_c", NONE, Chance(probability), "cosmic rays hit"),
        Quantity("num_cosmic_rays", "N_c", NONE, WholeNumber(1, most), "number, if any"),
        Quantity(
            "cosmic_ray_deposit", "Q_c", u.electron / u.pix, deposit,
            "charge left in a pixel crossed",
        ),
    )  # fmt: skip


def vignetting(probability: float, depth: float, power: float) -> tuple[Quantity, ...]:
    """Fall of the response towards the corners."""
    return (
        Quantity("has_vignetting", "P_v", NONE, Chance(probability), "vignetting"),
        Quantity("vignetting_depth", "d", NONE, Fixed(depth), "loss in the corners"),
        Quantity("vignetting_power", "p", NONE, Fixed(power), "of the distance"),
    )


def charge_trails(probability: float) -> tuple[Quantity, ...]:
    """Charge trails along the read-out direction."""
    return (
        Quantity("has_charge_trails", "P_t", NONE, Chance(probability), "charge trails"),
        Quantity("trail_axis", "a", NONE, Chance(0.5), "read-out along columns 0, rows 1"),
        Quantity(
            "trap_density", r"\rho_t", u.pix**-1, Uniform(1e-4, 5e-4),
            "fraction of the charge deferred at each transfer",
        ),
        Quantity("release_length", r"\tau", u.pix, Uniform(1.0, 5.0), "length of the trails"),
    )  # fmt: skip


def neighbours(
    probability: float,
    number: WholeNumber,
    amplitude: Distribution,
    radius: Distribution,
    shape: float,
    *,
    star_amplitude: Distribution | None = None,
) -> tuple[Quantity, ...]:
    """Galaxies, and stars where their amplitude is given, scattered over the frame."""
    most = number.high
    stars = () if star_amplitude is None else (
        Quantity(
            "star_amplitude", r"A_\star", u.ct, star_amplitude,
            "star's centre, in a sub-pixel", most,
        ),
        Quantity("star_fwhm", r"w_\star", u.arcsec, Uniform(0.04, 0.12), "star", most),
        Quantity("star_beta", r"\beta_\star", NONE, Uniform(2.5, 4.5), "star", most),
    )  # fmt: skip
    return (
        Quantity("has_neighbours", "P_f", NONE, Chance(probability), "field objects"),
        Quantity("num_neighbours", "N_f", NONE, number, "number of field objects, if any"),
        Quantity(
            "neighbour_amplitude", "A_f", u.ct, amplitude,
            "galaxy at its half-light radius, in a sub-pixel", most,
        ),
        Quantity("neighbour_half_light_radius", "R_f", u.arcsec, radius, "galaxy", most),
        Quantity("neighbour_sersic_index", "n_f", NONE, Uniform(0.8, 3.5), "galaxy", most),
        *(
            Quantity(f"neighbour_e{i}", f"e_{{{i}f}}", NONE, plus_minus(shape), "galaxy", most)
            for i in (1, 2)
        ),
        *axes(
            "neighbour_offset", "x_f", NONE, plus_minus(0.5),
            "place, in sides of the frame from its centre", most,
        ),
        *stars,
    )  # fmt: skip
