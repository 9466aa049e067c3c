"""Arguments: the parser, options that several commands share, and their types."""

from __future__ import annotations

import argparse
import re
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

__all__ = [
    "CommandParser",
    "Subparsers",
    "VersionAction",
    "add_command",
    "add_output_dir",
    "add_output_file",
    "existing_directory",
    "fraction_of_work",
    "in_options",
    "natural_number",
    "pixel_scale",
    "positive_integer",
    "positive_number",
]

Subparsers = Any
"""What `argparse.ArgumentParser.add_subparsers` returns; its type is private there."""

_KEYWORDS = {
    "uncertainty": "--noise",
    "psf": "--psf",
    "mask": "--mask",
    "pixel_scale": "--pixel-scale",
    "unit": "--unit",
    "band": "--band",
    "hdu": "--hdu",
    "z_lens": "--z-lens",
    "z_source": "--z-source",
    "uncertainty_type": "--noise-type",
    "psf_supersampling": "--psf-supersampling",
    "overwrite": "--overwrite",
    "recurrence": "--rim-model",
    "encoder": "--forward-model",
    "allow_nonlinear": "--allow-nonlinear",
    "exposure": "--exposure",
    "gain": "--gain",
    "size": "--size",
    "centre": "--centre",
    "read_noise": "--read-noise",
    "sky_electrons": "--sky-electrons",
    "weight": "--weight",
    "weight_type": "--weight-type",
    "noise_source": "--noise-source",
    "sky_radius": "--sky-radius",
}
"""Keyword arguments that messages recommend, and the options that stand for them here."""

_KEYWORD = re.compile(rf"(?<![\w-])({'|'.join(_KEYWORDS)})=(True\b)?(?=([\w'\"(])?)")


def in_options(error: BaseException) -> str:
    """Say what an error says in terms of the command line's options.

    Parameters
    ----------
    error : BaseException
        Its message recommends keyword arguments, such as ``pixel_scale="0.05 arcsec"``.

    Returns
    -------
    str
        One line, with ``--pixel-scale "0.05 arcsec"`` instead, and its notes.
    """
    text = str(error) or type(error).__name__
    text = " ".join([text, *getattr(error, "__notes__", ())])

    def option(match: re.Match[str]) -> str:
        value_follows = match[3] is not None and match[2] is None
        return _KEYWORDS[match[1]] + (" " if value_follows else "")

    return " ".join(_KEYWORD.sub(option, text).split())


class CommandParser(argparse.ArgumentParser):
    """Parser whose options may be written with hyphens or with underscores.

    Parameters
    ----------
    *args, **kwargs
        As for `argparse.ArgumentParser`.
    """

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        kwargs.setdefault("formatter_class", argparse.RawDescriptionHelpFormatter)
        kwargs.setdefault("allow_abbrev", False)
        super().__init__(*args, **kwargs)

    def parse_known_args(  # type: ignore[override]
        self, args: Sequence[str] | None = None, namespace: Any = None
    ) -> tuple[argparse.Namespace, list[str]]:
        """Parse, after underscores in the names of options have become hyphens."""
        given = list(sys.argv[1:] if args is None else args)
        end = given.index("--") if "--" in given else len(given)
        hyphened = [_with_hyphens(text) for text in given[:end]]
        return super().parse_known_args([*hyphened, *given[end:]], namespace)


def _with_hyphens(text: str) -> str:
    if not text.startswith("--"):
        return text
    name, equals, value = text.partition("=")
    return name.replace("_", "-") + equals + value


class VersionAction(argparse.Action):
    """Print the version, which is looked up only when it is asked for."""

    def __init__(self, option_strings: Sequence[str], dest: str, **kwargs: Any) -> None:
        super().__init__(option_strings, dest, nargs=0, **kwargs)

    def __call__(self, parser: argparse.ArgumentParser, *_: Any) -> None:
        """Print and leave."""
        from importlib.metadata import version

        print(f"astrorim {version('astrorim')}")
        parser.exit()


def add_command(
    commands: Subparsers,
    name: str,
    run: Callable[[argparse.Namespace], int],
    *,
    summary: str,
    description: str,
    examples: str,
) -> CommandParser:
    """Add a subcommand with the options that all of them have.

    Parameters
    ----------
    commands : object
        What ``add_subparsers`` returned.
    name : str
        Name of the subcommand.
    run : callable
        Called with the parsed arguments; returns the exit status.
    summary : str
        One line for the list of commands.
    description : str
        What the command does, in full.
    examples : str
        Lines to copy, shown below the options.

    Returns
    -------
    CommandParser
    """
    parser: CommandParser = commands.add_parser(
        name, help=summary, description=description, epilog=f"examples:\n{examples}"
    )
    parser.set_defaults(run=run, explain=in_options, parser=parser)
    group = parser.add_argument_group("messages")
    group.add_argument(
        "-v", "--verbose", dest="verbosity", action="store_const", const=1, default=0,
        help="say more",
    )  # fmt: skip
    group.add_argument(
        "-q", "--quiet", dest="verbosity", action="store_const", const=-1,
        help="no progress and no warnings",
    )  # fmt: skip
    group.add_argument("--debug", action="store_true", help="show the traceback of an error")
    return parser


def add_output_dir(
    parser: argparse.ArgumentParser, what: str, *, again: str | None = None
) -> None:
    """Add the option ``--output-dir``, and ``--overwrite`` where runs are resumed.

    Parameters
    ----------
    parser : argparse.ArgumentParser
        Where to.
    what : str
        What is written there.
    again : str, optional
        What is skipped when it is finished, in the plural.
    """
    parser.add_argument(
        "--output-dir", metavar="DIR", type=Path, required=True,
        help=f"directory for {what}; made if it does not exist",
    )  # fmt: skip
    if again is not None:
        parser.add_argument(
            "--overwrite", action="store_true", help=f"do finished {again} again"
        )


def add_output_file(
    parser: argparse.ArgumentParser, kind: str, what: str, *, required: bool = True
) -> None:
    """Add the options ``--output`` and ``--overwrite``.

    Parameters
    ----------
    parser : argparse.ArgumentParser
        Where to.
    kind : str
        Format of the file.
    what : str
        What is written.
    required : bool, optional
        Whether it must be given.
    """
    parser.add_argument(
        "--output", type=Path, required=required, metavar=kind, help=f"{what} to write"
    )
    parser.add_argument("--overwrite", action="store_true", help="replace existing files")


def _number(text: str, kind: type[int | float], *, least: float, open_: bool) -> Any:
    try:
        value = kind(text)
    except ValueError:
        value = None
    if value is None or not least <= value < float("inf") or (open_ and value == least):
        what = "an integer" if kind is int else "a number"
        bound = f"above {least:g}" if open_ else f"of at least {least:g}"
        raise argparse.ArgumentTypeError(f"must be {what} {bound}, got {text!r}")
    return value


def positive_integer(text: str) -> int:
    """Integer of at least one."""
    return int(_number(text, int, least=1, open_=False))


def natural_number(text: str) -> int:
    """Integer of at least zero."""
    return int(_number(text, int, least=0, open_=False))


def positive_number(text: str) -> float:
    """Finite number above zero."""
    return float(_number(text, float, least=0, open_=True))


def pixel_scale(text: str) -> str:
    """Angle with its unit, checked here and kept as text.

    Raises
    ------
    argparse.ArgumentTypeError
        If it is not a positive angle with a unit.
    """
    from astrorim.quantities import parse_pixel_scale

    try:
        parse_pixel_scale(text, name="it")
    except ValueError:
        raise argparse.ArgumentTypeError(
            f'must be a positive angle with its unit, such as "0.05 arcsec", got {text!r}'
        ) from None
    return text


def existing_directory(text: str) -> Path:
    """Path of a directory that exists.

    Raises
    ------
    argparse.ArgumentTypeError
        If it does not.
    """
    path = Path(text)
    if not path.is_dir():
        raise argparse.ArgumentTypeError(f"must be a directory that exists, got {text!r}")
    return path


def fraction_of_work(text: str) -> tuple[int, int]:
    """Part ``i/n`` of the work, counted from one.

    Parameters
    ----------
    text : str
        For example ``"2/8"``.

    Returns
    -------
    tuple of int
        Part and number of parts.

    Raises
    ------
    argparse.ArgumentTypeError
        If it is not ``i/n`` with 1 <= i <= n.
    """
    match = re.fullmatch(r"(\d+)/(\d+)", text)
    if match is None or not 1 <= int(match[1]) <= int(match[2]):
        raise argparse.ArgumentTypeError(
            f"must be i/n with i from 1 to n, such as 2/8, got {text!r}"
        )
    return int(match[1]), int(match[2])
