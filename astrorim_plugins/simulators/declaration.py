"""What a simulator declares: every quantity that it draws, and how it observes."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import astropy.units as u

from astrorim.parameters import Parameter
from astrorim_plugins.simulators.distributions import Distribution, Uniform

if TYPE_CHECKING:
    from torch import Tensor

    from astrorim_plugins.simulators.random_streams import RandomStreams

__all__ = [
    "EFFECTS",
    "Declaration",
    "Instrument",
    "Quantity",
    "Visibility",
    "draw_quantities",
]

EFFECTS = {
    "centred_halo": ("has_halo",),
    "group_halo": ("has_group",),
    "subhalos": ("has_subhalos",),
    "second_deflector": ("has_second",),
    "spiral": ("has_spiral",),
    "neighbours": ("has_neighbours",),
    "shift": ("has_shift",),
    "coma": ("has_coma",),
    "psf_mismatch": ("has_psf_mismatch",),
    "sky_gradient": ("sky_gradient_x", "sky_gradient_y"),
    "sky_residual": ("has_sky_residual",),
    "pixel_response": ("response_deviation",),
    "vignetting": ("has_vignetting",),
    "correlated_noise": ("has_correlated_noise",),
    "cosmic_rays": ("has_cosmic_rays",),
    "charge_trails": ("has_charge_trails",),
}
"""Effects that a simulator may have, and the quantities that are zero without each."""


@dataclass(frozen=True)
class Quantity:
    """One quantity that a simulator draws, from a random stream of its own.

    Parameters
    ----------
    name : str
        Name of the quantity and of its stream.
    symbol : str
        LaTeX without the dollar signs.
    unit : `~astropy.units.UnitBase`
        Unit of the drawn numbers.
    distribution : Distribution
        What it is drawn from.
    description : str
        One line for tables.
    count : int, optional
        Numbers drawn for each lens.
    period : float, optional
        Period of an angle, in ``unit``.
    """

    name: str
    symbol: str
    unit: u.UnitBase
    distribution: Distribution
    description: str
    count: int = 1
    period: float | None = None

    @property
    def parameter(self) -> Parameter | None:
        """The same as a parameter with its range as prior; None if it never varies."""
        low, high = self.distribution.interval
        if low == high:
            return None
        support = (low, high) if self.period is not None else (-math.inf, math.inf)
        return Parameter(
            self.name,
            self.symbol,
            self.unit,
            support,
            (low, high),
            self.description,
            self.name[:8],
            self.period,
        )


@dataclass(frozen=True)
class Instrument:
    """A telescope as far as the pixels go.

    Parameters
    ----------
    name : str
        For example ``"space"``.
    pixel_scale : float
        Side of a detector pixel, arcsec.
    """

    name: str
    pixel_scale: float


@dataclass(frozen=True)
class Visibility:
    """Arc visibility that is asked for by drawing the lens light's magnitude again.

    The ratio of the 99th percentiles of the arcs and of the lens light must reach
    ``least`` or, where a target is drawn (quantity ``target_visibility``), come within
    ``tolerance`` of it. Where the quantity ``wants_visible_arcs`` is declared, only the
    lenses that draw it are drawn again.

    Parameters
    ----------
    least : float, optional
        Smallest ratio.
    tolerance : float, optional
        Largest distance from a drawn target.
    """

    least: float = 0.0
    tolerance: float = 0.0


@dataclass(frozen=True)
class Declaration:
    """A population of lenses and the telescopes that see them.

    Parameters
    ----------
    quantities : tuple of Quantity
        In the order of their draws: what a quantity depends on stands before it.
    lens_model : str
        Sum of lens models that holds every component that a lens may have.
    gain : float
        Electrons per count.
    visibility : Visibility
        Which arcs are wanted.
    instruments : tuple of Instrument, optional
        One for each case of the quantity ``instrument``; a single one without it.
    keep_theta_E : tuple of float, optional
        Interval, arcsec, inside which the Einstein radius is wanted; redshifts and
        velocity dispersion are drawn again until it is.

    Raises
    ------
    ValueError
        If a name occurs twice.
    """

    quantities: tuple[Quantity, ...]
    lens_model: str
    gain: float
    visibility: Visibility
    instruments: tuple[Instrument, ...] = (Instrument("space", 0.04),)
    keep_theta_E: tuple[float, float] | None = None

    def __post_init__(self) -> None:
        names = [quantity.name for quantity in self.quantities]
        twice = sorted({name for name in names if names.count(name) > 1})
        if twice:
            raise ValueError(f"quantities must have unique names, got twice {twice}")

    def __contains__(self, name: object) -> bool:
        return any(quantity.name == name for quantity in self.quantities)

    def __getitem__(self, name: str) -> Quantity:
        for quantity in self.quantities:
            if quantity.name == name:
                return quantity
        raise KeyError(
            f"no quantity {name!r}; declared: {', '.join(q.name for q in self.quantities)}"
        )

    def __iter__(self) -> Iterator[Quantity]:
        return iter(self.quantities)

    @property
    def parameters(self) -> tuple[Parameter, ...]:
        """Every quantity that varies, as a parameter with its range as prior."""
        return tuple(p for q in self.quantities if (p := q.parameter) is not None)

    def draw(
        self, streams: RandomStreams, others: Sequence[Parameter] = ()
    ) -> dict[str, Tensor]:
        """Draw every quantity.

        Parameters
        ----------
        streams : RandomStreams
            Random numbers of B lenses.
        others : sequence of Parameter, optional
            More quantities, drawn uniformly from their priors.

        Returns
        -------
        dict of str to Tensor, (B, count), float64
            In the declared units.
        """
        more = tuple(
            Quantity(p.name, p.symbol, p.unit, Uniform(*p.prior), p.description) for p in others
        )
        return draw_quantities(streams, self.quantities + more)


def draw_quantities(
    streams: RandomStreams, quantities: Sequence[Quantity]
) -> dict[str, Tensor]:
    """Draw quantities, each from its own stream.

    Parameters
    ----------
    streams : RandomStreams
        Random numbers of B lenses.
    quantities : sequence of Quantity
        What a quantity depends on stands before it.

    Returns
    -------
    dict of str to Tensor, (B, count), float64
        In the declared units.
    """
    uniform = streams.uniform({q.name: q.count for q in quantities})
    drawn: dict[str, Tensor] = {}
    for quantity in quantities:
        drawn[quantity.name] = quantity.distribution.draw(uniform[quantity.name], drawn)
    return drawn
