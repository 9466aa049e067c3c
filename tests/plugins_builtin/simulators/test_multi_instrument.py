"""The instrument decides pixels, PSF, sky and noise."""

from __future__ import annotations

import math

import pytest
import torch

from astrorim_plugins.simulators.expanded import Expanded
from astrorim_plugins.simulators.multi_instrument import INSTRUMENTS, MultiInstrument

FWHM = ((0.06, 0.12), (0.5, 1.2), (0.12, 0.35))


@pytest.fixture(scope="module", params=[MultiInstrument, Expanded])
def drawn(request):
    simulator = request.param(without="psf_mismatch")
    return simulator.simulate(32, seed=2, supersampling=4, shape=(8, 8))


def test_the_instrument_decides_the_pixel_scale(drawn):
    number = drawn.metadata["instrument"].to(torch.int64)
    assert set(number.tolist()) == {0, 1, 2}
    scales = torch.tensor([instrument.pixel_scale for instrument in INSTRUMENTS])
    torch.testing.assert_close(drawn.pixel_scale, scales[number])


def test_the_width_of_the_kernel_is_that_of_the_instrument(drawn):
    """Area above half of the maximum, which is pi/4 FWHM^2 for ellipses too."""
    above = (drawn.psf >= 0.5 * drawn.psf.amax(dim=(1, 2), keepdim=True)).sum(dim=(1, 2))
    spacing = drawn.pixel_scale / drawn.psf_supersampling
    fwhm = torch.sqrt(above * 4 / math.pi) * spacing
    torch.testing.assert_close(fwhm, drawn.metadata["psf_fwhm"], rtol=0.12, atol=0)
    limits = torch.tensor(FWHM)[drawn.metadata["instrument"].to(torch.int64)]
    width = drawn.metadata["psf_fwhm"]
    assert bool(((width >= limits[:, 0]) & (width <= limits[:, 1])).all())


def test_the_kernel_holds_the_light_of_the_widest(drawn):
    assert float((drawn.psf.amax(dim=2) > 0).sum(dim=1).max()) == drawn.psf.shape[1]


def test_a_psf_handed_over_wrongly_differs_in_width():
    options = {"seed": 2, "supersampling": 2, "shape": (8, 8)}
    drawn = MultiInstrument().simulate(16, **options)
    wrong = drawn.metadata["effect_psf_mismatch"] == 1
    assert 0 < int(wrong.sum()) < 16
    peak, true_peak = (k.amax(dim=(1, 2)) for k in (drawn.psf, drawn.rendering_psf))
    wider = drawn.metadata["mismatch_fwhm_ratio"] > 1.1
    assert bool((peak < true_peak)[wrong & wider].all())
    assert torch.equal(peak[~wrong], true_peak[~wrong])
