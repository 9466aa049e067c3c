"""The six files of a result."""

from __future__ import annotations

import json

import astropy.units as u
import numpy as np
import pytest
from astropy.io import fits
from astropy.wcs import WCS

from astrorim.results import REPORTED_PARAMETERS, Reconstruction
from astrorim.results.files import file_stem

STEM = "SDSS_J0000+0000"
NAMES = {
    f"{STEM}{suffix}"
    for suffix in (
        "_source.fits", "_forward.fits", "_residual.fits", "_parameters.json",
        "_diagnostic.png", ".asdf",
    )
}  # fmt: skip


@pytest.fixture(scope="module")
def written(reconstruction, tmp_path_factory):
    return reconstruction.to_directory(tmp_path_factory.mktemp("out") / "new" / "folder")


def test_six_files_and_nothing_else(written):
    folder = written["asdf"].parent
    assert {path.name for path in folder.iterdir()} == NAMES
    assert {path.name for path in written.values()} == NAMES


def test_source_has_its_own_frame_and_unit(written, reconstruction):
    data, header = fits.getdata(written["source"], header=True)
    np.testing.assert_allclose(data, reconstruction.source, rtol=1e-6)
    assert u.Unit(header["BUNIT"]) == u.Unit("electron s-1 arcsec-2")
    assert header["PIXSCALE"] == 0.025
    scale = np.sqrt(abs(np.linalg.det(WCS(header).pixel_scale_matrix))) * 3600
    np.testing.assert_allclose(scale, 0.025, rtol=1e-9)


def test_residual_has_the_observation_frame_and_unit(written, reconstruction):
    data, header = fits.getdata(written["residual"], header=True)
    np.testing.assert_allclose(data, reconstruction.residual, atol=1e-7)
    assert u.Unit(header["BUNIT"]) == reconstruction.unit
    here = WCS(header).pixel_to_world(3, 7)
    assert (
        here.separation(reconstruction.observation.wcs.pixel_to_world(3, 7)) < 1e-6 * u.arcsec
    )
    forward = fits.getdata(written["forward"])
    np.testing.assert_allclose(forward, reconstruction.forward_image, rtol=1e-6)


def test_parameters_are_plain_numbers(written, reconstruction):
    document = json.loads(written["parameters"].read_text())
    for name in REPORTED_PARAMETERS.names:
        value, lower, upper = reconstruction.parameter(name)
        assert document[name] == value.value
        assert document["bounds"][name] == [lower.value, upper.value]
        assert u.Unit(document["units"][name]) == value.unit
    assert document["unconstrained"] == ["kappa_s", "rs"]
    assert document["flags"] == reconstruction.flags
    assert document["theta_E_definition"] == "intermediate axis (product average)"
    assert document["lens_light"]["light_sersic_index"] == 3.5
    assert document["provenance"]["options"]["shape"] == [96, 96]
    np.testing.assert_allclose(document["reduced_chi2"], reconstruction.reduced_chi2)


def test_json_has_null_instead_of_nan(make_reconstruction, reconstruction, tmp_path):
    result = make_reconstruction(forward_image=reconstruction.lens_light, samples={})
    text = result.to_directory(tmp_path)["parameters"].read_text()

    def refuse(constant):
        raise AssertionError(constant)

    document = json.loads(text, parse_constant=refuse)
    assert document["arc_reduced_chi2"] is None
    assert document["bounds"]["light_amplitude"] == [None, None]


def test_figure_is_a_png(written):
    assert written["diagnostic"].read_bytes().startswith(b"\x89PNG")


def test_asdf_reads_back(written, reconstruction):
    assert repr(Reconstruction.read(written["asdf"])) == repr(reconstruction)


def test_nothing_appears_when_one_file_fails(make_reconstruction, tmp_path):
    result = make_reconstruction(provenance={"bad": object()})
    with pytest.raises(Exception, match="not serializable by asdf"):
        result.to_directory(tmp_path)
    assert list(tmp_path.iterdir()) == []


def test_existing_files_are_kept_on_request(make_reconstruction, tmp_path):
    (tmp_path / f"{STEM}_forward.fits").write_text("precious")
    with pytest.raises(FileExistsError, match=r"already holds SDSS_J0000\+0000_forward"):
        make_reconstruction().to_directory(tmp_path, overwrite=False)
    assert [p.name for p in tmp_path.iterdir()] == [f"{STEM}_forward.fits"]


@pytest.mark.parametrize(
    "name, stem",
    [
        ("SDSS J0946+1006", "SDSS_J0946+1006"),
        ("../../etc/passwd", "_.._etc_passwd"),
        ("a/b\\c", "a_b_c"),
        ("..", "lens"),
        ("", "lens"),
        ("Ωμ", "Ωμ"),
        ("x" * 300, "x" * 180),
    ],
)
def test_stems_stay_in_their_directory(name, stem):
    assert file_stem(name) == stem


def test_works_without_wcs(make_reconstruction, tmp_path):
    files = make_reconstruction(with_wcs=False).to_directory(tmp_path)
    header = fits.getheader(files["source"])
    assert "CTYPE1" not in header
    assert header["PIXSCALE"] == 0.025
