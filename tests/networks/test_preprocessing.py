import numpy as np
import pytest
import torch
from PIL import Image
from torchvision.transforms import InterpolationMode
from torchvision.transforms import functional as TF

from crossx.networks.preprocessing import InputFormat, Interpolation, Preprocessing, prepare

ZERO, ONE = torch.zeros(3), torch.ones(3)


@pytest.mark.parametrize("interpolation", ["bilinear", "bicubic"])
@pytest.mark.parametrize(("size", "crop"), [(32, 1.0), (32, 0.875), (28, 0.95), (48, 0.9)])
def test_resizing_and_cropping_are_those_of_torchvision_on_8_bit_images(
    interpolation: Interpolation, size: int, crop: float
) -> None:
    """What timm's evaluation does to a PIL image, up to the rounding of its pixels."""
    coarse = np.random.default_rng(0).integers(0, 256, (8, 8, 3), dtype=np.uint8)
    pixels = np.array(Image.fromarray(coarse).resize((60, 60), Image.Resampling.BILINEAR))
    mode = InterpolationMode(interpolation)
    resized = TF.resize(Image.fromarray(pixels), int(size / crop), mode)
    wanted = TF.to_tensor(TF.center_crop(resized, [size, size]))
    images = torch.from_numpy(pixels).permute(2, 0, 1)[None] / 255
    found = prepare(images, size, ZERO, ONE, interpolation, crop)[0]
    assert found.shape == (3, size, size)
    assert (found - wanted).abs().max() < 1.6 / 255
    assert found.min() >= 0
    assert found.max() <= 1


def test_height_and_width_differ() -> None:
    x = torch.rand(2, 3, 20, 20)
    for crop in (1.0, 0.8):
        assert Preprocessing(*InputFormat((8, 12), (0.5,) * 3, (0.5,) * 3, crop=crop))(x).shape == (2, 3, 8, 12)
    same = torch.rand(2, 3, 8, 12)
    assert torch.equal(prepare(same, (8, 12), ZERO, ONE), same)


def test_one_number_makes_one_grey_channel() -> None:
    x = torch.rand(2, 3, 9, 9)
    found = Preprocessing(9, (0.25,), (0.5,))(x)
    torch.testing.assert_close(found, (x.mean(1, keepdim=True) - 0.25) / 0.5)


@pytest.mark.parametrize("interpolation", ["bilinear", "bicubic"])
def test_every_pixel_inside_the_crop_has_a_gradient(interpolation: Interpolation) -> None:
    x = torch.full((1, 3, 40, 40), 0.5, requires_grad=True)
    prepare(x, 16, torch.zeros(1), torch.ones(1), interpolation, 0.8).sum().backward()  # type: ignore[no-untyped-call]
    assert x.grad is not None
    assert (x.grad[..., 6:34, 6:34] != 0).all()
    assert (x.grad[..., 0, :] == 0).all()
