from __future__ import annotations

import pytest
import torch

from astrorim.interfaces import LensModel
from astrorim.lensing import LensSystem, SumLens
from astrorim.lensing.system import LIGHT_PREFIX
from astrorim.plugins import load_plugins


@pytest.fixture
def resolve():
    return load_plugins().lens_models.resolve


@pytest.fixture
def create_light():
    return load_plugins().light_models.create


@pytest.fixture
def positions(generator, dtype):
    draws = torch.rand(2, 2, 5, 6, generator=generator, dtype=dtype)
    return 2 * draws[0] - 1, 2 * draws[1] - 1


def params_of(model, dtype):
    """A value off the middle of each prior, so that no symmetry hides an error."""
    return {
        p.name: torch.tensor([[[p.prior[0] + 0.62 * (p.prior[1] - p.prior[0])]]], dtype=dtype)
        for p in model.parameters
    }


SUMS = ["sie+shear", "sie+shear+nfw", "sie+sis@2", "epl+mass-sheet", "sie@a+shear@b"]


@pytest.mark.parametrize("name", SUMS)
def test_sum_is_a_lens_model_with_the_name_that_made_it(resolve, name):
    model = resolve(name)
    assert isinstance(model, LensModel)
    assert model.name == name
    assert repr(model) == f"SumLens({name!r})"


@pytest.mark.parametrize("name", SUMS)
def test_sum_adds_its_components(resolve, positions, dtype, name):
    model = resolve(name)
    params = params_of(model, dtype)
    potential = alpha_x = alpha_y = kappa = 0
    for label, part in model.components:
        suffix = f"_{label}" if label else ""
        own = {p.name: params[p.name + suffix] for p in part.parameters}
        potential = potential + part.potential(*positions, own)
        deflection = part.deflection(*positions, own)
        alpha_x, alpha_y = alpha_x + deflection[0], alpha_y + deflection[1]
        kappa = kappa + part.convergence(*positions, own)
    close = torch.testing.assert_close
    close(model.potential(*positions, params), potential, rtol=0, atol=0)
    close(model.deflection(*positions, params), (alpha_x, alpha_y), rtol=0, atol=0)
    close(model.convergence(*positions, params), kappa, rtol=0, atol=0)


@pytest.mark.parametrize("name", SUMS)
def test_gradient_of_the_potential_is_the_deflection(
    resolve, positions, dtype, deviation, name
):
    model = resolve(name)
    params = params_of(model, dtype)
    x, y = (p.clone().requires_grad_() for p in positions)
    gradient = torch.autograd.grad(model.potential(x, y, params).sum(), (x, y))
    alpha = model.deflection(x, y, params)
    error = max((g - a).detach().abs().max() for g, a in zip(gradient, alpha, strict=True))
    assert deviation("grad psi - alpha, arcsec", error) < 1e-10


@pytest.mark.parametrize("name", SUMS)
def test_half_the_divergence_of_the_deflection_is_the_convergence(
    resolve, positions, dtype, deviation, name
):
    model = resolve(name)
    params = params_of(model, dtype)
    x, y = positions
    one, zero = torch.ones_like(x), torch.zeros_like(x)
    # forward mode, as the Gauss-Newton curvature needs it
    _, (xx, _) = torch.func.jvp(
        lambda x, y: model.deflection(x, y, params), (x, y), (one, zero)
    )
    _, (_, yy) = torch.func.jvp(
        lambda x, y: model.deflection(x, y, params), (x, y), (zero, one)
    )
    kappa = model.convergence(x, y, params)
    error = ((xx + yy) / 2 - kappa).abs() / kappa.abs().clamp_min(1)
    assert deviation("laplacian psi / 2 - kappa", error.max()) < 1e-9


def test_components_without_a_label_share_their_centre(resolve):
    names = [p.name for p in resolve("sie+shear+nfw").parameters]
    assert names.count("x0") == names.count("y0") == 1
    assert {"theta_E", "gamma1", "kappa_s", "rs"} <= set(names)


def test_shared_centre_moves_both_components(resolve, positions, dtype):
    model = resolve("sie+nfw")
    params = params_of(model, dtype)
    x, y = positions
    moved = params | {"x0": params["x0"] + 0.2, "y0": params["y0"] - 0.1}
    torch.testing.assert_close(
        model.deflection(x + 0.2, y - 0.1, moved),
        model.deflection(x, y, params),
        rtol=1e-12,
        atol=1e-13,
    )


def test_labelled_component_has_a_centre_of_its_own(resolve):
    model = resolve("sie+sis@2")
    names = [p.name for p in model.parameters]
    assert names == ["theta_E", "e1", "e2", "x0", "y0", "theta_E_2", "x0_2", "y0_2"]
    assert len({p.fits_key for p in model.parameters}) == len(names)


@pytest.mark.parametrize(
    "name, shared, advice",
    [
        ("sie+sis", "theta_E", "sis@2"),
        ("shear+shear", "gamma1", "shear@2"),
        ("sie@2+sis@2", "theta_E_2", "sis@2b"),
        ("nfw@a+nfw@a", "kappa_s_a", "nfw@ab"),
    ],
)
def test_any_other_collision_is_refused_with_a_label_that_helps(resolve, name, shared, advice):
    with pytest.raises(ValueError, match=f"share the parameter '{shared}'.* {advice}$"):
        resolve(name)
    resolve("+".join([*name.split("+")[:-1], advice]))


def test_empty_sum_is_refused():
    with pytest.raises(ValueError, match="at least one component, got none"):
        SumLens([])


def test_system_without_deflection_traces_to_the_same_place(resolve, positions, dtype):
    system = LensSystem(resolve("shear"))
    beta = system.trace(*positions, torch.zeros(2, 2, dtype=dtype))
    torch.testing.assert_close(beta, positions, rtol=0, atol=0)


def test_light_parameters_carry_their_prefix_and_come_after_the_lens(system):
    names = system.parameters.names
    assert names[: system.num_lens] == tuple(p.name for p in system.lens.parameters)
    assert all(name.startswith(LIGHT_PREFIX) for name in names[system.num_lens :])
    assert "sie+shear" in repr(system)
    assert "sersic" in repr(system)


def test_parameter_vector_is_put_together_and_taken_apart(system, values):
    lens = {name: v[:, 0, 0] for name, v in system.lens_params(values).items()}
    light = {name: v[:, 0, 0] for name, v in system.light_params(values).items()}
    assert list(light) == [p.name for p in system.light.parameters]
    torch.testing.assert_close(system.stack(lens, light), values, rtol=0, atol=0)


def test_lens_and_light_have_their_own_ellipticity(system, values, positions):
    moved = values.clone()
    moved[:, system.parameters.index_of("light_e1")] += 0.1
    torch.testing.assert_close(
        system.trace(*positions, moved), system.trace(*positions, values), rtol=0, atol=0
    )
    before = system.light_surface_brightness(*positions, values)
    assert not torch.equal(system.light_surface_brightness(*positions, moved), before)


def test_system_without_light_is_dark(resolve, positions, dtype):
    system = LensSystem(resolve("sis"))
    values = torch.tensor([[1.0, 0.0, 0.0]] * 2, dtype=dtype)
    brightness = system.light_surface_brightness(*positions, values)
    assert brightness.shape == positions[0].shape
    assert not brightness.any()


def test_supports_are_those_declared(system, values):
    low, high = system.supports(values)
    assert low.dtype == values.dtype
    assert [tuple(s) for s in torch.stack([low, high], 1).tolist()] == [
        p.support for p in system.parameters
    ]


def test_forward_mode_derivative_of_tracing_agrees_with_reverse_mode(
    system, values, positions, deviation
):
    jacobian = torch.autograd.functional.jacobian(
        lambda v: torch.stack(system.trace(*positions, v)).sum(dim=1), values
    )
    worst = 0.0
    for column in range(len(system.parameters)):
        tangent = torch.zeros_like(values)
        tangent[:, column] = 1
        _, derivative = torch.func.jvp(
            lambda v: torch.stack(system.trace(*positions, v)).sum(dim=1), (values,), (tangent,)
        )
        reverse = jacobian[..., column].sum(dim=-1)
        worst = max(worst, float((derivative - reverse).abs().max()))
    assert deviation("forward against reverse mode", worst) < 1e-12
