from __future__ import annotations

from astropy.io import fits

from astrorim.preparation.records import Notes, record


def test_header_gets_the_comment_and_a_dictionary_the_value():
    header, plain = fits.Header(), {}
    for meta in (header, plain):
        record(meta, "NOISEMAP", "sky", "where the noise map comes from")
        record(meta, "NOISEMAP", "file", "where the noise map comes from")
    assert plain == {"NOISEMAP": "file"}
    assert header["NOISEMAP"] == "file"
    assert header.comments["NOISEMAP"] == "where the noise map comes from"
    assert len(header) == 1


def test_notes_do_not_share_their_lists():
    first, second = Notes(), Notes()
    first.steps.append("cut")
    first.advice.append("look")
    assert (second.steps, second.advice) == ([], [])
