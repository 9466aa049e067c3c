"""What sky and detector make of an image."""

from __future__ import annotations

import pytest
import torch

from astrorim_plugins.simulators.detector import Detector
from astrorim_plugins.simulators.enhanced import Enhanced
from astrorim_plugins.simulators.multi_instrument import MultiInstrument
from astrorim_plugins.simulators.random_streams import RandomStreams
from astrorim_plugins.simulators.realistic import Realistic

SHAPE = (40, 44)
QUIET = (
    "has_cosmic_rays", "has_charge_trails", "has_correlated_noise", "has_vignetting",
    "has_sky_residual", "response_deviation", "sky_gradient_x", "sky_gradient_y",
)  # fmt: skip


def values_of(simulator, **changes):
    """Drawn values of four lenses without any effect, and then with changes."""
    values = simulator().draw(4, seed=3).values
    values = {n: v.float() * (0 if n in QUIET else 1) for n, v in values.items()}
    return values | {n: torch.full_like(values[n], v) for n, v in changes.items()}


def expose(simulator, values, *, level=50.0, seed=0, sky_subtracted=True, image=None):
    detector = Detector(simulator.declaration, SHAPE, seed, sky_subtracted)
    image = torch.full((4, *SHAPE), level) if image is None else image
    streams = RandomStreams(5, torch.arange(4))
    return detector.expose(image, values, torch.full((4,), 0.1), streams)


def test_the_mean_sky_is_a_rate_that_is_taken_off():
    values = values_of(Enhanced, exposure=1000.0)
    with_sky = expose(Enhanced, values, sky_subtracted=False).image
    without = expose(Enhanced, values).image
    torch.testing.assert_close(
        with_sky - without, torch.full_like(without, 100.0), atol=1e-3, rtol=0
    )
    assert float(without.mean()) == pytest.approx(50, abs=0.5)
    assert float(with_sky.mean()) == pytest.approx(150, abs=0.5)


def test_the_noise_is_that_of_light_sky_and_read_out():
    values = values_of(Enhanced, exposure=1000.0, read_noise=1.5)
    exposed = expose(Enhanced, values)
    variance = 150 / 1.5 + 1.5**2 / 1.5**2
    torch.testing.assert_close(exposed.noise, torch.full_like(exposed.noise, variance**0.5))
    scatter = ((exposed.image - 50) / exposed.noise).std()
    assert float(scatter) == pytest.approx(1, abs=5 / (2 * exposed.image.numel()) ** 0.5)


@pytest.mark.parametrize("subtracted", [True, False])
def test_a_sky_gradient_stays_in_the_image(subtracted):
    values = values_of(Enhanced, sky_gradient_x=0.4, exposure=1000.0)
    image = expose(Enhanced, values, sky_subtracted=subtracted).image.mean(dim=(0, 1))
    rise = float(image[-11:].mean() - image[:11].mean())
    assert rise == pytest.approx(0.4 * 100 * 0.75, rel=0.1)


def test_a_plane_is_left_where_the_sky_is_taken_off_wrongly():
    values = values_of(MultiInstrument, has_sky_residual=1.0, exposure=1000.0)
    values |= {"sky_residual_x": torch.full((4,), 0.1), "sky_residual_y": torch.zeros(4)}
    clean = values_of(MultiInstrument, exposure=1000.0)
    plane = expose(MultiInstrument, values).image - expose(MultiInstrument, clean).image
    assert float(plane[0, 0, -1]) == pytest.approx(0.1 * 100 * 43 / 44, rel=1e-3)
    assert float(plane.mean()) == pytest.approx(0, abs=1e-3)
    both = (expose(MultiInstrument, v, sky_subtracted=False).image for v in (values, clean))
    assert torch.equal(*both)


def test_the_response_is_fixed_for_a_detector():
    """The prior version drew it anew for every image."""
    values = values_of(Enhanced, response_deviation=0.2)
    light = torch.full((4, *SHAPE), 1e6)

    def pattern(seed):
        image = expose(Enhanced, values, seed=seed, image=light).image
        return (image / 1e6 - 1).flatten(1)

    own, other = pattern(1), pattern(2)
    same = torch.corrcoef(torch.stack([own[0], own[1], other[0]]))
    assert float(same[0, 1]) > 0.99
    assert abs(float(same[0, 2])) < 0.15
    assert float(own[0].std()) == pytest.approx(0.2, rel=0.1)


def test_vignetting_darkens_the_corners():
    values = values_of(Realistic, has_vignetting=1.0, vignetting_depth=0.5)
    light = torch.full((4, *SHAPE), 1e5)
    image = expose(Realistic, values, image=light).image.mean(dim=0)
    assert float(image[0, 0] / image[20, 22]) == pytest.approx(0.52, abs=0.03)


def test_pixels_that_cosmic_rays_hit_are_marked():
    values = values_of(Realistic, has_cosmic_rays=1.0, num_cosmic_rays=4.0)
    exposed, clean = expose(Realistic, values), expose(Realistic, values_of(Realistic))
    added = exposed.image - clean.image
    hit = exposed.cosmic_rays
    assert bool(hit.any(dim=(1, 2)).all())
    assert not bool(clean.cosmic_rays.any())
    assert bool((added[hit] > 0.9 / 1.5).all())
    assert float(added[~hit].abs().max()) < 1.0
    torch.testing.assert_close(exposed.noise, clean.noise)


def test_charge_trails_move_light_and_lose_none():
    """The prior version multiplied the image by 0.95."""
    light = torch.zeros((4, *SHAPE))
    light[:, 20, 22] = 1e6
    # hardly any sky, whose charge would trail out of the frame
    values = values_of(
        Realistic, has_charge_trails=1.0, trap_density=4e-3, release_length=2.0, exposure=1.0
    )
    values["trail_axis"] = torch.tensor([0.0, 1.0, 0.0, 1.0])
    trailed = expose(Realistic, values, image=light).image
    plain = expose(Realistic, values_of(Realistic, exposure=1.0), image=light).image
    torch.testing.assert_close(
        trailed.sum(dim=(1, 2)), plain.sum(dim=(1, 2)), rtol=1e-3, atol=0
    )
    for i, behind in enumerate([(21, 22), (20, 23)]):
        loss = 1 - float(trailed[i, 20, 22] / plain[i, 20, 22])
        assert loss == pytest.approx(1 - (1 - 4e-3) ** (21 + 2 * i), rel=0.05)
        gain = float((trailed - plain)[i][behind])
        assert gain == pytest.approx(1e6 * loss * (1 - 0.6065), rel=0.05)
        before = (20 - (1 - i), 22 - i)
        assert abs(float((trailed - plain)[i][before])) < 100


def test_correlated_noise_leaves_the_signal_sharp():
    """The prior version smoothed the whole image."""
    light = torch.zeros((4, *SHAPE))
    light[:, 20, 22] = 1e6
    values = values_of(Realistic, has_correlated_noise=1.0, noise_correlation=0.4)
    exposed = expose(Realistic, values, image=light)
    deviation = (exposed.image - light) / exposed.noise
    assert float(deviation[:, 20, 22].abs().max()) < 4
    white = deviation.clone()
    white[:, 18:23, 20:25] = 0
    neighbours = (white[:, :, 1:] * white[:, :, :-1]).mean() / white.square().mean()
    assert float(neighbours) == pytest.approx(0.4, abs=0.05)
    assert float(white.std()) == pytest.approx(1, abs=0.03)
    torch.testing.assert_close(exposed.noise_kernel.square().sum(dim=(1, 2)), torch.ones(4))
