from __future__ import annotations

from collections import Counter

import pytest
from astropy.table import QTable

from astrorim.cli import batch
from astrorim.cli.jobs import jobs_of_files


@pytest.fixture
def options(tmp_path):
    out = tmp_path / "results"
    out.mkdir()
    return batch.BatchOptions(out, out / "status.ecsv", batch_size=3)


def test_a_batch_that_fails_is_tried_one_by_one(options, lenses, stand_in):
    recorder = stand_in(bad=["lens_1"])
    jobs = jobs_of_files([lenses / f"{n}.fits" for n in ("lens_0", "lens_1", "broken")], {})
    counts = batch.run_batch(jobs, lambda: recorder, options).counts
    assert counts == Counter(ok=1, failed=1, error=1)
    assert recorder.calls == [["lens_0", "lens_1"], ["lens_0"], ["lens_1"]]
    table = QTable.read(options.status_file)
    reasons = dict(zip(table["name"], table["reason"], strict=True))
    assert reasons["lens_1"] == (
        "internal error, please report it: RuntimeError: singular matrix"
    )
    assert (options.output_dir / "lens_0.asdf").exists()


def test_results_are_not_kept(options, lenses, stand_in):
    recorder = stand_in()
    jobs = jobs_of_files([lenses / "lens_0.fits", lenses / "lens_1.fits"], {})
    batch.run_batch(jobs, lambda: recorder, options)
    assert recorder.alive == 0


def test_status_is_written_when_a_run_is_interrupted(options, lenses, stand_in, monkeypatch):
    recorder = stand_in()
    whole = recorder.reconstruct

    def interrupted(observations, **kwargs):
        if recorder.calls:
            raise KeyboardInterrupt("by the user")
        return whole(observations, **kwargs)

    monkeypatch.setattr(recorder, "reconstruct", interrupted)
    one_by_one = batch.BatchOptions(options.output_dir, options.status_file)
    jobs = jobs_of_files([lenses / "lens_0.fits", lenses / "lens_1.fits"], {})
    with pytest.raises(KeyboardInterrupt, match="by the user"):
        batch.run_batch(jobs, lambda: recorder, one_by_one)
    assert list(QTable.read(options.status_file)["name"]) == ["lens_0"]


def test_missing_networks_end_the_run(options, lenses):
    def load():
        raise ValueError("no weights come with 'unet-gru'")

    jobs = jobs_of_files([lenses / "lens_0.fits"], {})
    with pytest.raises(ValueError, match="no weights come with"):
        batch.run_batch(jobs, load, options)
