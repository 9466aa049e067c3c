"""What all six simulators promise."""

from __future__ import annotations

import math

import pytest
import torch

from astrorim.exceptions import SimulationError, UnknownNameError
from astrorim.lensing.forward import ForwardModel, ImageData
from astrorim.lensing.interpolation import SourceFrames
from astrorim.lensing.system import LensSystem
from astrorim.plugins import load_plugins
from astrorim.testing import SimulatorContract
from astrorim_plugins.simulators.declaration import EFFECTS
from astrorim_plugins.simulators.photometry import counts_from_magnitude

SIX = ("foundation", "enhanced", "multi-instrument", "expanded", "small-lens", "realistic")
TENSORS = (
    "image", "noise", "psf", "noise_free", "lens_light", "source_image", "index",
    "pixel_scale", "source_pixel_scale", "source_centre", "other_light", "rendering_psf",
    "cosmic_rays", "noise_kernel",
)  # fmt: skip
OPTIONS = {"seed": 7, "supersampling": 2, "shape": (40, 48)}
DETECTOR = (
    "sky_gradient", "sky_residual", "pixel_response", "vignetting", "correlated_noise",
    "cosmic_rays", "charge_trails",
)  # fmt: skip

every_simulator = pytest.mark.parametrize("name", SIX)


def create(name, **options):
    return load_plugins().simulators.create(name, **options)


@pytest.fixture(scope="module")
def batches():
    """Six lenses of each simulator."""
    return {name: create(name).simulate(6, **OPTIONS) for name in SIX}


def assert_same_lenses(whole, part, first=0):
    rows = slice(first, first + len(part))
    for name in TENSORS:
        own, other = getattr(whole, name), getattr(part, name)
        assert (own is None) == (other is None), name
        assert own is None or torch.equal(own[rows], other), name
    for name in ("lens", "light", "metadata"):
        assert getattr(whole, name).keys() == getattr(part, name).keys()
        for key, value in getattr(whole, name).items():
            assert torch.equal(value[rows], getattr(part, name)[key]), key


def arcs_of(drawn):
    arcs = drawn.noise_free - drawn.lens_light
    return arcs if drawn.other_light is None else arcs - drawn.other_light


class TestRegisteredSimulators(SimulatorContract):
    @pytest.fixture(params=load_plugins().simulators.names())
    def model(self, request):
        return create(request.param)


def test_the_six_are_registered_under_all_of_their_names():
    simulators = load_plugins().simulators
    assert set(SIX) <= set(simulators.names())
    for number, name in enumerate(SIX, 1):
        assert type(simulators.create(f"v{number}")) is type(simulators.create(name))
        assert simulators.create(name).name == name
        assert f"v{number}" in simulators.create(name).aliases
    assert simulators.create("weak").name == "small-lens"


@every_simulator
def test_a_lens_has_the_same_bits_in_every_batch(name, batches):
    part = create(name).simulate(2, **OPTIONS, start=3)
    assert_same_lenses(batches[name], part, 3)


def test_batches_across_the_blocks_of_draws_have_the_same_bits():
    simulator = create("multi-instrument")
    options = OPTIONS | {"shape": (12, 12), "supersampling": 1}
    whole = simulator.simulate(10, **options, start=28)
    assert_same_lenses(whole, simulator.simulate(5, **options, start=30), 2)


@every_simulator
def test_a_lens_has_the_same_bits_with_one_thread_and_with_two(name, batches):
    threads = torch.get_num_threads()
    try:
        drawn = []
        for number in (1, 2):
            torch.set_num_threads(number)
            drawn.append(create(name).simulate(3, **OPTIONS))
    finally:
        torch.set_num_threads(threads)
    assert_same_lenses(*drawn)
    assert_same_lenses(batches[name], drawn[0])


@every_simulator
def test_tiles_of_several_lenses_give_the_same_images(name, batches, monkeypatch):
    """What accelerators render at once, to the rounding of float32."""
    monkeypatch.setattr("astrorim_plugins.simulators.tiles._CPU_TILE", 4)
    tiled = create(name).simulate(6, **OPTIONS)
    for field in ("noise_free", "source_image", "psf", "noise"):
        whole, part = getattr(batches[name], field), getattr(tiled, field)
        torch.testing.assert_close(part, whole, rtol=1e-4, atol=1e-5 * float(whole.max()))


@every_simulator
def test_another_seed_gives_other_lenses(name, batches):
    other = create(name).draw(1, seed=8)
    assert float(other.lens["theta_E"][0]) != float(batches[name].lens["theta_E"][0])


def test_simulators_with_the_same_seed_draw_different_numbers(batches):
    fractions = {float(batches[name].metadata["exposure"][0]) for name in SIX[:4]}
    assert len(fractions) == 4


@every_simulator
def test_shapes_and_types(name, batches):
    drawn = batches[name]
    for field in ("image", "noise", "noise_free", "lens_light"):
        assert getattr(drawn, field).shape == (6, 40, 48)
    for field in TENSORS:
        value = getattr(drawn, field)
        if value is not None and field not in ("index", "cosmic_rays"):
            assert value.dtype == torch.float32, field
            assert bool(torch.isfinite(value).all()), field
    assert drawn.source_image.shape == (6, 128, 128)
    assert drawn.psf.shape[1] % 2 == 1
    assert drawn.simulator == name
    assert drawn.lens_model == create(name).lens_model
    assert all(value.shape == (6,) for value in drawn.metadata.values())
    assert bool((drawn.source_image >= 0).all())


def light_in_the_frame(drawn, i):
    """Share of the lens galaxy's light inside the frame, integrated in rings."""
    model = load_plugins().light_models.create("sersic")
    light = {n: v[i : i + 1, None, None].double() for n, v in drawn.light.items()}
    height, width = (n / 2 * float(drawn.pixel_scale[i]) for n in drawn.image.shape[1:])
    log_radius = torch.linspace(math.log(1e-8), math.log(2 * width), 1200, dtype=torch.float64)
    angle = torch.arange(96, dtype=torch.float64) * (2 * math.pi / 96)
    radius = torch.exp(log_radius)[:, None]
    x = light["x0"] + radius * torch.cos(angle)
    y = light["y0"] + radius * torch.sin(angle)
    values = model.surface_brightness(x, y, light) * ((x.abs() < width) & (y.abs() < height))
    rings = values.mean(dim=2)[0] * 2 * math.pi * radius[:, 0] ** 2
    return float(torch.trapezoid(rings, log_radius))


@every_simulator
def test_lens_magnitudes_come_back_from_the_images(name):
    """To 1 %: the prior version was 3 mag too faint, and cusps are narrower than pixels."""
    drawn = create(name).simulate(6, seed=3)
    counts = counts_from_magnitude(drawn.metadata["lens_magnitude"], drawn.metadata["exposure"])
    sersic = load_plugins().light_models.create("sersic")
    torch.testing.assert_close(sersic.total_flux(drawn.light), counts, rtol=1e-4, atol=0)
    for i in range(6):
        measured = float(drawn.lens_light[i].sum()) / light_in_the_frame(drawn, i)
        assert measured == pytest.approx(1, abs=0.01)


@every_simulator
def test_source_magnitudes_come_back_from_the_source(name, batches):
    """To 1 % on a frame that holds nearly all of it; image and truth have one source."""
    drawn = batches[name]
    counts = counts_from_magnitude(
        drawn.metadata["source_magnitude"], drawn.metadata["exposure"]
    )
    torch.testing.assert_close(drawn.source.total_flux(), counts, rtol=1e-4, atol=0)
    large = drawn.source.image(drawn.source_centre, drawn.source_pixel_scale * 2, 512)
    ratio = large.sum(dim=(1, 2)) * (2 * drawn.source_pixel_scale) ** 2 / counts
    assert float(ratio.median()) == pytest.approx(1, abs=0.01)
    assert float(ratio.max()) < 1.005
    assert float(ratio.min()) > 0.95  # wings of steep profiles
    truth = drawn.source_image.sum(dim=(1, 2)) * drawn.source_pixel_scale**2 / counts
    assert 0.7 < float(truth.min()) <= float(truth.max()) < 1.005
    magnified = arcs_of(drawn).sum(dim=(1, 2)) / counts
    torch.testing.assert_close(magnified, drawn.metadata["magnification"], rtol=2e-2, atol=1e-2)


@every_simulator
def test_the_noise_is_the_scatter_of_the_image(name):
    drawn = create(name, without=DETECTOR).simulate(6, **OPTIONS)
    normalised = (drawn.image - drawn.noise_free) / drawn.noise
    pixels = normalised.numel()
    assert float(normalised.mean()) == pytest.approx(0, abs=5 / pixels**0.5)
    assert float(normalised.std()) == pytest.approx(1, abs=5 / (2 * pixels) ** 0.5)
    gain, exposure = (drawn.metadata[n][:, None, None] for n in ("gain", "exposure"))
    sky, read_noise = (drawn.metadata[n][:, None, None] for n in ("sky", "read_noise"))
    electrons = gain * (drawn.noise_free + sky * exposure)
    expected = torch.sqrt(electrons + read_noise**2) / gain
    torch.testing.assert_close(drawn.noise, expected, rtol=1e-5, atol=0)


@every_simulator
def test_the_sky_is_a_rate(name):
    """The prior version took the numbers as the counts of a whole exposure."""
    drawn = create(name, sky_subtracted=False, without=DETECTOR).simulate(6, **OPTIONS)
    left = (drawn.image - drawn.noise_free).mean(dim=(1, 2))
    wanted = drawn.metadata["sky"] * drawn.metadata["exposure"]
    error = drawn.noise.square().mean(dim=(1, 2)).sqrt() / (40 * 48) ** 0.5
    assert bool(((left - wanted).abs() < 5 * error).all())
    assert not bool(drawn.metadata["sky_subtracted"].any())


@every_simulator
def test_correlated_noise_and_other_flaws_leave_the_signal_alone(name, batches):
    """Bright pixels are where the truth has them; smoothing would take them off."""
    clean = create(name, without=DETECTOR).simulate(6, **OPTIONS)
    assert torch.equal(clean.noise_free, batches[name].noise_free)
    drawn = create(name, without=[n for n in DETECTOR if n != "correlated_noise"])
    drawn = drawn.simulate(6, **OPTIONS)
    peak = drawn.noise_free.flatten(1).topk(12, dim=1).indices
    pull = ((drawn.image - drawn.noise_free) / drawn.noise).flatten(1).gather(1, peak)
    assert float(pull.square().mean()) < 2.0


@every_simulator
def test_pixel_scale_changes_the_detector_alone(name, batches):
    drawn = batches[name]
    coarse = create(name, without="shift").simulate(6, **OPTIONS, pixel_scale=0.08)
    own = create(name, without="shift").simulate(6, **OPTIONS)
    for key, value in own.lens.items():
        assert torch.equal(value, coarse.lens[key]), key
    assert torch.equal(coarse.pixel_scale, torch.full((6,), 0.08))
    area = (0.08 / drawn.pixel_scale) ** 2
    torch.testing.assert_close(coarse.metadata["sky"], area * drawn.metadata["sky"])
    x = torch.linspace(-0.5, 0.5, 6 * 5).view(6, 5)
    torch.testing.assert_close(coarse.source(x, x), own.source(x, x))


@every_simulator
def test_the_handed_psf_is_normalised_and_recorded_beside_the_one_rendered_with(name, batches):
    drawn = batches[name]
    for kernel in (drawn.psf, drawn.rendering_psf):
        if kernel is not None:
            sums = kernel.sum(dim=(1, 2))
            torch.testing.assert_close(sums, torch.ones(6))
    if "has_psf_mismatch" not in create(name).declaration:
        assert drawn.rendering_psf is None
        return
    same = torch.isclose(drawn.psf, drawn.rendering_psf, atol=1e-9).all(dim=2).all(dim=1)
    assert torch.equal(same, drawn.metadata["effect_psf_mismatch"] == 0)
    right = create(name, without="psf_mismatch").simulate(6, **OPTIONS)
    assert torch.equal(right.noise_free, drawn.noise_free)


@every_simulator
def test_effects_can_be_left_out(name, batches):
    declared = [key for key in batches[name].metadata if key.startswith("effect_")]
    present = [key.removeprefix("effect_") for key in declared]
    assert set(present) <= set(EFFECTS)
    plain = create(name, without=present).simulate(3, **OPTIONS)
    assert not any(bool(plain.metadata[key].any()) for key in declared)
    assert plain.other_light is None or not bool(plain.other_light.any())
    assert plain.cosmic_rays is None or not bool(plain.cosmic_rays.any())


@every_simulator
def test_the_inference_model_reproduces_the_images(name):
    """With the true parameters, kernel and source: exactly, and on a fine source grid.

    The grid is twice as wide as the truth's, which lacks the wings of steep profiles.
    """
    drawn = create(name).simulate(5, seed=1_000_000_007, shape=(64, 64))
    plugins = load_plugins()
    system = LensSystem(
        plugins.lens_models.resolve(drawn.lens_model),
        plugins.light_models.create(drawn.light_model),
    )
    kernel = drawn.psf if drawn.rendering_psf is None else drawn.rendering_psf
    border = int(kernel.flatten(1).amax(dim=0).view(kernel.shape[1:]).amax(dim=0).nonzero()[0])
    middle = slice(border, kernel.shape[1] - border)
    kernel = kernel[:, middle, middle]  # without the zeros around the widest
    misses = []
    for i in range(5):
        rows = slice(i, i + 1)
        data = ImageData(
            *(t[rows] for t in (drawn.image, drawn.noise, torch.ones_like(drawn.noise))),
            kernel[rows],
            drawn.psf_supersampling,
            drawn.pixel_scale[rows],
        )
        model = ForwardModel(system, data, supersampling=4)
        values = system.stack(
            *({n: v[rows] for n, v in t.items()} for t in (drawn.lens, drawn.light))
        )
        source = drawn.source.select(rows)
        arcs = arcs_of(drawn)[rows]
        exact = model.observe(source(*model.trace(values)), 4)
        assert float(((exact - arcs) / data.noise).square().mean().sqrt()) < 1e-3
        size, scale = 640, 2 * drawn.source_pixel_scale[rows] * 128 / 640
        frames = SourceFrames(drawn.source_centre[rows], scale, size)
        image = source(*(axis.contiguous() for axis in frames.coordinates()))
        rendered = model.source_operator(values, frames).apply(image)
        misses.append(float(((rendered - arcs) / data.noise).square().mean().sqrt()))
        light = (model.lens_light(values) - drawn.lens_light[rows]) / data.noise
        # the core of the lens light has finer points where pixels are coarse
        limit = 1e-3 if float(drawn.pixel_scale[i]) == pytest.approx(0.04) else 0.1
        assert float(light.square().mean().sqrt()) < limit
    assert sorted(misses)[2] < 0.05


def test_any_registered_lens_model_can_be_simulated():
    drawn = create("enhanced", lens_model="epl+shear").simulate(2, **OPTIONS)
    assert drawn.lens_model == "epl+shear"
    assert "slope" in drawn.lens
    assert bool(torch.isfinite(drawn.image).all())


def test_an_unknown_lens_model_is_refused_with_those_that_exist():
    with pytest.raises(UnknownNameError, match=r"unknown lens model 'si'; available: .*sie"):
        create("foundation", lens_model="si")


def test_an_unknown_effect_is_refused_with_those_that_exist():
    with pytest.raises(SimulationError, match="got 'fog'; known are centred_halo, .*coma"):
        create("foundation", without=["fog"])


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
def test_what_cannot_be_simulated_is_refused(options, message):
    with pytest.raises(SimulationError, match=message):
        create("foundation").simulate(**{"number": 1, "seed": 1, **options})
