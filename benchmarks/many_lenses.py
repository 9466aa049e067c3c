r"""Run over many lenses, five of them broken, kill the run in the middle, and go on.

Simulates small images, breaks five in different ways, and starts ``astrorim reconstruct
--refine none`` (networks only: a refinement of 200 lenses would take hours) as a process of
its own. When a third of the lenses is done, the process is killed (SIGKILL) while it writes,
and the same command given again. Asserted: the run ends with status 1; exactly the broken
files are reported, each for its own reason; what was finished is not done again; nothing
half-written is left; and the process's resident memory does not grow from the third quarter of
the run to the last by more than three per cent (the ASDF library keeps the validators of the
last 128 files, some 25 MiB). Run from the top of the checkout::

    OMP_NUM_THREADS=1 python benchmarks/many_lenses.py DIR --number 200
"""

from __future__ import annotations

import argparse
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
from astropy.io import fits
from astropy.table import QTable

_PAGE = os.sysconf("SC_PAGE_SIZE") / 2**20
_GROWTH = 0.03


def main() -> None:
    """Do all, print what was found."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--number", type=int, default=200)
    parser.add_argument("--size", type=int, default=48, help="pixels along a side")
    parser.add_argument("--num-iterations", type=int, default=3)
    parser.add_argument("--mass", type=int, default=0, help="lenses to weigh afterwards")
    args = parser.parse_args()
    images, out = args.folder / "images", args.folder / "results"
    if not images.is_dir():
        _astrorim(
            "simulate", "foundation", "--number", args.number, "--size", args.size,
            "--pixel-scale", "0.08 arcsec", "--seed", 2026, "--output-dir", images,
        ).wait()  # fmt: skip
        broken = _break(images)
    else:
        broken = {path.stem for path in images.glob("broken_*")}
    command = (
        "reconstruct", "--input-dir", images, "--output-dir", out, "--refine", "none",
        "--num-iterations", args.num_iterations, "--device", "cpu",
    )  # fmt: skip
    third = args.number // 3
    killed = _astrorim(*command)
    _watch(killed, out, until=third)
    while killed.poll() is None and not list(out.glob(".astrorim-*/*")):
        time.sleep(0.001)  # until it is writing
    killed.send_signal(signal.SIGKILL)
    print(f"killed after {_finished(out)} lenses; status {killed.wait()}")
    left = list(out.glob(".astrorim-*"))
    print(f"half-written folders left: {len(left)}")
    before = {path: path.stat().st_mtime_ns for path in out.glob("*.asdf")}
    began = time.perf_counter()
    again = _astrorim(*command)
    memory = _watch(again, out)
    status = again.wait()
    print(f"second run: status {status}, {time.perf_counter() - began:.0f} s")
    table = QTable.read(out / "status.ecsv")
    kinds = ("ok", "skipped", "failed", "error")
    counts = {kind: int((table["status"] == kind).sum()) for kind in kinds}
    print(counts)
    for row in table[table["status"] == "failed"]:
        print(f"  {row['name']}: {row['reason']}")
    assert status == 1
    assert set(table["name"][table["status"] == "failed"]) == broken
    assert len(set(table["reason"][table["status"] == "failed"])) == len(broken)
    assert len(table) == args.number
    whole = [path for path in before if _whole(path)]
    assert len(whole) == counts["skipped"]
    assert all(path.stat().st_mtime_ns == before[path] for path in whole)
    assert not list(out.glob(".astrorim-*"))
    _report_memory("reconstruct", memory, out)
    if args.mass:
        _weigh(args.folder, out, args.mass)


def _weigh(folder: Path, out: Path, number: int) -> None:
    some = folder / "some"
    some.mkdir(exist_ok=True)
    for path in sorted(out.glob("*.asdf"))[:number]:
        target = some / path.name
        if not target.exists():
            target.hardlink_to(path)
    process = _astrorim(
        "mass", "--reconstruction-dir", some, "--output-dir", folder / "masses", "--overwrite"
    )
    memory = _watch(process, folder / "masses", ending="_mass.json")
    print(f"mass: status {process.wait()}")
    _report_memory("mass", memory, folder)


def _astrorim(*words: object) -> subprocess.Popen[bytes]:
    code = "import sys; from astrorim.cli.main import main; sys.exit(main())"
    return subprocess.Popen([sys.executable, "-c", code, *map(str, words), "--quiet"])


def _break(images: Path) -> set[str]:
    """Break the last five images in five ways, under names that say how."""
    files = sorted(images.glob("lensed_*.fits"))[-5:]
    ways = ("text", "cut", "psf", "constant", "noise")
    for path, way in zip(files, ways, strict=True):
        target = images / f"broken_{way}.fits"
        path.rename(target)
        (images / path.name.replace("lensed", "source")).unlink(missing_ok=True)
        if way == "text":
            target.write_bytes(b"this is no image")
        elif way == "cut":
            whole = target.read_bytes()
            target.write_bytes(whole[: len(whole) // 3])
        else:
            with fits.open(target, mode="update") as hdus:
                if way == "psf":
                    del hdus[next(i for i, h in enumerate(hdus) if "PSF" in h.name)]
                elif way == "constant":
                    hdus[0].data[:] = 1.0
                else:
                    noise = next(h for h in hdus if "UNCERT" in h.name)
                    noise.data[:] = -1.0
    return {f"broken_{way}" for way in ways}


def _whole(asdf: Path) -> bool:
    endings = ("_source.fits", "_forward.fits", "_residual.fits", "_parameters.json")
    return all(asdf.with_name(asdf.stem + ending).is_file() for ending in endings)


def _finished(out: Path, ending: str = ".asdf") -> int:
    return len(list(out.glob(f"*{ending}")))


def _watch(
    process: subprocess.Popen[bytes],
    out: Path,
    until: int | None = None,
    ending: str = ".asdf",
) -> list[tuple[float, int, float]]:
    """Seconds, finished lenses and MiB until the process ends, or has finished so many."""
    memory = []
    began = time.perf_counter()
    while process.poll() is None and (until is None or _finished(out, ending) < until):
        try:
            pages = int(Path(f"/proc/{process.pid}/statm").read_text().split()[1])
        except (OSError, IndexError):
            break
        finished = _finished(out, ending)
        memory.append((time.perf_counter() - began, finished, pages * _PAGE))
        time.sleep(0.5)
    return memory


def _report_memory(what: str, memory: list[tuple[float, int, float]], folder: Path) -> None:
    seconds, finished, size = (np.array(column) for column in zip(*memory, strict=True))
    table = QTable([seconds, finished, size], names=["seconds", "finished", "mebibytes"])
    table.write(folder / f"memory_{what}.ecsv", format="ascii.ecsv", overwrite=True)
    least, most = finished.min(), finished.max()
    quarters = [
        float(np.median(size[(finished >= least + q * (most - least))
                             & (finished <= least + (q + 0.25) * (most - least))]))
        for q in (0.25, 0.5, 0.75)
    ]  # fmt: skip
    print(f"{what}: median resident memory by quarter, MiB: {[round(q) for q in quarters]}")
    assert quarters[2] < (1 + _GROWTH) * quarters[1], "memory grows"


if __name__ == "__main__":
    main()
