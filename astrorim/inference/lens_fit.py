r"""One image as a linear problem in source and amplitudes at given lens parameters.

The design matrix holds the image of every source pixel and of every linear light component,
PSF applied, in units of the noise, on the pixels that are fitted. Its derivative with respect
to a lens parameter p, applied to the present solution, follows from ray shooting,
:math:`\partial m / \partial p = P * [\nabla s \cdot \partial \beta / \partial p]`.
"""

from __future__ import annotations

import copy
import math
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any

import torch

from astrorim.inference.design_matrix import DesignMatrix
from astrorim.inference.inversion import LinearProblem
from astrorim.inference.smoothness import (
    SmoothnessKind,
    smoothness_log_determinant,
    smoothness_matrix,
)
from astrorim.inference.source_images import SourceImages
from astrorim.inference.whitening import Whitening
from astrorim.lensing.convolution import bin_pixels
from astrorim.lensing.interpolation import SourceSampler

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray
    from torch import Tensor

    from astrorim.inference.inversion import Inversion
    from astrorim.lensing.forward import ForwardModel
    from astrorim.lensing.interpolation import SourceFrames

__all__ = ["ExpectedSource", "LensFit"]

ExpectedSource = Callable[[torch.Tensor, torch.Tensor], torch.Tensor]

_FAINTEST = 0.03  # of the brightest, added to an expected brightness that is a guess
_AMPLITUDE_RANGE = 3.0  # prior width of an amplitude, in units of what the data could hold
_LIGHT_SAMPLING = 4  # elements of the PSF's grid along a pixel for the lens light, at most


class LensFit:
    """An image, the pixels of it that are fitted, and what is fitted to them.

    Parameters
    ----------
    model : ForwardModel
        Of one image; the source is interpolated bilinearly.
    used : Tensor, (H, W), bool
        Which pixels count.
    size : int
        Source pixels along each side; 0 for an image without lensed source.
    smoothness : {"gradient", "curvature"}, optional
        Prior of the source.
    expected : callable, optional
        Brightness that the source is expected to have at positions x, y, arcsec, each
        (1, n, n), to a common factor. The prior is then that of the source divided by it,
        so that the source varies most where it is bright (Nightingale et al. 2018, MNRAS
        478, 4738, section 3.3); without it, alike everywhere.
    known : mapping of str to tuple of float, optional
        Mean and standard deviation of the Gaussian prior of parameters in their step
        coordinates, by name, instead of the declared ones.
    faintest : float, optional
        What is added to the expected brightness, in units of its maximum. So bright may the
        source be where nothing is expected.
    correlation : ndarray, (2 k + 1, 2 k + 1), optional
        Of the noise between pixels, at lags of up to k rows and columns, 1 in the middle
        (`~astrorim.inference.whitening.Whitening`); none by default.

    Raises
    ------
    ValueError
        If the model holds several images, or fewer pixels are used than light amplitudes.
    """

    def __init__(
        self,
        model: ForwardModel,
        used: Tensor,
        size: int,
        smoothness: SmoothnessKind = "curvature",
        expected: ExpectedSource | None = None,
        known: Mapping[str, tuple[float, float]] | None = None,
        faintest: float = _FAINTEST,
        correlation: NDArray[np.floating] | None = None,
    ) -> None:
        if len(model.data) != 1:
            raise ValueError(f"the model must hold one image, got {len(model.data)}")
        self.model = model
        # The cusp of a galaxy asks for a finer convolution than the arcs, and has few columns.
        self.light_model = model.changed(sampling=_LIGHT_SAMPLING)
        self.used = used & (model.data.good[0] > 0)
        self.size = size
        self.smoothness = smoothness
        self.expected = expected
        self.known = dict(known or {})
        self.faintest = faintest
        self.correlation = correlation
        parameters = model.system.parameters
        self.linear = [i for i, p in enumerate(parameters) if p.linear]
        self.nonlinear = [i for i, p in enumerate(parameters) if not p.linear]
        number = int(self.used.sum())
        if number <= len(self.linear) + len(self.nonlinear):
            raise ValueError(
                f"the fit needs more pixels than parameters, got {number} unmasked pixels"
            )
        noise = model.data.noise[0][self.used]
        background = 0.0 if model.data.background is None else model.data.background[0]
        self._weight, self._coolness = 1 / noise, 1.0
        self._whitening = None if correlation is None else Whitening(correlation, self.used)
        self._data = self.whitened(model.data.image[0] - background)
        self._images: SourceImages | None = None
        if size:
            self._images = SourceImages(model, self.used, self._weight)
            self._matrix = smoothness_matrix(size, smoothness)
            self._log_determinant = smoothness_log_determinant(size, smoothness)
        else:
            self._matrix, self._log_determinant = torch.zeros(0, 0).double(), 0.0
        self._scaled: tuple[SourceFrames | None, Tensor, float] = (
            None,
            self._matrix,
            self._log_determinant,
        )

    def changed(self, **options: Any) -> LensFit:
        """The same fit with other data or options, by the names of the constructor's."""
        own: dict[str, Any] = {
            name: getattr(self, name)
            for name in ("model", "used", "size", "smoothness", "expected", "known")
        } | {"faintest": self.faintest, "correlation": self.correlation}
        return LensFit(**(own | options))

    def tempered(self, temperature: float) -> LensFit:
        """The same fit with the noise's variance multiplied by a temperature."""
        if temperature == 1:
            return self
        result = copy.copy(self)
        result._heat(temperature)  # noqa: SLF001
        return result

    def _heat(self, temperature: float) -> None:
        self._coolness = 1 / math.sqrt(temperature)
        self._weight = self._weight * self._coolness
        self._data = self._data * self._coolness

    @property
    def num_pixels(self) -> int:
        """Number of fitted pixels."""
        return len(self._data)

    @property
    def data(self) -> Tensor:
        """The fitted pixels (N,) less the background, in units of the noise."""
        return self._data

    @property
    def weight(self) -> Tensor:
        """One over the noise of the fitted pixels, (N,)."""
        return self._weight

    @property
    def positions(self) -> tuple[Tensor, Tensor]:
        """Positions x, y of the fitted pixels, each (N,), arcsec."""
        m, (height, width) = self.model.margin, self.model.shape
        frame = (0, slice(m, m + height), slice(m, m + width))
        x, y = (place[frame][self.used] for place in self.model.positions(1))
        return x, y

    @property
    def log_whitening(self) -> float:
        """What ln of a density of whitened data lacks to be one of the data; 0 without."""
        return 0.0 if self._whitening is None else self._whitening.log_determinant

    def whitened_residual(self, images: Tensor) -> Tensor:
        """Data minus model images (..., H, W), in units of the noise, on the fitted pixels."""
        return self._data - self.whitened(images)

    def whitened(self, images: Tensor) -> Tensor:
        """Images (..., H, W) in units of the noise, on the fitted pixels, (..., N).

        Of correlated noise, of its independent components.
        """
        values = images[..., self.used] * self._weight
        return values if self._whitening is None else self._whitening.apply(values)

    def _prior(self, frames: SourceFrames | None) -> tuple[Tensor, float]:
        """Prior precision of the source at unit strength, and ln of its determinant."""
        if self.expected is None or frames is None or not self.size:
            return self._matrix, self._log_determinant
        known, matrix, log_determinant = self._scaled
        if known is not frames:
            bright = self.expected(*frames.coordinates()).double().flatten()
            # Of a source that is dark everywhere nothing is expected.
            relative = bright / bright.amax() if bool(bright.amax() > 0) else bright + 1
            # Added, for a bound that cuts in would bend every source that falls below it.
            inverse = 1 / (relative + self.faintest)
            matrix = self._matrix * inverse * inverse[:, None]
            log_determinant = self._log_determinant + 2 * float(inverse.log().sum())
            self._scaled = (frames, matrix, log_determinant)
        return matrix, log_determinant

    def light_design(self, values: Tensor) -> Tensor:
        """Image of every linear light component, (K, H, W), at amplitude one."""
        model, light = self.light_model, self.model.system.light
        if light is None:
            return model.data.image.new_zeros(0, *model.shape)
        k = model.light_supersampling
        basis = light.basis(*model.positions(k), model.system.light_params(values))[0]
        return model.observe(bin_pixels(basis, k // model.sampling), model.sampling)

    def problem(self, values: Tensor, frames: SourceFrames | None) -> LinearProblem:
        """Set up the linear problem at some parameters.

        Parameters
        ----------
        values : Tensor, (1, P)
            Parameters; the linear ones do not matter.
        frames : SourceFrames or None
            Frame of the source; None where there is no source.

        Returns
        -------
        LinearProblem
        """
        light = self.whitened(self.light_design(values))
        design = DesignMatrix(None, light.mT.contiguous())
        if self._images is not None and frames is not None:
            source = self._images.design(values, frames) * self._coolness
            if self._whitening is not None:
                source = (self._whitening.matrix @ source).astype(source.dtype)
            design = DesignMatrix.of(source, design.dense)
        matrix, log_determinant = self._prior(frames)
        largest = self._data.abs().amax() / light.abs().amax(dim=1).clamp_min(1e-30)
        return LinearProblem(
            design=design,
            data=self._data,
            smoothness=matrix,
            log_determinant=log_determinant,
            amplitude_precision=(_AMPLITUDE_RANGE * largest) ** -2,
        )

    def with_amplitudes(self, values: Tensor, inversion: Inversion) -> Tensor:
        """Parameters (1, P) with the linear ones from an inversion."""
        result = values.clone()
        result[0, self.linear] = inversion.mean[self.size**2 :].to(values)
        return result

    def source(self, inversion: Inversion) -> Tensor:
        """Source image (1, n, n), flux per arcsec^2."""
        n = self.size
        return inversion.mean[: n * n].reshape(1, n, n).to(self._data)

    def jacobian(
        self, values: Tensor, frames: SourceFrames | None, inversion: Inversion
    ) -> Tensor:
        """Derivatives of the whitened image with respect to the non-linear parameters.

        Parameters
        ----------
        values : Tensor, (1, P)
            Parameters.
        frames : SourceFrames or None
            Frame of the source.
        inversion : Inversion
            The solution at these parameters, which is held.

        Returns
        -------
        Tensor, (N, Q)
        """
        model, system = self.model, self.model.system
        values = self.with_amplitudes(values, inversion)
        lens = [i for i in self.nonlinear if i < system.num_lens]
        light = [i for i in self.nonlinear if i >= system.num_lens]
        images = []
        if lens and (not self.size or frames is None):
            images.append(model.data.image.new_zeros(len(lens), *model.shape))
        elif lens and frames is not None:
            k = model.supersampling
            sampler = SourceSampler(*model.trace(values), frames)
            slope_x, slope_y = sampler.gradient(self.source(inversion))
            d_x, d_y = _along(model.trace, values, lens)
            scene = (slope_x * d_x[:, 0] + slope_y * d_y[:, 0]).contiguous()
            images.append(model.observe(scene, k))
        if light:
            model = self.light_model
            core = model.light_core(values)
            scene = _along(lambda v: model.light_scene(v, core), values, light)[:, 0]
            images.append(model.observe(scene, model.sampling))
        return self.whitened(torch.cat(images)).mT

    def misfit_slope(
        self, values: Tensor, frames: SourceFrames | None, inversion: Inversion
    ) -> Tensor:
        r"""Derivative of half the chi-square, :math:`-J^T r`, by reverse differentiation.

        Of a solution it is that of half the objective too, which source and amplitudes make
        least.

        Parameters
        ----------
        values : Tensor, (1, P)
            Parameters.
        frames : SourceFrames or None
            Frame of the source.
        inversion : Inversion
            The solution at these parameters, which is held.

        Returns
        -------
        Tensor, (Q,), float64
            With respect to the non-linear parameters.
        """
        with torch.enable_grad():
            values = self.with_amplitudes(values, inversion).requires_grad_()
            image = self.light_model.lens_light(values)
            if self.size and frames is not None:
                sampler = SourceSampler(*self.model.trace(values), frames)
                scene = sampler.apply(self.source(inversion))
                image = image + self.model.observe(scene, self.model.supersampling)
            whitened = self.whitened(image)[0]
            (slope,) = torch.autograd.grad(whitened, values, -inversion.residual)
        return slope[0, self.nonlinear].double()


def _along(function: Callable[[Tensor], object], values: Tensor, columns: list[int]) -> Tensor:
    """Derivatives of a function of (1, P) parameters along some of them, stacked in front."""
    directions = torch.eye(values.shape[1], dtype=values.dtype, device=values.device)
    return torch.func.vmap(  # type: ignore[no-any-return]
        lambda direction: torch.func.jvp(function, (values,), (direction[None],))[1]
    )(directions[columns])
