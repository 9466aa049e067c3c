"""Noise-free images per second, beside lenstronomy and caustics.

All three render the same lenses: SIE with shear, one Sersic source, one Sersic lens light,
a Gaussian PSF, 96 x 96 pixels of 4 x 4 sub-pixels, the margin that the PSF reaches into
included. As a script, ``python benchmarks/simulation.py``, it takes turns between them,
checks that the images agree, and prints a table; caustics is left out if not installed.
"""

import argparse
import importlib.metadata
import math
import multiprocessing
import os
import platform
import statistics
import sys
import time
import warnings
from pathlib import Path

import numpy as np
import torch

from astrorim.plugins import load_plugins
from astrorim_plugins.simulators.rendering import (
    SuperGrid,
    fourier_collect,
    separable_collect,
)
from astrorim_plugins.simulators.tiles import map_tiles

__all__ = ["Content", "Whole"]

SIZE = 96
SCALE = 0.04
SUPERSAMPLING = 4
FWHM = 0.08
KERNEL_SIZE = 23
MARGIN = math.ceil(KERNEL_SIZE // 2 / SUPERSAMPLING)
GPU_TILE = 64
CORES = 2
"""Threads, or processes of one thread each, that every code is given on a processor."""

SERSIC = ("amplitude", "half_light_radius", "sersic_index", "e1", "e2", "x0", "y0")


def draw_content(number, seed=1):
    """Parameters of lenses like those of `foundation`: table, name, values."""
    rng = np.random.default_rng(seed)

    def uniform(low, high):
        return rng.uniform(low, high, number)

    def shape(low, high):
        modulus, angle = uniform(low, high), uniform(0, np.pi)
        return modulus * np.cos(2 * angle), modulus * np.sin(2 * angle)

    e1, e2 = shape(0.15, 0.45)
    gamma1, gamma2 = shape(0.0, 0.08)
    mass = {
        "theta_E": uniform(0.9, 1.5), "e1": e1, "e2": e2, "x0": uniform(-0.04, 0.04),
        "y0": uniform(-0.04, 0.04), "gamma1": gamma1, "gamma2": gamma2,
    }  # fmt: skip
    source = [
        uniform(500, 2000), uniform(0.05, 0.25), uniform(1, 3.5), *shape(0, 0.5),
        uniform(-0.25, 0.25), uniform(-0.25, 0.25),
    ]  # fmt: skip
    light = [
        uniform(200, 800), uniform(0.25, 1.0), uniform(3, 5), 0.8 * e1, 0.8 * e2,
        mass["x0"] + 0.01, mass["y0"] - 0.01,
    ]  # fmt: skip
    return {
        "mass": mass,
        "source": dict(zip(SERSIC, source, strict=True)),
        "light": dict(zip(SERSIC, light, strict=True)),
    }


def part_of(content, rows):
    """The same tables for some of the lenses."""
    return {
        table: {name: values[rows] for name, values in own.items()}
        for table, own in content.items()
    }


def size_of(content):
    return len(content["mass"]["theta_E"])


def psf_kernel(number=1, device="cpu"):
    """Gaussian kernels on the sub-pixels, (number, 23, 23)."""
    spacing = torch.full((number,), SCALE / SUPERSAMPLING, device=device)
    fwhm, zero = torch.full_like(spacing, FWHM), torch.zeros_like(spacing)
    return (
        load_plugins()
        .psfs.create("gaussian")
        .kernel(spacing, KERNEL_SIZE, {"fwhm": fwhm, "ellipticity": zero, "angle": zero})
    )


class AstroRIM:
    """Tiles of one lens, a thread each, as the simulators render; 64 lenses on a GPU."""

    def __init__(self, device="cpu", collect=separable_collect):
        plugins = load_plugins()
        self.device = torch.device(device)
        self.mass = plugins.lens_models.resolve("sie+shear")
        self.light = plugins.light_models.create("sersic")
        self.grid = SuperGrid((SIZE, SIZE), SCALE, SUPERSAMPLING, MARGIN)
        self.collect = collect

    def images(self, content):
        """Images (B, 96, 96)."""
        tile = 1 if self.device.type == "cpu" else GPU_TILE
        tables = {
            name: {
                key: torch.as_tensor(value, dtype=torch.float32, device=self.device)
                for key, value in own.items()
            }
            for name, own in content.items()
        }
        number = size_of(content)
        tiles = [(part_of(tables, slice(i, i + tile)),) for i in range(0, number, tile)]
        return torch.cat(map_tiles(self._render, tiles, self.device))

    def _render(self, content):
        mass, source, light = (
            {name: value[:, None, None] for name, value in content[table].items()}
            for table in ("mass", "source", "light")
        )
        number = size_of(content)
        x, y = self.grid.positions(number, self.device)
        alpha_x, alpha_y = self.mass.deflection(x, y, mass)
        scene = self.light.surface_brightness(x, y, light)
        scene = scene + self.light.surface_brightness(x - alpha_x, y - alpha_y, source)
        kernel = psf_kernel(number, self.device)
        return self.collect(self.grid.frame(scene)[:, None], kernel, self.grid)[:, 0]


class Lenstronomy:
    """One ImageModel for all lenses; float64, which is all that it has."""

    def __init__(self):
        from lenstronomy.Data.imaging_data import ImageData
        from lenstronomy.Data.psf import PSF
        from lenstronomy.ImSim.image_model import ImageModel
        from lenstronomy.LensModel.lens_model import LensModel
        from lenstronomy.LightModel.light_model import LightModel

        side = SIZE + 2 * MARGIN
        corner = -(side - 1) / 2 * SCALE
        data = ImageData(
            np.zeros((side, side)), ra_at_xy_0=corner, dec_at_xy_0=corner,
            transform_pix2angle=np.eye(2) * SCALE,
        )  # fmt: skip
        psf = PSF(
            "PIXEL",
            kernel_point_source=psf_kernel()[0].double().numpy(),
            point_source_supersampling_factor=SUPERSAMPLING,
        )
        self.model = ImageModel(
            data, psf, LensModel(["SIE", "SHEAR"]),
            LightModel(["SERSIC_ELLIPSE"]), LightModel(["SERSIC_ELLIPSE"]),
            kwargs_numerics={
                "supersampling_factor": SUPERSAMPLING,
                "supersampling_convolution": True,
                "supersampling_kernel_size": None,
            },
        )  # fmt: skip

    @staticmethod
    def _sersic(own):
        """lenstronomy's b_n is 1.9992 n - 0.3271."""
        from astrorim_plugins.light_models.sersic import sersic_b

        n = own["sersic_index"]
        ours = float(sersic_b(torch.tensor(n, dtype=torch.float64)))
        theirs = 1.9992 * n - 0.3271
        return {
            "amp": own["amplitude"] * math.exp(ours - theirs),
            "R_sersic": own["half_light_radius"] * (theirs / ours) ** n,
            "n_sersic": n, "e1": own["e1"], "e2": own["e2"],
            "center_x": own["x0"], "center_y": own["y0"],
        }  # fmt: skip

    def images(self, content):
        """Images (B, 96, 96)."""
        images = []
        for i in range(size_of(content)):
            one = part_of(content, i)
            mass = one["mass"]
            lens = [
                {
                    "theta_E": mass["theta_E"], "e1": mass["e1"], "e2": mass["e2"],
                    "center_x": mass["x0"], "center_y": mass["y0"],
                },
                {"gamma1": mass["gamma1"], "gamma2": mass["gamma2"]},
            ]  # fmt: skip
            with warnings.catch_warnings():
                warnings.simplefilter("ignore", DeprecationWarning)
                image = self.model.image(
                    lens, [self._sersic(one["source"])], [self._sersic(one["light"])]
                )
            images.append(image[MARGIN:-MARGIN, MARGIN:-MARGIN])
        return torch.from_numpy(np.stack(images))


class Caustics:
    """caustics' LensSource under torch.vmap, some lenses at a time; float32."""

    def __init__(self, batch=4, device="cpu"):
        os.environ.setdefault("CASKADE_BACKEND", "torch")
        import caustics

        cosmology = caustics.FlatLambdaCDM(name="cosmology")
        lens = caustics.SinglePlane(
            cosmology=cosmology,
            lenses=[
                caustics.SIE(cosmology=cosmology, name="sie"),
                caustics.ExternalShear(cosmology=cosmology, x0=0.0, y0=0.0, name="shear"),
            ],
            z_l=0.5, z_s=1.5, name="lens",
        )  # fmt: skip
        self.simulator = caustics.LensSource(
            lens, caustics.Sersic(name="source"), lens_light=caustics.Sersic(name="light"),
            pixelscale=SCALE, pixels_x=SIZE, upsample_factor=SUPERSAMPLING,
            psf=psf_kernel()[0],
        )  # fmt: skip
        self.simulator.to(device=device, dtype=torch.float32)
        self.batch = batch
        self.device = device

    @staticmethod
    def _shape(own):
        """Axis ratio and angle."""
        modulus = np.hypot(own["e1"], own["e2"])
        return (1 - modulus) / (1 + modulus), np.arctan2(own["e2"], own["e1"]) / 2

    def _vector(self, content):
        """Parameters in the order of the simulator, which measures R along the major axis."""
        mass = content["mass"]
        columns = [
            mass["x0"], mass["y0"], *self._shape(mass), mass["theta_E"], mass["gamma1"],
            mass["gamma2"],
        ]  # fmt: skip
        for table in ("source", "light"):
            own = content[table]
            q, phi = self._shape(own)
            columns += [
                own["x0"], own["y0"], q, phi, own["sersic_index"],
                own["half_light_radius"] / np.sqrt(q), own["amplitude"],
            ]  # fmt: skip
        return torch.as_tensor(
            np.stack(columns, axis=-1), dtype=torch.float32, device=self.device
        )

    def images(self, content):
        """Images (B, 96, 96); caustics averages the sub-pixels."""
        with torch.no_grad():
            parts = [
                torch.vmap(self.simulator)(p) for p in self._vector(content).split(self.batch)
            ]
        return torch.cat(parts) * SCALE**2


WORKER = {}


def start_worker(kind, options):
    """Make a renderer in this process, which has one thread."""
    torch.set_num_threads(1)
    WORKER["renderer"] = kind(**options)


def worker_images(content):
    """Images, and the processor time that they took."""
    start = time.process_time()
    images = WORKER["renderer"].images(content).numpy()
    return images, time.process_time() - start


class Processes:
    """A renderer in each of two processes."""

    def __init__(self, kind, **options):
        self.processor_seconds = 0.0
        names = ("OMP_NUM_THREADS", "MKL_NUM_THREADS", "NUMBA_NUM_THREADS")
        before = {name: os.environ.get(name) for name in names}
        os.environ |= dict.fromkeys(names, "1")
        context = multiprocessing.get_context("spawn")
        self.pool = context.Pool(CORES, start_worker, (kind, options))
        for name, value in before.items():
            os.environ.pop(name) if value is None else os.environ.__setitem__(name, value)

    def images(self, content):
        """Images (B, 96, 96), each process an equal part of them."""
        number = size_of(content)
        parts = [
            part_of(content, slice(i * number // CORES, (i + 1) * number // CORES))
            for i in range(CORES)
        ]
        images, seconds = zip(*self.pool.map(worker_images, parts, 1), strict=True)
        self.processor_seconds += sum(seconds)
        return torch.from_numpy(np.concatenate(images))

    def close(self):
        self.pool.terminate()


class Foundation:
    """The whole simulator: draws, both scenes, truth on its own grid, noise."""

    def __init__(self, device="cpu"):
        self.simulator = load_plugins().simulators.create("foundation")
        self.device = device

    def images(self, content):
        drawn = self.simulator.simulate(size_of(content), seed=1, device=self.device)
        return drawn.image


class Content:
    """Eight noise-free images, by each code."""

    params = [("astrorim", "lenstronomy", "caustics")]
    param_names = ["code"]

    def setup(self, code):
        """Make the renderer and the lenses; a code that is missing is skipped."""
        kinds = {"astrorim": AstroRIM, "lenstronomy": Lenstronomy, "caustics": Caustics}
        try:
            self.renderer = kinds[code]()
        except ImportError as error:
            raise NotImplementedError from error
        self.content = draw_content(8)
        self.renderer.images(self.content)

    def time_images(self, _code):
        """Render, in one process."""
        self.renderer.images(self.content)


class Whole:
    """Eight images of a simulator, noise and truth included."""

    params = [load_plugins().simulators.names()]
    param_names = ["simulator"]

    def setup(self, name):
        """Make the simulator."""
        self.simulator = load_plugins().simulators.create(name)

    def time_simulate(self, name):
        """Draw, render and observe."""
        self.simulator.simulate(8, seed=1)


def processor_seconds(renderer):
    """Processor time so far, of this process and of the renderer's own."""
    return time.process_time() + getattr(renderer, "processor_seconds", 0.0)


def rate(renderer, content, device):
    """Images per second, and per second of processor time, which others disturb less."""
    start, spent = time.perf_counter(), processor_seconds(renderer)
    renderer.images(content)
    if device != "cpu":
        torch.cuda.synchronize()
    seconds, spent = time.perf_counter() - start, processor_seconds(renderer) - spent
    return size_of(content) / seconds, size_of(content) / spent


def best_caustics(device):
    """The quickest way found to run caustics, and what it is."""
    batches = (1, 2, 4, 8, 16) if device == "cpu" else (16, 64, 256)
    ways = [(f"{CORES} threads" if device == "cpu" else device, Caustics, {"device": device})]
    if device == "cpu":
        ways.append((f"{CORES} processes", Processes, {"kind": Caustics}))
    best, found, label = 0.0, None, ""
    for where, make, options in ways:
        for batch in batches:
            content = draw_content(CORES * max(batch, 4))
            renderer = make(batch=batch, **options)
            renderer.images(content)
            speed = statistics.median(rate(renderer, content, device)[1] for _ in range(3))
            print(
                f"  caustics, {where}, batches of {batch}: {speed:.1f} images/s of processor",
                flush=True,
            )
            loser = renderer
            if speed > best:
                best, loser, found = speed, found, renderer
                label = f"caustics ({where}, batches of {batch})"
            if isinstance(loser, Processes):
                loser.close()
    return label, found


def machine(device):
    """What it runs on, and versions."""
    name = platform.processor() or platform.machine()
    cpuinfo = Path("/proc/cpuinfo")
    if cpuinfo.exists():
        lines = cpuinfo.read_text(encoding="utf-8").splitlines()
        name = next(
            (x.split(":")[1].strip() for x in lines if x.startswith("model name")), name
        )
    if device != "cpu":
        name += f", {torch.cuda.get_device_name()}"
    packages = ("torch", "numpy", "lenstronomy", "caustics", "numba")
    versions = []
    for package in packages:
        try:
            versions.append(f"{package} {importlib.metadata.version(package)}")
        except importlib.metadata.PackageNotFoundError:
            versions.append(f"no {package}")
    load = os.getloadavg()[0]
    return f"{name}, {os.cpu_count()} cores, load {load:.1f}; {', '.join(versions)}"


def spread(values, digits):
    """Median, and the quartiles of what was measured."""
    low, median, high = statistics.quantiles(values, n=4)
    return f"{median:.{digits}f} ({low:.{digits}f} to {high:.{digits}f})"


def main(arguments=None):
    """Compare, and print a table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--device", default="cpu", help="torch device, cpu or cuda")
    parser.add_argument("--rounds", type=int, default=9, help="turns of every code")
    parser.add_argument("--images", type=int, default=64, help="lenses in a turn")
    options = parser.parse_args(arguments)
    device = options.device
    torch.set_num_threads(CORES)
    print(machine(device))
    codes = {
        "AstroRIM": AstroRIM(device),
        "AstroRIM, PSF by Fourier transforms": AstroRIM(device, fourier_collect),
        "AstroRIM, whole foundation with noise": Foundation(device),
        f"lenstronomy ({CORES} processes)": Processes(Lenstronomy),
    }
    try:
        label, renderer = best_caustics(device)
        codes[label] = renderer
    except ImportError:
        print("  caustics is not installed")
    content = draw_content(options.images)
    reference = Lenstronomy().images(draw_content(8))
    peak = reference.amax(dim=(1, 2))
    rates = {name: [] for name in codes}
    for renderer in codes.values():
        renderer.images(content)
    for turn in range(options.rounds):
        order = list(codes) if turn % 2 else list(reversed(codes))
        for name in order:
            rates[name].append(rate(codes[name], content, device))
    first = rates["AstroRIM"]
    for name, values in rates.items():
        print(name)
        for j, per in enumerate(("s", "s of processor time")):
            own = [value[j] for value in values]
            ratios = [ours[j] / theirs for ours, theirs in zip(first, own, strict=True)]
            line = f"  {spread(own, 1)} images/{per}"
            print(line if name == "AstroRIM" else f"{line}; AstroRIM {spread(ratios, 2)} times")
        if not isinstance(codes[name], Foundation):
            images = codes[name].images(draw_content(8)).double().cpu()
            worst = ((images - reference).abs().amax(dim=(1, 2)) / peak).max()
            print(f"  differs from lenstronomy by at most {float(worst):.1e} of the peak")
    for renderer in codes.values():
        if isinstance(renderer, Processes):
            renderer.close()
    return 0


if __name__ == "__main__":
    sys.exit(main())
