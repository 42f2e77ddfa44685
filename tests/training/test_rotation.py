import pytest

from crossx.training.rotation import Rotation

ROTATIONS = [
    (Rotation((1, 1)), "ABABABABAB"),
    (Rotation((1, 2, 3)), "ABBCCCABBCCC"),
    (Rotation((2, 1, 1), warmup=3), "AAAAABCAABC"),
    (Rotation((0, 2, 1), warmup=2), "AABBCBBC"),
    (Rotation((0, 1, 0)), "BBBB"),
    (Rotation((1, 0, 1), warmup=1), "AACACAC"),
    (Rotation((3,), warmup=2), "AAAAAAA"),
]


@pytest.mark.parametrize(("rotation", "players"), ROTATIONS)
def test_player_of_each_batch(rotation: Rotation, players: str) -> None:
    assert "".join("ABC"[rotation.player(done)] for done in range(len(players))) == players


@pytest.mark.parametrize("rotation", [rotation for rotation, _ in ROTATIONS] + [Rotation((4, 1, 7), warmup=11)])
def test_batches_of_a_player_are_those_counted(rotation: Rotation) -> None:
    turns: list[int] = []
    for done in range(60):
        for player in range(len(rotation.steps)):
            assert rotation.batches_of(player, done) == turns.count(player)
        turns.append(rotation.player(done))


def test_a_turn_does_not_depend_on_what_was_asked_before() -> None:
    rotation = Rotation((1, 2, 3), warmup=5)
    forward = [(rotation.player(done), rotation.batches_of(1, done)) for done in range(40)]
    backward = [(rotation.player(done), rotation.batches_of(1, done)) for done in reversed(range(40))]
    assert forward == backward[::-1]
    assert rotation == Rotation((1, 2, 3), warmup=5)
