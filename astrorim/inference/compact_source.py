r"""A compact source behind the lens: concentric Gaussians, descended to from many lenses.

The source is an elliptical multi-Gaussian expansion (Emsellem et al. 1994, A&A 285, 723) of a
free centre and shape, seen through the lens at a point :math:`\beta(\theta)`,

.. math::
    I(\theta) = \sum_s a_s \exp\left( -\frac{R^2(\beta(\theta))}{2 \sigma_s^2} \right)
        + \sum_k c_k\, \ell_k(\theta) , \qquad a_s, c_k \ge 0 ,

with the lens light's own linear components :math:`\ell_k`, as He et al. (2024, MNRAS 532,
2441) begin with. Such a source cannot be drawn like the arcs themselves, so that a wrong
Einstein radius leaves a misfit, which a flexible source would hide. All amplitudes are
projected out (see `astrorim.inference.refinement`); many starts descend together.

Bright arcs have structure that no such source has: an error of some per cent of the
brightness is added to the noise.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import torch

from astrorim.inference.arcs import arc_map
from astrorim.inference.inversion import nonnegative_solution
from astrorim.inference.light_fit import smoothed
from astrorim.inference.refinement import parameter_prior
from astrorim.lensing.special import bounded_ellipticity, elliptical_coordinates
from astrorim.rim.parameter_step import from_coordinates, is_positive, to_coordinates

if TYPE_CHECKING:
    from collections.abc import Mapping

    from torch import Tensor

    from astrorim.lensing.forward import ForwardModel

__all__ = ["CompactFit", "CompactState", "descend"]

_NUM_GAUSSIANS = 8
_SMALLEST = 0.3  # width of the narrowest Gaussian, in pixels of the image
_LARGEST = 0.4  # of the widest, in Einstein radii
_MODEL_ERROR = 0.05  # of the brightness, added to the noise
_RIDGE = 1e-7  # of the diagonal, so that Gaussians that look alike share the light
_SHAPE_WIDTH = 0.2  # prior of the source's ellipticity components
_PLACE_WIDTH = 0.3  # prior of its distance from the lens, in Einstein radii
_SOURCE_STEP = (0.15, 0.15, 0.15, 0.15)  # most in a step: Einstein radii, then ellipticity
_LARGEST_STEP = 0.1  # of a lens or light parameter, or of its logarithm
_LEAST_DAMPING = 1e-4


@dataclass(frozen=True)
class CompactState:
    """Where several descents stand.

    Parameters
    ----------
    values : Tensor, (B, P)
        Parameters of the system, the linear ones solved.
    source : Tensor, (B, 4)
        Centre x, y of the source, arcsec, and its ellipticity e1, e2.
    widths : Tensor, (B, S), arcsec
        Of the source's Gaussians.
    amplitudes : Tensor, (B, K + S)
        Of the lens light, then of the source's Gaussians.
    chi2 : Tensor, (B,)
        Misfit, in units of noise and model error.
    penalty : Tensor, (B,)
        Of the prior.
    """

    values: Tensor
    source: Tensor
    widths: Tensor
    amplitudes: Tensor
    chi2: Tensor
    penalty: Tensor

    def select(self, index: Tensor) -> CompactState:
        """Some of the descents."""
        return CompactState(
            self.values[index],
            self.source[index],
            self.widths[index],
            self.amplitudes[index],
            self.chi2[index],
            self.penalty[index],
        )

    def first(self, number: int) -> CompactState:
        """The first descents, ``number`` at most."""
        return self.select(torch.arange(min(number, len(self.values))))

    def brightness(self, x: Tensor, y: Tensor) -> Tensor:
        """Surface brightness (B, ...) of the sources at positions x, y, (B, ...), arcsec."""
        square = _elliptical_square(x, y, self.source)
        result = torch.zeros_like(square)
        own = self.amplitudes[:, -self.widths.shape[1] :]
        shape = (-1, *(1,) * (x.ndim - 1))
        for a, width in zip(own.unbind(1), self.widths.unbind(1), strict=True):
            result += a.view(shape) * torch.exp(-0.5 * square / width.view(shape) ** 2)
        return result

    def score(self, num_pixels: int) -> Tensor:
        """What to order by, (B,): the misfit at its own temperature, and the prior."""
        temperature = (self.chi2 / num_pixels).clamp_min(1.0)
        return num_pixels * temperature.log() + self.chi2 / temperature + self.penalty


class CompactFit:
    """One image as a problem in lens, lens light and a compact source.

    Parameters
    ----------
    model : ForwardModel
        Of one image; the coarser its pixels, the faster.
    used : Tensor, (H, W), bool
        Which pixels count.
    known : mapping of str to tuple of float, optional
        Mean and standard deviation of the Gaussian prior of parameters, by name, instead of
        the declared ones.
    """

    def __init__(
        self,
        model: ForwardModel,
        used: Tensor,
        known: Mapping[str, tuple[float, float]] | None = None,
    ) -> None:
        self.model = model
        self.used = used & (model.data.good[0] > 0)
        image, noise = model.data.image[0], model.data.noise[0]
        error = _MODEL_ERROR * smoothed(torch.where(self.used, image, 0.0)).clamp_min(0)
        self._weight = (noise.square() + error.square()).rsqrt()[self.used]
        self._data = image[self.used] * self._weight
        parameters = model.system.parameters
        self.nonlinear = [i for i, p in enumerate(parameters) if not p.linear]
        self.linear = [i for i, p in enumerate(parameters) if p.linear]
        own = [parameters[i] for i in self.nonlinear]
        self.positive = is_positive(own, model.data.image)
        self._mean, self._precision = parameter_prior(
            own, self.positive, model.data.image, known
        )
        self._theta_e = parameters.index_of("theta_E")
        self._centre = [parameters.index_of("x0"), parameters.index_of("y0")]
        self._light_columns: Tensor | None = None

    @property
    def num_pixels(self) -> int:
        """Number of fitted pixels."""
        return len(self._data)

    def widths(self, values: Tensor) -> Tensor:
        """Widths (B, S), arcsec, of the source's Gaussians for Einstein radii in ``values``."""
        smallest = _SMALLEST * self.model.data.pixel_scale[0]
        ratio = _LARGEST * values[:, self._theta_e] / smallest
        steps = torch.linspace(0, 1, _NUM_GAUSSIANS, dtype=values.dtype, device=values.device)
        return smallest * ratio.clamp_min(1.5)[:, None] ** steps

    def begin(self, values: Tensor) -> CompactState:
        """Solve the amplitudes of round sources in the middle of the traced arcs.

        Parameters
        ----------
        values : Tensor, (B, P)
            Lens, and light fitted to the image without arcs.
        """
        model, m = self.model, self.model.margin
        weight = arc_map(model, self.used, values[:1])
        inner = (slice(None), slice(m, m + model.shape[0]), slice(m, m + model.shape[1]))
        traced = model.system.trace(*model.positions(1), values)
        total = weight.sum().clamp_min(1e-30)
        middle = [(weight * beta[inner]).sum(dim=(-2, -1)) / total for beta in traced]
        source = torch.stack([*middle, *torch.zeros_like(values[:, :2]).unbind(1)], dim=1)
        return self.solve(values, source, self.widths(values), light_held=True)

    def solve(
        self, values: Tensor, source: Tensor, widths: Tensor, *, light_held: bool
    ) -> CompactState:
        """Solve the amplitudes, none of them negative.

        Parameters
        ----------
        values : Tensor, (B, P)
            Parameters; the linear ones do not matter.
        source : Tensor, (B, 4)
            Centre and ellipticity of the source.
        widths : Tensor, (B, S), arcsec
            Of its Gaussians.
        light_held : bool
            Whether the lens light has the shape that it had before, and in all descents.
        """
        design = self._design(values, source, widths, light_held=light_held)
        gram = _gram(design)
        projected = (design @ self._data).double()
        free = torch.ones_like(projected[0], dtype=torch.bool)
        solved = [
            nonnegative_solution(*pair, free)[0] for pair in zip(gram, projected, strict=True)
        ]
        amplitudes = torch.stack(solved).to(values)
        residual = self._data - (amplitudes[:, None] @ design)[:, 0]
        values = values.clone()
        values[:, self.linear] = amplitudes[:, : len(self.linear)]
        return CompactState(
            values,
            source,
            widths,
            amplitudes,
            residual.double().square().sum(dim=1),
            self._penalty(values, source),
        )

    def expand(self, state: CompactState, *, light_held: bool) -> tuple[Tensor, Tensor]:
        """Gradient (B, Q + 4) and curvature (B, Q + 4, Q + 4) of half the objective.

        In step coordinates, the amplitudes projected out, the misfit at its temperature.
        """
        design = self._design(state.values, state.source, state.widths, light_held=light_held)
        residual = self._data - (state.amplitudes[:, None] @ design)[:, 0]
        jacobian = self._jacobian(state, light_held=light_held)
        crossed = (design @ jacobian.mT).double()
        gram = _gram(design)
        free = state.amplitudes > 0
        both = free[:, :, None] & free[:, None, :]
        gram = torch.where(both, gram, torch.diag_embed((~free).double()))
        crossed = torch.where(free[:, :, None], crossed, 0.0)
        response = torch.linalg.solve(gram, crossed)
        curvature = (jacobian @ jacobian.mT).double() - crossed.mT @ response
        gradient = -(jacobian @ residual[..., None])[..., 0].double()
        temperature = (state.chi2 / self.num_pixels).clamp_min(1.0)[:, None]
        mean, precision = self._prior(state.values)
        gradient = gradient / temperature + precision * (self._place(state) - mean)
        return gradient, curvature / temperature[..., None] + torch.diag_embed(precision)

    def moved(self, state: CompactState, step: Tensor, *, light_held: bool) -> CompactState:
        """The state after a step (B, Q + 4) in step coordinates, inside the supports."""
        place = self._place(state) + step
        q = len(self.nonlinear)
        values = state.values.clone()
        low, high = self.model.system.supports(values)
        inside = from_coordinates(place[:, :q], self.positive).to(values)
        low, high = low[self.nonlinear], high[self.nonlinear]
        values[:, self.nonlinear] = torch.minimum(torch.maximum(inside, low), high)
        return self.solve(values, place[:, q:].to(values), state.widths, light_held=light_held)

    def step_limits(self, state: CompactState) -> Tensor:
        """The longest step of each coordinate, (B, Q + 4)."""
        theta_e = state.values[:, self._theta_e, None].double()
        limits = theta_e.new_full((len(theta_e), len(self.nonlinear)), _LARGEST_STEP)
        source = theta_e.new_tensor(_SOURCE_STEP) * torch.cat(
            [theta_e, theta_e, torch.ones_like(theta_e), torch.ones_like(theta_e)], dim=1
        )
        return torch.cat([limits, source], dim=1)

    def moving(self, *, light_held: bool) -> Tensor:
        """Which coordinates move, (Q + 4,) bool."""
        lens = [i < self.model.system.num_lens or not light_held for i in self.nonlinear]
        return torch.tensor([*lens, True, True, True, True])

    def _place(self, state: CompactState) -> Tensor:
        point = state.values[:, self.nonlinear].double()
        return torch.cat([to_coordinates(point, self.positive), state.source.double()], dim=1)

    def _prior(self, values: Tensor) -> tuple[Tensor, Tensor]:
        """Mean and precision, (B, Q + 4) each."""
        number = len(values)
        width = _PLACE_WIDTH * values[:, self._theta_e, None].double()
        shape = torch.full_like(width, _SHAPE_WIDTH**-2)
        mean = torch.cat(
            [
                self._mean.expand(number, -1),
                values[:, self._centre].double(),
                torch.zeros(number, 2, dtype=torch.float64),
            ],
            dim=1,
        )
        precision = [self._precision.expand(number, -1), width**-2, width**-2, shape, shape]
        return mean, torch.cat(precision, dim=1)

    def _penalty(self, values: Tensor, source: Tensor) -> Tensor:
        mean, precision = self._prior(values)
        point = to_coordinates(values[:, self.nonlinear].double(), self.positive)
        place = torch.cat([point, source.double()], dim=1)
        return (precision * (place - mean).square()).sum(dim=1)

    def _whitened(self, images: Tensor) -> Tensor:
        return images[..., self.used] * self._weight

    def _gaussians(self, values: Tensor, source: Tensor, widths: Tensor) -> Tensor:
        """Gaussians of central brightness one on the sub-pixels, (B, S, H', W')."""
        return torch.exp(-0.5 * self._radius(values, source)[:, None] / _square(widths))

    def _radius(self, values: Tensor, source: Tensor) -> Tensor:
        """Squared elliptical radius in the source plane, (B, H', W'), arcsec^2."""
        k = self.model.supersampling
        return _elliptical_square(
            *self.model.system.trace(*self.model.positions(k), values), source
        )

    def _design(
        self, values: Tensor, source: Tensor, widths: Tensor, *, light_held: bool
    ) -> Tensor:
        """Whitened images of all linear components, (B, K + S, N)."""
        k = self.model.supersampling
        scenes = self._gaussians(values, source, widths)
        images = self.model.observe(scenes.flatten(0, 1), k)
        design = self._whitened(images).unflatten(0, scenes.shape[:2])
        if not self.linear:
            return design
        return torch.cat([self._light(values, light_held=light_held), design], dim=1)

    def _light(self, values: Tensor, *, light_held: bool) -> Tensor:
        """Whitened images of the lens light's components, (B, K, N)."""
        model, light = self.model, self.model.system.light
        if light_held and self._light_columns is not None:
            return self._light_columns.expand(len(values), -1, -1)
        if light is None:
            return values.new_zeros(len(values), 0, self.num_pixels)
        k = model.light_supersampling
        wanted = values[:1] if light_held else values
        columns = []
        for row in wanted.split(1):  # one by one, to save memory
            basis = light.basis(*model.positions(k), model.system.light_params(row))[0]
            basis = torch.nn.functional.avg_pool2d(basis[None], k // model.sampling)[0]
            columns.append(self._whitened(model.observe(basis, model.sampling)))
        result = torch.stack(columns)
        if light_held:
            self._light_columns = result
            return result.expand(len(values), -1, -1)
        return result

    def _jacobian(self, state: CompactState, *, light_held: bool) -> Tensor:
        """Derivatives of the whitened image, (B, Q + 4, N), the amplitudes held."""
        model, q = self.model, len(self.nonlinear)
        amplitudes = state.amplitudes[:, len(self.linear) :]
        point = to_coordinates(state.values[:, self.nonlinear], self.positive)
        core = model.light_core(state.values)

        def image(place: Tensor) -> Tensor:
            own = from_coordinates(place[:, :q], self.positive)
            values = state.values.index_copy(1, torch.tensor(self.nonlinear), own)
            gaussians = self._gaussians(values, place[:, q:], state.widths)
            scene = (gaussians * amplitudes[:, :, None, None]).sum(dim=1)
            result = model.observe(scene, model.supersampling)
            if not light_held and model.system.light is not None:
                light = model.light_scene(values, core)
                result = result + model.observe(light, model.sampling)
            return result

        place = torch.cat([point, state.source], dim=1)
        moving = self.moving(light_held=light_held).nonzero()[:, 0]
        directions = torch.eye(place.shape[1], dtype=place.dtype)[moving]
        tangents = torch.func.vmap(
            lambda d: torch.func.jvp(image, (place,), (d.expand_as(place),))[1]
        )(directions)
        result = place.new_zeros(len(place), place.shape[1], self.num_pixels)
        result[:, moving] = self._whitened(tangents).transpose(0, 1)
        return result


def _gram(design: Tensor) -> Tensor:
    """Products (B, M, M) of components (B, M, N), summed in float64, with a ridge."""
    design = design.double()
    gram = design @ design.mT
    diagonal = gram.diagonal(dim1=1, dim2=2)
    tiny = 1e-12 * diagonal.amax(dim=1, keepdim=True)
    return gram + torch.diag_embed(_RIDGE * diagonal + tiny)


def _elliptical_square(x: Tensor, y: Tensor, source: Tensor) -> Tensor:
    """Squared elliptical radius (B, H, W), arcsec^2, about centres and shapes (B, 4)."""
    x0, y0, e1, e2 = (s[:, None, None] for s in source.unbind(1))
    e1, e2, square = bounded_ellipticity(e1, e2)
    X, Y = elliptical_coordinates(x - x0, y - y0, e1, e2)
    return (X * X + Y * Y) / (1 - square)


def _square(widths: Tensor) -> Tensor:
    return widths.square()[:, :, None, None]


@torch.no_grad()
def descend(
    fit: CompactFit,
    state: CompactState,
    num_steps: int,
    *,
    light_held: bool,
    tolerance: float = 1.0,
) -> CompactState:
    """Descend from every start by Levenberg-Marquardt steps.

    Parameters
    ----------
    fit : CompactFit
        The image.
    state : CompactState
        Starts.
    num_steps : int
        Steps at most.
    light_held : bool
        Whether the shape of the lens light is held.
    tolerance : float, optional
        Stop when no descent gains more.

    Returns
    -------
    CompactState
        Each at the lowest objective that it met.
    """
    moving = fit.moving(light_held=light_held).nonzero()[:, 0]
    damping = torch.full_like(state.chi2, 1e-2)
    for _ in range(num_steps):
        gradient, curvature = fit.expand(state, light_held=light_held)
        part = curvature[:, moving][:, :, moving]
        damped = part + torch.diag_embed(damping[:, None] * part.diagonal(dim1=1, dim2=2))
        step = torch.zeros_like(gradient)
        step[:, moving] = -torch.linalg.solve(damped, gradient[:, moving])
        excess = (step.abs() / fit.step_limits(state)).amax(dim=1).clamp_min(1.0)
        new = fit.moved(state, step / excess[:, None], light_held=light_held)
        temperature = (state.chi2 / fit.num_pixels).clamp_min(1.0)
        gain = (state.chi2 - new.chi2) / temperature + state.penalty - new.penalty
        better = (gain > 0) & gain.isfinite()
        state = _chosen(better, new, state)
        damping = torch.where(better, (damping / 5).clamp_min(_LEAST_DAMPING), damping * 10)
        if not bool((gain > tolerance).any()) and not bool((~better & (damping < 1e3)).any()):
            break
    return state


def _chosen(better: Tensor, new: CompactState, old: CompactState) -> CompactState:
    """Of each descent the new state where it is better."""

    def pick(a: Tensor, b: Tensor) -> Tensor:
        return torch.where(better.view(-1, *(1,) * (a.ndim - 1)), a, b)

    return CompactState(
        *(pick(getattr(new, name), getattr(old, name)) for name in CompactState.__annotations__)
    )
