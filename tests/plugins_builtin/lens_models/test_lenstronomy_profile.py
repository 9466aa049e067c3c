"""lenstronomy's profiles as lens models, against direct calls of lenstronomy."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from lenstronomy.LensModel.lens_model import LensModel as Reference

from astrorim.exceptions import UnknownNameError
from astrorim.plugins import load_plugins
from astrorim_plugins.lens_models.lenstronomy_profile import LenstronomyProfile
from astrorim_plugins.shared_parameters import E1, E2, THETA_E, X0, Y0

PROFILES = (
    *("SIS", "SIE", "EPL", "SPEP", "NIE", "NFW", "TNFW", "NFW_ELLIPSE_POTENTIAL", "HERNQUIST"),
    *("SERSIC", "GAUSSIAN", "SHEAR", "CONVERGENCE", "SPP", "PJAFFE", "POINT_MASS"),
)
OUR_NAMES = {"center_x": "x0", "center_y": "y0"}


def foundation(**options):
    return load_plugins().simulators.create("foundation", **options)


def draw(model, shape=(), seed=5):
    generator = torch.Generator().manual_seed(seed)
    return {
        p.name: p.prior[0]
        + (p.prior[1] - p.prior[0])
        * (0.2 + 0.6 * torch.rand(shape, generator=generator, dtype=torch.float64))
        for p in model.parameters
    }


def positions(shape, seed=6):
    generator = torch.Generator().manual_seed(seed)
    return 4 * torch.rand(2, *shape, generator=generator, dtype=torch.float64) - 2


def lenstronomy_names(params, index):
    theirs = {ours: name for name, ours in OUR_NAMES.items()}
    return {theirs.get(name, name): float(value[index]) for name, value in params.items()}


@pytest.mark.parametrize("profile", PROFILES)
def test_a_batch_is_what_lenstronomy_gives_for_each_lens(profile):
    model = load_plugins().lens_models.resolve(f"lenstronomy:{profile}")
    params = draw(model, (3, 1, 1))
    x, y = positions((3, 6, 7))
    psi = model.potential(x, y, params)
    alpha = model.deflection(x, y, params)
    kappa = model.convergence(x, y, params)
    reference = Reference([profile])
    for i in range(3):
        own = [lenstronomy_names(params, (i, 0, 0))]
        at = x[i].numpy().ravel(), y[i].numpy().ravel()  # some profiles take lists only
        np.testing.assert_allclose(psi[i].ravel(), reference.potential(*at, own), rtol=1e-12)
        np.testing.assert_allclose(
            alpha[0][i].ravel(), reference.alpha(*at, own)[0], rtol=1e-12
        )
        np.testing.assert_allclose(
            alpha[1][i].ravel(), reference.alpha(*at, own)[1], rtol=1e-12
        )
        np.testing.assert_allclose(
            kappa[i].ravel(), reference.kappa(*at, own), rtol=1e-12, atol=1e-15
        )


@pytest.mark.parametrize("profile", PROFILES)
def test_gradients_with_respect_to_positions(profile):
    model = LenstronomyProfile(profile)
    params = draw(model, (2, 1, 1))
    x, y = (p.requires_grad_() for p in positions((2, 2, 2)))
    for function in (model.potential, model.deflection):
        # lenstronomy softens some centres by 1e-6 to 1e-4 arcsec in one derivative only
        assert torch.autograd.gradcheck(
            lambda x, y, function=function: function(x, y, params), (x, y), rtol=1e-3, atol=1e-6
        )


def test_second_derivatives_of_the_potential_are_the_convergence():
    model = LenstronomyProfile("EPL")
    params = draw(model)
    x, y = (p.requires_grad_() for p in positions((5,)))
    psi = model.potential(x, y, params)
    first = torch.autograd.grad(psi.sum(), (x, y), create_graph=True)
    psi_xx, psi_yy = (
        torch.autograd.grad(f.sum(), v, retain_graph=True)[0]
        for f, v in zip(first, (x, y), strict=True)
    )
    torch.testing.assert_close((psi_xx + psi_yy) / 2, model.convergence(x, y, params))


def test_gradient_of_broadcast_positions_has_their_shape():
    model = LenstronomyProfile("SIS")
    params = draw(model, (3, 1, 1))
    x, y = (p.requires_grad_() for p in positions((4, 5)))
    gradient = torch.autograd.grad(model.potential(x, y, params).sum(), x)[0]
    alpha_x, _ = model.deflection(x, y, params)
    torch.testing.assert_close(gradient, alpha_x.detach().sum(dim=0))


@pytest.mark.parametrize("function", ["potential", "deflection", "convergence"])
def test_a_gradient_with_respect_to_lens_parameters_is_refused(function):
    model = LenstronomyProfile("SIE")
    params = draw(model)
    params["theta_E"].requires_grad_()
    value = getattr(model, function)(*positions((3,)), params)
    value = value[0] if isinstance(value, tuple) else value
    with pytest.raises(RuntimeError, match="no gradients .* those of theta_E of 'lenstronomy:"):
        value.sum().backward()


def test_a_gradient_of_the_convergence_is_refused():
    model = LenstronomyProfile("SIE")
    x, y = (p.requires_grad_() for p in positions((3,)))
    with pytest.raises(RuntimeError, match="no third derivatives .* 'lenstronomy:SIE'"):
        model.convergence(x, y, draw(model)).sum().backward()


def test_results_follow_the_dtype_of_the_positions():
    model = LenstronomyProfile("NFW")
    x, y = (p.float() for p in positions((3,)))
    assert all(a.dtype == torch.float32 for a in model.deflection(x, y, draw(model)))


def test_parameters_come_from_lenstronomy_and_are_shared_where_they_are_ours():
    parameters = {p.name: p for p in LenstronomyProfile("EPL").parameters}
    assert list(parameters) == ["theta_E", "gamma", "e1", "e2", "x0", "y0"]
    for shared in (THETA_E, E1, E2, X0, Y0):
        assert parameters[shared.name] is shared
    assert parameters["gamma"].support == parameters["gamma"].prior == (1.5, 2.5)
    radius = next(p for p in LenstronomyProfile("NFW").parameters if p.name == "Rs")
    assert (str(radius.unit), radius.support, radius.prior) == ("arcsec", (0, 100), (0.05, 3))


@pytest.mark.parametrize(
    "name, parameters",
    [
        ("lenstronomy:EPL+shear", "theta_E gamma e1 e2 x0 y0 gamma1 gamma2"),
        ("lenstronomy:SIE+lenstronomy:SHEAR", "theta_E e1 e2 x0 y0 gamma1 gamma2"),
        (
            "lenstronomy:SIE+lenstronomy:SHEAR@2",
            "theta_E e1 e2 x0 y0 gamma1_2 gamma2_2",
        ),
        ("sie+lenstronomy:NFW", "theta_E e1 e2 x0 y0 Rs alpha_Rs"),
    ],
)
def test_sums_share_the_centre(name, parameters):
    model = load_plugins().lens_models.resolve(name)
    assert model.name == name
    assert [p.name for p in model.parameters] == parameters.split()


def test_a_sum_with_a_builtin_is_the_builtin_sum():
    models = load_plugins().lens_models
    ours = models.resolve("sie+shear")
    params = draw(ours, (2, 1, 1))
    x, y = positions((2, 4, 4))
    theirs = models.resolve("lenstronomy:SIE+lenstronomy:SHEAR").deflection(x, y, params)
    # lenstronomy's SIE has a core of 1e-6 arcsec or so
    torch.testing.assert_close(theirs, ours.deflection(x, y, params), rtol=0, atol=1e-6)


def test_options_hold_parameters_at_a_value():
    model = LenstronomyProfile("MULTIPOLE", m=4)
    assert "m" not in {p.name for p in model.parameters}
    params = draw(model)
    x, y = positions((3,))
    own = [lenstronomy_names(params, ()) | {"m": 4}]
    alpha_x, _ = model.deflection(x, y, params)
    expected = Reference(["MULTIPOLE"]).alpha(x.numpy(), y.numpy(), own)[0]
    np.testing.assert_allclose(alpha_x, expected, rtol=1e-12)


def test_an_unknown_profile_lists_what_lenstronomy_has():
    with pytest.raises(
        UnknownNameError, match="unknown lens profile of lenstronomy 'epll'; available: .*EPL"
    ) as caught:
        load_plugins().lens_models.resolve("lenstronomy:epll+shear")
    assert "did you mean 'EPL'" in caught.value.__notes__[0]


@pytest.mark.parametrize(
    "profile, message",
    [
        ("INTERPOL", r"'grid_interp_x' of lenstronomy's 'INTERPOL' has no interval .*\(None"),
        ("SYNTHESIS", "cannot make its profile 'SYNTHESIS' with the options none: .*missing"),
        ("LOS", "'LOS' is not a deflector of its own"),
    ],
)
def test_what_cannot_be_a_lens_model_is_refused(profile, message):
    with pytest.raises(ValueError, match=message):
        LenstronomyProfile(profile)


def test_a_simulator_draws_it():
    ours = foundation(lens_model="lenstronomy:EPL+shear").simulate(
        2, seed=1, shape=(24, 24), supersampling=1
    )
    assert ours.lens_model == "lenstronomy:EPL+shear"
    assert bool(((ours.lens["gamma"] > 1.5) & (ours.lens["gamma"] < 2.5)).all())
    assert bool(torch.isfinite(ours.image).all())


def test_a_simulated_image_is_that_of_the_builtin_model():
    options = {"seed": 2, "shape": (40, 40), "supersampling": 2}
    ours = foundation().simulate(1, **options)
    theirs = foundation(lens_model="lenstronomy:SIE+lenstronomy:SHEAR").simulate(1, **options)
    deviation = (ours.noise_free - theirs.noise_free).abs().max() / ours.noise_free.max()
    assert float(deviation) < 1e-4
