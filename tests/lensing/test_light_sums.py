from __future__ import annotations

import pytest
import torch

from astrorim.interfaces import LightModel
from astrorim.lensing import ForwardModel, LensSystem, SumLight
from astrorim.plugins import load_plugins
from astrorim.testing import LightModelContract
from astrorim.testing.checks import draw_inputs

SUMS = ["sersic+sersic", "multi-gaussian+sersic", "sersic+sersic@disk", "sersic+sersic+sersic"]


@pytest.fixture
def resolve():
    return load_plugins().light_models.resolve


class TestSums(LightModelContract):
    number_of_draws = 2000

    @pytest.fixture(params=SUMS)
    def model(self, request, resolve):
        return resolve(request.param)

    def test_total_flux(self, model):
        """Each component about its own centre was integrated where it is at home."""
        _, _, params = draw_inputs(model, (3, 1, 1), seed=2)
        total = 0
        for part, own in model.each(params):
            total = total + part.total_flux(own)
        torch.testing.assert_close(model.total_flux(params), total, rtol=1e-14, atol=0)


@pytest.mark.parametrize("name", SUMS)
def test_sum_is_a_light_model_with_the_name_that_made_it(resolve, name):
    model = resolve(name)
    assert isinstance(model, LightModel)
    assert model.name == name
    assert repr(model) == f"SumLight({name!r})"


def test_components_of_the_same_name_are_numbered(resolve):
    first = ["amplitude", "half_light_radius", "sersic_index", "e1", "e2", "x0", "y0"]
    names = [p.name for p in resolve("sersic+sersic+sersic").parameters]
    assert names == [f"{name}{suffix}" for suffix in ("", "_2", "_3") for name in first]
    same = resolve("sersic+sersic@2+sersic@3")
    assert [p.name for p in same.parameters] == names
    assert len({p.fits_key for p in same.parameters}) == len(names)


def test_component_that_shares_a_name_is_numbered(resolve):
    model = resolve("multi-gaussian+sersic")
    assert model.linear_names == (*(f"amplitude_{k:02d}" for k in range(1, 19)), "amplitude_2")
    assert [label for label, _ in model.components] == ["", "2"]


def test_numbers_that_are_given_are_not_given_again(resolve):
    model = resolve("sersic+sersic@2+sersic")
    assert [label for label, _ in model.components] == ["", "2", "3"]


def test_components_with_only_the_centre_in_common_share_it(resolve):
    class Cusp(LightModel):
        name = "cusp"
        parameters = tuple(p for p in resolve("sersic").parameters if p.name in {"x0", "y0"})

        def surface_brightness(self, x, y, params):
            return torch.exp(-torch.hypot(x - params["x0"], y - params["y0"]))

        def total_flux(self, params):
            return 2 * torch.pi + 0 * params["x0"]

    model = SumLight([("", resolve("sersic")), ("", Cusp())])
    assert model.parameters == resolve("sersic").parameters


def test_labels_that_collide_are_refused(resolve):
    with pytest.raises(ValueError, match=r"share the parameter 'amplitude_a'.* sersic@ab$"):
        resolve("sersic@a+sersic@a")


def test_empty_sum_is_refused():
    with pytest.raises(ValueError, match="light models needs at least one component, got none"):
        SumLight([])


@pytest.mark.parametrize("name", SUMS)
def test_sum_adds_its_components(resolve, name):
    model = resolve(name)
    x, y, params = draw_inputs(model, (3, 5, 6), seed=3)
    brightness, basis = 0, []
    for label, part in model.components:
        suffix = f"_{label}" if label else ""
        own = {p.name: params[p.name + suffix] for p in part.parameters}
        brightness = brightness + part.surface_brightness(x, y, own)
        basis.append(part.basis(x, y, own))
    torch.testing.assert_close(
        model.surface_brightness(x, y, params), brightness, rtol=0, atol=0
    )
    torch.testing.assert_close(
        model.basis(x, y, params), torch.cat(basis, dim=1), rtol=0, atol=0
    )


def test_every_component_is_rendered_finely_about_its_own_centre(make_data, deviation):
    """Two steep galaxies, 25 pixels apart in a large frame."""
    plugins = load_plugins()
    light = plugins.light_models.resolve("sersic+sersic")
    system = LensSystem(plugins.lens_models.resolve("sis"), light)
    data = make_data(shape=(72, 65), psf_supersampling=2)
    scale = float(data.pixel_scale[0])
    galaxy = [3.0, 0.6, 5.0, 0.1, -0.2]
    values = [1.0, 0.0, 0.0, *galaxy, 7 * scale, -9 * scale, *galaxy, -8 * scale, 11 * scale]
    values = torch.tensor([values]).to(data.image).expand(len(data), -1)
    model = ForwardModel(system, data)
    whole = model.observe(model.light_scene(values, None), model.sampling)
    difference = ((model.lens_light(values) - whole).abs() / whole).max()
    assert deviation("light beyond both cores", difference) < 3e-4
    assert difference > 0  # the core is smaller than the frame
