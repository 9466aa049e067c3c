from __future__ import annotations

import math

import pytest
import scipy.stats
import torch

from astrorim_plugins.simulators.effects import (
    MAX_TRACKS,
    CosmicRays,
    deposit,
    draw_cosmic_rays,
    track_length,
)
from astrorim_plugins.simulators.random_streams import RandomStreams

SHAPE = (96, 80)
DENSITY = (100.0, 400.0)


def streams(number, device="cpu", start=0):
    index = torch.arange(start, start + number, dtype=torch.int64, device=device)
    return RandomStreams(5, index)


def one_track(dtype, device, *, x=20.0, y=15.0, length=8.0, angle=0.4, electrons=1000.0):
    values = (x, y, length, angle, electrons)
    return CosmicRays(
        *(torch.tensor([[value]], dtype=dtype, device=device) for value in values)
    )


@pytest.mark.parametrize("angle", [0.0, 0.4, math.pi / 4, math.pi / 2, 2.5, math.pi, 5.0])
def test_a_track_has_its_length_angle_place_and_charge(angle, dtype, device):
    """Single pixels and square blocks, as in the prior version, have neither."""
    image = deposit(one_track(dtype, device, angle=angle), (40, 50))[0].double().cpu()
    total = float(image.sum())
    assert total == pytest.approx(1000.0, rel=1e-5)
    y, x = torch.meshgrid(torch.arange(40.0), torch.arange(50.0), indexing="ij")
    # A pixel's charge is counted at its centre, half a pixel off at most.
    mean_x, mean_y = float((image * x).sum() / total), float((image * y).sum() / total)
    assert (mean_x, mean_y) == pytest.approx((20.0, 15.0), abs=0.15)
    dx, dy = x - mean_x, y - mean_y
    covariance = torch.tensor(
        [
            [(image * dx * dx).sum(), (image * dx * dy).sum()],
            [(image * dx * dy).sum(), (image * dy * dy).sum()],
        ]
    )
    widths, directions = torch.linalg.eigh(covariance / total)
    # A line's variance is the square of its length by twelve.
    assert math.sqrt(12 * float(widths[1])) == pytest.approx(8.0, rel=0.05)
    assert float(widths[0]) < 0.15
    along = directions[:, 1]
    cosine = float(along[0]) * math.cos(angle) + float(along[1]) * math.sin(angle)
    assert abs(cosine) > math.cos(0.03)


def test_each_pixel_gets_the_length_of_track_inside_it(dtype, device):
    """Against a track cut into two hundred thousand points."""
    rays = one_track(dtype, device, x=6.3, y=4.8, length=7.7, angle=0.7, electrons=1.0)
    ours = deposit(rays, (12, 14))[0].cpu()
    along = (torch.arange(200_000, dtype=torch.float64) + 0.5) / 200_000 - 0.5
    column = torch.round(6.3 + 7.7 * along * math.cos(0.7)).long()
    row = torch.round(4.8 + 7.7 * along * math.sin(0.7)).long()
    reference = torch.bincount(row * 14 + column, minlength=12 * 14).view(12, 14) / 200_000
    torch.testing.assert_close(ours, reference.to(dtype), rtol=0, atol=2e-5)


def test_charge_outside_the_frame_is_lost(device):
    rays = one_track(torch.float64, device, x=-0.5, y=15.0, length=8.0, angle=0.0)
    assert float(deposit(rays, (40, 50)).sum()) == pytest.approx(500.0, rel=1e-12)


def test_lengths_follow_an_isotropic_flux():
    uniform = streams(4000).uniform({"length": 5})["length"].flatten()
    length = track_length(uniform).numpy()
    assert length.min() >= 1
    assert length.max() <= 15

    def distribution(value):
        exceeding = 1 / (1 + value**2)
        return (1 / 2 - exceeding) / (1 / 2 - 1 / (1 + 15**2))

    assert scipy.stats.kstest(length, distribution).pvalue > 1e-3


def test_lengths_are_those_of_straight_lines_through_a_layer(rng):
    """The same from directions: isotropic ones, weighted by the area they see."""
    cosine = rng.uniform(size=400_000)
    tangent = (1 / cosine**2 - 1) ** 0.5
    kept = (rng.uniform(size=cosine.size) < cosine) & (tangent > 1) & (tangent < 15)
    uniform = streams(4000).uniform({"length": 5})["length"].flatten()
    assert scipy.stats.ks_2samp(track_length(uniform), tangent[kept]).pvalue > 1e-3


def test_tracks_are_drawn_all_over_the_frame_in_all_directions(device):
    number = torch.full((2000,), MAX_TRACKS, device=device)
    rays = CosmicRays.draw(streams(2000, device), SHAPE, number, DENSITY)
    ranges = {
        "x": (-0.5, SHAPE[1]),
        "y": (-0.5, SHAPE[0]),
        "angle": (0.0, 2 * math.pi),
    }
    for name, (low, width) in ranges.items():
        values = getattr(rays, name).flatten().cpu().numpy()
        assert scipy.stats.kstest(values, "uniform", (low, width)).pvalue > 1e-3
    path = torch.sqrt(rays.length**2 + 1)
    density = (rays.electrons / path).flatten().cpu().numpy()
    assert scipy.stats.kstest(density, "uniform", (100, 300)).pvalue > 1e-3


def test_the_mask_is_where_the_charge_is(dtype, device):
    number = torch.tensor([0, 1, 5], device=device)
    electrons, hit = draw_cosmic_rays(streams(3, device), SHAPE, number, DENSITY, dtype=dtype)
    assert electrons.dtype == dtype
    assert electrons.device == hit.device == number.device
    assert hit.dtype == torch.bool
    assert not hit[0].any()
    assert not electrons[0].any()
    assert hit[1:].any(dim=(1, 2)).all()
    assert torch.equal(hit, electrons >= 1)
    assert float(electrons[~hit].sum()) < 1e-3 * float(electrons.sum())


def test_hit_pixels_are_a_track_and_not_a_block(device):
    number = torch.ones(300, dtype=torch.int64, device=device)
    _, hit = draw_cosmic_rays(streams(300, device), SHAPE, number, DENSITY)
    counts = hit.sum(dim=(1, 2))
    rays = CosmicRays.draw(streams(300, device), SHAPE, number, DENSITY)
    # A line of width w crosses at most w + 1 edges of columns, and so for rows.
    angle, length = rays.angle[:, 0], rays.length[:, 0]
    most = length * (angle.cos().abs() + angle.sin().abs()) + 3
    assert (counts <= most).all()
    assert len(counts.unique()) > 8
    # Of a block of 3 x 3 pixels a straight line meets five.
    blocks = 9 * torch.nn.functional.avg_pool2d(hit.double(), 3, stride=1)
    assert float(blocks.max()) < 5.5


def test_charge_is_that_of_the_drawn_tracks(device):
    """Tracks whose ends lie in the frame leave all of their charge in it."""
    number = torch.full((200,), 1, device=device)
    rays = CosmicRays.draw(streams(200, device), SHAPE, number, DENSITY)
    electrons, _ = draw_cosmic_rays(streams(200, device), SHAPE, number, DENSITY)
    x, y = rays.x[:, 0], rays.y[:, 0]
    inside = (x > 8) & (x < SHAPE[1] - 9) & (y > 8) & (y < SHAPE[0] - 9)
    assert inside.sum() > 50
    total = electrons.sum(dim=(1, 2)).double()
    torch.testing.assert_close(
        total[inside], rays.electrons.sum(dim=1)[inside], rtol=1e-5, atol=0
    )


def test_ranges_may_differ_from_lens_to_lens(device):
    low = torch.tensor([10.0, 1000.0], device=device)
    number = torch.tensor([5, 5], device=device)
    rays = CosmicRays.draw(streams(2, device), SHAPE, number, (low, 2 * low))
    density = rays.electrons / torch.sqrt(rays.length**2 + 1)
    assert (density >= low[:, None]).all()
    assert (density <= 2 * low[:, None]).all()


def test_more_tracks_leave_the_first_ones_in_place(device):
    fewer, more = (
        CosmicRays.draw(streams(1, device), SHAPE, torch.tensor([n], device=device), DENSITY)
        for n in (2, 5)
    )
    assert torch.equal(fewer.electrons[:, :2], more.electrons[:, :2])
    assert not fewer.electrons[:, 2:].any()


def test_a_lens_does_not_depend_on_its_batch(device):
    number = torch.tensor([2, 0, 5, 1], device=device)
    electrons, hit = draw_cosmic_rays(streams(4, device), SHAPE, number, DENSITY)
    for i in range(4):
        own = slice(i, i + 1)
        alone = draw_cosmic_rays(streams(1, device, start=i), SHAPE, number[own], DENSITY)
        torch.testing.assert_close(electrons[own], alone[0], rtol=1e-5, atol=1e-3)
        assert torch.equal(hit[own], alone[1])


@pytest.mark.parametrize("number", [-1, 6])
def test_a_number_of_tracks_out_of_range_is_refused(number):
    with pytest.raises(ValueError, match=rf"from 0 to 5 .*got \[1, {number}\]"):
        draw_cosmic_rays(streams(2), SHAPE, torch.tensor([1, number]), DENSITY)
