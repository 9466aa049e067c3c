from __future__ import annotations

import astropy.units as u
import pytest
from astropy.table import QTable

from astrorim.cli import jobs
from astrorim.exceptions import ObservationError


def catalogue(folder, text):
    path = folder / "catalogue.csv"
    path.write_text(text, encoding="utf-8")
    return path


def test_endings_are_no_part_of_a_name(tmp_path):
    names = [jobs.image_stem(tmp_path / name) for name in ("a.fits", "b.c.fits.gz", "d.fit")]
    assert names == ["a", "b.c", "d"]


def test_folder_pairs_images_with_what_lies_beside_them(tmp_path):
    for name in ("a.fits", "a_noise.fits", "a_psf.fits.gz", "b.fits", "note.txt", ".c.fits"):
        (tmp_path / name).touch()
    first, second = jobs.jobs_of_folder(tmp_path, {"unit": "adu"})
    assert (first.name, second.name) == ("a", "b")
    assert first.options == {
        "unit": "adu",
        "uncertainty": tmp_path / "a_noise.fits",
        "psf": tmp_path / "a_psf.fits.gz",
    }
    assert second.options == {"unit": "adu"}


def test_truths_of_a_simulation_are_no_images(simulated):
    found = jobs.jobs_of_folder(simulated, {})
    assert [job.name for job in found] == ["lensed_00000", "lensed_00001"]


def test_folder_without_images_is_refused(tmp_path):
    with pytest.raises(ObservationError, match="there is no image in"):
        jobs.jobs_of_folder(tmp_path, {})


def test_catalogue_rows_take_precedence_and_empty_cells_do_not(tmp_path):
    path = catalogue(
        tmp_path,
        "name, image, psf, noise, z_lens, z_source, pixel_scale\n"
        "first, a/i.fits, a/p.fits, a/n.fits, 0.2, 0.9, 50 mas\n"
        ",b.fits,,,,,\n",
    )
    options = {"pixel_scale": "0.1 arcsec", "uncertainty": "n.fits", "z_lens": 0.5}
    first, second = jobs.jobs_of_catalogue(path, options)
    assert first.name == "first"
    assert first.image == tmp_path / "a" / "i.fits"
    assert first.options["psf"] == tmp_path / "a" / "p.fits"
    assert first.options["uncertainty"] == tmp_path / "a" / "n.fits"
    assert (first.options["z_lens"], first.options["z_source"]) == (0.2, 0.9)
    assert first.options["pixel_scale"].to_value(u.arcsec / u.pix) == pytest.approx(0.05)
    assert second.name == "b"
    assert second.options == options


def test_ecsv_columns_with_units_are_read(tmp_path):
    path = tmp_path / "catalogue.ecsv"
    QTable(
        {"name": ["00012"], "image": ["a.fits"], "pixel_scale": [50] * u.mas, "z_lens": [0.3]}
    ).write(path)
    (job,) = jobs.jobs_of_catalogue(path, {})
    assert (job.name, job.options["z_lens"]) == ("00012", 0.3)
    assert job.options["pixel_scale"].to_value(u.arcsec / u.pix) == pytest.approx(0.05)


def test_pixel_scale_may_be_a_number_in_a_column_that_names_its_unit(tmp_path):
    text = "image,pixel_scale_arcsec\na.fits,0.05\nb.fits,wide\nc.fits,\n"
    good, bad, empty = jobs.jobs_of_catalogue(catalogue(tmp_path, text), {})
    assert good.options["pixel_scale"].to_value(u.arcsec / u.pix) == pytest.approx(0.05)
    assert "pixel_scale_arcsec must be an angle" in bad.fault
    assert "pixel_scale" not in empty.options
    path = tmp_path / "catalogue.ecsv"
    QTable({"image": ["a.fits"], "pixel_scale_arcsec": [50] * u.mas}).write(path)
    (job,) = jobs.jobs_of_catalogue(path, {})
    assert job.options["pixel_scale"].to_value(u.arcsec / u.pix) == pytest.approx(0.05)


@pytest.mark.parametrize("role", ["image", "noise", "psf", "mask"])
@pytest.mark.parametrize("path", ["../out.fits", "/etc/out.fits", "a/../../out.fits", "link"])
def test_paths_that_lead_out_of_the_catalogue_s_folder_are_refused(tmp_path, role, path):
    folder = tmp_path / "inside"
    folder.mkdir()
    (tmp_path / "out.fits").touch()
    (folder / "link").symlink_to(tmp_path / "out.fits")
    cells = {"image": "a.fits"} | {role: path}
    text = ",".join(cells) + "\n" + ",".join(cells.values()) + "\n"
    (job,) = jobs.jobs_of_catalogue(catalogue(folder, text), {})
    assert repr(path) in job.fault
    with pytest.raises(ObservationError, match="leads out of its folder"):
        job.read()


def test_files_may_lie_in_another_folder_that_is_named(tmp_path):
    (tmp_path / "data").mkdir()
    path = catalogue(tmp_path, "image\na.fits\n../a.fits\n")
    inside, outside = jobs.jobs_of_catalogue(path, {}, tmp_path / "data")
    assert inside.image == tmp_path / "data" / "a.fits"
    assert "leads out of its folder" in outside.fault


def test_link_that_stays_inside_is_followed(tmp_path):
    (tmp_path / "a.fits").touch()
    (tmp_path / "link.fits").symlink_to("a.fits")
    assert jobs.path_inside(tmp_path, "link.fits") == tmp_path / "a.fits"


@pytest.mark.parametrize(
    "row, fault",
    [
        (",0.2,0.05 arcsec", "row 1 of the catalogue has no image"),
        ("a.fits,near,0.05 arcsec", "z_lens must be a number, got 'near'"),
        ("a.fits,0.2,0.05", "pixel_scale"),
    ],
)
def test_bad_row_costs_only_itself(tmp_path, row, fault):
    text = f"image,z_lens,pixel_scale\n{row}\nb.fits,0.2,0.05 arcsec\n"
    bad, good = jobs.jobs_of_catalogue(catalogue(tmp_path, text), {})
    assert fault in bad.fault
    assert good.fault == ""


@pytest.mark.parametrize(
    "text, complaint",
    [("", "has no rows"), ("image\n", "has no rows"), ("file\na.fits\n", "a column 'image'")],
)
def test_catalogue_without_images_is_refused(tmp_path, text, complaint):
    with pytest.raises(ObservationError, match=complaint):
        jobs.jobs_of_catalogue(catalogue(tmp_path, text), {})


def test_missing_catalogue_is_refused(tmp_path):
    with pytest.raises(ObservationError, match="cannot be read as CSV or ECSV"):
        jobs.jobs_of_catalogue(tmp_path / "none.csv", {})


def test_unknown_columns_are_mentioned(tmp_path, caplog):
    jobs.jobs_of_catalogue(catalogue(tmp_path, "image,pixelscale\na.fits,0.05\n"), {})
    assert "columns of the catalogue that are not used: pixelscale" in caplog.text


def test_two_lenses_of_one_name_are_refused(tmp_path):
    twice = jobs.jobs_of_files([tmp_path / "a" / "x.fits", tmp_path / "b" / "x.fits"], {})
    with pytest.raises(ObservationError, match=r"both be called 'x'_\*: .*a/x.fits and .*b/x"):
        jobs.check_names(twice)


def test_shards_share_the_work():
    everything = jobs.jobs_of_files([f"{n}.fits" for n in range(7)], {})
    parts = [jobs.shard(everything, part, 3) for part in (1, 2, 3)]
    assert sorted(job.name for part in parts for job in part) == [str(n) for n in range(7)]
    assert [len(part) for part in parts] == [3, 2, 2]
