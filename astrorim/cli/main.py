"""The entry point: the parser of all subcommands, and what the exit status means."""

from __future__ import annotations

import os
import signal
import sys
from collections.abc import Sequence

from astrorim.cli import (
    calibrate,
    demo,
    evaluate,
    finetune,
    info,
    line_image,
    mass,
    normalize,
    plugins,
    prepare,
    psf,
    reconstruct,
    redshift,
    simulate,
    train,
)
from astrorim.cli.arguments import CommandParser, VersionAction
from astrorim.cli.memory import keep_freed_memory
from astrorim.cli.terminal import messages_on_stderr
from astrorim.exceptions import AstroRIMError

__all__ = [
    "EXIT_FAILED", "EXIT_INTERNAL", "EXIT_INTERRUPTED", "EXIT_OK", "EXIT_TERMINATED",
    "EXIT_USAGE", "build_parser", "main",
]  # fmt: skip

EXIT_OK = 0
"""All that was asked for was done."""

EXIT_FAILED = 1
"""Something that was asked for could not be done; the message says what."""

EXIT_USAGE = 2
"""The command was not understood, and nothing was begun."""

EXIT_INTERNAL = 3
"""A file met a fault of the program; the log beside the status table has the traceback."""

EXIT_INTERRUPTED = 130
"""Stopped by Ctrl-C; what was finished stays."""

EXIT_TERMINATED = 143
"""Asked to end (SIGTERM), as schedulers do; what was finished stays."""

_SUBCOMMANDS = (
    demo,
    info,
    prepare,
    normalize,
    psf,
    redshift,
    line_image,
    reconstruct,
    mass,
    simulate,
    train,
    finetune,
    evaluate,
    calibrate,
    plugins,
)

_DESCRIPTION = """\
Reconstruct strong gravitational lenses: from a FITS cutout to the unlensed source, the
lens parameters with error bars, the predicted image, the residual and a figure.

Begin with `astrorim demo --output-dir demo`, then `astrorim info IMAGE` on a file of your
own: it says what is missing, and which option supplies it."""

_EPILOG = """\
Options are accepted with hyphens and with underscores (--input-dir, --input_dir).
Results go to standard output and to files, messages to standard error.
Exit status: 0 done, 1 something failed, 2 the command was not understood, 3 a file met a
fault of the program (its traceback is in the log beside the status table), 130 stopped."""


def build_parser() -> CommandParser:
    """Make the parser of ``astrorim`` with all its subcommands.

    Returns
    -------
    CommandParser
    """
    parser = CommandParser("astrorim", description=_DESCRIPTION, epilog=_EPILOG)
    parser.add_argument("--version", action=VersionAction, help="show the version and leave")
    commands = parser.add_subparsers(
        title="commands", dest="command", metavar="COMMAND", required=True
    )
    for module in _SUBCOMMANDS:
        module.add_parser(commands)
    return parser


def _terminate(*_: object) -> None:
    sys.exit(EXIT_TERMINATED)


def main(argv: Sequence[str] | None = None) -> int:
    """Run a command.

    Parameters
    ----------
    argv : sequence of str, optional
        Arguments without the program's name; those of the process by default.

    Returns
    -------
    int
        Exit status.

    Raises
    ------
    SystemExit
        After ``--help`` and ``--version`` (0) and when the command is not understood (2).
    """
    args = build_parser().parse_args(argv)
    if argv is None:
        keep_freed_memory()
        # what is unfinished is cleared away and tables are written, as after Ctrl-C
        signal.signal(signal.SIGTERM, _terminate)
    with messages_on_stderr(args.verbosity):
        try:
            return int(args.run(args))
        except KeyboardInterrupt:
            print("astrorim: interrupted; the same command goes on from here", file=sys.stderr)
            return EXIT_INTERRUPTED
        except BrokenPipeError:
            # the reader of our output, `head` for example, has seen enough
            os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
            return EXIT_OK
        except (AstroRIMError, ValueError, OSError) as error:
            if args.debug:
                raise
            print(f"astrorim: error: {args.explain(error)}", file=sys.stderr)
            return EXIT_FAILED
