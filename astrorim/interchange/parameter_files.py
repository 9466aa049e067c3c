"""The nine reported parameters read back from JSON, as a start for a fit."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

from astrorim.plugins import load_plugins
from astrorim.results.parameter_table import REPORTED_PARAMETERS, reported_values

if TYPE_CHECKING:
    from os import PathLike

__all__ = ["StartParameters", "read_parameters"]

_ROUNDING = 1e-6
"""How far the nine parameters and the model's own may be apart, of the larger of 1."""


class StartParameters(NamedTuple):
    """A lens and its light, by our names: where a fit may start.

    Parameters
    ----------
    lens_model : str
        Registered name or a sum, for example ``"sie+shear"``.
    lens : dict of str to float
        Internal lens parameters, arcsec where lengths.
    light : dict of str to float
        Parameters of the lens light; empty where the file has none.
    """

    lens_model: str
    lens: dict[str, float]
    light: dict[str, float]


def read_parameters(path: str | PathLike[str]) -> StartParameters:
    r"""Read ``<name>_parameters.json``, or a file with the nine numbers alone.

    A file of ours names its lens model and holds the model's own parameters, which are
    returned. From the nine numbers the lens is ``sie+shear``, with ``+nfw`` where
    :math:`\kappa_s > 0`, and

    .. math::

        \theta_\mathrm{E} = b, \quad (e_1, e_2) = \tfrac{1-q}{1+q}(\cos 2\phi, \sin 2\phi),
        \quad (\gamma_1, \gamma_2) = \gamma (\cos 2\phi_\gamma, \sin 2\phi_\gamma).

    Here b is the Einstein radius itself, product average of the axes, in the files of
    prior scripts too; no axis ratio divides it.

    Parameters
    ----------
    path : path-like
        JSON with ``b``, ``q``, ``phi``, ``x0``, ``y0``, ``gamma``, ``gamma_phi``,
        ``kappa_s`` and ``rs`` at the top level, arcsec and radians.

    Returns
    -------
    StartParameters

    Raises
    ------
    TypeError
        If a value is not a number.
    ValueError
        If the file is not a JSON object, a parameter is missing, not finite or outside
        its support, the file's units or definitions are others, or its lens parameters
        are not those of its lens model.
    UnknownNameError
        If the file names a lens model that is not registered.
    """
    document = _load(path)
    missing = [name for name in REPORTED_PARAMETERS.names if name not in document]
    if missing:
        raise ValueError(
            f"{path} must hold the nine parameters {', '.join(REPORTED_PARAMETERS.names)} at "
            f"its top level; missing: {', '.join(missing)}"
        )
    light = _numbers(document.get("lens_light", {}), f"lens_light of {path}")
    light = {name.removeprefix("light_"): value for name, value in light.items()}
    _check_units(document.get("units", {}), path)
    if "lens_model" in document or "lens" in document:
        lens_model, lens = _own_lens(document, path)
    else:
        lens_model, lens = _lens_of_nine(document, path)
    return StartParameters(lens_model, lens, light)


def _load(path: str | PathLike[str]) -> dict[str, Any]:
    try:
        document = json.loads(Path(path).read_text(encoding="utf-8"))
    except (json.JSONDecodeError, UnicodeDecodeError) as error:
        raise ValueError(f"{path} is not JSON: {error}") from error
    if not isinstance(document, dict):
        raise ValueError(  # noqa: TRY004  (a fault of the file, not of an argument)
            f"{path} must hold a JSON object, got {type(document).__name__}"
        )
    return document


def _number(value: Any, name: str, where: str) -> float:
    if value is None:
        raise ValueError(f"{name} in {where} must be finite, got null")
    if isinstance(value, bool) or not isinstance(value, (int, float)):
        raise TypeError(
            f"{name} in {where} must be a number, got {value!r} ({type(value).__name__})"
        )
    if not math.isfinite(value):
        raise ValueError(f"{name} in {where} must be finite, got {value!r}")
    return float(value)


def _numbers(values: Any, where: str) -> dict[str, float]:
    if not isinstance(values, Mapping):
        raise TypeError(f"{where} must be a JSON object, got {type(values).__name__}")
    return {name: _number(value, name, where) for name, value in values.items()}


def _check_units(units: Mapping[str, str], path: str | PathLike[str]) -> None:
    for parameter in REPORTED_PARAMETERS:
        expected = parameter.unit.to_string()
        found = units.get(parameter.name, expected)
        if found != expected:
            raise ValueError(
                f"{parameter.name} in {path} must be in {expected or 'no unit'}, got {found!r}"
            )


def _own_lens(
    document: Mapping[str, Any], path: str | PathLike[str]
) -> tuple[str, dict[str, float]]:
    """The lens model that a file of ours names, with the model's own parameters."""
    absent = [name for name in ("lens_model", "lens") if name not in document]
    if absent:
        raise ValueError(f"{path} names a lens only in part; missing: {', '.join(absent)}")
    lens_model = document["lens_model"]
    if not isinstance(lens_model, str):
        raise TypeError(f"lens_model in {path} must be a name, got {lens_model!r}")
    lens = _numbers(document["lens"], f"lens of {path}")
    expected = [p.name for p in load_plugins().lens_models.resolve(lens_model).parameters]
    if set(lens) != set(expected):
        raise ValueError(
            f"lens in {path} must hold the parameters of {lens_model!r}, "
            f"{', '.join(expected)}; got {', '.join(lens) or 'none'}"
        )
    nine = _nine(document, path)
    for name, value in reported_values(lens).items():
        apart = abs(nine[name] - float(value))
        period = REPORTED_PARAMETERS.by_name(name).period
        if period is not None:
            apart = min(apart, abs(period - apart))
        if apart > _ROUNDING * max(1.0, abs(float(value))):
            raise ValueError(
                f"{name} in {path} is {nine[name]}, but its lens gives {float(value)}; after "
                "a change to the nine parameters, remove 'lens' and 'lens_model'"
            )
    return lens_model, {name: lens[name] for name in expected}


def _nine(document: Mapping[str, Any], path: str | PathLike[str]) -> dict[str, float]:
    names = REPORTED_PARAMETERS.names
    return {name: _number(document[name], name, str(path)) for name in names}


def _lens_of_nine(
    document: Mapping[str, Any], path: str | PathLike[str]
) -> tuple[str, dict[str, float]]:
    nine = {
        name: _number(document[name], name, str(path)) for name in REPORTED_PARAMETERS.names
    }
    for parameter in REPORTED_PARAMETERS:
        value = nine[parameter.name]
        if parameter.period is None and not parameter.contains(value):
            raise ValueError(
                f"{parameter.name} in {path} must lie in {parameter.support}, got {value}"
            )
    if nine["q"] == 0:
        raise ValueError(f"q in {path} must be positive, got 0.0")
    ellipticity = (1 - nine["q"]) / (1 + nine["q"])
    lens = {
        "theta_E": nine["b"],
        "e1": ellipticity * math.cos(2 * nine["phi"]),
        "e2": ellipticity * math.sin(2 * nine["phi"]),
        "x0": nine["x0"],
        "y0": nine["y0"],
        "gamma1": nine["gamma"] * math.cos(2 * nine["gamma_phi"]),
        "gamma2": nine["gamma"] * math.sin(2 * nine["gamma_phi"]),
    }
    if nine["kappa_s"] == 0:
        return "sie+shear", lens
    if nine["rs"] == 0:
        raise ValueError(f"rs in {path} must be positive where kappa_s is, got 0.0")
    return "sie+shear+nfw", lens | {"kappa_s": nine["kappa_s"], "rs": nine["rs"]}
