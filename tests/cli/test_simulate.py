from __future__ import annotations

import pytest
from astropy.io import fits
from astropy.table import QTable

from astrorim.observation import LensObservation

SMALL = ("--seed", 11, "--size", 40, "--pixel-scale", "0.08 arcsec")


def test_pairs_and_their_catalogue_are_written(simulated):
    names = sorted(path.name for path in simulated.glob("*.fits"))
    assert names == [f"{kind}_0000{n}.fits" for kind in ("lensed", "source") for n in (0, 1)]
    truths = QTable.read(simulated / "truths.ecsv")
    assert list(truths["index"]) == [0, 1]
    observation = LensObservation.read(simulated / "lensed_00001.fits")
    assert observation.shape == (40, 40)
    assert observation.pixel_scale.value == pytest.approx(0.08, rel=1e-6)


def test_a_lens_does_not_depend_on_the_run_that_it_is_in(astrorim, simulated, tmp_path):
    outcome = astrorim(
        *("simulate", "v1", "--number", 1, "--start", 1, *SMALL, "--output-dir", tmp_path / "s")
    )
    assert outcome.status == 0
    assert outcome.out.strip() == str(tmp_path / "s")
    for name in ("lensed_00001.fits", "source_00001.fits"):
        difference = fits.FITSDiff(str(simulated / name), str(tmp_path / "s" / name))
        assert difference.identical, difference.report()


def test_an_interrupted_run_goes_on(astrorim, tmp_path):
    command = ("simulate", "foundation", *SMALL, "--batch-size", 1, "--output-dir", tmp_path)
    assert astrorim(*command, "--number", 1).status == 0
    first = (tmp_path / "lensed_00000.fits").stat().st_mtime_ns
    outcome = astrorim(*command, "--number", 2)
    assert outcome.status == 0
    assert "1 of 2 lenses are there already" in outcome.err
    assert (tmp_path / "lensed_00000.fits").stat().st_mtime_ns == first
    assert len(QTable.read(tmp_path / "truths.ecsv")) == 2


@pytest.mark.parametrize(
    "options, what",
    [
        (("--seed", 12, "--size", 40, "--pixel-scale", "0.08 arcsec"), "seed 11, asked for 12"),
        (("--seed", 11, "--size", 48, "--pixel-scale", "0.08 arcsec"), "size 40, asked for 48"),
        (("--seed", 11, "--size", 40), "pixel_scale_arcsec 0.08, asked for None"),
        ((*SMALL, "--lens-model", "sie"), "lens_model 'sie+shear', asked for 'sie'"),
    ],
)
def test_another_dataset_is_not_mixed_in(astrorim, simulated, options, what):
    outcome = astrorim("simulate", "foundation", *options, "--output-dir", simulated)
    assert outcome.status == 1
    assert what in outcome.err
    assert "--output-dir" in outcome.err


def test_unknown_lens_model_lists_those_that_exist(astrorim, tmp_path):
    outcome = astrorim(
        "simulate", "foundation", "--lens-model", "sie+sheer", "--output-dir", tmp_path
    )
    assert outcome.status == 1
    assert "unknown lens model 'sheer'; available: " in outcome.err


@pytest.mark.parametrize("suffix", ["../x", "a/b", "a b"])
def test_suffix_never_leads_elsewhere(astrorim, tmp_path, suffix):
    outcome = astrorim(
        "simulate", "foundation", "--output-suffix", suffix, "--output-dir", tmp_path
    )
    assert outcome.status == 2
    assert "must be of letters" in outcome.err
