from __future__ import annotations

import numpy as np
import pytest
import scipy.stats
import torch

from astrorim_plugins.simulators.effects import (
    ChargeTrail,
    correlation_kernel,
    draw_cosmic_rays,
)
from astrorim_plugins.simulators.noise import (
    SMALL_RATE,
    expose,
    noise_deviation,
    observe,
    poisson_quantile,
)
from astrorim_plugins.simulators.random_streams import RandomStreams, box_muller

NUMBER = 400_000


def normals(name, number=NUMBER, index=0):
    words = RandomStreams(11, torch.tensor([index])).words({name: number})[name]
    return box_muller(words)[0]


@pytest.mark.parametrize("rate", [0.05, 1.0, 7.3, 29.9, 30.1, 100.0, 3000.0])
def test_poisson_numbers_have_the_moments_and_shape_of_poisson(rate):
    drawn = poisson_quantile(torch.full((NUMBER,), rate), normals("poisson")).numpy()
    assert np.array_equal(drawn, np.round(drawn))
    # Five standard errors.
    assert drawn.mean() == pytest.approx(rate, abs=5 * (rate / NUMBER) ** 0.5)
    error = rate * (2 / NUMBER + 1 / (rate * NUMBER)) ** 0.5
    assert drawn.var() == pytest.approx(rate, abs=5 * error)
    k = np.arange(drawn.max() + 1)
    realised = np.searchsorted(np.sort(drawn), k, side="right") / NUMBER
    distance = np.abs(realised - scipy.stats.poisson.cdf(k, rate)).max()
    assert distance < 1.95 / NUMBER**0.5  # Kolmogorov-Smirnov, one in a thousand


@pytest.mark.parametrize("rate", [30.5, 60.0, 250.0])
def test_the_expansion_is_the_exact_quantile_almost_everywhere(rate):
    z = torch.linspace(-4.5, 4.5, 20001, dtype=torch.float64)
    drawn = poisson_quantile(torch.full_like(z, rate), z).numpy()
    exact = scipy.stats.poisson.ppf(scipy.stats.norm.cdf(z.numpy()), rate)
    assert np.abs(drawn - exact).max() <= 1
    weight = scipy.stats.norm.pdf(z.numpy())
    assert np.average(drawn != exact, weights=weight) < 2e-3


def test_small_rates_are_the_exact_quantile():
    z = torch.linspace(-5, 5, 5001, dtype=torch.float64)
    for rate in (0.0, 0.3, 4.0, SMALL_RATE - 0.1):
        drawn = poisson_quantile(torch.full_like(z, rate), z).numpy()
        exact = scipy.stats.poisson.ppf(scipy.stats.norm.cdf(z.numpy()), rate)
        assert np.array_equal(drawn, exact)


def test_the_deviation_is_the_scatter_of_repeated_exposures():
    expected = torch.full((1, 1, NUMBER), 40.0)
    gain, read_noise = torch.tensor([[[1.5]]]), torch.tensor([[[1.8]]])
    image = observe(
        expected,
        gain,
        read_noise,
        normals("photon")[None, None],
        normals("read")[None, None],
    )
    deviation = float(noise_deviation(expected[..., :1], gain, read_noise))
    assert float(image.mean()) == pytest.approx(40.0, abs=5 * deviation / NUMBER**0.5)
    assert float(image.std()) == pytest.approx(deviation, rel=5 / (2 * NUMBER) ** 0.5)


@pytest.fixture
def detector(device, dtype):
    """Three exposures of a frame of sky."""
    number, shape = 3, (60, 50)

    def column(values):
        return torch.tensor(values, dtype=dtype, device=device)[:, None, None]

    return {
        "expected": column([80.0, 150.0, 40.0]).expand(-1, *shape).contiguous(),
        "gain": column([1.5, 1.0, 2.0]),
        "read_noise": column([1.8, 3.0, 0.8]),
        "streams": RandomStreams(4, torch.arange(number, device=device)),
    }


@pytest.fixture
def traps(device, dtype):
    return ChargeTrail(
        torch.tensor([1e-3, 1e-3, 0.0], dtype=dtype, device=device),
        torch.tensor([3.0, 2.0, 1.0], dtype=dtype, device=device),
        torch.tensor([0, 1, 0], device=device),
    )


def rho_of(dtype, device):
    return torch.tensor([0.1, 0.25, 0.4], dtype=dtype, device=device)


def test_a_plain_exposure_is_poisson_electrons_and_read_noise_of_its_streams(detector):
    """The numbers are those that images of earlier datasets have, bit for bit."""
    image, deviation = expose(**detector)
    pixels = 60 * 50
    words = detector["streams"].words({"photon_noise": pixels, "pixel_read_noise": pixels})
    numbers = (
        box_muller(words[name]).view(3, 60, 50).to(image.dtype)
        for name in ("photon_noise", "pixel_read_noise")
    )
    plain = {name: detector[name] for name in ("expected", "gain", "read_noise")}
    assert torch.equal(
        image, observe(**plain, photon_normal=next(numbers), read_normal=next(numbers))
    )
    assert torch.equal(deviation, noise_deviation(**plain))


def test_an_odd_frame_takes_the_first_of_an_even_number():
    expected = torch.full((1, 5, 5), 100.0)
    one = torch.ones(1, 1, 1)
    streams = RandomStreams(4, torch.tensor([9]))
    words = streams.words({"photon_noise": 26, "pixel_read_noise": 26})
    photon, read = (box_muller(w)[:, :25].view(1, 5, 5) for w in words.values())
    image, _ = expose(expected, one, one, streams)
    assert torch.equal(image, observe(expected, one, one, photon, read))


def test_an_exposure_follows_the_dtype_and_the_device(detector, traps, dtype, device):
    kernel = correlation_kernel(rho_of(dtype, device))
    for options in ({}, {"trail": traps}, {"kernel": kernel, "trail": traps}):
        for result in expose(**detector, **options):
            assert result.dtype == dtype
            assert result.device == detector["expected"].device
            assert result.shape == (3, 60, 50)
            assert result.isfinite().all()


def correlated_exposures(number=400, size=48, rho=0.3):
    """Exposures of a point source on sky, and what is expected."""
    expected = torch.full((number, size, size), 60.0)
    expected[:, size // 2, size // 2] = 40_000.0
    column = torch.ones(number, 1, 1)
    kernel = correlation_kernel(torch.full((number,), rho))
    streams = RandomStreams(8, torch.arange(number))
    image, deviation = expose(expected, 1.5 * column, 2 * column, streams, kernel=kernel)
    return image, deviation, expected


def test_correlated_noise_leaves_a_point_source_its_width():
    """The prior version smoothed the whole noisy image: 0.47 of the light stayed."""
    image, deviation, expected = correlated_exposures()
    mean = image.mean(dim=0)
    centre = slice(22, 27)
    error = 5 * deviation[0] / len(image) ** 0.5
    assert ((mean - expected[0]).abs() < error)[centre, centre].all()


def test_neighbouring_pixels_of_the_noise_correlate_as_declared():
    image, deviation, expected = correlated_exposures()
    noise = ((image - expected) / deviation).double()
    # Five standard errors, doubled as the noise is not independent.
    tolerance = 10 / noise.numel() ** 0.5
    across = float((noise[:, :, 1:] * noise[:, :, :-1]).mean())
    along = float((noise[:, 1:] * noise[:, :-1]).mean())
    diagonal = float((noise[:, 1:, 1:] * noise[:, :-1, :-1]).mean())
    far = float((noise[:, 3:] * noise[:, :-3]).mean())
    assert (across, along) == pytest.approx((0.3, 0.3), abs=tolerance)
    assert (diagonal, far) == pytest.approx((0.09, 0.0), abs=tolerance)


def test_the_deviation_of_correlated_noise_is_its_scatter_up_to_the_edge():
    image, deviation, expected = correlated_exposures()
    noise = ((image - expected) / deviation).double()
    assert float(noise.var()) == pytest.approx(1.0, abs=0.01)
    for edge in (noise[:, 0], noise[:, -1], noise[:, :, 0], noise[:, :, -1]):
        assert float(edge.var()) == pytest.approx(1.0, abs=0.06)
    # Bright pixels too: the noise is scaled where it falls.
    assert float(noise[:, 24, 24].var()) == pytest.approx(1.0, abs=5 * (2 / 400) ** 0.5)


def test_no_correlation_is_white_noise(dtype, device, detector):
    kernel = correlation_kernel(torch.zeros(3, dtype=dtype, device=device))
    image, deviation = expose(**detector, kernel=kernel)
    noise = ((image - detector["expected"]) / deviation)[0]
    tolerance = 5 / noise.numel() ** 0.5
    assert float((noise[1:] * noise[:-1]).mean()) == pytest.approx(0, abs=tolerance)


def test_a_pixel_without_any_noise_stays_what_it_is():
    zero, kernel = torch.zeros(1, 6, 6), correlation_kernel(torch.tensor([0.3]))
    streams = RandomStreams(8, torch.tensor([0]))
    image, deviation = expose(
        zero, torch.ones(1, 1, 1), torch.zeros(1, 1, 1), streams, kernel=kernel
    )
    assert not image.any()
    assert not deviation.any()


@pytest.mark.parametrize("correlated", [False, True])
def test_traps_move_light_and_keep_it(detector, traps, dtype, device, correlated):
    """A uniform factor of 0.95, as in the prior version, loses a twentieth of it."""
    detector["expected"][:, 25, 20] += 50_000
    kernel = correlation_kernel(rho_of(dtype, device)) if correlated else None
    plain, _ = expose(**detector, kernel=kernel)
    trailed, deviation = expose(**detector, kernel=kernel, trail=traps)
    change = trailed - plain
    error = 5 * float(deviation[0].mean()) * (1e-3 * 60)
    assert float(change[0, 26, 20]) > 10 * error
    assert float(change[1, 25, 21]) > 10 * error
    assert float(change[0, 25, 20]) < -10 * error
    lost = change[:2].sum(dim=(1, 2)).abs() / plain[:2].sum(dim=(1, 2))
    # Some sky of the last pixels is released beyond the frame.
    assert (lost < 5e-3).all()
    assert torch.allclose(plain[2], trailed[2], rtol=1e-5, atol=1e-4)


def test_the_deviation_is_the_scatter_behind_traps():
    number = 4000
    density = torch.full((number,), 4e-3)
    traps = ChargeTrail(
        density, torch.full_like(density, 2.0), torch.zeros(number, dtype=torch.int64)
    )
    column = torch.ones(number, 1, 1)
    streams = RandomStreams(8, torch.arange(number))
    expected = torch.full((number, 40, 4), 200.0)
    for kernel in (None, correlation_kernel(torch.full((number,), 0.2))):
        image, deviation = expose(
            expected, column, 3 * column, streams, trail=traps, kernel=kernel
        )
        scatter = image.double().var(dim=0).mean(dim=1)
        variance = deviation[0, :, 0].double() ** 2
        # Six standard errors of 4000 x 4 numbers, doubled for their correlation.
        torch.testing.assert_close(scatter, variance, rtol=12 * (2 / 16_000) ** 0.5, atol=0)


@pytest.mark.parametrize("correlated", [False, True])
def test_cosmic_rays_are_added_whole_and_sharp(detector, dtype, device, correlated):
    rays, hit = draw_cosmic_rays(
        detector["streams"],
        (60, 50),
        torch.full((3,), 2, device=device),
        (500, 900),
        dtype=dtype,
    )
    kernel = correlation_kernel(rho_of(dtype, device)) if correlated else None
    plain, before = expose(**detector, kernel=kernel)
    image, after = expose(**detector, kernel=kernel, cosmic_rays=rays)
    torch.testing.assert_close(image - plain, rays / detector["gain"], rtol=1e-4, atol=1e-3)
    assert torch.equal(before, after)
    assert hit.any(dim=(1, 2)).all()


def test_cosmic_rays_leave_trails_too(detector, traps):
    rays = torch.zeros_like(detector["expected"])
    rays[:, 30, 20] = 5000
    plain, _ = expose(**detector, trail=traps)
    image, _ = expose(**detector, trail=traps, cosmic_rays=rays)
    added = (image - plain) * detector["gain"]
    assert float(added[0, 31, 20]) == pytest.approx(5000 * 0.0305 * 0.283, rel=0.02)
    assert float(added[0].sum()) == pytest.approx(5000, rel=1e-4)


def test_an_exposure_does_not_depend_on_its_batch(detector, traps, dtype, device):
    kernel = correlation_kernel(rho_of(dtype, device))
    together = expose(**detector, kernel=kernel, trail=traps)
    for i in range(3):
        own = slice(i, i + 1)
        alone = expose(
            *(detector[name][own] for name in ("expected", "gain", "read_noise")),
            RandomStreams(4, torch.tensor([i], device=device)),
            kernel=kernel[own],
            trail=ChargeTrail(traps.density[own], traps.release_length[own], traps.axis[own]),
        )
        for ours, theirs in zip(alone, together, strict=True):
            torch.testing.assert_close(ours, theirs[own], rtol=1e-4, atol=1e-4)
