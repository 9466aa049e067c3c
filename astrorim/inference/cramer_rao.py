r"""How well the parameters of a lens can be measured on one image: the Cramer-Rao bound.

With the source s under its Gaussian prior of precision R, the linear amplitudes among it,
and the images :math:`A` of all these unknowns in units of the noise, data of parameters
:math:`\theta` scatter with covariance :math:`1 + A R^{-1} A^T` about their mean, whose
inverse is :math:`1 - A S^{-1} A^T` with :math:`S = A^T A + R`. The Fisher matrix of the
non-linear parameters is

.. math:: F = J^T (1 - A S^{-1} A^T) J, \qquad J = \frac{\partial A}{\partial \theta} \, s,

at the true parameters and the true source, and no unbiased estimate has a standard deviation
below :math:`\sqrt{(F^{-1})_{ii}}` (Kay 1993, *Fundamentals of Statistical Signal Processing:
Estimation Theory*, equation 3.24). The absolute error of a Gaussian estimate that reaches it
has the median 0.674 of that.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import torch

from astrorim.inference.lens_fit import LensFit
from astrorim.inference.true_model import true_model

if TYPE_CHECKING:
    import numpy as np
    from torch import Tensor

    from astrorim.grid import SourceGrid
    from astrorim.inference.oracle import OracleInversion
    from astrorim.lensing.interpolation import SourceFrames
    from astrorim.results.lens_truth import LensTruth

__all__ = ["fisher_matrix", "parameter_bounds"]

_SUB_PIXELS = 4


@torch.no_grad()
def fisher_matrix(
    fit: LensFit, values: Tensor, frames: SourceFrames, source: Tensor, strength: float
) -> Tensor:
    """Fisher matrix of the non-linear parameters, source and amplitudes marginalised.

    Parameters
    ----------
    fit : LensFit
        The image and its model.
    values : Tensor, (1, P)
        True parameters.
    frames : SourceFrames
        Frame of the source.
    source : Tensor, (n, n), flux per arcsec^2
        True source on its pixels.
    strength : float
        Of the source's prior.

    Returns
    -------
    Tensor, (Q, Q), float64
        In the parameters' own units, in the order of ``fit.nonlinear``.
    """
    inversion = fit.problem(values, frames).invert(strength)
    true = torch.cat([source.reshape(-1).double(), values[0, fit.linear].double()])
    jacobian = fit.jacobian(values, frames, replace(inversion, mean=true))
    crossed = inversion.problem.design.transposed(jacobian)
    gram = (jacobian.mT @ jacobian).double()
    return gram - crossed.double().mT @ inversion.solve(crossed)


@torch.no_grad()
def parameter_bounds(truth: LensTruth, oracle: OracleInversion) -> dict[str, float]:
    """Smallest standard deviation that an unbiased estimate can have, by parameter.

    The lens model is the truth's own, and so is that of the lens light, all of whose
    parameters are inferred as well. The source has the frame and prior that the evidence
    chose with the lens known.

    Parameters
    ----------
    truth : LensTruth
        The image and its truth.
    oracle : OracleInversion
        The inversion of it with the lens known.

    Returns
    -------
    dict of str to float
        By internal name of the lens parameters, in their declared units; NaN where the
        image says nothing.
    """
    true = true_model(truth, fit_light=True).within(oracle.true.radius)
    frames = oracle.frames
    fit = LensFit(true.model, true.used, frames.size, oracle.kind)
    source = _on_frames(truth.source, truth.source_grid, frames) / true.unit_flux
    fisher = fisher_matrix(fit, true.values, frames, source, oracle.inversion.strength)
    system = true.model.system
    names = [system.parameters[i].name for i in fit.nonlinear if i < system.num_lens]
    scale = fisher.diagonal().clamp_min(1e-300).sqrt()
    inverse = torch.linalg.inv(fisher / scale[:, None] / scale)
    sigma = inverse.diagonal().sqrt() / scale
    return dict(zip(names, sigma.tolist(), strict=False))


def _on_frames(source: np.ndarray, grid: SourceGrid, frames: SourceFrames) -> Tensor:
    """A pixel image's means over the pixels (n, n) of a frame, zero beyond its own."""
    rows, columns = grid.shape
    x, y = frames.coordinates(_SUB_PIXELS)
    column = (x - grid.x0) / grid.pixel_scale * (2 / (columns - 1))
    row = (y - grid.y0) / grid.pixel_scale * (2 / (rows - 1))
    fine = torch.nn.functional.grid_sample(
        torch.as_tensor(source)[None, None].to(x),
        torch.stack([column, row], dim=-1),
        mode="bilinear",
        padding_mode="zeros",
        align_corners=True,
    )
    return torch.nn.functional.avg_pool2d(fine, _SUB_PIXELS)[0, 0]
