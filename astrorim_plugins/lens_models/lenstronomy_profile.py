r"""Any lens profile of lenstronomy as a lens model.

For simulation and comparison: lenstronomy computes in float64 with numpy, one lens after
the other, on the processor. Potential, deflection and convergence are lenstronomy's own.
Gradients with respect to the positions come from its deflection and its Hessian; it has
no gradients with respect to the lens parameters, so these are refused. Reconstruction
needs them: use a built-in model there.

Birrer & Amara (2018, Phys. Dark Univ. 22, 189); Birrer et al. (2021, JOSS 6, 3283).
"""

from __future__ import annotations

import difflib
import math
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, ClassVar

import astropy.units as u
import numpy as np
import torch

from astrorim.exceptions import UnknownNameError
from astrorim.interfaces import LensModel
from astrorim.parameters import Parameter
from astrorim_plugins.lens_models.shear import Shear
from astrorim_plugins.shared_parameters import E1, E2, THETA_E, X0, Y0

if TYPE_CHECKING:
    from torch import Tensor

__all__ = ["LenstronomyProfile"]

_OUR_NAMES = {"center_x": "x0", "center_y": "y0"}
_ORIGINS = ("ra_0", "dec_0")
"""Where tides are zero; lenstronomy's own default, the frame's origin, unless given."""
_SHARED = {p.name: p for p in (THETA_E, E1, E2, X0, Y0, *Shear.parameters)}
_LENGTHS = {
    *("theta_E", "x0", "y0", "Rs", "alpha_Rs", "r_core", "r_trunc", "R_sersic", "Ra", "r_E"),
    *("s_scale", "sigma_x", "sigma_y", "theta_c", "r_c", "r_s", "alpha_x", "alpha_y", "b"),
    *("w_c", "w_t", "w_c1", "w_t1", "w_c2", "w_t2", "w_c3", "w_t3", "alpha_1", "sigma"),
}
_ANGLES = {"phi", "phi_m", "phi_G", "psi", "psi_ext", "direction"}
_USUAL_LENGTH = (0.05, 3.0)
"""Lengths met in practice, arcsec; lenstronomy's limits are those of a sampler's walls."""


class LenstronomyProfile(LensModel):
    """A lens profile of lenstronomy.

    Parameters are lenstronomy's, with its limits as supports; ``center_x`` and
    ``center_y`` are called ``x0`` and ``y0``, so that sums share the centre. What the
    built-in models have under the same name is declared as there. The prior of other
    lengths is 0.05 to 3 arcsec, as far as the limits allow, and of everything else the
    whole interval.

    Parameters
    ----------
    profile : str
        lenstronomy's name of the profile, for example ``"EPL"``.
    **options
        Parameters of the profile that are held at a value, by lenstronomy's names
        (``m=4`` of a multipole, the arrays of an interpolated profile), and options that
        lenstronomy's class is made with.

    Raises
    ------
    UnknownNameError
        If lenstronomy has no such profile; the message lists those that it has.
    ValueError
        If lenstronomy cannot make the profile, or one of its parameters is not a number
        between limits and no option holds it.

    Examples
    --------
    >>> from astrorim.plugins import load_plugins
    >>> model = load_plugins().lens_models.resolve("lenstronomy:EPL+shear")
    >>> [parameter.name for parameter in model.parameters]
    ['theta_E', 'gamma', 'e1', 'e2', 'x0', 'y0', 'gamma1', 'gamma2']
    """

    name: ClassVar[str] = "lenstronomy"
    parameters: ClassVar[tuple[Parameter, ...]] = ()

    def __init__(self, profile: str, **options: Any) -> None:
        self.profile = profile
        self.name = f"lenstronomy:{profile}"  # type: ignore[misc]
        own_names = _parameter_names(profile, options)
        self._fixed = {n: v for n, v in options.items() if n in own_names}
        self._profile = _make(profile, {n: v for n, v in options.items() if n not in own_names})
        free = [n for n in own_names if n not in self._fixed and n not in _ORIGINS]
        self._keys = {n: _OUR_NAMES.get(n, n) for n in free}
        self.parameters = tuple(  # type: ignore[misc]
            _declare(n, self._profile, profile) for n in free
        )

    def __repr__(self) -> str:
        return f"LenstronomyProfile({self.profile!r})"

    def potential(self, x: Tensor, y: Tensor, params: Mapping[str, Tensor]) -> Tensor:
        """What lenstronomy calls ``function``; see `LensModel.potential`."""
        return _Potential.apply(self, *self._arguments(x, y, params))

    def deflection(
        self, x: Tensor, y: Tensor, params: Mapping[str, Tensor]
    ) -> tuple[Tensor, Tensor]:
        """What lenstronomy calls ``derivatives``; see `LensModel.deflection`."""
        return _Deflection.apply(self, *self._arguments(x, y, params))

    def convergence(self, x: Tensor, y: Tensor, params: Mapping[str, Tensor]) -> Tensor:
        """Half of the trace of lenstronomy's ``hessian``; see `LensModel.convergence`."""
        return _Convergence.apply(self, *self._arguments(x, y, params))

    def _arguments(
        self, x: Tensor, y: Tensor, params: Mapping[str, Tensor]
    ) -> tuple[Tensor, ...]:
        return x, y, *(torch.as_tensor(params[key]) for key in self._keys.values())

    def evaluate(self, function: str, *tensors: Tensor) -> tuple[Tensor, ...]:
        """Call a function of lenstronomy's profile for each lens.

        Parameters
        ----------
        function : str
            ``function``, ``derivatives`` or ``hessian``.
        *tensors : Tensor
            Positions x and y, (B, H, W), arcsec, then the parameters, (B, 1, 1), in the
            order of `parameters`.

        Returns
        -------
        tuple of Tensor, (B, H, W)
            What the function returns, in the dtype and on the device of the positions.
        """
        like = tensors[0]
        x, y, *values = (t.detach().cpu().numpy().astype(np.float64) for t in tensors)
        lenses = np.broadcast_shapes((), *(v.shape for v in values))
        shape = np.broadcast_shapes(x.shape, y.shape, lenses)
        x, y = np.broadcast_to(x, shape), np.broadcast_to(y, shape)
        lenses = (1,) * (len(shape) - len(lenses)) + lenses
        values = [np.broadcast_to(v, lenses) for v in values]
        call = getattr(self._profile, function)
        number = {"function": 1, "derivatives": 2, "hessian": 4}[function]
        outputs = np.empty((number, *shape))
        for index in np.ndindex(lenses):
            frame = tuple(
                slice(None) if size == 1 else slice(i, i + 1)
                for i, size in zip(index, lenses, strict=True)
            )
            own = {n: float(v[index]) for n, v in zip(self._keys, values, strict=True)}
            result = call(x[frame].ravel(), y[frame].ravel(), **own, **self._fixed)
            result = (result,) if number == 1 else result
            for output, part in zip(outputs, result, strict=True):
                output[frame] = np.reshape(np.broadcast_to(part, x[frame].size), x[frame].shape)
        return tuple(torch.from_numpy(o).to(like) for o in outputs)


def _make(profile: str, options: Mapping[str, Any]) -> Any:
    """The object of lenstronomy, or an error that says why there is none."""
    from lenstronomy.LensModel import profile_list_base

    known = profile_list_base._SUPPORTED_MODELS  # noqa: SLF001  (the only list there is)
    if profile not in known:
        error = UnknownNameError("lens profile of lenstronomy", profile, known)
        folded = {name.upper(): name for name in known}
        close = difflib.get_close_matches(str(profile).upper(), list(folded), n=3)
        if close:
            error.add_note(f"did you mean {' or '.join(repr(folded[c]) for c in close)}?")
        raise error
    try:
        made = profile_list_base.lens_class(profile, profile_kwargs=dict(options))
    except (ImportError, TypeError, ValueError) as error:
        raise ValueError(
            f"lenstronomy cannot make its profile {profile!r} with the options "
            f"{sorted(options) or 'none'}: {error}"
        ) from error
    if not all(hasattr(made, n) for n in ("param_names", "derivatives", "hessian")):
        raise ValueError(
            f"lenstronomy's {profile!r} is not a deflector of its own and cannot be a lens "
            "model; choose a profile of mass"
        )
    return made


def _parameter_names(profile: str, options: Mapping[str, Any]) -> tuple[str, ...]:
    """Names of all parameters, read from the class where it takes options to make one."""
    try:
        return tuple(_make(profile, {}).param_names)
    except ValueError:
        return tuple(_make(profile, options).param_names)


def _declare(name: str, made: Any, profile: str) -> Parameter:
    limits: tuple[Any, ...] = tuple(
        getattr(made, f"{which}_limit_default", {}).get(name) for which in ("lower", "upper")
    )
    numbers = all(isinstance(v, int | float) and math.isfinite(v) for v in limits)
    if not numbers or not limits[0] < limits[1]:
        raise ValueError(
            f"parameter {name!r} of lenstronomy's {profile!r} has no interval of numbers as "
            f"limits, got {limits}; hold it at a value, LenstronomyProfile({profile!r}, "
            f"{name}=...)"
        )
    low, high = map(float, limits)
    ours = _OUR_NAMES.get(name, name)
    shared = _SHARED.get(ours)
    if shared is not None and low <= shared.prior[0] and shared.prior[1] <= high:
        return shared
    prior = (low, high)
    unit = u.dimensionless_unscaled
    if ours in _LENGTHS:
        unit = u.arcsec
        usual = max(low, _USUAL_LENGTH[0]), min(high, _USUAL_LENGTH[1])
        prior = usual if usual[0] < usual[1] else prior
    elif ours in _ANGLES:
        unit = u.rad
    escaped = ours.replace("_", r"\_")
    return Parameter(
        name=ours,
        symbol=rf"\mathrm{{{escaped}}}",
        unit=unit,
        support=(low, high),
        prior=prior,
        description=f"{name} of lenstronomy's {profile}",
    )


def _refuse_parameters(ctx: Any) -> None:
    model = ctx.model
    asked = [
        p.name for p, n in zip(model.parameters, ctx.needs_input_grad[3:], strict=True) if n
    ]
    if asked:
        raise RuntimeError(
            f"lenstronomy gives no gradients with respect to lens parameters, but those of "
            f"{', '.join(asked)} of {model.name!r} were asked for; detach them, or use a "
            "built-in lens model such as 'sie' or 'epl'"
        )


class _Evaluation(torch.autograd.Function):
    """What the three functions share: inputs are kept for the way back."""

    @staticmethod
    def setup_context(ctx: Any, inputs: tuple[Any, ...], output: Any) -> None:  # noqa: ARG004
        ctx.model = inputs[0]
        ctx.save_for_backward(*inputs[1:])


def _reduced(gradient: Tensor, like: Tensor) -> Tensor:
    """Gradient of what was broadcast, summed to its shape."""
    return gradient.sum_to_size(like.shape)


def _positions(ctx: Any, along_x: Tensor, along_y: Tensor) -> tuple[Any, ...]:
    """Gradients for (model, x, y, parameters)."""
    x, y, *values = ctx.saved_tensors
    return None, _reduced(along_x, x), _reduced(along_y, y), *(None for _ in values)


class _Potential(_Evaluation):
    @staticmethod
    def forward(model: LenstronomyProfile, *tensors: Tensor) -> Tensor:
        return model.evaluate("function", *tensors)[0]

    @staticmethod
    def backward(ctx: Any, grad: Tensor) -> tuple[Any, ...]:
        _refuse_parameters(ctx)
        alpha_x, alpha_y = _Deflection.apply(ctx.model, *ctx.saved_tensors)
        return _positions(ctx, grad * alpha_x, grad * alpha_y)


class _Deflection(_Evaluation):
    @staticmethod
    def forward(model: LenstronomyProfile, *tensors: Tensor) -> tuple[Tensor, ...]:
        return model.evaluate("derivatives", *tensors)

    @staticmethod
    @torch.autograd.function.once_differentiable
    def backward(ctx: Any, grad_x: Tensor, grad_y: Tensor) -> tuple[Any, ...]:
        _refuse_parameters(ctx)
        f_xx, f_xy, f_yx, f_yy = ctx.model.evaluate("hessian", *ctx.saved_tensors)
        return _positions(ctx, grad_x * f_xx + grad_y * f_yx, grad_x * f_xy + grad_y * f_yy)


class _Convergence(_Evaluation):
    @staticmethod
    def forward(model: LenstronomyProfile, *tensors: Tensor) -> Tensor:
        f_xx, _, _, f_yy = model.evaluate("hessian", *tensors)
        return (f_xx + f_yy) / 2

    @staticmethod
    def backward(ctx: Any, grad: Tensor) -> tuple[Any, ...]:  # noqa: ARG004
        _refuse_parameters(ctx)
        raise RuntimeError(
            "lenstronomy gives no third derivatives of the potential, so the convergence of "
            f"{ctx.model.name!r} has no gradient; use a built-in lens model such as 'epl'"
        )
