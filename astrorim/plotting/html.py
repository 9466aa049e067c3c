"""Results in notebooks: one self-contained piece of HTML."""

from __future__ import annotations

import base64
import html
import io
from typing import TYPE_CHECKING

from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.backends.backend_pdf import FigureCanvasPdf
from matplotlib.cbook import is_math_text
from matplotlib.mathtext import MathTextParser
from matplotlib.text import Text

from astrorim.plotting.diagnostic import plot_reconstruction
from astrorim.results.parameter_table import ROWS

if TYPE_CHECKING:
    from matplotlib.figure import Figure

    from astrorim.results import Reconstruction

__all__ = ["figure_to_pdf", "figure_to_png", "reconstruction_html"]


def figure_to_png(figure: Figure, *, dpi: float = 130) -> bytes:
    """Render a figure that pyplot does not know.

    Parameters
    ----------
    figure : `~matplotlib.figure.Figure`
        The figure.
    dpi : float, optional
        Pixels per inch.

    Returns
    -------
    bytes
        A PNG file.
    """
    buffer = io.BytesIO()
    FigureCanvasAgg(figure)
    figure.savefig(buffer, format="png", dpi=dpi, metadata={"Software": "AstroRIM"})
    _forget_glyphs(figure)
    return buffer.getvalue()


def figure_to_pdf(figure: Figure) -> bytes:
    """Render a figure that pyplot does not know, with lines and text as such.

    Parameters
    ----------
    figure : `~matplotlib.figure.Figure`
        The figure.

    Returns
    -------
    bytes
        A PDF file.
    """
    buffer = io.BytesIO()
    FigureCanvasPdf(figure)
    figure.savefig(buffer, format="pdf", metadata={"Creator": "AstroRIM"})
    _forget_glyphs(figure)
    return buffer.getvalue()


def _forget_glyphs(figure: Figure) -> None:
    """Empty the fonts of a figure's formulas.

    Matplotlib's fonts live as long as the process and keep every glyph that is loaded until
    they are cleared. It clears them before plain text only: each figure with formulas would
    add some 0.2 MiB.
    """
    parser = MathTextParser("path")
    for text in figure.findobj(Text):
        if is_math_text(text.get_text()):
            formula = parser.parse(text.get_text(), prop=text.get_fontproperties())
            for font, *_ in formula.glyphs:
                font.clear()


def reconstruction_html(result: Reconstruction) -> str:
    """Figure, parameters and flags of a reconstruction.

    Parameters
    ----------
    result : Reconstruction
        The result.

    Returns
    -------
    str
        HTML without outside references; names and flags are escaped.
    """
    image = base64.b64encode(figure_to_png(plot_reconstruction(result), dpi=80)).decode()
    name = html.escape(result.name)
    table = result.parameters
    absent = table.meta["unconstrained"]
    lines = []
    for column in table.colnames[1:]:
        numbers = "".join(f"<td>{number:.5g}</td>" for number in table[column].value)
        note = "not constrained" if column in absent else ""
        unit = html.escape(table[column].unit.to_string())
        lines.append(
            f"<tr><td>{html.escape(column)}</td>{numbers}<td>{unit}</td><td>{note}</td></tr>"
        )
    flags = "".join(
        f"<li><b>{html.escape(flag)}</b>: {html.escape(advice)}</li>"
        for flag, advice in result.flags.items()
    )
    heads = "".join(f"<th>{row}</th>" for row in ("parameter", *ROWS, "unit", ""))
    return (
        f"<div><p><b>Reconstruction {name}</b>: {html.escape(result.lens_model)}, "
        f"reduced &chi;&sup2; {result.reduced_chi2:.3f} "
        f"(arcs {result.arc_reduced_chi2:.3f})</p>"
        f'<img alt="Diagnostic figure of {name}" style="max-width:100%" '
        f'src="data:image/png;base64,{image}"/>'
        f"{f'<p>Flags:</p><ul>{flags}</ul>' if flags else ''}"
        f"<details><summary>Parameters</summary><table><tr>{heads}</tr>"
        f"{''.join(lines)}</table></details></div>"
    )
