"""Results in notebooks."""

from __future__ import annotations

import ctypes
import gc
from xml.etree import ElementTree as ET

import pytest
from matplotlib.figure import Figure

from astrorim.plotting.html import figure_to_pdf, figure_to_png, reconstruction_html


class _Allocations(ctypes.Structure):
    """What glibc's ``mallinfo2`` returns."""

    _fields_ = tuple(
        (name, ctypes.c_size_t)
        for name in (
            "arena", "ordblks", "smblks", "hblks", "hblkhd", "usmblks", "fsmblks", "uordblks",
            "fordblks", "keepcost",
        )
    )  # fmt: skip


@pytest.fixture
def allocated():
    """What gives the memory in use outside of Python's own small objects, KiB."""
    library = ctypes.CDLL(None)
    if not hasattr(library, "mallinfo2"):
        pytest.skip("only glibc, 2.33 or later, tells how much memory is in use")
    library.mallinfo2.restype = _Allocations

    def measure():
        gc.collect()
        found = library.mallinfo2()
        return (found.uordblks + found.hblkhd) / 1024

    return measure


def test_html_is_well_formed_and_lists_every_parameter(reconstruction):
    text = reconstruction_html(reconstruction)
    root = ET.fromstring(text.replace("&chi;", "").replace("&sup2;", ""))
    cells = [row[0].text for row in root.iter("tr")][1:]
    assert cells == reconstruction.parameters.colnames[1:]
    (image,) = root.iter("img")
    assert "SDSS J0000+0000" in image.get("alt")


@pytest.mark.parametrize("render", [figure_to_png, figure_to_pdf])
def test_fonts_do_not_keep_the_glyphs_of_formulas(allocated, render):
    """Without clearing the fonts each of these figures adds some 200 KiB."""

    def draw(number):
        figure = Figure(figsize=(4, 3))
        for i in range(20):
            text = rf"$\theta_\mathrm{{eff}} = {number}{i}$, $\bar\kappa M_\odot$"
            figure.text(0.05, i / 20, text)
        return render(figure)

    for number in range(3):
        draw(number)
    before = allocated()
    for number in range(3, 9):
        draw(number)
    assert (allocated() - before) / 6 < 15
