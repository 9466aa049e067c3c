"""Truths from files are those of the simulator."""

from __future__ import annotations

import numpy as np
import pytest
from astropy.nddata import StdDevUncertainty

from astrorim.exceptions import AstroRIMError
from astrorim.interchange import read_truth, truth_of, write_asdf, write_pairs
from astrorim.interchange.truth_files import present_lens
from astrorim.observation import LensObservation
from astrorim.plugins import load_plugins


def _batch(name, number=1):
    simulator = load_plugins().simulators.create(name)
    return simulator.simulate(number, seed=10**9, shape=(40, 40), pixel_scale=0.1)


@pytest.mark.parametrize("write, pattern", [(write_pairs, "source_*"), (write_asdf, "*.asdf")])
@pytest.mark.parametrize("name", ["foundation", "expanded"])
def test_files_hold_the_whole_truth(tmp_path, name, write, pattern):
    batch = _batch(name)
    write(batch, tmp_path)
    (path,) = tmp_path.glob(pattern)
    expected = truth_of(batch)
    found = read_truth(path, expected.observation)
    assert found.lens_model == expected.lens_model
    assert found.light_model == expected.light_model
    assert found.lens == pytest.approx(expected.lens, rel=1e-6)
    assert found.light == pytest.approx(expected.light, rel=1e-6)
    np.testing.assert_allclose(found.source, expected.source, rtol=1e-6)
    assert found.source_grid.shape == expected.source_grid.shape
    for key in ("pixel_scale", "x0", "y0"):
        value = getattr(found.source_grid, key)
        assert value == pytest.approx(getattr(expected.source_grid, key), rel=1e-6, abs=1e-6)
    for key in ("effective_einstein_radius", "magnification", "index"):
        assert getattr(found, key) == pytest.approx(getattr(expected, key), rel=1e-6)
    for key in ("lens_light", "other_light", "psf", "hit"):
        own, true = getattr(found, key), getattr(expected, key)
        if own is None:  # the simulator may hand out zeros, or the observation's own PSF
            assert true is None or not true.any() or key == "psf"
        else:
            np.testing.assert_allclose(own, true, rtol=1e-6)


def test_the_truth_of_another_lens_is_refused(tmp_path):
    batch = _batch("foundation", 2)
    write_pairs(batch, tmp_path)
    other = truth_of(batch, 1).observation
    with pytest.raises(AstroRIMError, match="not the truth of this image: where it is bright"):
        read_truth(tmp_path / "source_00000.fits", other)


def test_another_frame_is_refused(tmp_path):
    write_pairs(_batch("foundation"), tmp_path)
    simulator = load_plugins().simulators.create("foundation")
    larger = truth_of(simulator.simulate(1, seed=10**9, shape=(44, 44), pixel_scale=0.1))
    with pytest.raises(AstroRIMError, match=r"frame of \(40, 40\) pixels"):
        read_truth(tmp_path / "source_00000.fits", larger.observation)


def test_another_unit_is_refused(tmp_path):
    batch = _batch("foundation")
    write_pairs(batch, tmp_path)
    seen = truth_of(batch).observation
    other = LensObservation(
        np.asarray(seen.data), unit="Jy", uncertainty=StdDevUncertainty(seen.noise),
        wcs=seen.wcs, psf=seen.psf, psf_supersampling=seen.psf_supersampling,
    )  # fmt: skip
    with pytest.raises(AstroRIMError, match="is in adu, the reconstruction in Jy"):
        read_truth(tmp_path / "source_00000.fits", other)


def test_other_files_are_refused(tmp_path):
    batch = _batch("foundation")
    write_pairs(batch, tmp_path)
    observation = truth_of(batch).observation
    with pytest.raises(AstroRIMError, match="lensed_00000.fits is not the truth of a sim"):
        read_truth(tmp_path / "lensed_00000.fits", observation)


def test_a_lens_without_components_is_refused():
    with pytest.raises(ValueError, match="a component of 'sie\\+shear', got e1"):
        present_lens("sie+shear", {"e1": 0.1})
