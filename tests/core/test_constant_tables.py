import torch

from crossx.core.tables import Table


def test_one_copy_for_each_device() -> None:
    values = torch.arange(3)
    table = Table(values)
    assert table.on(torch.device("cpu")) is values
    meta = table.on(torch.device("meta"))
    assert meta.device.type == "meta"
    assert table.on(torch.device("meta")) is meta


def test_copy_of_inference_mode_serves_in_training() -> None:
    """A validation before the first step is what copies it."""
    table = Table(torch.tensor([1, 0]))
    with torch.inference_mode():
        copied = table.on(torch.device("meta"))
    assert not copied.is_inference()
