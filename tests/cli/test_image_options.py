from __future__ import annotations

import pytest

from astrorim.cli.arguments import CommandParser, in_options
from astrorim.cli.image_options import (
    add_image_options,
    add_observation_options,
    jobs_of,
    read_options,
)


@pytest.fixture
def parse():
    def run(*words, catalogue=True):
        parser = CommandParser("test")
        add_image_options(parser, "what", catalogue=catalogue)
        add_observation_options(parser)
        parser.set_defaults(parser=parser, explain=in_options, debug=False)
        return parser.parse_args([str(word) for word in words])

    return run


def test_only_what_was_given_is_passed_on(parse):
    args = parse("a.fits", "--noise", "n.fits", "--z-lens", 0.2, "--allow-nonlinear")
    assert read_options(args) == {
        "uncertainty": "n.fits", "z_lens": 0.2, "allow_nonlinear": True,
    }  # fmt: skip


@pytest.mark.parametrize(
    "mask, expected", [("auto", {}), ("none", {}), ("m.fits", {"mask": "m.fits"})]
)
def test_mask_is_a_file_or_a_way(parse, mask, expected):
    assert read_options(parse("a.fits", "--mask", mask)) == expected


def test_images_or_a_folder_and_not_both(parse, tmp_path, capsys):
    (tmp_path / "b.fits").touch()
    assert [job.name for job in jobs_of(parse("a.fits", "c.fits"), {})] == ["a", "c"]
    assert [job.name for job in jobs_of(parse("--input-dir", tmp_path), {})] == ["b"]
    for words in ((), ("a.fits", "--input-dir", tmp_path)):
        with pytest.raises(SystemExit, match="2"):
            jobs_of(parse(*words), {})
        assert "give one of: IMAGE files" in capsys.readouterr().err


def test_commands_without_a_catalogue_have_none(parse, tmp_path):
    assert parse("a.fits", catalogue=False).catalogue is None
    with pytest.raises(SystemExit, match="2"):
        parse("--catalogue", tmp_path / "t.csv", catalogue=False)
