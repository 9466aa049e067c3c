from __future__ import annotations

import math
from dataclasses import replace

import numpy as np
import pytest
import torch
from lenstronomy.Data.imaging_data import ImageData as ReferenceData
from lenstronomy.Data.psf import PSF as ReferencePSF  # noqa: N811
from lenstronomy.ImSim.image_model import ImageModel
from lenstronomy.LensModel.lens_model import LensModel as ReferenceLens
from lenstronomy.LensModel.Profiles.sersic_utils import SersicUtil
from lenstronomy.LightModel.light_model import LightModel as ReferenceLight

from astrorim.lensing import ForwardModel, ImageData, LensSystem, SourceFrames
from astrorim.plugins import load_plugins
from astrorim_plugins.light_models.sersic import sersic_b

# lenstronomy convolves with a function that numpy has deprecated
IGNORE_NUMPY = pytest.mark.filterwarnings("ignore:`axes` should not be `None`")


def dot_product_error(operator, source, image):
    forth = (operator.apply(source) * image).sum()
    back = (source * operator.transpose(image)).sum()
    return abs(forth - back) / forth.abs()


@pytest.mark.parametrize("interpolation", ["bilinear", "cubic"])
@pytest.mark.parametrize("supersampling", [1, 2, 4])
@pytest.mark.parametrize("psf_supersampling", [1, 2, 4])
@pytest.mark.parametrize(
    "shape, psf_size", [((16, 16), 1), ((17, 20), 5), ((15, 13), 9), ((8, 9), 21)]
)
def test_transpose_passes_the_dot_product_test(
    system,
    values,
    make_data,
    frames,
    source,
    deviation,
    interpolation,
    supersampling,
    psf_supersampling,
    shape,
    psf_size,
):
    data = make_data(shape, psf_size, psf_supersampling)
    model = ForwardModel(system, data, supersampling=supersampling, interpolation=interpolation)
    operator = model.source_operator(values, frames)
    assert operator.apply(source).shape == data.image.shape
    error = dot_product_error(operator, source, data.image)
    assert deviation("dot-product test", error) < 1e-12


@pytest.mark.parametrize("psf_supersampling", [3, 5])
def test_odd_sampling_of_the_psf_is_binned_to_the_detector(
    system, values, make_data, frames, source, deviation, psf_supersampling
):
    model = ForwardModel(system, make_data(psf_size=7, psf_supersampling=psf_supersampling))
    operator = model.source_operator(values, frames)
    error = dot_product_error(operator, source, model.data.image)
    assert deviation("dot-product test", error) < 1e-12


@pytest.mark.parametrize("psf_supersampling", [1, 2, 3, 4])
@pytest.mark.parametrize("supersampling", [1, 2, 4])
def test_uniform_source_gives_a_uniform_image(
    system, values, make_data, deviation, supersampling, psf_supersampling
):
    # lensing conserves surface brightness, convolution and binning conserve flux
    data = make_data(psf_size=5, psf_supersampling=psf_supersampling)
    like = values[:, 0]
    everywhere = SourceFrames(torch.zeros_like(values[:, :2]), torch.ones_like(like), 40)
    model = ForwardModel(system, data, supersampling=supersampling)
    image = model.source_operator(values, everywhere).apply(
        torch.full((2, 40, 40), 7.0, dtype=like.dtype)
    )
    expected = 7 * data.pixel_scale[:, None, None] ** 2
    error = (image / expected - 1).abs().max()
    assert deviation("surface brightness of a uniform source", error) < 1e-12


def test_flux_of_an_unlensed_source_is_conserved(dtype, deviation, make_data):
    # cells of the source grid are those of the sub-pixels, so no light falls between
    plugins = load_plugins()
    system = LensSystem(plugins.lens_models.resolve("shear"))
    data = make_data((24, 24), 5, 2, batch=1, scale=0.1)
    frames = SourceFrames(torch.zeros(1, 2, dtype=dtype), data.pixel_scale / 2, 20)
    source = torch.rand(1, 20, 20, dtype=dtype)
    model = ForwardModel(system, data, supersampling=2)
    image = model.source_operator(torch.zeros(1, 2, dtype=dtype), frames).apply(source)
    flux = source.sum() * (data.pixel_scale / 2) ** 2
    assert deviation("flux", abs(image.sum() / flux - 1)) < 1e-12


def test_positions_are_those_of_the_image_grid(model):
    from astrorim.grid import ImageGrid

    for k in (1, 2, 4):
        x, y = model.positions(k)
        m = model.margin * k
        for i, scale in enumerate(model.data.pixel_scale.tolist()):
            expected_x, expected_y = ImageGrid(model.shape, scale).coordinates(k)
            inner = slice(m, x.shape[1] - m), slice(m, x.shape[2] - m)
            np.testing.assert_allclose(x[i][inner].numpy(), expected_x, rtol=0, atol=1e-14)
            np.testing.assert_allclose(y[i][inner].numpy(), expected_y, rtol=0, atol=1e-14)


LENS = {"theta_E": 0.95, "e1": 0.12, "e2": -0.06, "x0": 0.02, "y0": -0.03}
SHEAR = {"gamma1": 0.04, "gamma2": 0.02}
GALAXY = {
    "half_light_radius": 0.4,
    "sersic_index": 2.5,
    "e1": 0.08,
    "e2": 0.03,
    "x0": 0.02,
    "y0": -0.03,
}
SOURCE = {
    "half_light_radius": 0.15,
    "sersic_index": 1.0,
    "e1": 0.2,
    "e2": -0.1,
    "x0": 0.07,
    "y0": 0.04,
}
AMPLITUDES = {"galaxy": 30.0, "source": 20.0}


def gaussian_kernel(size, sampling, fwhm):
    offset = (np.arange(size) - size // 2) * sampling
    sigma = fwhm / math.sqrt(8 * math.log(2))
    kernel = np.exp(-(offset[:, None] ** 2 + offset**2) / (2 * sigma**2))
    return kernel / kernel.sum()


def reference_light(light, amplitude):
    """Lenstronomy's arguments for the same profile.

    Its b_n is a fit, 1.9992 n - 0.3271, so that its radius and amplitude differ from the
    half-light radius and the brightness there.
    """
    n = light["sersic_index"]
    ours = float(sersic_b(torch.tensor(n, dtype=torch.float64)))
    theirs = SersicUtil().b_n(n)
    return {
        "amp": amplitude * math.exp(ours - theirs),
        "R_sersic": light["half_light_radius"] * (theirs / ours) ** n,
        "n_sersic": n,
        "e1": light["e1"],
        "e2": light["e2"],
        "center_x": light["x0"],
        "center_y": light["y0"],
    }


def reference_image(shape, scale, kernel, *, psf_supersampling):
    """Image of the lens by lenstronomy, on 4 x 4 sub-pixels, and of its galaxy alone."""
    ny, nx = shape
    data = ReferenceData(
        image_data=np.zeros(shape),
        ra_at_xy_0=-(nx - 1) / 2 * scale,
        dec_at_xy_0=-(ny - 1) / 2 * scale,
        transform_pix2angle=np.eye(2) * scale,
    )
    psf = ReferencePSF(
        psf_type="PIXEL",
        kernel_point_source=kernel,
        pixel_size=scale,
        point_source_supersampling_factor=psf_supersampling,
        kernel_point_source_normalisation=False,
    )
    model = ImageModel(
        data,
        psf,
        lens_model_class=ReferenceLens(["SIE", "SHEAR"]),
        source_model_class=ReferenceLight(["SERSIC_ELLIPSE"]),
        lens_light_model_class=ReferenceLight(["SERSIC_ELLIPSE"]),
        kwargs_numerics={
            "supersampling_factor": 4,
            "supersampling_convolution": psf_supersampling > 1,
            # else only the kernel's core is applied at its own sampling
            "supersampling_kernel_size": None,
        },
    )
    lens = {"theta_E": LENS["theta_E"], "e1": LENS["e1"], "e2": LENS["e2"]}
    lens |= {"center_x": LENS["x0"], "center_y": LENS["y0"]}
    arguments = {
        "kwargs_lens": [lens, SHEAR],
        "kwargs_source": [reference_light(SOURCE, AMPLITUDES["source"])],
        "kwargs_lens_light": [reference_light(GALAXY, AMPLITUDES["galaxy"])],
    }
    # lenstronomy multiplies the brightness with the solid angle of a pixel, as we do
    return model.image(**arguments), model.image(**arguments, source_add=False)


@pytest.fixture
def sersic():
    return load_plugins().light_models.create("sersic")


def our_model(system, shape, scale, kernel, psf_supersampling):
    kernel = torch.as_tensor(kernel)[None]
    zeros = torch.zeros(1, *shape, dtype=torch.float64)
    data = ImageData(
        zeros, zeros + 1, zeros + 1, kernel, psf_supersampling, torch.tensor([scale]).double()
    )
    lens = {name: torch.tensor([v]).double() for name, v in (LENS | SHEAR).items()}
    galaxy = GALAXY | {"amplitude": AMPLITUDES["galaxy"]}
    light = {name: torch.tensor([v]).double() for name, v in galaxy.items()}
    return (
        ForwardModel(system, data, supersampling=4, light_supersampling=4),
        system.stack(lens, light),
    )


@pytest.mark.parametrize("psf_supersampling", [1, 4])
@pytest.mark.parametrize("shape", [(48, 48), (45, 45)])  # lenstronomy's are square
@IGNORE_NUMPY
def test_rendered_image_agrees_with_lenstronomy(
    system, sersic, deviation, shape, psf_supersampling
):
    scale = 0.06
    kernel = gaussian_kernel(
        21 if psf_supersampling == 1 else 41, scale / psf_supersampling, 0.12
    )
    model, values = our_model(system, shape, scale, kernel, psf_supersampling)
    beta = model.trace(values)
    params = {n: torch.full((1, 1, 1), v).double() for n, v in SOURCE.items()}
    params["amplitude"] = torch.full((1, 1, 1), AMPLITUDES["source"]).double()
    arcs = model.observe(sersic.surface_brightness(*beta, params), 4)
    galaxy = model.lens_light(values)
    expected, expected_galaxy = reference_image(
        shape, scale, kernel, psf_supersampling=psf_supersampling
    )
    # lenstronomy sees nothing outside the frame, we see the light that the PSF brings in
    h = model.margin
    inner = slice(h, shape[0] - h), slice(h, shape[1] - h)
    peak = expected.max()
    total_error = np.abs((arcs + galaxy)[0].numpy() - expected)[inner].max() / peak
    galaxy_error = np.abs(galaxy[0].numpy() - expected_galaxy)[inner].max() / peak
    assert deviation("image, of the peak", total_error) < 1e-4
    assert deviation("lens light, of the peak", galaxy_error) < 1e-4
    arcs_alone = expected - expected_galaxy
    assert arcs_alone[inner].max() > 0.1 * peak
    arc_error = np.abs(arcs[0].numpy() - arcs_alone)[inner].max() / arcs_alone.max()
    assert deviation("arcs, of their peak", arc_error) < 1e-4


@IGNORE_NUMPY
def test_image_of_a_finely_pixelised_source_agrees_with_lenstronomy(system, sersic, deviation):
    shape, scale = (48, 48), 0.06
    kernel = gaussian_kernel(41, scale / 4, 0.12)
    model, values = our_model(system, shape, scale, kernel, 4)
    # a smooth source, so that the fine pixels and not its cusp set the accuracy
    frames = SourceFrames(
        torch.tensor([[0.07, 0.04]]).double(), torch.tensor([1.8 / 720]).double(), 720
    )
    params = {n: torch.full((1, 1, 1), v).double() for n, v in SOURCE.items()}
    params["amplitude"] = torch.full((1, 1, 1), AMPLITUDES["source"]).double()
    source = sersic.surface_brightness(*frames.coordinates(), params)
    image = model.render(source, values, frames)
    expected, _ = reference_image(shape, scale, kernel, psf_supersampling=4)
    h = model.margin
    inner = slice(h, shape[0] - h), slice(h, shape[1] - h)
    error = np.abs(image[0].numpy() - expected)[inner].max() / expected.max()
    assert deviation("image of a pixelised source, of the peak", error) < 1e-4


def test_gradient_of_the_log_likelihood_agrees_with_finite_differences(
    model, values, frames, source, deviation
):
    source, values = source.clone().requires_grad_(), values.clone().requires_grad_()
    log_likelihood = model.log_likelihood(100 * source, values, frames)
    gradients = torch.autograd.grad(log_likelihood.sum(), (source, values))

    def at(source, values):
        return model.log_likelihood(100 * source, values, frames)

    source, values = source.detach(), values.detach()
    direction = torch.rand_like(source) - 0.5
    # quadratic in the source: central differences are exact but for rounding
    finite = (at(source + direction, values) - at(source - direction, values)) / 2
    exact = (gradients[0] * direction).sum(dim=(-2, -1))
    error = ((finite - exact) / exact).abs().max()
    assert deviation("gradient in the source", error) < 1e-6
    for column, parameter in enumerate(model.system.parameters):
        # the bilinear source has kinks, so the step of the lens is small; the light has none
        smallness = 1e-5 if parameter.name.startswith("light_") else 1e-7
        h = smallness * max(float(values[:, column].abs().max()), 0.1)
        step = torch.zeros_like(values)
        step[:, column] = h
        # the difference of two chi-squares, pixel by pixel, so that their size rounds nothing
        after, before = (
            model.render(100 * source, values + sign * step, frames) for sign in (1, -1)
        )
        middle = model.data.image - (after + before) / 2
        change = (model.data.weight * (after - before) * middle).sum(dim=(-2, -1))
        finite = change / (2 * h)
        exact = gradients[1][:, column]
        error = ((finite - exact) / exact).abs().max()
        assert deviation(f"gradient in {parameter.name}", error) < 1e-6


@pytest.mark.parametrize("interpolation", ["bilinear", "cubic"])
def test_gradcheck_of_the_rendered_image(system, values, make_data, dtype, interpolation):
    model = ForwardModel(
        system, make_data((5, 6), 3), supersampling=1, interpolation=interpolation
    )
    frames = SourceFrames(
        torch.tensor([[0.03, -0.02], [0.0, 0.05]], dtype=dtype),
        torch.full((2,), 0.3, dtype=dtype),
        4,
    )
    source = torch.rand(2, 4, 4, dtype=dtype, requires_grad=True)
    values = values.clone().requires_grad_()
    assert torch.autograd.gradcheck(
        lambda s, v: model.render(s, v, frames), (source, values), eps=1e-7, atol=1e-4
    )


def test_log_likelihood_is_that_of_independent_gaussians(model, values, frames, source):
    image = model.render(source, values, frames)
    density = torch.distributions.Normal(image, model.data.noise).log_prob(model.data.image)
    expected = (density * model.data.good).sum(dim=(-2, -1))
    torch.testing.assert_close(
        model.log_likelihood(source, values, frames), expected, rtol=1e-12, atol=0
    )


def test_background_is_a_constant_of_the_image(model, values, frames, source, system):
    level = torch.tensor([0.5, -2.0], dtype=values.dtype)
    with_sky = ForwardModel(system, replace(model.data, background=level))
    difference = with_sky.render(source, values, frames) - model.render(source, values, frames)
    expected = level[:, None, None].expand_as(difference)
    torch.testing.assert_close(difference, expected, rtol=0, atol=1e-12)


def test_masked_pixels_have_no_influence(model, values, frames, source, system):
    data = model.data
    masked = data.good == 0
    assert masked.any()
    other = replace(
        data,
        image=torch.where(masked, 1e30, data.image),
        noise=torch.where(masked, 1e-9, data.noise),
    )
    # compared bit by bit, gradient included
    outcomes = []
    for images in (data, other):
        own = ForwardModel(system, images)
        variables = source.clone().requires_grad_(), values.clone().requires_grad_()
        log_likelihood = own.log_likelihood(*variables, frames)
        gradients = torch.autograd.grad(log_likelihood.sum(), variables)
        outcomes.append((log_likelihood.detach(), *gradients))
    torch.testing.assert_close(outcomes[0], outcomes[1], rtol=0, atol=0)


@pytest.mark.parametrize("unit", [1e-20, 1e6])
def test_change_of_the_flux_unit_rescales_the_likelihood(
    model, values, frames, source, system, unit
):
    data = model.data
    other = ForwardModel(
        system, replace(data, image=data.image * unit, noise=data.noise * unit)
    )
    scaled = values.clone()
    scaled[:, system.parameters.index_of("light_amplitude")] *= unit
    torch.testing.assert_close(
        other.chi2(other.render(source * unit, scaled, frames)),
        model.chi2(model.render(source, values, frames)),
        rtol=1e-10,
        atol=0,
    )
    # densities are per flux: each unmasked pixel brings one factor of the unit
    num_good = data.good.sum(dim=(-2, -1))
    torch.testing.assert_close(
        other.log_likelihood(source * unit, scaled, frames) + num_good * math.log(unit),
        model.log_likelihood(source, values, frames),
        rtol=1e-9,
        atol=0,
    )


def test_lenses_of_a_batch_do_not_meet(model, values, frames, source, system):
    index = torch.tensor([1])
    alone = ForwardModel(system, model.data.select(index))
    torch.testing.assert_close(
        alone.render(source[index], values[index], frames.select(index)),
        model.render(source, values, frames)[index],
        rtol=1e-12,
        atol=1e-14,
    )


def test_lens_without_light_is_dark(make_data, values):
    system = LensSystem(load_plugins().lens_models.resolve("sie+shear"))
    model = ForwardModel(system, make_data())
    assert not model.lens_light(values[:, : system.num_lens]).any()


@pytest.mark.parametrize("name", ["supersampling", "light_supersampling"])
@pytest.mark.parametrize("value", [0, 3, 8])
def test_supersampling_other_than_1_2_4_is_refused(system, make_data, name, value):
    with pytest.raises(ValueError, match=f"^{name} must be 1, 2 or 4, got {value}$"):
        ForwardModel(system, make_data(), **{name: value})


@pytest.mark.parametrize("name", ["noise", "good"])
def test_maps_of_another_shape_are_refused(make_data, name):
    data = make_data((8, 9))
    wrong = getattr(data, name)[..., 1:]
    with pytest.raises(
        ValueError, match=rf"{name} must have the image's shape \(2, 8, 9\), got"
    ):
        replace(data, **{name: wrong})


@pytest.mark.parametrize("name", ["psf", "pixel_scale"])
def test_one_psf_and_pixel_scale_are_needed_for_each_image(make_data, name):
    data = make_data()
    with pytest.raises(ValueError, match="one entry per image, got 2 images"):
        replace(data, **{name: getattr(data, name)[:1]})


def test_light_rendered_finely_near_its_centre_only_is_as_good(make_data, deviation):
    """A steep galaxy off the centre of a large frame, against fine sub-pixels everywhere."""
    plugins = load_plugins()
    system = LensSystem(
        plugins.lens_models.resolve("sis"), plugins.light_models.create("sersic")
    )
    data = make_data(shape=(72, 65), psf_supersampling=2)
    scale = float(data.pixel_scale[0])
    values = torch.tensor([[1.0, 0.0, 0.0, 3.0, 0.6, 5.0, 0.1, -0.2, 7 * scale, -9 * scale]])
    values = values.to(data.image).expand(len(data), -1)
    model = ForwardModel(system, data)
    core = model.light_core(values)
    assert core is not None
    whole = model.observe(model.light_scene(values, None), model.sampling)
    difference = ((model.lens_light(values) - whole).abs() / whole).max()
    deviation("light beyond its core", float(difference))
    assert difference < 3e-4
    assert (difference > 0).all()  # the core is smaller than the frame


def test_core_of_a_galaxy_outside_the_frame_is_empty(make_data):
    plugins = load_plugins()
    system = LensSystem(
        plugins.lens_models.resolve("sis"), plugins.light_models.create("sersic")
    )
    data = make_data()
    values = torch.tensor([[1.0, 0.0, 0.0, 3.0, 0.6, 5.0, 0.1, -0.2, 4.9, 4.9]])
    values = values.to(data.image).expand(len(data), -1)
    model = ForwardModel(system, data)
    assert torch.isfinite(model.lens_light(values)).all()
