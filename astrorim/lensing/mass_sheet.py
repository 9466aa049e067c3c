r"""The mass-sheet transformation, which no image of a lens can see.

.. math::
    \kappa \to \lambda \kappa + (1 - \lambda), \qquad
    \alpha \to \lambda \alpha + (1 - \lambda) \theta, \qquad
    \beta \to \lambda \beta

(Falco, Gorenstein & Shapiro 1985, ApJ 289, L1). The source is scaled by :math:`\lambda`;
image positions, flux ratios, critical curves and the effective Einstein radius stay.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import TYPE_CHECKING, ClassVar

from astrorim.interfaces.lens_model import LensModel
from astrorim.parameters import Parameter

if TYPE_CHECKING:
    from torch import Tensor

__all__ = ["MassSheetTransformed"]


class MassSheetTransformed(LensModel):
    """A lens model after a mass-sheet transformation about the origin.

    Parameters
    ----------
    model : LensModel
        The lens model, whose parameters this one has.
    scale : float
        The factor lambda, above 0; 1 changes nothing.

    Raises
    ------
    ValueError
        If ``scale`` is not a positive number.
    """

    name = "mass-sheet-transformed"
    parameters: ClassVar[tuple[Parameter, ...]] = ()

    def __init__(self, model: LensModel, scale: float) -> None:
        if not (math.isfinite(scale) and scale > 0):
            raise ValueError(
                f"the mass sheet's lambda must be a positive number, got {scale}; 1 leaves "
                "the model as it is, 0.9 adds a sheet of convergence 0.1"
            )
        self.model, self.scale = model, float(scale)
        self.parameters = model.parameters  # type: ignore[misc]
        self.name = model.name  # type: ignore[misc]

    def potential(self, x: Tensor, y: Tensor, params: Mapping[str, Tensor]) -> Tensor:
        """Transformed potential; see `LensModel.potential`."""
        sheet = (1 - self.scale) * (x * x + y * y) / 2
        return self.scale * self.model.potential(x, y, params) + sheet

    def deflection(
        self, x: Tensor, y: Tensor, params: Mapping[str, Tensor]
    ) -> tuple[Tensor, Tensor]:
        """Transformed deflection; see `LensModel.deflection`."""
        ax, ay = self.model.deflection(x, y, params)
        return self.scale * ax + (1 - self.scale) * x, self.scale * ay + (1 - self.scale) * y

    def convergence(self, x: Tensor, y: Tensor, params: Mapping[str, Tensor]) -> Tensor:
        """Transformed convergence; see `LensModel.convergence`."""
        return self.scale * self.model.convergence(x, y, params) + (1 - self.scale)
