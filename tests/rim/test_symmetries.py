from __future__ import annotations

from dataclasses import replace

import pytest
import torch

from astrorim.lensing import ForwardModel, SourceFrames
from astrorim.rim.symmetries import (
    NUM_SYMMETRIES,
    inverse_symmetry,
    transform_image,
    transform_values,
)


@pytest.mark.parametrize("symmetry", range(NUM_SYMMETRIES))
@pytest.mark.parametrize("shape", [(16, 16), (15, 15), (14, 17)])
@pytest.mark.parametrize("psf_supersampling", [1, 2])
def test_rendering_is_equivariant(
    system, data, values, generator, deviation, symmetry, shape, psf_supersampling
):
    dtype = values.dtype
    shape = (3, *shape)
    blank = torch.zeros(shape, dtype=dtype)
    psf = torch.rand(3, 5, 5, generator=generator, dtype=dtype)
    own = replace(
        data,
        image=blank,
        noise=blank + 1,
        good=blank + 1,
        psf=psf / psf.sum(dim=(-2, -1), keepdim=True),
        psf_supersampling=psf_supersampling,
    )
    moved = replace(
        own,
        **{
            name: transform_image(getattr(own, name), symmetry)
            for name in ("image", "noise", "good", "psf")
        },
    )
    source = torch.rand(3, 12, 12, generator=generator, dtype=dtype)
    centre = 0.2 * torch.rand(3, 2, generator=generator, dtype=dtype)
    frames = SourceFrames(centre, torch.full((3,), 0.1, dtype=dtype), 12)
    # lens light at a place of its own
    values = values.clone()
    values[:, system.parameters.index_of("light_x0")] += 0.07

    image = ForwardModel(system, own).render(source, values, frames)
    moved_image = ForwardModel(system, moved).render(
        transform_image(source, symmetry),
        transform_values(values, system.parameters.names, symmetry),
        frames._replace(centre=transform_values(centre, ("x0", "y0"), symmetry)),
    )
    error = (moved_image - transform_image(image, symmetry)).abs().max() / image.max()
    assert deviation("equivariance of rendering, of the peak", error) < 1e-12


def test_the_first_symmetry_is_the_identity(values, system, data):
    assert torch.equal(transform_image(data.image, 0), data.image)
    names = system.parameters.names
    assert torch.equal(transform_values(values, names, 0), values)


def test_all_symmetries_differ():
    image = torch.arange(9.0).reshape(3, 3)
    moved = {tuple(transform_image(image, s).flatten().tolist()) for s in range(NUM_SYMMETRIES)}
    assert len(moved) == NUM_SYMMETRIES


@pytest.mark.parametrize("symmetry", range(NUM_SYMMETRIES))
def test_each_symmetry_has_an_inverse_for_images_and_values_alike(values, system, symmetry):
    image = torch.arange(9.0).reshape(3, 3)
    names = system.parameters.names
    inverses = [
        s
        for s in range(NUM_SYMMETRIES)
        if torch.equal(transform_image(transform_image(image, symmetry), s), image)
    ]
    assert len(inverses) == 1
    back = transform_values(transform_values(values, names, symmetry), names, inverses[0])
    assert torch.equal(back, values)


def test_labelled_components_move_with_their_own_partner():
    names = ("x0", "y0", "x0_2", "y0_2", "e1_2", "e2_2", "kappa_s", "theta_E")
    values = torch.arange(1.0, 9.0)[None]
    swapped = transform_values(values, names, 4)
    assert swapped.tolist() == [[2.0, 1.0, 4.0, 3.0, -5.0, 6.0, 7.0, 8.0]]
    flipped = transform_values(values, names, 1)
    assert flipped.tolist() == [[-1.0, 2.0, -3.0, 4.0, 5.0, -6.0, 7.0, 8.0]]


@pytest.mark.parametrize("symmetry", [-1, 8])
def test_other_symmetries_are_refused(symmetry):
    with pytest.raises(ValueError, match=f"symmetry must be 0 to 7, got {symmetry}"):
        transform_image(torch.zeros(2, 2), symmetry)
    with pytest.raises(ValueError, match=f"symmetry must be 0 to 7, got {symmetry}"):
        transform_values(torch.zeros(1, 1), ("x0",), symmetry)


@pytest.mark.parametrize("symmetry", range(NUM_SYMMETRIES))
def test_the_inverse_undoes(values, system, symmetry):
    names = system.parameters.names
    there = transform_values(values, names, symmetry)
    assert torch.equal(transform_values(there, names, inverse_symmetry(symmetry)), values)
    image = torch.arange(12.0).reshape(3, 4)
    back = transform_image(transform_image(image, symmetry), inverse_symmetry(symmetry))
    assert torch.equal(back, image)


def test_the_inverse_of_no_symmetry_is_refused():
    with pytest.raises(ValueError, match="symmetry must be 0 to 7, got 8"):
        inverse_symmetry(8)
