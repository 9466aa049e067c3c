from __future__ import annotations

import numpy as np
import pytest
import scipy.signal
import torch

from astrorim_plugins.simulators.effects import correlate, correlation_kernel

RHO = [0.0, 1e-6, 0.1, 0.25, 0.4, 0.7, -0.3]


def autocorrelation(kernel, dy, dx):
    """Correlation of filtered white noise between pixels (dy, dx) apart."""
    size = kernel.shape[-1]
    return (kernel[..., dy:, dx:] * kernel[..., : size - dy, : size - dx]).sum(dim=(-1, -2))


def test_neighbours_correlate_by_rho_exactly(dtype, device):
    rho = torch.tensor(RHO, dtype=dtype, device=device)
    kernel = correlation_kernel(rho)
    assert kernel.dtype == dtype
    tolerance = {"rtol": 1e-5, "atol": 1e-6} if dtype == torch.float32 else {}
    torch.testing.assert_close(autocorrelation(kernel, 0, 1), rho, **tolerance)
    torch.testing.assert_close(autocorrelation(kernel, 1, 0), rho, **tolerance)
    torch.testing.assert_close(autocorrelation(kernel, 1, 1), rho**2, **tolerance)
    torch.testing.assert_close(autocorrelation(kernel, 0, 0), torch.ones_like(rho), **tolerance)


def test_no_correlation_leaves_noise_as_it_is(dtype, device):
    white = torch.linspace(-1, 1, 49, dtype=dtype, device=device).view(1, 7, 7)
    kernel = correlation_kernel(torch.zeros(1, dtype=dtype, device=device))
    assert torch.equal(correlate(white, kernel), white[:, 1:-1, 1:-1])


@pytest.mark.parametrize("rho", [0.71, -0.8, float("nan")])
def test_a_correlation_out_of_reach_is_refused(rho):
    with pytest.raises(ValueError, match=r"rho must lie within -0\.7 and 0\.7.*got \["):
        correlation_kernel(torch.tensor([0.1, rho]))


def test_the_largest_correlation_is_in_reach_in_single_precision():
    assert correlation_kernel(torch.tensor([0.7])).isfinite().all()


@pytest.mark.parametrize("size", [1, 3, 5])
def test_any_kernel_is_convolved_as_scipy_does(size, rng, dtype, device):
    kernel = rng.normal(size=(3, size, size))
    white = rng.normal(size=(3, 9 + size - 1, 7 + size - 1))
    ours = correlate(
        *(torch.tensor(values, dtype=dtype, device=device) for values in (white, kernel))
    )
    reference = np.stack(
        [
            scipy.signal.convolve2d(w, k, mode="valid")
            for w, k in zip(white, kernel, strict=True)
        ]
    )
    tolerance = {"rtol": 1e-4, "atol": 1e-5} if dtype == torch.float32 else {}
    torch.testing.assert_close(ours.cpu(), torch.as_tensor(reference, dtype=dtype), **tolerance)


def test_an_even_kernel_is_refused():
    with pytest.raises(ValueError, match=r"odd side, got shape \(1, 2, 2\)"):
        correlate(torch.zeros(1, 4, 4), torch.zeros(1, 2, 2))


def test_a_lens_does_not_depend_on_its_batch(generator, dtype, device):
    white = torch.randn(3, 8, 9, generator=generator, dtype=dtype, device=device)
    kernel = correlation_kernel(torch.tensor([0.0, 0.2, 0.4], dtype=dtype, device=device))
    together = correlate(white, kernel)
    for i in range(3):
        own = slice(i, i + 1)
        torch.testing.assert_close(together[own], correlate(white[own], kernel[own]))
