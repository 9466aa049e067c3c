r"""Lens and light models in lenstronomy's names and numbers, and back.

Both codes take Einstein radii as product averages of the axes, ellipticities as
:math:`\frac{1-q}{1+q}(\cos 2\phi, \sin 2\phi)` and shear as
:math:`\gamma(\cos 2\phi, \sin 2\phi)`; most parameters only change their names. Two do more
(Birrer & Amara 2018, Physics of the Dark Universe 22, 189, for lenstronomy's side):

* the NFW halo is normalised by its deflection at the scale radius,
  :math:`\alpha_{R_s} = 4 \kappa_s R_s (1 - \ln 2)`;
* its Sersic profile has :math:`b_n = 1.9992 n - 0.3271`, a fit, so that its radius and its
  amplitude differ from the half-light radius and the brightness there.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from functools import cache
from typing import Any, NamedTuple

import numpy as np

from astrorim.plugins import load_plugins
from astrorim.plugins.lens_models import parse_composite

__all__ = [
    "LensComponent",
    "lens_components",
    "lens_from_lenstronomy",
    "lens_to_lenstronomy",
    "light_from_lenstronomy",
    "light_to_lenstronomy",
]

Kwargs = dict[str, Any]

_ALPHA_PER_KAPPA = 4 * (1 - math.log(2))
_CENTRE = {"x0": "center_x", "y0": "center_y"}
_ELLIPSE = {"e1": "e1", "e2": "e2", **_CENTRE}

_LENSES: dict[str, tuple[str, dict[str, str]]] = {
    "sie": ("SIE", {"theta_E": "theta_E", **_ELLIPSE}),
    "sis": ("SIS", {"theta_E": "theta_E", **_CENTRE}),
    "epl": ("EPL", {"theta_E": "theta_E", "slope": "gamma", **_ELLIPSE}),
    "nfw": ("NFW", {"rs": "Rs", "kappa_s": "alpha_Rs", **_CENTRE}),
    "shear": ("SHEAR", {"gamma1": "gamma1", "gamma2": "gamma2"}),
    "mass-sheet": ("CONVERGENCE", {"kappa_sheet": "kappa"}),
}
"""Our lens models: lenstronomy's profile, and its names of our parameters."""

_SAME_LENS = {"PEMD": "epl", "EPL_NUMBA": "epl"}
_ABOUT_A_POINT = ("ra_0", "dec_0")


class LensComponent(NamedTuple):
    """One component of a sum of lens models.

    Parameters
    ----------
    label : str
        What follows ``@`` in the name of the sum; empty for none.
    name : str
        Registered name, for example ``"sie"``.
    profile : str
        Name of lenstronomy's profile.
    keys : dict of str to str
        Names of the component's parameters in the sum, by their names in lenstronomy.
    """

    label: str
    name: str
    profile: str
    keys: dict[str, str]


def lens_components(lens_model: str) -> list[LensComponent]:
    """Components of a lens model that lenstronomy has too.

    Parameters
    ----------
    lens_model : str
        Registered name or a sum, for example ``"sie+shear+nfw@halo"``.

    Returns
    -------
    list of LensComponent

    Raises
    ------
    UnknownNameError
        If a component is not registered.
    ValueError
        If a component has no counterpart in lenstronomy.
    """
    components = []
    name = load_plugins().lens_models.canonical_name(lens_model)
    for label, component in parse_composite(name):
        if component not in _LENSES:
            raise ValueError(
                f"lens model {component!r} of {lens_model!r} cannot be written for "
                f"lenstronomy; those that can: {', '.join(_LENSES)}"
            )
        profile, names = _LENSES[component]
        suffix = f"_{label}" if label else ""
        keys = {theirs: ours + suffix for ours, theirs in names.items()}
        components.append(LensComponent(label, component, profile, keys))
    return components


def _finite(value: Any, name: str, owner: str) -> Any:
    """Number or array of numbers, checked."""
    if isinstance(value, (bool, str)) or not np.issubdtype(np.asarray(value).dtype, np.number):
        raise TypeError(
            f"{name} of {owner!r} must be a number, got {value!r} ({type(value).__name__})"
        )
    if not np.all(np.isfinite(value)):
        raise ValueError(f"{name} of {owner!r} must be finite, got {value!r}")
    return np.asarray(value, dtype=float) if np.ndim(value) else float(value)


def _pick(values: Mapping[str, Any], name: str, owner: str) -> Any:
    if name not in values:
        given = ", ".join(values) or "none"
        raise ValueError(f"{owner!r} needs the parameter {name!r}; given: {given}")
    return _finite(values[name], name, owner)


def lens_to_lenstronomy(
    lens_model: str, lens: Mapping[str, Any]
) -> tuple[list[str], list[Kwargs]]:
    """Lens parameters for lenstronomy's ``LensModel``.

    Parameters
    ----------
    lens_model : str
        Registered name or a sum of them.
    lens : mapping of str to float or ndarray, (S,)
        Its parameters by our names, arcsec where lengths.

    Returns
    -------
    lens_model_list : list of str
        Profiles, one for each component.
    kwargs_lens : list of dict
        Their parameters, floats or (S,) as given.

    Raises
    ------
    UnknownNameError
        If a component is not registered.
    TypeError
        If a value is not a number.
    ValueError
        If a component has no counterpart, a parameter is missing or not finite, or one
        is given that the model has not.
    """
    components = lens_components(lens_model)
    known = {key for component in components for key in component.keys.values()}
    _refuse_others(lens, known, lens_model)
    kwargs_lens = []
    for component in components:
        own = {theirs: _pick(lens, ours, lens_model) for theirs, ours in component.keys.items()}
        if component.name == "nfw":
            own["alpha_Rs"] = _ALPHA_PER_KAPPA * own["alpha_Rs"] * own["Rs"]
        if component.name in {"shear", "mass-sheet"}:
            own |= dict.fromkeys(_ABOUT_A_POINT, 0.0)
        kwargs_lens.append(own)
    return [component.profile for component in components], kwargs_lens


def _refuse_others(values: Mapping[str, Any], known: set[str], owner: str) -> None:
    others = sorted(set(values) - known)
    if others:
        raise ValueError(
            f"{owner!r} has no parameter {', '.join(others)}; its parameters: "
            f"{', '.join(sorted(known))}"
        )


def _checked_lists(profiles: Sequence[str], kwargs: Sequence[Kwargs], what: str) -> None:
    if len(profiles) != len(kwargs):
        raise ValueError(
            f"{what} must name one profile for each set of parameters, got {len(profiles)} "
            f"profiles and {len(kwargs)} sets"
        )


def _own_component(profile: str, kwargs: Mapping[str, Any]) -> tuple[str, dict[str, float]]:
    """Our name of one of lenstronomy's profiles, and its parameters by our names."""
    given = dict(kwargs)
    if profile == "SHEAR_GAMMA_PSI":
        gamma, psi = (_pick(given, n, profile) for n in ("gamma_ext", "psi_ext"))
        given = {n: v for n, v in given.items() if n not in {"gamma_ext", "psi_ext"}}
        given |= {"gamma1": gamma * math.cos(2 * psi), "gamma2": gamma * math.sin(2 * psi)}
        name: str | None = "shear"
    else:
        same = {theirs: ours for ours, (theirs, _) in _LENSES.items()} | _SAME_LENS
        name = same.get(profile)
    if name is None:
        available = [*(theirs for theirs, _ in _LENSES.values()), "SHEAR_GAMMA_PSI"]
        raise ValueError(
            f"lenstronomy's lens profile {profile!r} is not one of ours; those that can be "
            f"read: {', '.join([*available, *_SAME_LENS])}"
        )
    if name in {"shear", "mass-sheet"}:
        about = [_finite(given.pop(n, 0.0), n, profile) for n in _ABOUT_A_POINT]
        if any(about):
            raise ValueError(
                f"{profile!r} must be about the origin, got ra_0, dec_0 = {about}; moving it "
                "there shifts the source by a constant"
            )
    names = _LENSES[name][1]
    _refuse_others(given, set(names.values()), profile)
    defaults = dict.fromkeys(_CENTRE.values(), 0.0)  # as lenstronomy's own
    own = {ours: _pick(defaults | given, theirs, profile) for ours, theirs in names.items()}
    if name == "nfw":
        if own["rs"] <= 0:
            raise ValueError(f"Rs of {profile!r} must be positive, got {own['rs']}")
        own["kappa_s"] = own["kappa_s"] / (_ALPHA_PER_KAPPA * own["rs"])
    return name, own


def _merged(
    own: Mapping[str, float], lens: Mapping[str, float], label: str
) -> dict[str, float] | None:
    """The sum's parameters with one more component; None where the names are taken."""
    suffix = f"_{label}" if label else ""
    renamed = {name + suffix: value for name, value in own.items()}
    shared = set() if label else set(_CENTRE)
    if any(
        name in lens and not (name in shared and lens[name] == value)
        for name, value in renamed.items()
    ):
        return None
    return {**lens, **renamed}


def lens_from_lenstronomy(
    lens_model_list: Sequence[str],
    kwargs_lens: Sequence[Kwargs],
    *,
    lens_model: str | None = None,
) -> tuple[str, dict[str, float]]:
    """Name and parameters of the lens model that lenstronomy's lists describe.

    Components share a centre where their centres are equal; one that would take a name
    that is taken gets a label, its number in the list.

    Parameters
    ----------
    lens_model_list : sequence of str
        Profiles.
    kwargs_lens : sequence of dict
        Their parameters.
    lens_model : str, optional
        Name of the sum, where its labels are to be kept; its components must be those of
        the lists, in order.

    Returns
    -------
    lens_model : str
        For example ``"sie+shear+sis@3"``.
    lens : dict of str to float
        Parameters by our names.

    Raises
    ------
    UnknownNameError
        If a component of ``lens_model`` is not registered.
    TypeError
        If a value is not a number.
    ValueError
        If a profile is not one of ours, a parameter is missing, not finite or unknown, or
        the lists do not fit ``lens_model``.
    """
    _checked_lists(lens_model_list, kwargs_lens, "lens_model_list")
    if not lens_model_list:
        raise ValueError("lens_model_list must name at least one profile, got none")
    found = [
        _own_component(profile, kwargs)
        for profile, kwargs in zip(lens_model_list, kwargs_lens, strict=True)
    ]
    wanted = None
    if lens_model is not None:
        wanted = lens_components(lens_model)
        if [name for name, _ in found] != [component.name for component in wanted]:
            raise ValueError(
                f"lens_model must have the components {'+'.join(name for name, _ in found)}, "
                f"in this order, got {lens_model!r}"
            )
    lens: dict[str, float] = {}
    names = []
    for number, (name, own) in enumerate(found, start=1):
        labels = ["", str(number)] if wanted is None else [wanted[number - 1].label]
        for label in labels:
            merged = _merged(own, lens, label)
            if merged is not None:
                break
        else:
            raise ValueError(
                f"component {number} ({name!r}) of {lens_model!r} shares parameters with an "
                "earlier one but differs in their values; give it a label, as in "
                f"'{name}@{number}'"
            )
        lens = merged
        names.append(f"{name}@{label}" if label else name)
    return "+".join(names), lens


@cache
def _sersic_constant(sersic_index: float) -> float:
    r"""Constant :math:`b_n` of our Sersic profile, dimensionless.

    Read off the profile itself: :math:`I(R_e) / I(2^n R_e) = e^{b_n}`.
    """
    import torch

    values = {
        "amplitude": 1.0, "half_light_radius": 1.0, "sersic_index": sersic_index,
        "e1": 0.0, "e2": 0.0, "x0": 0.0, "y0": 0.0,
    }  # fmt: skip
    params = {n: torch.tensor(v, dtype=torch.float64) for n, v in values.items()}
    x = torch.tensor([1.0, 2.0**sersic_index], dtype=torch.float64)
    model = load_plugins().light_models.create("sersic")
    near, far = model.surface_brightness(x, torch.zeros_like(x), params).tolist()
    return math.log(near / far)


def _sersic_constants(sersic_index: Any) -> tuple[Any, Any]:
    """Our and lenstronomy's constant of Sersic profiles, of the index's shape."""
    from lenstronomy.LensModel.Profiles.sersic_utils import SersicUtil

    theirs = np.vectorize(SersicUtil().b_n, otypes=[float])
    ours = np.vectorize(_sersic_constant, otypes=[float])
    pair = ours(sersic_index), theirs(sersic_index)
    return pair if np.ndim(sersic_index) else (float(pair[0]), float(pair[1]))


_SERSIC = {
    "amplitude": "amp", "half_light_radius": "R_sersic", "sersic_index": "n_sersic", **_ELLIPSE,
}  # fmt: skip


def light_to_lenstronomy(
    light_model: str, light: Mapping[str, Any]
) -> tuple[list[str], list[Kwargs]]:
    """Lens light for lenstronomy's ``LightModel``.

    Parameters
    ----------
    light_model : str
        Registered name of a light model.
    light : mapping of str to float or ndarray, (S,)
        Its parameters by our names: amplitude in flux per arcsec^2, lengths in arcsec.

    Returns
    -------
    light_model_list : list of str
        Profiles.
    kwargs_light : list of dict
        Their parameters, floats or (S,) as given.

    Raises
    ------
    UnknownNameError
        If the light model is not registered.
    TypeError
        If a value is not a number.
    ValueError
        If the model has no counterpart, or a parameter is missing, unknown or not finite.
    """
    name = load_plugins().light_models.canonical_name(light_model)
    if name != "sersic":
        raise ValueError(
            f"light model {light_model!r} cannot be written for lenstronomy; those that can: "
            "sersic"
        )
    _refuse_others(light, set(_SERSIC), light_model)
    own = {theirs: _pick(light, ours, light_model) for ours, theirs in _SERSIC.items()}
    index = own["n_sersic"]
    ours, theirs = _sersic_constants(index)
    own["amp"] = own["amp"] * np.exp(ours - theirs)
    own["R_sersic"] = own["R_sersic"] * (theirs / ours) ** index
    return ["SERSIC_ELLIPSE"], [_plain(own)]


def light_from_lenstronomy(
    light_model_list: Sequence[str], kwargs_light: Sequence[Kwargs]
) -> tuple[str, dict[str, float]]:
    """Name and parameters of the light model that lenstronomy's lists describe.

    Parameters
    ----------
    light_model_list : sequence of str
        One profile, ``SERSIC_ELLIPSE`` or ``SERSIC``.
    kwargs_light : sequence of dict
        Its parameters.

    Returns
    -------
    light_model : str
    light : dict of str to float
        Parameters by our names.

    Raises
    ------
    TypeError
        If a value is not a number.
    ValueError
        If there is not exactly one profile, it is not one of ours, or a parameter is
        missing, unknown or not finite.
    """
    _checked_lists(light_model_list, kwargs_light, "light_model_list")
    readable = ("SERSIC_ELLIPSE", "SERSIC")
    if len(light_model_list) != 1 or light_model_list[0] not in readable:
        raise ValueError(
            f"light_model_list must be one of {', '.join(readable)}, got "
            f"{list(light_model_list)}"
        )
    profile, given = light_model_list[0], dict(kwargs_light[0])
    if profile == "SERSIC":
        given |= {"e1": 0.0, "e2": 0.0}
    _refuse_others(given, set(_SERSIC.values()), profile)
    defaults = dict.fromkeys(_CENTRE.values(), 0.0)
    own = {ours: _pick(defaults | given, theirs, profile) for ours, theirs in _SERSIC.items()}
    index = own["sersic_index"]
    if index <= 0:
        raise ValueError(f"n_sersic of {profile!r} must be positive, got {index}")
    ours, theirs = _sersic_constants(index)
    own["amplitude"] *= math.exp(theirs - ours)
    own["half_light_radius"] *= (ours / theirs) ** index
    return "sersic", own


def _plain(values: Mapping[str, Any]) -> Kwargs:
    """Floats instead of numpy's scalars."""
    return {n: v if np.ndim(v) else float(v) for n, v in values.items()}
