"""The built-in plugins, registered through the same hooks as anybody's.

Factories import their module when they are called, so that listing names stays quick
and loads no torch.
"""

from __future__ import annotations

import importlib
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from astrorim.plugins import hookimpl

if TYPE_CHECKING:
    from astrorim.interfaces import (
        PSF,
        LensModel,
        LightModel,
        NetworkBackend,
        Normalizer,
        Simulator,
    )
    from astrorim.plugins import Register

__all__ = [
    "ASTRORIM_API_VERSION",
    "astrorim_register_lens_models",
    "astrorim_register_light_models",
    "astrorim_register_networks",
    "astrorim_register_normalizers",
    "astrorim_register_psfs",
    "astrorim_register_simulators",
]

ASTRORIM_API_VERSION = 1


def _deferred(module: str, name: str) -> Callable[..., Any]:
    """Return a factory that imports ``module`` and calls its class ``name``."""

    def create(*arguments: str, **options: Any) -> Any:
        cls = getattr(importlib.import_module(f"astrorim_plugins.{module}"), name)
        return cls(*arguments, **options)

    return create


@hookimpl
def astrorim_register_lens_models(register: Register[LensModel]) -> None:
    """Register our lens models."""
    register("sie", _deferred("lens_models.sie", "SIE"))
    register("sis", _deferred("lens_models.sis", "SIS"))
    register("epl", _deferred("lens_models.power_law", "PowerLaw"))
    register("nfw", _deferred("lens_models.nfw", "NFW"))
    register("shear", _deferred("lens_models.shear", "Shear"))
    register("mass-sheet", _deferred("lens_models.mass_sheet", "MassSheet"))
    lenstronomy = _deferred("lens_models.lenstronomy_profile", "LenstronomyProfile")
    register("lenstronomy", lenstronomy, argument="PROFILE")


@hookimpl
def astrorim_register_light_models(register: Register[LightModel]) -> None:
    """Register our light models."""
    register("sersic", _deferred("light_models.sersic", "Sersic"))
    register("multi-gaussian", _deferred("light_models.multi_gaussian", "MultiGaussian"))


@hookimpl
def astrorim_register_simulators(register: Register[Simulator]) -> None:
    """Register our simulators."""
    for module, name, aliases in (
        ("foundation", "Foundation", ["v1"]),
        ("enhanced", "Enhanced", ["v2"]),
        ("multi_instrument", "MultiInstrument", ["v3"]),
        ("expanded", "Expanded", ["v4"]),
        ("small_lens", "SmallLens", ["v5", "weak"]),
        ("realistic", "Realistic", ["v6"]),
    ):
        create = _deferred(f"simulators.{module}", name)
        register(module.replace("_", "-"), create, aliases=aliases)


@hookimpl
def astrorim_register_normalizers(register: Register[Normalizer]) -> None:
    """Register our normalizers."""
    register("robust", _deferred("normalizers.robust", "RobustNormalizer"))
    register("minmax", _deferred("normalizers.minmax", "MinMaxNormalizer"))
    register("percentile", _deferred("normalizers.percentile", "PercentileNormalizer"))


@hookimpl
def astrorim_register_psfs(register: Register[PSF]) -> None:
    """Register our point spread functions."""
    register("gaussian", _deferred("psfs.gaussian", "GaussianPSF"))
    register("moffat", _deferred("psfs.moffat", "MoffatPSF"))
    register("airy", _deferred("psfs.airy", "AiryPSF"))
    register("measured", _deferred("psfs.measured", "MeasuredPSF"))
    register("stars", _deferred("psfs.stars", "StarsPSF"))
    register("gridded", _deferred("psfs.gridded", "GriddedPSF"))


@hookimpl
def astrorim_register_networks(register: Register[NetworkBackend]) -> None:
    """Register our network backends."""
    register("flow-encoder", _deferred("networks.flow_encoder", "FlowEncoder"))
    register("residual-encoder", _deferred("networks.flow_encoder", "ResidualEncoder"))
    register("unet-gru", _deferred("networks.unet_gru", "UNetGRU"))
    register("conv-gru", _deferred("networks.conv_gru", "ConvGRUNetwork"))
