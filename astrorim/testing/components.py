"""Contracts of PSFs, normalizers, simulators and network backends."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
import torch
from torch import Tensor

from astrorim.interfaces import PSF, NetworkBackend, Normalizer, Simulator
from astrorim.testing.checks import check_declaration, require

if TYPE_CHECKING:
    from torch import nn

__all__ = [
    "NetworkBackendContract",
    "NormalizerContract",
    "PSFContract",
    "SimulatorContract",
]


class PSFContract:
    """Checks of `astrorim.interfaces.PSF`, at a sampling of 0.05 arcsec.

    Parameter values are the middle of the priors, and those of `params`.
    """

    @pytest.fixture
    def model(self) -> PSF:
        """Instance to check; override it."""
        pytest.fail("give the contract class a fixture 'model' that returns an instance")

    @pytest.fixture
    def params(self, model: PSF) -> dict[str, Tensor]:
        """Parameter values, (B,); override it where the middle of the priors is no good."""
        return {
            parameter.name: torch.full((2,), sum(parameter.prior) / 2, dtype=torch.float64)
            for parameter in model.parameters
        }

    @pytest.fixture
    def sampling(self) -> Tensor:
        """Sides of a kernel element, (B,), arcsec."""
        return torch.tensor([0.05, 0.04], dtype=torch.float64)

    def test_declaration(self, model: PSF) -> None:
        """The name is a string, the parameters are declared once each."""
        check_declaration(model)

    def test_unit_sum(self, model: PSF, params: Any, sampling: Tensor) -> None:
        """Kernels have the shape asked for and sum to one."""
        kernel = model.kernel(sampling, 31, params)
        require(kernel.shape == (2, 31, 31), f"expected (2, 31, 31), got {kernel.shape}")
        torch.testing.assert_close(kernel.sum(dim=(-2, -1)), torch.ones_like(sampling))

    def test_dtype(self, model: PSF, params: Any, sampling: Tensor) -> None:
        """Kernels follow the dtype of the sampling."""
        single = {name: value.float() for name, value in params.items()}
        kernel = model.kernel(sampling.float(), 31, single)
        require(kernel.dtype == torch.float32, f"expected float32, got {kernel.dtype}")
        expected = model.kernel(sampling, 31, params)
        torch.testing.assert_close(kernel.double(), expected, rtol=1e-3, atol=1e-6)

    def test_even_size(self, model: PSF, params: Any, sampling: Tensor) -> None:
        """An even size is refused."""
        with pytest.raises(ValueError, match="odd"):
            model.kernel(sampling, 30, params)

    def test_size_for(self, model: PSF, params: Any, sampling: Tensor) -> None:
        """Sizes are odd and grow with the fraction that they hold."""
        sizes = [model.size_for(sampling, params, enclosed) for enclosed in (0.5, 0.8, 0.9)]
        require(all(size % 2 == 1 for size in sizes), f"sizes must be odd, got {sizes}")
        require(sizes == sorted(sizes), f"sizes must grow with the fraction, got {sizes}")


class NormalizerContract:
    """Checks of `astrorim.interfaces.Normalizer`."""

    @pytest.fixture
    def model(self) -> Normalizer:
        """Instance to check; override it."""
        pytest.fail("give the contract class a fixture 'model' that returns an instance")

    @pytest.fixture
    def data(self) -> np.ndarray:
        """An image, (H, W)."""
        return np.random.default_rng(5).normal(3.0, 2.0, size=(32, 24)) ** 2

    def test_round_trip(self, model: Normalizer, data: np.ndarray) -> None:
        """What `apply` does, `invert` undoes."""
        scaling = model.fit(data)
        np.testing.assert_allclose(scaling.invert(scaling.apply(data)), data, rtol=1e-12)

    def test_mask(self, model: Normalizer, data: np.ndarray) -> None:
        """Masked pixels do not matter, not even when they are not finite."""
        mask = np.zeros(data.shape, dtype=bool)
        mask[:3] = True
        spoilt = np.where(mask, np.nan, data)
        require(
            model.fit(spoilt, mask) == model.fit(data, mask),
            "a masked pixel must not change the scaling",
        )

    def test_constant_image(self, model: Normalizer) -> None:
        """An image without contrast is refused."""
        with pytest.raises(ValueError, match=r"constant|finite"):
            model.fit(np.ones((8, 8)))


class SimulatorContract:
    """Checks of `astrorim.interfaces.Simulator`."""

    @pytest.fixture
    def model(self) -> Simulator:
        """Instance to check; override it."""
        pytest.fail("give the contract class a fixture 'model' that returns an instance")

    @pytest.fixture
    def options(self) -> dict[str, Any]:
        """Frame to simulate: small, to be quick."""
        return {"shape": (48, 48), "supersampling": 2}

    def test_declaration(self, model: Simulator) -> None:
        """Name, description and parameters are declared."""
        check_declaration(model)
        require(model.description, "description must say what the simulator is for")

    def test_images(self, model: Simulator, options: dict[str, Any]) -> None:
        """Images are finite, the noise is positive and the PSF sums to one."""
        lenses = model.simulate(2, seed=1, **options)
        shape = (2, *options["shape"])
        for name in ("image", "noise", "noise_free", "lens_light"):
            value = getattr(lenses, name)
            require(value.shape == shape, f"{name}: expected {shape}, got {value.shape}")
            require(torch.isfinite(value).all(), f"{name} must be finite")
        require((lenses.noise > 0).all(), "noise must be positive")
        sums = lenses.psf.sum(dim=(-2, -1))
        torch.testing.assert_close(sums, torch.ones_like(sums))
        require(lenses.psf.shape[-1] % 2 == 1, "the PSF must have an odd size")

    def test_independent_of_batch(self, model: Simulator, options: dict[str, Any]) -> None:
        """A lens depends on the seed and its number alone, bit for bit."""
        together = model.simulate(3, seed=1, **options)
        alone = model.simulate(1, seed=1, start=2, **options)
        require(
            torch.equal(together.image[2:], alone.image),
            "lens 2 differs with the batch that it is drawn in",
        )
        other = model.simulate(1, seed=2, start=2, **options)
        require(not torch.equal(other.image, alone.image), "the seed changes nothing")


class NetworkBackendContract:
    """Checks of `astrorim.interfaces.NetworkBackend`."""

    @pytest.fixture
    def model(self) -> NetworkBackend:
        """Instance to check; override it."""
        pytest.fail("give the contract class a fixture 'model' that returns an instance")

    def test_build(self, model: NetworkBackend) -> None:
        """The recorded architecture builds the network that the defaults build."""
        network: nn.Module = model.build()
        again: nn.Module = model.build(**model.architecture())
        shapes, shapes_again = (
            {name: value.shape for name, value in module.state_dict().items()}
            for module in (network, again)
        )
        require(shapes, "the network has no weights")
        require(shapes == shapes_again, "architecture() does not rebuild the network")
        require(model.role in {"encoder", "recurrence"}, f"unknown role {model.role!r}")

    def test_unknown_option(self, model: NetworkBackend) -> None:
        """An option that the backend does not have is refused."""
        with pytest.raises(TypeError, match="no_such_option"):
            model.build(no_such_option=1)
