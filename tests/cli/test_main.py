from __future__ import annotations

import json
import subprocess
import sys

import pytest

from astrorim.cli.main import build_parser

COMMANDS = ("demo", "info", "reconstruct", "mass", "simulate", "train", "plugins")


def test_help_teaches_the_first_step(astrorim):
    outcome = astrorim("--help")
    assert outcome.status == 0
    assert "astrorim demo --output-dir demo" in outcome.out
    assert all(f"    {command}" in outcome.out for command in COMMANDS)


@pytest.mark.parametrize("command", COMMANDS)
def test_help_of_a_command_has_a_description_and_examples(astrorim, command):
    outcome = astrorim(command, "--help")
    assert outcome.status == 0
    assert f"examples:\n  astrorim {command}" in outcome.out


@pytest.mark.parametrize(
    "command, unit",
    [
        ("demo", "arcsec"),
        ("info", "arcsec\nper pixel"),
        ("reconstruct", "68 % bounds"),
        ("reconstruct", '"0.05 arcsec"'),
        ("reconstruct", '"electron/s"'),
        ("mass", "solar masses per"),
        ("simulate", "adu/arcsec2"),
        ("train", "minutes"),
    ],
)
def test_help_mentions_units(astrorim, command, unit):
    text = " ".join(astrorim(command, "--help").out.split())
    assert " ".join(unit.split()) in text


def test_version_is_the_package_s(astrorim):
    import astrorim as package

    assert astrorim("--version").out == f"astrorim {package.__version__}\n"


def test_every_option_is_accepted_with_underscores(astrorim, simulated, tmp_path):
    outcome = astrorim(
        *("simulate", "foundation", "--number", 1, "--seed", 11, "--size", 40),
        *("--pixel_scale=0.08 arcsec", "--output_suffix", "_a_b", "--output_dir"),
        tmp_path / "with_underscores",
    )
    assert outcome.status == 0
    assert (tmp_path / "with_underscores" / "lensed_00000_a_b.fits").is_file()


def test_values_keep_their_underscores():
    args = build_parser().parse_args(
        ["reconstruct", "my_image.fits", "--input_dir=.", "--output_dir=o_u", "--band=F_1"]
    )
    assert (str(args.output_dir), args.band, args.images) == ("o_u", "F_1", ["my_image.fits"])


@pytest.mark.parametrize(
    "arguments, complaint",
    [
        ([], "arguments are required: COMMAND"),
        (["reconstruc"], "invalid choice: 'reconstruc'"),
        (["demo"], "arguments are required: --output-dir"),
        (["simulate", "foundation", "--output-dir", "x", "--number", "0"], "at least 1"),
        (["simulate", "foundation", "--output-dir", "x", "--pixel-scale", "0.05"], "unit"),
        (["reconstruct", "a.fits", "--output-dir", "x", "--shard", "3/2"], "must be i/n"),
        (["reconstruct", "--output-dir", "x"], "give one of: IMAGE files"),
    ],
)
def test_a_command_that_is_not_understood_exits_with_2(astrorim, arguments, complaint):
    outcome = astrorim(*arguments)
    assert outcome.status == 2
    assert complaint in outcome.err


def test_an_error_is_one_line_and_exits_with_1(astrorim, tmp_path):
    outcome = astrorim("simulate", "fundation", "--output-dir", tmp_path / "x")
    assert outcome.status == 1
    assert outcome.err == (
        "astrorim: error: unknown simulator 'fundation'; available: enhanced, expanded, "
        "foundation, multi-instrument, realistic, small-lens "
        "did you mean 'foundation'?\n"
    )
    assert not (tmp_path / "x").exists()


def test_debug_shows_the_traceback(astrorim, tmp_path):
    with pytest.raises(LookupError, match="unknown simulator"):
        astrorim("simulate", "nothing", "--output-dir", tmp_path, "--debug")


def test_asking_for_help_loads_nothing_heavy():
    code = (
        "import sys, json\nfrom astrorim.cli import main\n"
        "try:\n    main(['reconstruct', '--help'])\nexcept SystemExit:\n    pass\n"
        "print(json.dumps(sorted(sys.modules)), file=sys.stderr)"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True
    )
    loaded = set(json.loads(done.stderr.splitlines()[-1]))
    assert not {"torch", "matplotlib", "asdf", "scipy", "tqdm", "astropy.table"} & loaded


def test_a_request_to_end_leaves_by_the_same_way_as_an_interruption():
    from astrorim.cli.main import EXIT_TERMINATED, _terminate

    with pytest.raises(SystemExit, match=str(EXIT_TERMINATED)):
        _terminate(15, None)
