from __future__ import annotations

import math

import pytest
import torch

from astrorim_plugins.simulators.effects import (
    ChargeTrail,
    charge_beyond_frame,
    trail,
    transfer_matrix,
)

DENSITY = 5e-4
LENGTH = 3.0
NUMBER = 96


@pytest.fixture
def traps(dtype, device):
    """Traps of two lenses, read out along y and along x."""

    def tensor(values):
        return torch.tensor(values, dtype=dtype, device=device)

    return {
        "density": tensor([DENSITY, DENSITY]),
        "release_length": tensor([LENGTH, LENGTH]),
        "axis": torch.tensor([0, 1], device=device),
    }


@pytest.fixture
def point(dtype, device):
    """A star in pixel (row 40, column 20), and the same at (row 20, column 40)."""
    image = torch.zeros(2, NUMBER, 70, dtype=dtype, device=device)
    image[0, 40, 20] = image[1, 20, 40] = 10_000
    return image


def test_charge_lags_behind_its_pixel_with_an_exponential_trail(traps, point):
    """A uniform factor, as in the prior version, has no trail."""
    read = trail(point, **traps).double().cpu()
    for line in (read[0, :, 20], read[1, 20]):
        held_back = 1 - (1 - DENSITY) ** 41
        assert float(line[40]) == pytest.approx(10_000 * (1 - held_back), rel=1e-5)
        assert not line[:40].any()
        behind = line[41:]
        ratio = behind[1:20] / behind[:19]
        assert ratio.tolist() == pytest.approx([math.exp(-1 / LENGTH)] * 19, rel=1e-3)
        steps = torch.arange(1, len(behind) + 1)
        mean = float((behind * steps).sum() / behind.sum())
        assert mean == pytest.approx(1 / (1 - math.exp(-1 / LENGTH)), rel=1e-3)
        assert mean == pytest.approx(LENGTH + 0.5, abs=0.03)


def test_other_lines_stay_dark(traps, point):
    read = trail(point, **traps)
    read[0, :, 20] = 0
    read[1, 20] = 0
    assert not read.any()


def test_flux_is_conserved(traps, point):
    """A star loses nothing but what its trail carries out of the frame: here 1e-7."""
    flux = trail(point, **traps).sum(dim=(1, 2))
    assert flux.tolist() == pytest.approx([10_000, 10_000], rel=1e-5)


def test_flux_is_conserved_with_what_leaves_the_frame(traps, generator, dtype, device):
    image = torch.rand(2, NUMBER, 70, generator=generator, dtype=dtype, device=device)
    beyond = charge_beyond_frame(image, **traps)
    assert (beyond > 0).all()
    total = trail(image, **traps).sum(dim=(1, 2)) + beyond
    torch.testing.assert_close(total, image.sum(dim=(1, 2)), rtol=1e-5, atol=0)


def test_no_traps_leave_an_image_as_it_is(generator, dtype, device):
    image = torch.rand(2, 30, 40, generator=generator, dtype=dtype, device=device)
    none = torch.zeros(2, dtype=dtype, device=device)
    axis = torch.tensor([0, 1], device=device)
    assert torch.equal(trail(image, none, none + 2, axis), image)
    assert not charge_beyond_frame(image, none, none + 2, axis).any()


def test_the_loss_grows_with_the_distance_from_the_register(traps, dtype, device):
    image = torch.eye(NUMBER, dtype=dtype, device=device).expand(2, -1, -1)
    lost = 1 - trail(image, **traps).diagonal(dim1=1, dim2=2)
    transfers = torch.arange(1, NUMBER + 1, device=device)
    assert (lost[:, 1:] > lost[:, :-1]).all()
    # In proportion, up to second order.
    tolerance = {"rtol": DENSITY * NUMBER, "atol": 1e-6}
    expected = (DENSITY * transfers).to(dtype).expand(2, -1)
    torch.testing.assert_close(lost, expected, **tolerance)


def test_an_even_sky_stays_even(traps, dtype, device):
    """Pixels give to those behind as much as they take, at both edges of the frame."""
    sky = torch.ones(2, NUMBER, NUMBER, dtype=dtype, device=device)
    read = trail(sky, **traps)
    assert float((read - 1).abs().max()) < DENSITY * (LENGTH + 1)


def test_an_exposed_margin_before_the_register_loses_nothing(dtype, device):
    density = torch.tensor([0.01], dtype=dtype, device=device)
    length = torch.tensor([2.0], dtype=dtype, device=device)
    wide = transfer_matrix(12, density, length, first_pixel=-2)
    inner = transfer_matrix(10, density, length)
    torch.testing.assert_close(wide[:, 2:, 2:], inner)
    assert torch.equal(wide[0, :2, :2], torch.eye(2, dtype=dtype, device=device))
    assert not wide[0, 2:, :2].any()


def test_the_variance_is_that_of_trailed_poisson_numbers(device):
    repeats, columns = 200, 200
    density = torch.full((repeats,), 2e-3, dtype=torch.float64, device=device)
    axis = torch.zeros(repeats, dtype=torch.int64, device=device)
    traps = ChargeTrail(density, torch.full_like(density, 2.0), axis)
    rate = torch.linspace(50, 500, 40, dtype=torch.float64, device=device)
    rates = rate[:, None].expand(repeats, -1, columns).contiguous()
    generator = torch.Generator(device=device).manual_seed(3)
    drawn = traps(torch.poisson(rates, generator=generator))
    scatter = drawn.var(dim=(0, 2))
    variance = traps.variance(rates)[0, :, 0]
    # Six standard errors: 40 rows are looked at.
    tolerance = 6 * (2 / (repeats * columns)) ** 0.5
    torch.testing.assert_close(scatter, variance, rtol=tolerance, atol=0)
    # The loss of variance is no small matter against that.
    assert float((variance / rate)[-1]) < 0.88


def test_a_lens_does_not_depend_on_its_batch(generator, dtype, device):
    image = torch.rand(3, 20, 30, generator=generator, dtype=dtype, device=device)
    density = torch.tensor([0.0, 0.01, 0.002], dtype=dtype, device=device)
    length = torch.tensor([1.0, 2.0, 5.0], dtype=dtype, device=device)
    axis = torch.tensor([1, 1, 0], device=device)
    together = trail(image, density, length, axis)
    for i in range(3):
        own = slice(i, i + 1)
        alone = trail(image[own], density[own], length[own], axis[own])
        torch.testing.assert_close(together[own], alone)


@pytest.mark.parametrize("density", [-0.1, 1.0, float("nan")])
def test_a_density_that_is_no_probability_is_refused(density):
    with pytest.raises(ValueError, match="density must be a probability per transfer"):
        transfer_matrix(5, torch.tensor([density]), torch.tensor([1.0]))


def test_a_release_length_of_zero_is_refused():
    with pytest.raises(ValueError, match=r"release_length must be positive.*got \[0\.0\]"):
        transfer_matrix(5, torch.tensor([0.1]), torch.tensor([0.0]))
