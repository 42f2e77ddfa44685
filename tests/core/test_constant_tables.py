import copy
import pickle

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


def test_copies_on_devices_are_not_copied() -> None:
    table = Table(torch.tensor([1, 0]))
    table.on(torch.device("meta"))
    for again in (copy.deepcopy(table), pickle.loads(pickle.dumps(table))):
        assert again.on(torch.device("cpu")).tolist() == [1, 0]
        assert again._copies.keys() == {torch.device("cpu")}
