from __future__ import annotations

import math
import runpy
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
import torch

from astrorim.exceptions import UnknownNameError
from astrorim.interchange.lenstronomy_profiles import (
    lens_components,
    lens_from_lenstronomy,
    lens_to_lenstronomy,
    light_from_lenstronomy,
    light_to_lenstronomy,
)
from astrorim.plugins import load_plugins

EXAMPLES = SimpleNamespace(**runpy.run_path(str(Path(__file__).with_name("lens_examples.py"))))
X, Y = np.meshgrid(np.linspace(-2, 2, 30), np.linspace(-2, 2, 31))


def tensors(values):
    return {n: torch.tensor(v, dtype=torch.float64) for n, v in values.items()}


@pytest.mark.parametrize("lens_model", EXAMPLES.LENSES)
def test_deflections_are_those_of_lenstronomy(lens_model):
    from lenstronomy.LensModel.lens_model import LensModel

    lens = EXAMPLES.LENSES[lens_model]
    profiles, kwargs = lens_to_lenstronomy(lens_model, lens)
    theirs = LensModel(profiles).alpha(X, Y, kwargs)
    ours = load_plugins().lens_models.resolve(lens_model)
    found = ours.deflection(torch.as_tensor(X), torch.as_tensor(Y), tensors(lens))
    for alpha, expected in zip(found, theirs, strict=True):
        np.testing.assert_allclose(alpha.numpy(), expected, rtol=0, atol=1e-7)


@pytest.mark.parametrize("sersic_index", [0.5, 1.0, 2.5, 4.0, 8.0])
def test_brightness_is_that_of_lenstronomy(sersic_index):
    from lenstronomy.LightModel.light_model import LightModel

    light = EXAMPLES.LIGHT | {"sersic_index": sersic_index}
    profiles, kwargs = light_to_lenstronomy("sersic", light)
    theirs = LightModel(profiles).surface_brightness(X, Y, kwargs)
    ours = load_plugins().light_models.create("sersic")
    found = ours.surface_brightness(torch.as_tensor(X), torch.as_tensor(Y), tensors(light))
    np.testing.assert_allclose(found.numpy(), theirs, rtol=1e-10)


@pytest.mark.parametrize("lens_model", EXAMPLES.LENSES)
def test_lens_comes_back_with_its_numbers(lens_model):
    lens = EXAMPLES.LENSES[lens_model]
    name, found = lens_from_lenstronomy(
        *lens_to_lenstronomy(lens_model, lens), lens_model=lens_model
    )
    assert name == lens_model
    assert found == pytest.approx(lens, rel=1e-10, abs=1e-10)


def test_components_share_a_centre_where_it_is_the_same_and_get_numbers_else():
    lens_model = "sie+shear+sis@sub+nfw@halo"
    name, lens = lens_from_lenstronomy(
        *lens_to_lenstronomy(lens_model, EXAMPLES.LENSES[lens_model])
    )
    assert name == "sie+shear+sis@3+nfw@4"
    assert lens["theta_E_3"] == EXAMPLES.LENSES[lens_model]["theta_E_sub"]
    lens_model = "sie+shear+nfw"
    lists = lens_to_lenstronomy(lens_model, EXAMPLES.LENSES[lens_model])
    assert lens_from_lenstronomy(*lists)[0] == lens_model


def test_nfw_is_normalised_by_its_deflection_at_the_scale_radius():
    _, kwargs = lens_to_lenstronomy("nfw", {"kappa_s": 0.1, "rs": 3.0, "x0": 0, "y0": 0})
    expected = 4 * 0.1 * 3.0 * (1 - math.log(2))
    assert kwargs[0]["alpha_Rs"] == pytest.approx(expected, rel=1e-14)


def test_shear_by_modulus_and_angle_is_read():
    _, lens = lens_from_lenstronomy(
        ["SHEAR_GAMMA_PSI"], [{"gamma_ext": 0.1, "psi_ext": math.pi / 6, "ra_0": 0}]
    )
    expected = {"gamma1": 0.05, "gamma2": 0.1 * math.sin(math.pi / 3)}
    assert lens == pytest.approx(expected, rel=1e-12)


def test_samples_are_converted_as_numbers_are():
    chains = {n: np.array([v, 1.1 * v]) for n, v in EXAMPLES.LIGHT.items()}
    _, (whole,) = light_to_lenstronomy("sersic", chains)
    _, (single,) = light_to_lenstronomy("sersic", {n: c[1] for n, c in chains.items()})
    for name, value in single.items():
        assert whole[name][1] == pytest.approx(value, rel=1e-14)


@pytest.mark.parametrize(
    "profiles, kwargs, message",
    [
        (["PIEMD"], [{}], "'PIEMD' is not one of ours; those that can be read: SIE, SIS"),
        (["SIS"], [], "got 1 profiles and 0 sets"),
        ([], [], "at least one profile"),
        (["SIS"], [{}], "'SIS' needs the parameter 'theta_E'; given: center_x"),
        (["SIS"], [{"theta_E": math.nan}], "theta_E of 'SIS' must be finite, got nan"),
        (["SIS"], [{"theta_E": 1, "q": 1}], "'SIS' has no parameter q"),
        (["NFW"], [{"Rs": 0, "alpha_Rs": 1}], "Rs of 'NFW' must be positive, got 0"),
        (["SHEAR"], [{"gamma1": 0, "gamma2": 0, "ra_0": 1}], "must be about the origin"),
    ],
)
def test_lens_that_is_not_ours_is_refused(profiles, kwargs, message):
    with pytest.raises(ValueError, match=message):
        lens_from_lenstronomy(profiles, kwargs)


def test_value_that_is_no_number_is_refused():
    with pytest.raises(TypeError, match=r"theta_E of 'SIS' must be a number, got '1' \(str\)"):
        lens_from_lenstronomy(["SIS"], [{"theta_E": "1"}])


def test_name_that_does_not_fit_the_lists_is_refused():
    with pytest.raises(ValueError, match="must have the components sis, .* got 'sie'"):
        lens_from_lenstronomy(["SIS"], [{"theta_E": 1}], lens_model="sie")
    kwargs = [{"theta_E": 1}, {"Rs": 3, "alpha_Rs": 1, "center_x": 0.1}]
    with pytest.raises(ValueError, match=r"component 2 .* give it a label, as in 'nfw@2'"):
        lens_from_lenstronomy(["SIS", "NFW"], kwargs, lens_model="sis+nfw")


def test_lens_model_that_lenstronomy_has_not_is_refused():
    with pytest.raises(ValueError, match="'lenstronomy:EPL' .* cannot be written"):
        lens_components("sie+lenstronomy:EPL")
    with pytest.raises(UnknownNameError, match="unknown lens model 'pie'"):
        lens_components("pie")


def test_parameters_must_be_those_of_the_model():
    with pytest.raises(ValueError, match="'sis' has no parameter e1; its parameters: theta_E"):
        lens_to_lenstronomy("sis", {"theta_E": 1, "x0": 0, "y0": 0, "e1": 0})
    with pytest.raises(ValueError, match="'sersic' needs the parameter 'amplitude'"):
        light_to_lenstronomy("sersic", {})


@pytest.mark.parametrize("profiles", [[], ["CHAMELEON"], ["SERSIC", "SERSIC"]])
def test_light_that_is_not_ours_is_refused(profiles):
    with pytest.raises(ValueError, match="must be one of SERSIC_ELLIPSE, SERSIC, got"):
        light_from_lenstronomy(profiles, [{} for _ in profiles])


def test_round_light_is_read():
    given = {"amp": 2.0, "R_sersic": 0.4, "n_sersic": 1.0}
    _, light = light_from_lenstronomy(["SERSIC"], [given])
    assert light["e1"] == light["e2"] == light["x0"] == 0
    _, (back,) = light_to_lenstronomy("sersic", light)
    assert {n: back[n] for n in given} == pytest.approx(given, rel=1e-12)
