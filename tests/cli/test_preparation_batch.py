"""Preparing many images: what one costs, what is recognised as finished, what a fault is."""

from __future__ import annotations

import numpy as np
import pytest
from astropy.io import fits
from astropy.table import Table

from astrorim.cli import preparation_batch
from astrorim.cli.jobs import LensJob
from astrorim.cli.preparation_batch import check_target, expand_bands, run_preparations
from astrorim.exceptions import ObservationError
from astrorim.observation import LensObservation
from astrorim.preparation import Preparation

OPTIONS = {"unit": "electron/s", "pixel_scale": "0.05 arcsec", "exposure": "500 s"}
CENTRED = Preparation(centre="frame", size=31)


@pytest.fixture
def jobs(tmp_path, rng):
    y, x = np.indices((61, 61)) - 30.0
    found = []
    for name in ("a", "b c"):
        data = np.exp(-(x**2 + y**2) / 18) + rng.normal(0.05, 0.01, (61, 61))
        path = tmp_path / f"{name}.fits"
        fits.writeto(path, data.astype("f4"))
        found.append(LensJob(name, path, dict(OPTIONS)))
    return found


def statuses(out):
    table = Table.read(out / "prepared.ecsv")
    return dict(zip(table["name"], table["status"], strict=True))


def test_names_become_files_and_checksums_are_recorded(jobs, tmp_path):
    out = tmp_path / "ready"
    assert run_preparations(jobs, CENTRED, out) == 0
    assert sorted(path.name for path in out.iterdir()) == [
        "a.fits",
        "b_c.fits",
        "prepared.ecsv",
    ]
    assert len(LensObservation.read(out / "a.fits").meta["PREPHASH"]) == 16
    assert run_preparations(jobs, CENTRED, out) == 0
    assert statuses(out) == {"a": "skipped", "b c": "skipped"}


def test_another_noise_map_of_the_same_name_is_noticed(jobs, tmp_path):
    out, noise = tmp_path / "ready", tmp_path / "noise.fits"
    fits.writeto(noise, np.full((61, 61), 0.01, dtype="f4"))
    job = LensJob("a", jobs[0].image, OPTIONS | {"uncertainty": noise})
    assert run_preparations([job], CENTRED, out) == 0
    fits.writeto(noise, np.full((61, 61), 0.02, dtype="f4"), overwrite=True)
    assert run_preparations([job], CENTRED, out) == 1
    assert statuses(out) == {"a": "failed"}
    assert run_preparations([job], CENTRED, out, overwrite=True) == 0
    np.testing.assert_allclose(LensObservation.read(out / "a.fits").noise, 0.02, rtol=1e-6)


def test_a_fault_of_the_program_is_not_the_files(jobs, tmp_path, monkeypatch):
    out = tmp_path / "ready"
    write = preparation_batch._write

    def broken(observation, target):
        if target.stem == "a":
            raise AttributeError("'NoneType' object has no attribute 'wcs'")
        write(observation, target)

    monkeypatch.setattr(preparation_batch, "_write", broken)
    assert run_preparations(jobs, CENTRED, out) == 3
    assert statuses(out) == {"a": "error", "b c": "ok"}
    log = (out / "prepared.log").read_text()
    assert "in broken" in log
    assert "AttributeError" in log


def test_a_figure_needs_one_image_that_is_done(jobs, tmp_path):
    out = tmp_path / "ready"
    faulty = [LensJob("a", jobs[0].image, fault="row 1 of the catalogue has no image")]
    assert run_preparations(faulty, CENTRED, out, figure=True) == 1
    assert not (out / "prepared.png").exists()


def test_a_file_with_one_band_is_one_job(jobs):
    assert expand_bands(jobs) == jobs


def test_the_image_itself_is_no_target(jobs, tmp_path):
    link = tmp_path / "link.fits"
    link.symlink_to(jobs[0].image)
    with pytest.raises(ObservationError, match="is the image itself"):
        check_target(link, jobs[0].image)
    check_target(tmp_path / "other.fits", jobs[0].image)
