"""The Reconstruction: derived images, parameters and the source's sky frame."""

from __future__ import annotations

import subprocess
import sys

import astropy.units as u
import numpy as np
import pytest
from astropy.wcs import WCS

from astrorim.grid import SourceGrid, pixel_scale_of, sky_position_angle
from astrorim.results import Reconstruction


def test_residual_is_observation_minus_forward(reconstruction):
    good = reconstruction.observation.good
    expected = reconstruction.observation.data - reconstruction.forward_image
    np.testing.assert_array_equal(reconstruction.residual, expected)
    scaled = reconstruction.normalised_residual
    assert np.isnan(scaled[~good]).all()
    np.testing.assert_allclose(
        scaled[good], (expected / reconstruction.observation.noise)[good], rtol=1e-12
    )


def test_reduced_chi2_of_a_good_fit_is_one(reconstruction):
    number = reconstruction.observation.good.sum()
    assert abs(reconstruction.reduced_chi2 - 1) < 4 * np.sqrt(2 / number)
    arcs = reconstruction.arc_mask.sum()
    assert 300 < arcs < 0.5 * number
    assert abs(reconstruction.arc_reduced_chi2 - 1) < 4 * np.sqrt(2 / arcs)


def test_no_arcs_no_arc_chi2(make_reconstruction, reconstruction):
    blank = make_reconstruction(forward_image=reconstruction.lens_light)
    assert not blank.arc_mask.any()
    assert np.isnan(blank.arc_reduced_chi2)


def test_parameter_gives_quantities(reconstruction):
    value, lower, upper = reconstruction.parameter("b")
    assert lower < value < upper
    assert value == 1.25 * u.arcsec
    assert reconstruction.parameter("light_amplitude")[0].unit == u.Unit(
        "electron / (s arcsec2)"
    )
    assert reconstruction.parameters.meta["unconstrained"] == ["kappa_s", "rs"]


def test_unknown_parameter_lists_the_known(reconstruction):
    with pytest.raises(KeyError, match="no parameter 'theta_E'; available: b, q, phi"):
        reconstruction.parameter("theta_E")


@pytest.mark.parametrize("mirrored", [False, True])
def test_source_wcs_has_the_image_orientation(make_reconstruction, make_wcs, mirrored):
    result = make_reconstruction()
    result.observation.wcs = make_wcs(1.1, mirrored)
    own, wcs = result.source_wcs, result.observation.wcs
    np.testing.assert_allclose(
        pixel_scale_of(own).value, result.source_grid.pixel_scale, rtol=1e-9
    )
    np.testing.assert_allclose(
        sky_position_angle(0.3, own), sky_position_angle(0.3, wcs), rtol=1e-9
    )


def test_source_wcs_places_sources_where_the_image_has_that_angle(make_reconstruction):
    """A position in arcsec is the same place on the sky through both frames."""
    result = make_reconstruction()
    for x, y in ((0.0, 0.0), (0.2, -0.4)):
        image = result.observation.wcs.pixel_to_world(*result.observation.grid.to_pixel(x, y))
        source = result.source_wcs.pixel_to_world(*result.source_grid.to_pixel(x, y))
        assert image.separation(source) < 1e-6 * u.arcsec


def test_source_wcs_survives_distortion_and_cdelt(make_reconstruction):
    """SIP is followed at the image's centre and left out of the source's frame."""
    result = make_reconstruction()
    wcs = WCS(naxis=2)
    wcs.wcs.ctype = "RA---TAN-SIP", "DEC--TAN-SIP"
    wcs.wcs.crval, wcs.wcs.crpix = (150.1, 2.2), (-1000.0, 900.0)
    wcs.wcs.cdelt = -0.05 / 3600, 0.05 / 3600
    from astropy.wcs import Sip

    a = np.zeros((3, 3))
    a[2, 0] = 1e-6
    wcs.sip = Sip(a, a.T.copy(), None, None, wcs.wcs.crpix)
    wcs.wcs.set()
    result.observation.wcs = wcs
    own = result.source_wcs
    assert own.sip is None
    assert list(own.wcs.ctype) == ["RA---TAN", "DEC--TAN"]
    image = wcs.pixel_to_world(*result.observation.grid.to_pixel(0.0, 0.0))
    source = own.pixel_to_world(*result.source_grid.to_pixel(0.0, 0.0))
    assert image.separation(source) < 1e-6 * u.arcsec


def test_no_wcs_no_source_wcs(make_reconstruction):
    assert make_reconstruction(with_wcs=False).source_wcs is None


@pytest.mark.parametrize(
    "changes, message",
    [
        ({"forward_image": np.zeros((5, 5))}, r"forward_image must have .* got \(5, 5\)"),
        (
            {"source_grid": SourceGrid((3, 3), 0.1)},
            r"its grid's shape \(3, 3\), got \(60, 60\)",
        ),
        ({"samples": {"e1": np.ones(3), "e2": np.ones(4)}}, "samples must be one-dimensional"),
    ],
)
def test_what_does_not_fit_is_refused(make_reconstruction, changes, message):
    with pytest.raises(ValueError, match=message):
        make_reconstruction(**changes)


def test_units_come_from_the_models(reconstruction):
    assert reconstruction.units["light_half_light_radius"] == u.arcsec
    assert reconstruction.units["light_amplitude"] == reconstruction.source_unit


def test_undeclared_parameter_is_refused(make_reconstruction, reconstruction):
    with pytest.raises(ValueError, match="units must give the unit of strange"):
        make_reconstruction(lens=reconstruction.lens | {"strange": 1.0})


def test_repr_says_what_matters(reconstruction):
    text = repr(reconstruction)
    assert "sie+shear" in text
    assert "b = 1.2500" in text
    assert "flags: arc_at_edge" in text


def test_html_is_self_contained_and_escaped(make_reconstruction):
    html = make_reconstruction(name="<b>&</b>", flags={"<i>": "&"})._repr_html_()
    assert "data:image/png;base64," in html
    assert "<b>&</b>" not in html
    assert "<i>" not in html


def test_reads_without_torch(reconstruction, tmp_path):
    """Opening a result loads no torch; matplotlib comes with others' asdf extensions."""
    path = reconstruction.write(tmp_path / "lens.asdf")
    code = (
        "import sys; from astrorim.results import Reconstruction; "
        f"r = Reconstruction.read({str(path)!r}); r.parameters; r.reduced_chi2; repr(r); "
        "sys.exit(any(m in sys.modules for m in ('torch', 'lenstronomy')))"
    )
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


def test_reading_something_else_says_what_it_is(tmp_path):
    import asdf

    asdf.AsdfFile({"thing": 1}).write_to(tmp_path / "a.asdf")
    with pytest.raises(ValueError, match="must hold a Reconstruction .* holds: thing"):
        Reconstruction.read(tmp_path / "a.asdf")


def test_existing_file_is_kept(reconstruction, tmp_path):
    path = tmp_path / "lens.asdf"
    path.write_text("precious")
    with pytest.raises(FileExistsError, match="pass overwrite=True"):
        reconstruction.write(path)
    assert path.read_text() == "precious"
    reconstruction.write(path, overwrite=True)
    assert [p.name for p in tmp_path.iterdir()] == ["lens.asdf"]
