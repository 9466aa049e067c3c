from __future__ import annotations

import numpy as np
import pytest
import torch
from astropy.io import fits
from astropy.table import Table
from astropy.wcs import WCS
from scipy import ndimage

from astrorim.exceptions import AstroRIMWarning, ObservationError
from astrorim_plugins.simulators.sources.galaxy_cleaning import (
    CleaningOptions,
    half_light_radius_of,
)
from astrorim_plugins.simulators.sources.galaxy_library import GalaxyLibrary

SCALE = 0.03


def cutout(number, size=61):
    """An elliptical galaxy with sky and noise; no two are alike."""
    y, x = np.mgrid[:size, :size] - (size - 1) / 2
    r = np.hypot(x, y / (0.5 + 0.1 * number))
    noise = np.random.default_rng(number).normal(scale=0.02, size=(size, size))
    return (np.exp(-r / (4 + 0.3 * number)) + noise + 0.1).astype(np.float32)


def header_with_wcs(scale=SCALE):
    wcs = WCS(naxis=2)
    wcs.wcs.ctype = "RA---TAN", "DEC--TAN"
    wcs.wcs.cd = np.array([[-1.0, 0.0], [0.0, 1.0]]) * scale / 3600
    return wcs.to_header()


def write_cutouts(folder, number=3, header=None):
    names = [f"galaxy_{i}.fits" for i in range(number)]
    for i, name in enumerate(names):
        fits.writeto(folder / name, cutout(i, 61 + 4 * i), header)
    return names


def test_a_cube_is_read_plane_by_plane(tmp_path):
    cube = np.stack([cutout(i) for i in range(3)])
    fits.writeto(tmp_path / "stack.fits", cube, header_with_wcs())
    library = GalaxyLibrary.read(tmp_path / "stack.fits")
    assert len(library) == 3
    assert library.names == tuple(f"stack.fits, plane {i}" for i in range(3))
    np.testing.assert_allclose(library.pixel_scale, SCALE, rtol=1e-6)


def test_images_have_a_flux_of_one_and_the_stated_size(tmp_path):
    write_cutouts(tmp_path)
    library = GalaxyLibrary.read(tmp_path, pixel_scale="30 mas")
    assert library.images.dtype == torch.float32
    flux = library.images.sum(dim=(1, 2)).double() * library.pixel_scale**2
    torch.testing.assert_close(flux, torch.ones(3, dtype=torch.float64), rtol=1e-6, atol=0)
    middle = (library.images.shape[-1] - 1) / 2
    for image, radius in zip(library.images.numpy(), library.half_light_radius, strict=True):
        assert image.min() >= 0
        np.testing.assert_allclose(ndimage.center_of_mass(image), middle, atol=0.05)
        assert half_light_radius_of(image) * SCALE == pytest.approx(float(radius), rel=1e-4)


def test_a_folder_is_read_in_the_order_of_names(tmp_path):
    names = write_cutouts(tmp_path, header=header_with_wcs())
    (tmp_path / "notes.txt").write_text("not a cutout")
    assert GalaxyLibrary.read(tmp_path).names == tuple(names)


@pytest.mark.parametrize("kind", ["ecsv", "csv", "fits"])
def test_a_catalogue_names_files_with_their_scales(tmp_path, kind):
    (tmp_path / "cutouts").mkdir()
    names = [f"cutouts/{name}" for name in write_cutouts(tmp_path / "cutouts")]
    table = Table({"FILENAME": names[::-1], "PIXEL_SCALE": [0.03, 0.04, 0.05]})
    table.write(tmp_path / f"list.{kind}", format="ascii.ecsv" if kind == "ecsv" else kind)
    library = GalaxyLibrary.read(tmp_path / f"list.{kind}")
    assert library.names == tuple(names[::-1])
    np.testing.assert_allclose(library.pixel_scale, [0.03, 0.04, 0.05])


def test_a_catalogue_may_call_its_column_anything(tmp_path):
    names = write_cutouts(tmp_path)
    Table({"stamp": names}).write(tmp_path / "list.csv", format="csv")
    with pytest.raises(
        ObservationError, match=r"names of its files .* got stamp; pass file_col"
    ):
        GalaxyLibrary.read(tmp_path / "list.csv", pixel_scale="0.03 arcsec")
    library = GalaxyLibrary.read(
        tmp_path / "list.csv", pixel_scale="0.03 arcsec", file_column="stamp"
    )
    assert len(library) == 3
    with pytest.raises(ObservationError, match=r"\(missing\), got stamp"):
        GalaxyLibrary.read(tmp_path / "list.csv", file_column="missing")


def test_a_catalogue_is_not_followed_out_of_its_folder(tmp_path):
    folder = tmp_path / "catalogue"
    folder.mkdir()
    (outside,) = write_cutouts(tmp_path, 1)
    inside = write_cutouts(folder, 1)
    (folder / "link.fits").symlink_to(tmp_path / outside)
    names = [*inside, "../" + outside, str(tmp_path / outside), "link.fits"]
    Table({"file": names}).write(folder / "list.csv", format="csv")
    with pytest.warns(AstroRIMWarning, match="which leads out of it") as caught:
        library = GalaxyLibrary.read(folder / "list.csv", pixel_scale="0.03 arcsec")
    assert library.names == tuple(inside)
    assert [str(w.message).split(":")[0] for w in caught] == [
        f"left out {n}" for n in names[1:]
    ]


def test_a_bad_cutout_costs_only_itself(tmp_path):
    names = write_cutouts(tmp_path, 4, header_with_wcs())
    content = (tmp_path / names[1]).read_bytes()
    (tmp_path / names[1]).write_bytes(content[:4000])
    fits.writeto(tmp_path / names[2], np.zeros((40, 40)), header_with_wcs(), overwrite=True)
    with pytest.warns(AstroRIMWarning, match="left out") as caught:
        library = GalaxyLibrary.read(tmp_path)
    assert library.names == (names[0], names[3])
    messages = [str(warning.message) for warning in caught]
    assert len(messages) == 2
    assert "galaxy_1.fits" in messages[0]
    assert "truncated" in messages[0]
    assert messages[1].startswith("left out galaxy_2.fits: no galaxy was found")


def test_no_good_cutout_is_an_error(tmp_path):
    fits.writeto(tmp_path / "a.fits", np.zeros((40, 40)), header_with_wcs())
    with pytest.raises(ObservationError, match=r"can be used: a\.fits: no galaxy was found"):
        GalaxyLibrary.read(tmp_path)


def test_an_unknown_pixel_scale_says_what_to_do(tmp_path):
    header = fits.Header({"PIXSCALE": 0.03})
    fits.writeto(tmp_path / "a.fits", cutout(0), header)
    message = r"pixel scale is missing.*PIXSCALE = 0.03.*pass pixel_scale=, for example"
    with pytest.raises(ObservationError, match=message):
        GalaxyLibrary.read(tmp_path)
    with pytest.raises(ObservationError, match=r"pixel_scale must carry a unit, got 0\.03"):
        GalaxyLibrary.read(tmp_path, pixel_scale=0.03)


def test_a_pixel_scale_against_the_wcs_is_refused(tmp_path):
    fits.writeto(tmp_path / "a.fits", cutout(0), header_with_wcs())
    with pytest.raises(ObservationError, match=r"must agree with the WCS within 1%"):
        GalaxyLibrary.read(tmp_path, pixel_scale="0.04 arcsec")


def test_paths_without_cutouts_are_refused(tmp_path):
    with pytest.raises(ObservationError, match=r"there is no file or folder .*nowhere"):
        GalaxyLibrary.read(tmp_path / "nowhere")
    with pytest.raises(ObservationError, match="must hold FITS files, got none"):
        GalaxyLibrary.read(tmp_path)
    fits.HDUList([fits.PrimaryHDU()]).writeto(tmp_path / "empty.fits")
    with pytest.raises(ObservationError, match="must hold images or a catalogue"):
        GalaxyLibrary.read(tmp_path / "empty.fits")
    (tmp_path / "list.ecsv").write_text("# %ECSV 1.0\n# ---\nbroken")
    with pytest.raises(ObservationError, match=r"list\.ecsv' cannot be read"):
        GalaxyLibrary.read(tmp_path / "list.ecsv")


def test_reading_stops_at_the_wanted_number(tmp_path):
    names = write_cutouts(tmp_path, 3, header_with_wcs())
    assert GalaxyLibrary.read(tmp_path, max_galaxies=2).names == tuple(names[:2])


def test_a_cutout_of_a_whole_field_is_left_out(tmp_path):
    fits.writeto(tmp_path / "a.fits", np.zeros((1025, 20)), header_with_wcs())
    with pytest.raises(
        ObservationError, match=r"at most 1024 pixels .* got shape \(1025, 20\)"
    ):
        GalaxyLibrary.read(tmp_path)


def test_nothing_is_written_beside_the_cutouts(tmp_path):
    write_cutouts(tmp_path, 2, header_with_wcs())
    before = sorted(tmp_path.iterdir())
    GalaxyLibrary.read(tmp_path, cleaning=CleaningOptions(significance=4.0))
    assert sorted(tmp_path.iterdir()) == before


def test_the_spline_passes_through_the_images(tmp_path):
    """Clipped at zero, its coefficients still give the pixels to 0.5 % of the peak."""
    write_cutouts(tmp_path, 2, header_with_wcs())
    library = GalaxyLibrary.read(tmp_path)
    for own, image in zip(library.coefficients.numpy(), library.images.numpy(), strict=True):
        kernel = np.array([1, 4, 1]) / 6
        values = ndimage.convolve(own.astype(float), np.outer(kernel, kernel))[3:-3, 3:-3]
        expected = image * SCALE**2
        np.testing.assert_allclose(values, expected, rtol=0, atol=5e-3 * expected.max())
    assert float(library.coefficients.min()) >= 0
    assert not library.coefficients[:, :3].any()


def test_shapes_must_fit():
    one = torch.ones(1)
    with pytest.raises(ValueError, match=r"odd sides, got shape \(1, 4, 4\)"):
        GalaxyLibrary(torch.ones(1, 4, 4), one, one)
    with pytest.raises(ValueError, match=r"half_light_radius must have .*\(1,\), got \(2,\)"):
        GalaxyLibrary(torch.ones(1, 5, 5), one, torch.ones(2))


def test_the_cosmos_galaxies_are_read_as_they_are(shared_data):
    """Sizes agree to 3 % with SExtractor's FLUX_RADIUS, but for two faint, wide galaxies.

    Those reach to the ends of their cutouts, and are 16 and 24 % smaller.
    """
    folder = shared_data / "galaxies"
    library = GalaxyLibrary.read(folder / "real_galaxy_catalog_23.5.fits")
    assert len(library) == 10
    np.testing.assert_allclose(library.pixel_scale, 0.03, rtol=1e-6)
    fits_of = Table.read(folder / "real_galaxy_catalog_23.5_fits.fits")
    ratio = library.half_light_radius.numpy() / (0.03 * np.asarray(fits_of["flux_radius"]))
    assert np.sort(np.abs(ratio - 1))[7] < 0.04
    assert np.abs(ratio - 1).max() < 0.25
    border = library.images.clone()
    border[:, 1:-1, 1:-1] = 0
    assert not border.any()


def test_a_copy_on_another_device_is_made_once(tmp_path):
    """The device without storage stands for any other one."""
    write_cutouts(tmp_path, 1, header_with_wcs())
    library = GalaxyLibrary.read(tmp_path)
    assert library.to("cpu") is library
    copy = library.to("meta")
    assert copy is library.to("meta")
    for name in ("images", "pixel_scale", "half_light_radius", "coefficients", "peak", "reach"):
        assert getattr(copy, name).device.type == "meta"
