import torch
from support.runs import Teachers, encoding, reconstruction
from torch import nn

from crossx.networks.batch_norm import average_running_statistics, batch_norms, batch_statistics_only, eval_mode
from crossx.teachers.teacher import load_teacher


def statistics(module: nn.Module) -> list[torch.Tensor]:
    return [buffer.clone() for name, buffer in module.named_buffers() if "running" in name or "tracked" in name]


def test_layers_of_frozen_teachers_are_not_ours(teachers: Teachers) -> None:
    assert batch_norms(load_teacher(teachers.photo)) == []
    module = reconstruction(teachers, norm="batch")
    assert len(batch_norms(module)) == len(batch_norms(module.generators)) == 6


def test_layers_without_running_statistics_are_left_out() -> None:
    layer = nn.BatchNorm1d(2)
    assert batch_norms(nn.Sequential(nn.BatchNorm1d(2, track_running_stats=False), nn.LayerNorm(2), layer)) == [layer]


def test_batch_statistics_normalise_and_leave_everything_as_it_was() -> None:
    network = nn.Sequential(nn.BatchNorm1d(3), nn.Linear(3, 3), nn.BatchNorm1d(3)).eval()
    network[2].train()
    before, modes = statistics(network), [m.training for m in network.modules()]
    x = torch.randn(64, 3) * 5 + 7
    with torch.no_grad(), batch_statistics_only(network):
        normalised = network[0](x)
        network(x)
    torch.testing.assert_close(normalised.mean(0), torch.zeros(3), atol=1e-5, rtol=0)
    torch.testing.assert_close(normalised.std(0, correction=0), torch.ones(3), atol=1e-4, rtol=0)
    assert all(map(torch.equal, before, statistics(network)))
    assert [m.training for m in network.modules()] == modes
    network.train()(x)
    assert not torch.equal(before[0], statistics(network)[0]), "afterwards they move again"


def test_modes_come_back_after_an_error_too() -> None:
    network = nn.Sequential(nn.BatchNorm1d(3), nn.Dropout())
    network[0].eval()
    for context in (eval_mode, batch_statistics_only):
        try:
            with context(network):
                raise KeyError
        except KeyError:
            pass
        assert [m.training for m in network.modules()] == [True, False, True]


def test_eval_mode_reaches_every_module(teachers: Teachers) -> None:
    module = encoding(teachers, norm="batch")
    module.photo_encoder.eval()
    with eval_mode(module):
        assert not any(m.training for m in module.modules())
    assert module.training
    assert not module.photo_encoder.training
    assert module.sketch_encoder.training


def test_one_process_averages_with_nobody() -> None:
    layer = nn.BatchNorm1d(3)
    layer(torch.randn(8, 3))
    before = statistics(layer)
    average_running_statistics(layer)
    assert all(map(torch.equal, before, statistics(layer)))
