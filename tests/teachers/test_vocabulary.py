import pytest
import torch

from crossx.core.errors import InputError
from crossx.teachers.vocabulary import Vocabulary

PHOTO = ["cat", "automobile", "dog"]
SKETCH = ["tree", "dog", "car (sedan)"]
ALIASES = {"automobile": "car (sedan)"}


@pytest.fixture
def words() -> Vocabulary:
    return Vocabulary(PHOTO, SKETCH, ALIASES)


def test_union_has_photo_order_then_sketch_only_names(words: Vocabulary) -> None:
    assert words.union == ("cat", "car (sedan)", "dog", "tree")
    assert words.shared == ("car (sedan)", "dog")
    assert len(words) == 4


def test_index_takes_names_and_aliases(words: Vocabulary) -> None:
    assert words.index("car (sedan)") == words.index("automobile") == 1
    with pytest.raises(InputError, match=r"'horse' is known to no teacher.*'cat'"):
        words.index("horse")


def test_union_posterior_scatters_and_sums_to_one(words: Vocabulary) -> None:
    logits = torch.tensor([[0.0, 1.0, 2.0]], requires_grad=True)
    e = torch.tensor([0.0, 1.0, 2.0]).exp() / torch.tensor([0.0, 1.0, 2.0]).exp().sum()
    sketch = words.union_posterior(logits, "sketch")  # tree, dog, car
    torch.testing.assert_close(sketch, torch.tensor([[0.0, e[2], e[1], e[0]]]))
    torch.testing.assert_close(words.union_posterior(logits, "photo"), torch.tensor([[e[0], e[1], e[2], 0.0]]))
    sketch[0, 3].backward()  # type: ignore[no-untyped-call]
    assert logits.grad is not None
    assert logits.grad.abs().min() > 0


def test_union_posterior_is_fp32_and_uses_the_temperature(words: Vocabulary) -> None:
    logits = torch.tensor([[8.0, 0.0, 0.0]], dtype=torch.bfloat16)
    hot = words.union_posterior(logits, "photo", temperature=4.0)
    assert hot.dtype == torch.float32
    torch.testing.assert_close(hot[0, :3], torch.softmax(torch.tensor([2.0, 0.0, 0.0]), 0))


def test_shared_logits_name_the_same_classes_in_both(words: Vocabulary) -> None:
    photo = words.shared_logits(torch.tensor([[10.0, 11.0, 12.0]]), "photo")
    sketch = words.shared_logits(torch.tensor([[20.0, 21.0, 22.0]]), "sketch")
    assert photo.tolist() == [[11.0, 12.0]]  # automobile, dog
    assert sketch.tolist() == [[22.0, 21.0]]  # car (sedan), dog


def test_known_and_teacher_target_agree(words: Vocabulary) -> None:
    everything = torch.arange(4)
    assert words.known("photo").tolist() == [True, True, True, False]
    assert words.known("sketch").tolist() == [False, True, True, True]
    assert words.teacher_target(everything, "photo").tolist() == [0, 1, 2, -1]
    assert words.teacher_target(everything, "sketch").tolist() == [-1, 2, 1, 0]


@pytest.mark.parametrize(
    ("photo", "sketch", "aliases", "message"),
    [
        (["a", "b"], ["c", "d"], None, "share no class"),
        (["a", "a"], ["a"], None, r"^aliases: class names of the photo teacher must differ, got \['a'\]"),
        (["a", "b"], ["a"], {"b": "a"}, r"^aliases: class names of the photo teacher must differ, got \['a'\]"),
        (["a"], ["a", "b"], {"b": "x"}, "'x', which no teacher knows"),
        (["a", "c"], ["a", "b"], {"b": "c", "c": "a"}, "which is an alias itself"),
    ],
)
def test_wrong_lists_are_refused(
    photo: list[str], sketch: list[str], aliases: dict[str, str] | None, message: str
) -> None:
    with pytest.raises(InputError, match=message):
        Vocabulary(photo, sketch, aliases)


def test_an_alias_may_be_a_spelling_of_the_data_set() -> None:
    vocabulary = Vocabulary(["a", "b"], ["b", "a"], {"x": "b"})
    assert vocabulary.index("x") == vocabulary.index("b") == 1
    assert vocabulary.union == ("a", "b")


def test_most_likely_class_of_a_pair() -> None:
    # Both teachers see b more than anything else together, though neither puts it first; indices are the union's.
    vocabulary = Vocabulary(["a", "b", "c"], ["c", "b", "d"])
    photo, sketch = torch.tensor([[0.5, 0.4, 0.1]]).log(), torch.tensor([[0.05, 0.45, 0.5]]).log()
    assert vocabulary.most_likely(photo, sketch).tolist() == [1]
