from __future__ import annotations

import pytest
from astropy.io import fits
from astropy.table import QTable

from astrorim.cli.simulate import _FORMATS, _option
from astrorim.interchange.simulated_run import FORMATS
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
        ((*SMALL, "--format", "asdf"), "format 'fits', asked for 'asdf'"),
        ((*SMALL, "--supersampling", 2), "supersampling 4, asked for 2"),
        ((*SMALL, "--option", "sky_subtracted=false"), "asked for {'sky_subtracted': False}"),
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


def test_asdf_files_are_written(astrorim, tmp_path):
    outcome = astrorim(
        *("simulate", "foundation", *SMALL, "--format", "asdf", "--output-dir", tmp_path),
        *("--supersampling", 2, "--output-suffix", "_a"),
    )
    assert outcome.status == 0
    assert {path.name for path in tmp_path.iterdir()} == {
        "lens_00000_a.asdf", "simulation_a.json", "truths_a.ecsv",
    }  # fmt: skip
    observation = LensObservation.read(tmp_path / "lens_00000_a.asdf")
    assert observation.psf_supersampling == 2


def test_shards_are_written_and_trained_on(astrorim, tmp_path, monkeypatch):
    outcome = astrorim(
        *("simulate", "foundation", *SMALL, "--format", "shards", "--number", 12),
        *("--supersampling", 1, "--output-dir", tmp_path / "shards"),
    )
    assert outcome.status == 0
    assert (tmp_path / "shards" / "shard_000000.safetensors").is_file()
    outcome = astrorim(
        *("train", "unet-gru", "--data_dir", tmp_path / "shards", "--minutes", 0.0001),
        *("--batch-size", 1, "--output-dir", tmp_path / "run"),
    )
    assert outcome.status == 0
    assert (tmp_path / "run" / "weights.safetensors").is_file()


def test_shards_of_evaluation_are_not_trained_on(astrorim, tmp_path):
    astrorim(
        *("simulate", "foundation", "--seed", 10**9, "--size", 24, "--format", "shards"),
        *("--number", 2, "--supersampling", 1, "--output-dir", tmp_path / "shards"),
    )
    outcome = astrorim(
        *("train", "unet-gru", "--data-dir", tmp_path / "shards"),
        *("--output-dir", tmp_path / "run"),
    )
    assert outcome.status == 1
    assert "must be below 10^9 - 1 for training, got 1000000000" in outcome.err


def test_shards_have_no_suffix(astrorim, tmp_path):
    outcome = astrorim(
        *("simulate", "foundation", "--format", "shards", "--output-suffix", "_a"),
        *("--output-dir", tmp_path),
    )
    assert outcome.status == 1
    assert "suffix must be empty for shards, got '_a'" in outcome.err


def test_preview_draws_a_contact_sheet_and_nothing_else(astrorim, tmp_path):
    outcome = astrorim(
        *("simulate", "foundation", *SMALL, "--preview", "--supersampling", 1),
        *("--output-dir", tmp_path / "new"),
    )
    assert outcome.status == 0
    path = tmp_path / "new" / "preview.png"
    assert outcome.out.strip() == str(path)
    assert list((tmp_path / "new").iterdir()) == [path]
    assert path.read_bytes()[:4] == b"\x89PNG"


def test_options_reach_the_simulator(astrorim, simulated, tmp_path):
    outcome = astrorim(
        *("simulate", "foundation", *SMALL, "--option", "sky-subtracted=false"),
        *("--option", "wide_clumps=true", "--output-dir", tmp_path),
    )
    assert outcome.status == 0
    with_sky = LensObservation.read(tmp_path / "lensed_00000.fits")
    without = LensObservation.read(simulated / "lensed_00000.fits")
    assert with_sky.meta["SKYSUB"] == 0
    assert with_sky.data.mean() > without.data.mean() + 10


@pytest.mark.parametrize(
    "option, what",
    [
        ("wide_clamps=true", "has no option 'wide_clamps'; its options are sky_subtracted, "),
        ("seed=1", "has no option 'seed'; its options are "),
    ],
)
def test_unknown_option_lists_those_that_exist(astrorim, tmp_path, option, what):
    outcome = astrorim(
        "simulate", "foundation", "--option", option, "--output-dir", tmp_path / "new"
    )
    assert outcome.status == 1
    assert what in outcome.err
    assert not (tmp_path / "new").exists()


@pytest.mark.parametrize("option", ["wide_clumps", "=3", "a b=3", "a=[[1], 2]", 'a={"b": 1}'])
def test_malformed_option(astrorim, tmp_path, option):
    outcome = astrorim("simulate", "v1", "--option", option, "--output-dir", tmp_path)
    assert outcome.status == 2
    assert f"got {option!r}" in outcome.err


def test_options_are_json_scalars_and_lists_of_them():
    assert _option("a-b=1.5") == ("a_b", 1.5)
    assert _option("a=null") == ("a", None)
    assert _option("a=[0.1, 2]") == ("a", [0.1, 2])
    assert _option("cosmology=Planck15") == ("cosmology", "Planck15")
    assert _option("path=a=b") == ("path", "a=b")


def test_workers_change_nothing(astrorim, simulated, tmp_path):
    outcome = astrorim(
        *("simulate", "foundation", "--number", 2, *SMALL, "--workers", 2),
        *("--batch-size", 1, "--output-dir", tmp_path),
    )
    assert outcome.status == 0
    assert {p.name: p.read_bytes() for p in tmp_path.iterdir()} == {
        p.name: p.read_bytes() for p in simulated.iterdir()
    }


def test_the_formats_offered_are_those_there_are():
    assert _FORMATS == FORMATS
