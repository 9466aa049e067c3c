"""Sums of lens models, and the lens together with its light as one parameter vector."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, ClassVar

from astrorim.interfaces.lens_model import LensModel
from astrorim.parameters import Parameter, ParameterSet

if TYPE_CHECKING:
    from torch import Tensor

    from astrorim.interfaces.light_model import LightModel

__all__ = ["LIGHT_PREFIX", "LensSystem", "SumLens"]

LIGHT_PREFIX = "light_"
"""What the names of lens-light parameters begin with in a combined parameter vector."""

_SHARED = ("x0", "y0")


class SumLens(LensModel):
    r"""Sum of lens models: potentials, deflections and convergences add.

    Components without a label share the centre ``x0``, ``y0``; all parameters of a
    labelled component carry the suffix ``_label``.

    Parameters
    ----------
    components : sequence of (str, LensModel)
        Label, empty for none, and model of each component.

    Raises
    ------
    ValueError
        If there is no component, or two unlabelled ones share a parameter other than
        the centre.
    """

    name = "sum"
    parameters: ClassVar[tuple[Parameter, ...]] = ()

    def __init__(self, components: Sequence[tuple[str, LensModel]]) -> None:
        if not components:
            raise ValueError("a sum of lens models needs at least one component, got none")
        parameters: dict[str, Parameter] = {}
        parts = []
        for label, model in components:
            suffix = f"_{label}" if label else ""
            keys = {}
            for parameter in model.parameters:
                key = parameter.name + suffix
                keys[parameter.name] = key
                if key in parameters and (suffix or parameter.name not in _SHARED):
                    other = f"{label}b" if label else "2"
                    raise ValueError(
                        f"components share the parameter {key!r}; give the second one a "
                        f"label of its own, for example {model.name}@{other}"
                    )
                parameters.setdefault(key, parameter.renamed(key) if suffix else parameter)
            parts.append((model, keys))
        self._parts = tuple(parts)
        self.components = tuple(components)
        self.parameters = tuple(parameters.values())  # type: ignore[misc]
        self.name = "+".join(  # type: ignore[misc]
            f"{model.name}@{label}" if label else model.name for label, model in components
        )

    def __repr__(self) -> str:
        return f"SumLens({self.name!r})"

    def each(self, params: Mapping[str, Tensor]) -> list[tuple[LensModel, dict[str, Tensor]]]:
        """Components, each with its parameters by its own names.

        Parameters
        ----------
        params : mapping of str to Tensor, (...)
            Parameters of the sum.

        Returns
        -------
        list of (LensModel, dict of str to Tensor, (...))
        """
        return [
            (model, {name: params[key] for name, key in keys.items()})
            for model, keys in self._parts
        ]

    def potential(self, x: Tensor, y: Tensor, params: Mapping[str, Tensor]) -> Tensor:
        """Sum of the potentials; see `LensModel.potential`."""
        return sum(model.potential(x, y, own) for model, own in self.each(params))  # type: ignore[return-value]

    def deflection(
        self, x: Tensor, y: Tensor, params: Mapping[str, Tensor]
    ) -> tuple[Tensor, Tensor]:
        """Sum of the deflections; see `LensModel.deflection`."""
        deflections = [model.deflection(x, y, own) for model, own in self.each(params)]
        return sum(a[0] for a in deflections), sum(a[1] for a in deflections)  # type: ignore[return-value]

    def convergence(self, x: Tensor, y: Tensor, params: Mapping[str, Tensor]) -> Tensor:
        """Sum of the convergences; see `LensModel.convergence`."""
        return sum(model.convergence(x, y, own) for model, own in self.each(params))  # type: ignore[return-value]


class LensSystem:
    """A lens and its light, with one ordered vector of parameters.

    Parameters
    ----------
    lens : LensModel
        The mass.
    light : LightModel or None, optional
        The lens galaxy's light; None when the image has none.
    """

    def __init__(self, lens: LensModel, light: LightModel | None = None) -> None:
        self.lens = lens
        self.light = light
        own = tuple(lens.parameters)
        light_own = tuple(light.parameters) if light is not None else ()
        self._light_keys = {p.name: LIGHT_PREFIX + p.name for p in light_own}
        self.parameters = ParameterSet(
            own + tuple(p.renamed(LIGHT_PREFIX + p.name) for p in light_own)
        )
        self.num_lens = len(own)

    def __repr__(self) -> str:
        light = self.light.name if self.light is not None else None
        return f"LensSystem(lens={self.lens.name!r}, light={light!r})"

    def lens_params(self, values: Tensor) -> dict[str, Tensor]:
        """Lens parameters by name, shaped to broadcast against positions.

        Parameters
        ----------
        values : Tensor, (B, P)
            Parameter vectors in the order of ``parameters``.

        Returns
        -------
        dict of str to Tensor, (B, 1, 1)
        """
        return {p.name: values[:, i, None, None] for i, p in enumerate(self.lens.parameters)}

    def light_params(self, values: Tensor) -> dict[str, Tensor]:
        """Light parameters by the light model's own names; see `lens_params`."""
        return {
            name: values[:, self.parameters.index_of(key), None, None]
            for name, key in self._light_keys.items()
        }

    def trace(self, x: Tensor, y: Tensor, values: Tensor) -> tuple[Tensor, Tensor]:
        r"""Source-plane positions :math:`\beta = \theta - \alpha(\theta)`.

        Parameters
        ----------
        x, y : Tensor, (B, H, W), arcsec
            Positions on the sky.
        values : Tensor, (B, P)
            Parameter vectors.

        Returns
        -------
        beta_x, beta_y : Tensor, (B, H, W), arcsec
        """
        alpha_x, alpha_y = self.lens.deflection(x, y, self.lens_params(values))
        return x - alpha_x, y - alpha_y

    def light_surface_brightness(self, x: Tensor, y: Tensor, values: Tensor) -> Tensor:
        """Surface brightness of the lens galaxy, flux per arcsec^2; (B, H, W).

        Parameters
        ----------
        x, y : Tensor, (B, H, W), arcsec
            Positions on the sky.
        values : Tensor, (B, P)
            Parameter vectors.
        """
        if self.light is None:
            return x.new_zeros(()).expand(x.shape)
        return self.light.surface_brightness(x, y, self.light_params(values))

    def stack(self, lens: Mapping[str, Tensor], light: Mapping[str, Tensor]) -> Tensor:
        """Parameter vectors (B, P) from two mappings of name to (B,) tensors."""
        import torch

        columns = [lens[p.name] for p in self.lens.parameters]
        columns += [light[name] for name in self._light_keys]
        return torch.stack(columns, dim=-1)

    def supports(self, like: Tensor) -> tuple[Tensor, Tensor]:
        """Lower and upper support of each parameter, (P,), as tensors like ``like``."""
        low = like.new_tensor([p.support[0] for p in self.parameters])
        high = like.new_tensor([p.support[1] for p in self.parameters])
        return low, high
