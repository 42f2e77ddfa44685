"""The generator: what it draws is what it says about drawings, and it learns to stop."""

import pytest
import torch
from support.drawing import LENGTHS, drawing_generator, drawings, photos
from torch import Tensor

from crossx.core.errors import InputError
from crossx.core.seeding import Stream, philox
from crossx.finegrained.drawing.decoder import under_pen
from crossx.finegrained.drawing.generator import DrawingGenerator, drawing_noise
from crossx.finegrained.drawing.losses import counts, drawing_loss
from crossx.finegrained.drawing.photo_encoder import PhotoEncoder2D
from crossx.teachers.teacher import load_teacher


def overfitted(end_row_counts: bool, steps: int = 250) -> DrawingGenerator:
    """A generator that has learnt eight drawings by heart."""
    generator = drawing_generator(hidden=48).eval()  # the latent is its mean
    x, five = photos(), drawings()
    optimizer = torch.optim.Adam(generator.parameters(), 0.01)
    schedule = torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, steps)
    for _ in range(steps):
        taught = generator(x, five)
        offset, pen = drawing_loss(taught.mixture, taught.rows, five.length)
        if not end_row_counts:  # as published
            points, _ = counts(five.length, taught.rows.shape[1])
            pen = -taught.mixture.pen_log_prob(taught.rows[..., 2:])[points].mean()
        optimizer.zero_grad()
        (0.3 * offset.clamp(min=-4) + pen).backward()  # type: ignore[no-untyped-call]
        optimizer.step()
        schedule.step()
    return generator


def test_it_learns_to_stop() -> None:
    drawing = overfitted(end_row_counts=True).draw(photos(), greedy=True)
    assert drawing.ended.all()
    wrong = drawing.length - torch.tensor(LENGTHS)
    assert (wrong == 0).sum() >= 6, "exact but where its own offsets have led it elsewhere"
    assert wrong.abs().max() <= 1
    assert (drawing.rows[torch.arange(8), drawing.length, 4] == 1).all()


def test_with_the_end_row_masked_it_does_not() -> None:
    drawing = overfitted(end_row_counts=False, steps=80).draw(photos(), greedy=True)
    assert not drawing.ended.any()
    assert (drawing.length == 20).all()


@pytest.mark.parametrize("attention", ["input", "output"])
def test_log_probability_of_a_draw_is_recomputed(attention: str) -> None:
    generator = drawing_generator(attention).train()  # type: ignore[arg-type]
    drawing = generator.draw(photos(), 1.0, torch.Generator().manual_seed(3), max_points=3)
    assert generator.training, "drawing leaves the mode as it is"
    assert 0 < drawing.ended.sum() < 8, "some end and some are cut"
    again = generator.log_prob(photos(), drawing.rows, drawing.length, drawing.ended)
    torch.testing.assert_close(again.log_prob, drawing.log_prob, rtol=1e-4, atol=1e-4)
    torch.testing.assert_close(again.entropy, drawing.entropy, rtol=1e-4, atol=1e-4)
    assert again.log_prob.requires_grad
    assert drawing.attention is not None
    assert again.attention is not None
    torch.testing.assert_close(
        again.attention[:, : drawing.attention.shape[1]][:, 0], drawing.attention[:, 0], rtol=1e-4, atol=1e-5
    )
    torch.testing.assert_close(drawing.attention.sum((2, 3)), torch.ones(drawing.attention.shape[:2]))


def test_rows_at_once_are_rows_one_after_the_other() -> None:
    for attention in ("input", "output"):
        generator = drawing_generator(attention).eval()
        five = drawings()
        whole = generator(photos(), five).mixture
        features, pooled = generator.encoder(photos())
        seen = generator.decoder.see(features, generator.mean(pooled))
        state = generator.decoder.first_state(seen)
        row, pen = torch.tensor([0.0, 0, 1, 0, 0]).expand(8, 1, 5), torch.full((8, 1, 2), 0.5)
        for at in range(five.rows.shape[1]):
            step, _, state = generator.decoder(seen, row, pen, state)
            torch.testing.assert_close(step.pen[:, 0], whole.pen[:, at], rtol=1e-4, atol=1e-5)
            torch.testing.assert_close(step.mean[:, 0], whole.mean[:, at], rtol=1e-4, atol=1e-5)
            row = five.rows[:, at : at + 1]
            pen = pen + 0.1 * row[..., :2]


def test_same_seed_same_bits_and_order_changes_nothing() -> None:
    generator = drawing_generator()
    noise = drawing_noise([philox(0, i, Stream.DRAWINGS) for i in range(8)], 20)
    first, again = (generator.draw(photos(), 0.5, noise=noise) for _ in range(2))
    assert torch.equal(first.rows, again.rows)
    seeded = [generator.draw(photos(), 0.5, torch.Generator().manual_seed(1)) for _ in range(2)]
    assert torch.equal(seeded[0].rows, seeded[1].rows)
    order = torch.tensor([3, 1, 7, 0, 2, 6, 5, 4])
    turned = generator.draw(photos()[order], 0.5, noise=noise[order])
    assert torch.equal(turned.length, first.length[order])
    torch.testing.assert_close(turned.rows, first.rows[order][:, : turned.rows.shape[1]], rtol=1e-4, atol=1e-4)


def test_drawings_in_another_scale_are_the_same_drawings() -> None:
    generator = drawing_generator().eval()
    five = drawings()
    finer = drawings()
    finer.rows[..., :2] *= 2
    finer.scale = 0.05
    torch.testing.assert_close(generator(photos(), finer).rows, generator(photos(), five).rows)


def test_rows_without_room_for_the_end_row_get_it() -> None:
    generator = drawing_generator()
    five = drawings()
    five.rows = five.rows[:, : max(LENGTHS)]
    assert generator(photos(), five).rows.shape[1] == max(LENGTHS) + 1


def test_the_map_under_the_pen() -> None:
    features = torch.arange(4.0).view(1, 1, 2, 2)
    places = torch.tensor([[[0.25, 0.25], [0.75, 0.25], [0.25, 0.75], [0.5, 0.5], [9.0, 9.0]]])
    assert under_pen(features, places)[0, :, 0].tolist() == pytest.approx([0.0, 1.0, 2.0, 1.5, 3.0])


def test_every_parameter_has_a_gradient() -> None:
    for attention in ("input", "output"):
        generator = drawing_generator(attention).train()
        for p in generator.parameters():  # the last layer of the correction starts at 0
            p.data += 0.01 * torch.randn_like(p)
        taught = generator(photos(), drawings())
        offset, pen = drawing_loss(taught.mixture, taught.rows, torch.tensor(LENGTHS))
        (offset + pen + taught.mean.square().sum()).backward()
        missing = [name for name, p in generator.named_parameters() if p.grad is None or not p.grad.any()]
        assert missing == []


def test_the_network_starts_as_the_teacher_and_trains() -> None:
    file = "crossx:assets/shapes_photo.safetensors"
    encoder, teacher = PhotoEncoder2D(file).train(), load_teacher(file, "teacher").network.state_dict()
    assert all(torch.equal(tensor, teacher[name]) for name, tensor in encoder.network.state_dict().items())
    features, pooled = encoder(torch.rand(4, 3, 32, 32))
    (features.square().sum() + pooled.sum()).backward()
    assert [name for name, p in encoder.named_parameters() if p.grad is None] == []
    assert (encoder.channels, encoder.cells) == (64, (8, 8))


@pytest.mark.parametrize("network", ["timm:resnet10t"])
def test_networks_of_timm_have_a_map(network: str) -> None:
    encoder = PhotoEncoder2D(network=network, input_size=64)
    features, pooled = encoder.eval()(torch.rand(1, 3, 40, 40))
    assert features.shape == (1, 512, 2, 2)
    assert pooled.shape == (1, 512)


def test_a_network_without_a_map() -> None:
    with pytest.raises(InputError, match=r"network: must have a map of features, .* as convolutional networks do"):
        PhotoEncoder2D(network="timm:vit_tiny_patch16_224", input_size=224)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"temperature": 0.0}, r"temperature: must be above 0, got 0\.0"),
        ({"max_points": 251}, r"max_points: must be in \[1, 250\], got 251"),
        ({"max_points": 0}, r"max_points: must be in \[1, 250\], got 0"),
    ],
)
def test_numbers_out_of_range(arguments: dict[str, float], message: str) -> None:
    with pytest.raises(InputError, match=message):
        drawing_generator().draw(photos(), **arguments)  # type: ignore[arg-type]


def test_it_cannot_draw_before_it_has_seen_a_drawing() -> None:
    generator = drawing_generator()
    generator.scale.zero_()
    with pytest.raises(InputError, match="must be trained or read from a file before it draws"):
        generator.draw(photos())


def rewarded(generator: DrawingGenerator, x: Tensor) -> Tensor:
    drawing = generator.draw(x, 1.0, torch.Generator().manual_seed(0))
    return generator.log_prob(x, drawing.rows, drawing.length, drawing.ended).log_prob.sum()


def test_policy_gradients_reach_all_that_draws() -> None:
    generator = drawing_generator().train()
    rewarded(generator, photos()).backward()  # type: ignore[no-untyped-call]
    without = [name for name, p in generator.named_parameters() if p.grad is None]
    assert all(name.startswith("log_var") for name in without), "the latent is its mean, whose variance draws nothing"
