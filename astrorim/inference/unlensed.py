r"""What an image may show beside a lens galaxy of the model's shape, without any lens.

Two things are taken for arcs: a galaxy that is not shaped like its model, and stars beside
it. Here the light of the model, I, may differ from itself by

.. math:: \delta I = \epsilon\, I(R, \varphi) \sum_{k, m} B_k(R)\,
    (a_{km} \cos m \varphi + b_{km} \sin m \varphi), \qquad a, b \sim N(0, 1),

with bumps :math:`B_k` in the logarithm of the elliptical radius, and :math:`m = 0` to 4:
other profiles, twisted, disky or boxy isophotes, two arms. Stars are images of the PSF where
the residual is most like it, one after the other as long as the evidence grows.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np
import torch
from scipy.ndimage import shift
from scipy.signal import fftconvolve

from astrorim.inference.design_matrix import DesignMatrix
from astrorim.inference.inversion import LinearProblem
from astrorim.inference.model_evidence import lens_occam_factor
from astrorim.lensing.system import LIGHT_PREFIX

if TYPE_CHECKING:
    from torch import Tensor

    from astrorim.inference.inversion import Inversion
    from astrorim.inference.lens_fit import LensFit
    from astrorim.inference.refinement import RefinementState

__all__ = ["LensingOdds", "lensing_odds", "light_deviations"]

_DEVIATION = 0.2  # of the light, that a galaxy differs from its model by
_ORDERS = 4
_BUMPS = 24
_BUMP_WIDTH = 0.6  # spacings
_MOST_STARS = 6
_AMPLITUDE_RANGE = 3.0  # prior width of a star's flux, in units of what the data could hold
_PATIENCE = 2  # stars that need not raise the evidence
_PLACINGS = 3  # Gauss-Newton steps of the stars' places with each one added


@dataclass(frozen=True)
class LensingOdds:
    """Odds of a lens over a galaxy of freer shape with stars beside it.

    Parameters
    ----------
    log_bayes_factor : float
        Natural logarithm.
    num_stars : int
        Stars of the most evident image without a lens.
    """

    log_bayes_factor: float
    num_stars: int


def light_deviations(fit: LensFit, values: Tensor) -> Tensor:
    """Images of what the lens galaxy's light may differ from its model by.

    Parameters
    ----------
    fit : LensFit
        Image and models.
    values : Tensor, (1, P)
        Parameters, the light's amplitudes among them.

    Returns
    -------
    Tensor, (K, N)
        Whitened, each of the size that one standard deviation has; none without light.
    """
    model = fit.light_model
    system, names = model.system, model.system.parameters.names
    if system.light is None:
        return values.new_zeros(0, fit.num_pixels)

    def own(name: str, otherwise: float) -> float:
        key = LIGHT_PREFIX + name
        return float(values[0, names.index(key)]) if key in names else otherwise

    x, y = model.positions(model.sampling)
    e1, e2 = own("e1", 0.0), own("e2", 0.0)
    ellipticity, angle = math.hypot(e1, e2), math.atan2(e2, e1) / 2
    root_q = math.sqrt((1 - ellipticity) / (1 + ellipticity))
    x, y = x - own("x0", model.middle[0]), y - own("y0", model.middle[1])
    major = root_q * (math.cos(angle) * x + math.sin(angle) * y)
    minor = (math.cos(angle) * y - math.sin(angle) * x) / root_q
    radius, azimuth = torch.hypot(major, minor), torch.atan2(minor, major)
    smallest = float(model.data.pixel_scale[0]) / 2
    places = torch.linspace(math.log(smallest), math.log(float(radius.max())), _BUMPS + 1)
    spacing = float(places[1] - places[0])
    logarithm = radius.clamp_min(smallest / 10).log()
    light = _DEVIATION * system.light_surface_brightness(
        *model.positions(model.sampling), values
    )
    scenes = []
    for place in places[:-1]:
        offset = (logarithm - float(place) - spacing / 2) / (_BUMP_WIDTH * spacing)
        bump = light * torch.exp(-0.5 * offset**2)
        scenes.append(bump)
        for order in range(1, _ORDERS + 1):
            scenes += [bump * (order * azimuth).cos(), bump * (order * azimuth).sin()]
    return fit.whitened(model.observe(torch.cat(scenes), model.sampling))


@torch.no_grad()
def lensing_odds(fit: LensFit, state: RefinementState) -> LensingOdds:
    """Compare a lens with a galaxy and stars, the galaxy's shape free for both.

    Source, amplitudes and deviations are solved with either sign, so that both evidences
    are exact at the solution's shape of the light; the lens pays for its parameters.

    Parameters
    ----------
    fit : LensFit
        Image and models.
    state : RefinementState
        The solution with a source.

    Returns
    -------
    LensingOdds

    Raises
    ------
    ValueError
        If the solution has no source or no covariance.
    """
    if not fit.size:
        raise ValueError("the solution must have a source, got none")
    problem = state.inversion.problem
    freer = light_deviations(fit, state.values)
    precision = torch.cat([problem.amplitude_precision, freer.new_ones(len(freer))])
    lensed = replace(
        problem,
        design=problem.design.with_columns(freer.mT),
        amplitude_precision=precision,
    )
    solved = lensed.invert(state.inversion.strength)
    with_lens = solved.log_evidence + lens_occam_factor(fit, state)
    best = _Unlensed(fit, lensed.design.last(len(precision)), precision).best()
    return LensingOdds(with_lens - best[0], best[1])


class _Unlensed:
    """A galaxy of free shape and stars, which are added one by one."""

    def __init__(self, fit: LensFit, galaxy: Tensor, precision: Tensor) -> None:
        self._fit, self._galaxy, self._precision = fit, galaxy, precision
        model = fit.light_model
        height, width = model.shape
        scene = model.data.image.new_zeros(
            1, *((side + 2 * model.margin) * model.sampling for side in (height, width))
        )
        # A point in the middle of the frame, at the element of the PSF's grid next to it.
        row, column = (side // 2 for side in scene.shape[1:])
        element = (float(model.data.pixel_scale[0]) / model.sampling) ** 2
        scene[0, row, column] = 1 / element
        self._star = model.observe(scene, model.sampling)[0].double().numpy()
        self._centre = tuple(
            (place + 0.5) / model.sampling - 0.5 - model.margin for place in (row, column)
        )
        self._area = float(fit.used.sum())
        self._weight = fit.weight.double()

    def best(self) -> tuple[float, int]:
        """Evidence of the best number of stars, and that number."""
        places: list[np.ndarray] = []
        best = (self._solve([])[0], 0)
        for _ in range(_MOST_STARS):
            _, inversion = self._solve(places)
            places = [*places, self._most_like_a_star(inversion)]
            for _ in range(_PLACINGS):
                _, inversion = self._solve(places)
                places = self._moved(places, inversion)
            evidence, _ = self._solve(places)
            if evidence > best[0]:
                best = (evidence, len(places))
            elif len(places) - best[1] >= _PATIENCE:
                break
        return best

    def _image(self, place: np.ndarray) -> Tensor:
        """Image of a star of unit flux at a row and column, whitened, (N,)."""
        moved = shift(self._star, place - self._centre, order=3, prefilter=True)
        return self._fit.whitened(torch.from_numpy(moved)).to(self._galaxy)

    def _slopes(self, place: np.ndarray) -> Tensor:
        """Derivatives along row and column, (2, N)."""
        steps = 0.1 * np.eye(2)
        return torch.stack(
            [5 * (self._image(place + step) - self._image(place - step)) for step in steps]
        )

    def _solve(self, places: list[np.ndarray]) -> tuple[float, Inversion]:
        """Evidence, and the solution, with stars at some places."""
        galaxy, precision = self._galaxy, self._precision
        if places:
            stars = torch.stack([self._image(place) for place in places])
            galaxy = torch.cat([galaxy, stars.mT], dim=1)
            most = self._fit.data.abs().amax() / stars.abs().amax(dim=1).clamp_min(1e-30)
            precision = torch.cat([precision, (_AMPLITUDE_RANGE * most) ** -2])
        nothing = galaxy.new_zeros(0, 0).double()
        inversion = LinearProblem(
            DesignMatrix(None, galaxy), self._fit.data, nothing, 0.0, precision
        ).invert(1.0)
        evidence = inversion.log_evidence
        first = galaxy.shape[1] - len(places)
        for place, flux in zip(places, inversion.mean[first:], strict=True):
            if float(flux) <= 0:
                return -math.inf, inversion  # no star is a hole
            slopes = float(flux) * self._slopes(place).double()
            curvature = float(torch.linalg.slogdet(slopes @ slopes.mT)[1])
            # The place is uniform over the fitted pixels, and known to the curvature.
            evidence += min(0.0, math.log(2 * math.pi / self._area) - curvature / 2)
        return evidence, inversion

    def _most_like_a_star(self, inversion: Inversion) -> np.ndarray:
        """Row and column of the most significant star in what is left over."""
        used = self._fit.used.numpy()
        left, weight = np.zeros(used.shape), np.zeros(used.shape)
        left[used] = inversion.residual.double() * self._weight
        weight[used] = self._weight**2
        row, column = (round(c) for c in self._centre)
        half = self._fit.model.margin
        kernel = self._star[row - half : row + half + 1, column - half : column + half + 1]
        match = fftconvolve(left, kernel[::-1, ::-1], mode="same")
        norm = fftconvolve(weight, kernel[::-1, ::-1] ** 2, mode="same")
        significance = match / np.sqrt(np.maximum(norm, 1e-6 * norm.max()))
        return np.array(
            np.unravel_index(np.where(used, significance, -np.inf).argmax(), used.shape), float
        )

    def _moved(self, places: list[np.ndarray], inversion: Inversion) -> list[np.ndarray]:
        """Places after a Gauss-Newton step of each, half a pixel at most, on used pixels."""
        first = self._galaxy.shape[1]
        result = []
        for place, flux in zip(places, inversion.mean[first:], strict=True):
            star = self._image(place)[None]
            slopes = torch.cat([float(flux) * self._slopes(place), star]).double()
            right = slopes @ inversion.residual.double()
            step = torch.linalg.lstsq(slopes @ slopes.mT, right[:, None]).solution[:2, 0]
            moved = place + np.clip(step.numpy(), -0.5, 0.5)
            result.append(moved if self._is_used(moved) else place)
        return result

    def _is_used(self, place: np.ndarray) -> bool:
        """Whether the pixel at a row and column is fitted."""
        row, column = (round(float(c)) for c in place)
        height, width = self._fit.used.shape
        inside = 0 <= row < height and 0 <= column < width
        return inside and bool(self._fit.used[row, column])
