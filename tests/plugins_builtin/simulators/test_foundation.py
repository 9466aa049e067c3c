from __future__ import annotations

import math
import sys

import numpy as np
import pytest
import scipy.special
import torch

from astrorim.exceptions import SimulationError, UnknownNameError
from astrorim.grid import ImageGrid
from astrorim.interfaces import Simulator
from astrorim.plugins import load_plugins
from astrorim_plugins.light_models.sersic import sersic_b
from astrorim_plugins.simulators.foundation import VISIBILITY, Foundation
from astrorim_plugins.simulators.photometry import arc_visibility, counts_from_magnitude
from astrorim_plugins.simulators.ranges import POPULATION

TENSORS = ("image", "noise", "psf", "noise_free", "lens_light", "source_image", "index")


@pytest.fixture(scope="module")
def foundation():
    return Foundation()


@pytest.fixture(scope="module")
def batch(foundation):
    return foundation.simulate(8, seed=7, supersampling=2)


def assert_same_lenses(whole, part, first):
    rows = slice(first, first + len(part))
    for name in TENSORS:
        assert torch.equal(getattr(whole, name)[rows], getattr(part, name)), name
    for name in ("lens", "light", "metadata"):
        for key, value in getattr(whole, name).items():
            assert torch.equal(value[rows], getattr(part, name)[key]), key


def test_it_is_registered_under_both_of_its_names():
    simulators = load_plugins().simulators
    assert isinstance(simulators.create("foundation"), Simulator)
    assert type(simulators.create("v1")) is type(simulators.create("foundation"))


@pytest.mark.parametrize("number, start", [(1, 0), (1, 5), (3, 2), (3, 5)])
def test_a_lens_has_the_same_bits_in_every_batch(foundation, batch, number, start):
    part = foundation.simulate(number, seed=7, start=start, supersampling=2)
    assert_same_lenses(batch, part, start)


@pytest.mark.parametrize("supersampling, shape", [(1, (37, 51)), (4, (53, 61))])
def test_a_lens_has_the_same_bits_with_one_thread_and_with_two(
    foundation, supersampling, shape
):
    threads = torch.get_num_threads()
    options = {"seed": 8, "supersampling": supersampling, "shape": shape}
    try:
        torch.set_num_threads(1)
        one = foundation.simulate(2, **options)
        torch.set_num_threads(2)
        two = foundation.simulate(2, **options)
    finally:
        torch.set_num_threads(threads)
    assert_same_lenses(one, two, 0)


def test_tiles_of_several_lenses_give_the_same_images(foundation, batch, monkeypatch):
    """What accelerators render at once, to the rounding of float32."""
    monkeypatch.setattr("astrorim_plugins.simulators.foundation._CPU_TILE", 16)
    tiled = foundation.simulate(8, seed=7, supersampling=2)
    for name in ("noise_free", "source_image", "psf"):
        whole, part = getattr(batch, name), getattr(tiled, name)
        torch.testing.assert_close(part, whole, rtol=1e-4, atol=1e-6 * float(whole.max()))


def test_another_seed_gives_other_lenses(foundation, batch):
    other = foundation.simulate(1, seed=8, supersampling=2)
    assert not torch.equal(other.lens["theta_E"], batch.lens["theta_E"][:1])


def test_shapes_and_types(foundation):
    drawn = foundation.simulate(2, seed=1, shape=(40, 50), supersampling=2, pixel_scale=0.05)
    assert drawn.image.shape == drawn.noise.shape == drawn.lens_light.shape == (2, 40, 50)
    assert drawn.psf.shape[1] % 2 == 1
    assert drawn.psf_supersampling == 2
    assert drawn.source_image.shape == (2, 128, 128)
    torch.testing.assert_close(drawn.source_pixel_scale, torch.full((2,), 0.0375))
    for name in TENSORS[:-1]:
        assert getattr(drawn, name).dtype == torch.float32
        assert bool(torch.isfinite(getattr(drawn, name)).all())
    assert all(value.shape == (2,) for value in drawn.metadata.values())
    assert len(drawn) == 2


def test_lens_magnitudes_come_back_from_the_images(foundation):
    """Integrated over a large ellipse; the prior version was 3 mag too faint."""
    drawn = foundation.simulate(6, seed=3, shape=(600, 600), supersampling=1)
    flux = counts_from_magnitude(drawn.metadata["lens_magnitude"], drawn.metadata["exposure"])
    x, y = (torch.from_numpy(a) for a in ImageGrid((600, 600), 0.04).coordinates())
    for i in range(6):
        light = {name: float(value[i]) for name, value in drawn.light.items()}
        e1, e2 = light["e1"], light["e2"]
        # Product-average elliptical radius: (1 - e)/(1 + e) is the axis ratio.
        dx, dy = x - light["x0"], y - light["y0"]
        e = math.hypot(e1, e2)
        square = (
            (1 + e * e) * (dx**2 + dy**2) - 2 * e1 * (dx**2 - dy**2) - 4 * e2 * dx * dy
        ) / (1 - e * e)
        aperture = 8.0
        n = light["sersic_index"]
        b = float(sersic_b(torch.tensor(n, dtype=torch.float64)))
        inside = scipy.special.gammainc(
            2 * n, b * (aperture / light["half_light_radius"]) ** (1 / n)
        )
        measured = float(drawn.lens_light[i][square < aperture**2].sum() / flux[i])
        assert measured == pytest.approx(inside, rel=0.01)


def test_source_magnitudes_come_back_from_the_source(foundation):
    """Integrated in the source plane, for sources that are a single profile."""
    drawn = foundation.simulate(64, seed=3, supersampling=1, shape=(8, 8))
    others = [f"source_{j}_amplitude" for j in (1, 2)] + [
        f"clump_{j}_amplitude" for j in range(4)
    ]
    single = sum(drawn.metadata[name] for name in others) == 0
    assert int(single.sum()) > 2
    log_radius = torch.linspace(math.log(1e-8), math.log(30), 3000)
    angle = torch.arange(64) * (2 * math.pi / 64)
    radius = torch.exp(log_radius)
    x0, y0 = (drawn.metadata[f"source_0_{a}"][:, None, None] for a in ("x0", "y0"))
    x = x0 + radius[:, None] * torch.cos(angle)
    y = y0 + radius[:, None] * torch.sin(angle)
    along = drawn.source(x, y).mean(dim=2) * 2 * math.pi * radius**2
    total = torch.trapezoid(along, log_radius)
    wanted = counts_from_magnitude(
        drawn.metadata["source_magnitude"], drawn.metadata["exposure"]
    )
    np.testing.assert_allclose((total / wanted)[single].numpy(), 1, atol=0.005)


def test_the_source_closure_takes_frames_and_lists(batch):
    x, y = torch.linspace(-1, 1, 2 * 8 * 20).view(2, 8, 20)
    listed = batch.source(x, y)
    assert listed.shape == (8, 20)
    frame = batch.source(x.view(8, 4, 5), y.view(8, 4, 5))
    torch.testing.assert_close(frame.flatten(1), listed)


def test_image_and_truth_have_the_same_source(batch):
    """The prior version rescaled the brightness of the image after pairing."""
    flux = batch.source_image.sum(dim=(1, 2)) * batch.source_pixel_scale**2
    wanted = counts_from_magnitude(
        batch.metadata["source_magnitude"], batch.metadata["exposure"]
    )
    ratio = flux / wanted
    assert float(ratio.max()) < 1.001
    assert float(ratio.min()) > 0.85  # cuspy profiles have light outside of the frame


def test_noise_free_is_arcs_plus_lens_light_magnified(batch):
    arcs = (batch.noise_free - batch.lens_light).sum(dim=(1, 2))
    flux = counts_from_magnitude(batch.metadata["source_magnitude"], batch.metadata["exposure"])
    torch.testing.assert_close(arcs / flux, batch.metadata["magnification"], rtol=1e-3, atol=0)
    assert bool((batch.metadata["magnification"] > 1).all())


@pytest.mark.parametrize("sky_subtracted", [True, False])
def test_the_noise_is_the_scatter_of_the_image(sky_subtracted):
    drawn = Foundation(sky_subtracted=sky_subtracted).simulate(24, seed=5, supersampling=1)
    sky = drawn.metadata["sky"] * drawn.metadata["exposure"]
    mean = drawn.noise_free if sky_subtracted else drawn.noise_free + sky[:, None, None]
    normalised = (drawn.image - mean) / drawn.noise
    pixels = normalised.numel()
    assert float(normalised.mean()) == pytest.approx(0, abs=5 / pixels**0.5)
    assert float(normalised.std()) == pytest.approx(1, abs=5 / (2 * pixels) ** 0.5)
    bright = drawn.noise_free > drawn.noise_free.flatten(1).quantile(0.95, dim=1)[:, None, None]
    count = int(bright.sum())
    assert float(normalised[bright].std()) == pytest.approx(1, abs=5 / (2 * count) ** 0.5)


def test_the_sky_is_a_rate(batch):
    """The prior version took the numbers as the counts of a whole exposure."""
    exposure, gain = batch.metadata["exposure"], batch.metadata["gain"]
    sky_counts = batch.metadata["sky"] * exposure
    assert float(sky_counts.min()) > 0.06 * 800
    variance = (gain * sky_counts + batch.metadata["read_noise"] ** 2) / gain**2
    assert bool((batch.noise.amin(dim=(1, 2)) ** 2 >= variance * (1 - 1e-5)).all())
    low, high = POPULATION.by_name("sky").prior
    assert bool(((batch.metadata["sky"] >= low) & (batch.metadata["sky"] <= high)).all())


def test_pixel_scale_changes_the_detector_alone(foundation, batch):
    coarse = foundation.simulate(8, seed=7, supersampling=2, pixel_scale=0.08, shape=(48, 48))
    for name, value in batch.lens.items():
        assert torch.equal(value, coarse.lens[name])
    torch.testing.assert_close(coarse.metadata["sky"], 4 * batch.metadata["sky"])
    flux, coarse_flux = (d.noise_free.sum(dim=(1, 2)) for d in (batch, coarse))
    torch.testing.assert_close(coarse_flux, flux, rtol=0.02, atol=0)
    x = torch.linspace(-0.5, 0.5, 8 * 5).view(8, 5)
    torch.testing.assert_close(coarse.source(x, x), batch.source(x, x))


def test_visibility_is_that_of_the_images_and_flagged(batch):
    arcs = batch.noise_free - batch.lens_light
    visibility = arc_visibility(arcs, batch.lens_light)
    torch.testing.assert_close(visibility, batch.metadata["arc_visibility"], rtol=1e-3, atol=0)
    visible = batch.metadata["arcs_visible"] == 1
    assert torch.equal(visible, visibility >= VISIBILITY)


def test_faint_arcs_make_the_lens_light_magnitude_drawn_again(foundation, monkeypatch):
    module = "astrorim_plugins.simulators.foundation.VISIBILITY"
    before = foundation.simulate(8, seed=7, supersampling=1)
    threshold = float(before.metadata["arc_visibility"].median()) * 1.05
    monkeypatch.setattr(module, threshold)
    drawn = foundation.simulate(8, seed=7, supersampling=1)
    redraws = drawn.metadata["lens_magnitude_redraws"]
    invisible = before.metadata["arc_visibility"] < threshold
    assert torch.equal(redraws > 0, invisible)
    assert bool(
        (drawn.metadata["lens_magnitude"] != before.metadata["lens_magnitude"])[invisible].all()
    )
    torch.testing.assert_close(drawn.source_image, before.source_image)
    flagged = drawn.metadata["arcs_visible"] == 0
    assert bool((redraws[flagged] == 8).all())
    assert bool((drawn.metadata["arc_visibility"][~flagged] >= threshold).all())


def test_the_psf_has_its_width_and_holds_its_light(batch):
    size = batch.psf.shape[1]
    offset = (torch.arange(size) - size // 2) * 0.04 / batch.psf_supersampling
    along = batch.psf.sum(dim=1)
    torch.testing.assert_close(along.sum(dim=1), torch.ones(8))
    # The second moment of the widest part; the kernel holds 99.5 % of the light.
    sigma = torch.sqrt((along * offset**2).sum(dim=1))
    fwhm = sigma * 2 * math.sqrt(2 * math.log(2))
    torch.testing.assert_close(fwhm, batch.metadata["psf_fwhm"], rtol=0.08, atol=0)


def test_any_registered_lens_model_can_be_simulated():
    drawn = Foundation(lens_model="epl+shear").simulate(2, seed=1, supersampling=1)
    assert drawn.lens_model == "epl+shear"
    assert "slope" in drawn.lens
    assert bool(torch.isfinite(drawn.image).all())


def test_an_unknown_lens_model_is_refused_with_those_that_exist():
    with pytest.raises(UnknownNameError, match=r"unknown lens model 'si'; available: .*sie"):
        Foundation(lens_model="si")


@pytest.mark.parametrize(
    "options, message",
    [
        ({"number": 0}, "number must be an integer of at least 1, got 0"),
        ({"start": -1}, "start must be an integer of at least 0, got -1"),
        ({"shape": (0, 5)}, r"shape must be \(ny, nx\), two positive integers, got \(0, 5\)"),
        ({"pixel_scale": -0.1}, "pixel_scale must be positive, in arcsec, got -0.1"),
        ({"supersampling": 3}, "supersampling must be 1, 2 or 4, got 3"),
    ],
)
def test_what_cannot_be_simulated_is_refused(foundation, options, message):
    with pytest.raises(SimulationError, match=message):
        foundation.simulate(**{"number": 1, "seed": 1, **options})


def lenstronomy_sersic(params):
    """Parameters of lenstronomy's SERSIC_ELLIPSE, whose b_n is 1.9992 n - 0.3271."""
    n = params["sersic_index"]
    ours = float(sersic_b(torch.tensor(n, dtype=torch.float64)))
    theirs = 1.9992 * n - 0.3271
    return {
        "amp": params["amplitude"] * math.exp(ours - theirs),
        "R_sersic": params["half_light_radius"] * (theirs / ours) ** n,
        "n_sersic": n,
        "e1": params["e1"],
        "e2": params["e2"],
        "center_x": params["x0"],
        "center_y": params["y0"],
    }


def lenstronomy_image(drawn, i, supersampling):
    """The noise-free image of one lens, rendered by lenstronomy."""
    from lenstronomy.Data.imaging_data import ImageData
    from lenstronomy.Data.psf import PSF
    from lenstronomy.ImSim.image_model import ImageModel
    from lenstronomy.LensModel.lens_model import LensModel
    from lenstronomy.LightModel.light_model import LightModel

    scale = float(drawn.pixel_scale[i])
    shape = tuple(drawn.image.shape[1:])
    grid = ImageGrid(shape, 0.04)
    x, y = grid.coordinates()
    data = ImageData(
        np.zeros(shape),
        ra_at_xy_0=x[0, 0],
        dec_at_xy_0=y[0, 0],
        transform_pix2angle=np.eye(2) * scale,
    )
    psf = PSF(
        "PIXEL",
        kernel_point_source=drawn.psf[i].double().numpy(),
        point_source_supersampling_factor=supersampling,
    )
    lens = {name: float(value[i]) for name, value in drawn.lens.items()}
    mass = [
        {
            "theta_E": lens["theta_E"], "e1": lens["e1"], "e2": lens["e2"],
            "center_x": lens["x0"], "center_y": lens["y0"],
        },
        {"gamma1": lens["gamma1"], "gamma2": lens["gamma2"]},
    ]  # fmt: skip
    parts = {name: float(value[i]) for name, value in drawn.metadata.items()}
    names, source = [], []
    for j in range(3):
        prefix = f"source_{j}_"
        own = {n.removeprefix(prefix): v for n, v in parts.items() if n.startswith(prefix)}
        if own["amplitude"]:
            names.append("SERSIC_ELLIPSE")
            source.append(lenstronomy_sersic(own))
    for j in range(4):
        prefix = f"clump_{j}_"
        own = {n.removeprefix(prefix): v for n, v in parts.items() if n.startswith(prefix)}
        if own["amplitude"]:
            names.append("GAUSSIAN")
            amp = 2 * math.pi * own["sigma"] ** 2 * own["amplitude"]
            centre = {"center_x": own["x0"], "center_y": own["y0"]}
            source.append({"amp": amp, "sigma": own["sigma"], **centre})
    light = {name: float(value[i]) for name, value in drawn.light.items()}
    model = ImageModel(
        data,
        psf,
        LensModel(["SIE", "SHEAR"]),
        LightModel(names),
        LightModel(["SERSIC_ELLIPSE"]),
        kwargs_numerics={
            "supersampling_factor": supersampling,
            "supersampling_convolution": True,
            "supersampling_kernel_size": None,
        },
    )
    return model.image(mass, source, [lenstronomy_sersic(light)])


# lenstronomy's own call of numpy's transforms
@pytest.mark.filterwarnings("ignore:`axes` should not be `None`:DeprecationWarning")
def test_images_agree_with_lenstronomy(foundation, capsys):
    """Same parameters, sub-pixels and kernel: to 1e-4 of the peak."""
    drawn = foundation.simulate(4, seed=31, supersampling=4)
    edge = 5  # lenstronomy's frame has no margin
    deviations = []
    for i in range(4):
        ours = drawn.noise_free[i].double().numpy()[edge:-edge, edge:-edge]
        theirs = lenstronomy_image(drawn, i, 4)[edge:-edge, edge:-edge]
        deviations.append(np.abs(ours - theirs).max() / theirs.max())
    with capsys.disabled():
        sys.stdout.write(
            f"\nfoundation against lenstronomy: {max(deviations):.1e} of the peak\n"
        )
    assert max(deviations) < 1e-4
