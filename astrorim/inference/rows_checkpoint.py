"""Rows of an evaluation on disk, lens by lens, so that a stopped run goes on."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from astrorim.exceptions import CheckpointError

__all__ = ["RowsCheckpoint"]


class RowsCheckpoint:
    """A file of lines of JSON: the settings, then the rows of each finished lens.

    A line that was cut short when a run was stopped is dropped, and its lens done again.

    Parameters
    ----------
    path : Path
        The file; it need not exist.
    settings : mapping of str to object
        What the rows depend on, plain JSON types.

    Raises
    ------
    CheckpointError
        If the file was begun with other settings; the message says which.
    """

    def __init__(self, path: Path, settings: Mapping[str, Any]) -> None:
        self.path = path
        self.rows: dict[str, list[dict[str, Any]]] = {}
        wanted = json.loads(json.dumps(dict(settings)))
        lines = path.read_text(encoding="utf-8").splitlines(True) if path.exists() else []
        whole = [line for line in lines if line.endswith("\n")]
        if whole:
            self._check(whole[0], wanted)
        for line in whole[1:]:
            held = json.loads(line)
            self.rows[held["lens"]] = held["rows"]
        path.parent.mkdir(parents=True, exist_ok=True)
        first = json.dumps(wanted) + "\n"
        # what was cut short goes, so that the next line begins on its own
        path.write_text("".join(whole or [first]), encoding="utf-8")

    def _check(self, line: str, wanted: Mapping[str, Any]) -> None:
        try:
            found = json.loads(line)
        except ValueError as error:
            raise CheckpointError(
                f"{self.path} is not the beginning of an evaluation ({error}); remove it"
            ) from error
        differing = [
            f"{key} {found.get(key)!r} instead of {wanted.get(key)!r}"
            for key in dict.fromkeys([*found, *wanted])
            if found.get(key) != wanted.get(key)
        ]
        if differing:
            raise CheckpointError(
                f"{self.path} was begun with other settings ({'; '.join(differing)}); remove "
                "it, or choose another output"
            )

    def add(self, lens: str, rows: Sequence[Mapping[str, Any]]) -> None:
        """Keep the rows of one lens.

        Parameters
        ----------
        lens : str
            Which.
        rows : sequence of mapping of str to object
            Of plain JSON types.
        """
        self.rows[lens] = [dict(row) for row in rows]
        with self.path.open("a", encoding="utf-8") as file:
            file.write(json.dumps({"lens": lens, "rows": self.rows[lens]}) + "\n")
