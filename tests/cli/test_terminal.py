from __future__ import annotations

import warnings

import pytest

from astrorim.cli.terminal import LOGGER, messages_on_stderr, progress_bar
from astrorim.exceptions import AstroRIMWarning


@pytest.mark.parametrize(
    "verbosity, said",
    [
        (-1, "astrorim: error: e\n"),
        (0, "astrorim: error: e\nastrorim: warning: w\nastrorim: i\n"),
        (1, "astrorim: error: e\nastrorim: warning: w\nastrorim: i\nastrorim: debug: d\n"),
    ],
)
def test_messages_go_to_stderr_by_verbosity(capsys, verbosity, said):
    with messages_on_stderr(verbosity):
        LOGGER.error("e")
        LOGGER.warning("w")
        LOGGER.info("i")
        LOGGER.debug("d")
    out, err = capsys.readouterr()
    assert (out, err) == ("", said)


def test_our_warnings_are_messages_and_the_filters_are_restored(capsys):
    with messages_on_stderr():
        warnings.simplefilter("always")
        warnings.warn("mind this", AstroRIMWarning, stacklevel=1)
        warnings.warn("of no concern", DeprecationWarning, stacklevel=1)
    assert capsys.readouterr().err == "astrorim: warning: mind this\n"
    with pytest.raises(AstroRIMWarning, match="an error again"):
        warnings.warn("an error again", AstroRIMWarning, stacklevel=1)


def test_logger_is_left_as_it_was():
    before = LOGGER.level, list(LOGGER.handlers)
    with messages_on_stderr(1):
        pass
    assert (LOGGER.level, list(LOGGER.handlers)) == before


def test_no_bar_is_drawn_where_there_is_no_terminal(capsys):
    with messages_on_stderr(), progress_bar(3, "lens") as bar:
        bar.update()
    assert capsys.readouterr() == ("", "")
