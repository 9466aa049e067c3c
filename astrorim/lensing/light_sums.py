"""Sums of light models."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, ClassVar

import torch

from astrorim.interfaces.light_model import LightModel
from astrorim.parameters import Parameter

if TYPE_CHECKING:
    from torch import Tensor

__all__ = ["SumLight"]

_SHARED = ("x0", "y0")


class SumLight(LightModel):
    r"""Sum of light models: brightnesses and fluxes add.

    All parameters of a component with a label carry the suffix ``_label``. Components
    without a label share the centre ``x0``, ``y0`` as long as they have nothing else in
    common; one that has is given the first free number from 2 on as its label, and with it
    a centre of its own.

    Parameters
    ----------
    components : sequence of (str, LightModel)
        Label, empty for none, and model of each component.

    Raises
    ------
    ValueError
        If there is no component, or two have the same parameter by their labels.

    Examples
    --------
    >>> from astrorim import load_plugins
    >>> model = load_plugins().light_models.resolve("sersic+sersic")
    >>> model.linear_names
    ('amplitude', 'amplitude_2')
    """

    name = "sum"
    parameters: ClassVar[tuple[Parameter, ...]] = ()

    def __init__(self, components: Sequence[tuple[str, LightModel]]) -> None:
        if not components:
            raise ValueError("a sum of light models needs at least one component, got none")
        parameters: dict[str, Parameter] = {}
        labelled, parts = [], []
        for given, model in components:
            label, number = given, 2
            while not given and _collision(model, label, parameters):
                label, number = str(number), number + 1
            twice = _collision(model, label, parameters)
            if twice:
                raise ValueError(
                    f"components share the parameter {twice!r}; give the second one a "
                    f"label of its own, for example {model.name}@{label}b"
                )
            keys = {p.name: _labelled(p.name, label) for p in model.parameters}
            for parameter in model.parameters:
                key = keys[parameter.name]
                parameters.setdefault(key, parameter.renamed(key) if label else parameter)
            labelled.append((label, model))
            parts.append((model, keys))
        self._parts = tuple(parts)
        self.components = tuple(labelled)
        self.parameters = tuple(parameters.values())  # type: ignore[misc]
        self.name = "+".join(  # type: ignore[misc]
            f"{model.name}@{label}" if label else model.name for label, model in components
        )

    def __repr__(self) -> str:
        return f"SumLight({self.name!r})"

    def each(self, params: Mapping[str, Tensor]) -> list[tuple[LightModel, dict[str, Tensor]]]:
        """Components, each with its parameters by its own names.

        Parameters
        ----------
        params : mapping of str to Tensor, (...)
            Parameters of the sum.

        Returns
        -------
        list of (LightModel, dict of str to Tensor, (...))
        """
        return [
            (model, {name: params[key] for name, key in keys.items()})
            for model, keys in self._parts
        ]

    def basis(self, x: Tensor, y: Tensor, params: Mapping[str, Tensor]) -> Tensor:
        """Those of the components, one after the other; see `LightModel.basis`.

        Parameters
        ----------
        x, y : Tensor, (B, H, W), arcsec
            Positions.
        params : mapping of str to Tensor, (B, 1, 1)
            Parameters of the sum; the linear ones give shapes only.

        Returns
        -------
        Tensor, (B, K, H, W), flux per arcsec^2
        """
        return torch.cat([model.basis(x, y, own) for model, own in self.each(params)], dim=1)

    def surface_brightness(self, x: Tensor, y: Tensor, params: Mapping[str, Tensor]) -> Tensor:
        """Sum of the brightnesses; see `LightModel.surface_brightness`."""
        return sum(model.surface_brightness(x, y, own) for model, own in self.each(params))  # type: ignore[return-value]

    def total_flux(self, params: Mapping[str, Tensor]) -> Tensor:
        """Sum of the fluxes; see `LightModel.total_flux`."""
        return sum(model.total_flux(own) for model, own in self.each(params))  # type: ignore[return-value]


def _labelled(name: str, label: str) -> str:
    return f"{name}_{label}" if label else name


def _collision(model: LightModel, label: str, taken: Mapping[str, Parameter]) -> str:
    """First parameter that is taken and not shared, empty if there is none."""
    for parameter in model.parameters:
        key = _labelled(parameter.name, label)
        if key in taken and (label or parameter.name not in _SHARED):
            return key
    return ""
