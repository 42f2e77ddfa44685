"""Photos and sketches of a batch that are paired anew."""

from itertools import permutations
from pathlib import Path

import pytest
import torch
from support.commands import edit, joint_config, part, run
from support.runs import CLASSES, Teachers

from crossx.encoding.embeddings import PairEmbeddings
from crossx.encoding.module import EncoderModule
from crossx.pairs.matching import assign_greedily, paired_by_class
from crossx.reports.lookup import wants_agreement
from crossx.teachers.pair import TeacherPair
from crossx.types import PairBatch, Progress, TeacherOutput


def test_each_column_is_assigned_once_and_the_largest_score_first() -> None:
    scores = torch.rand(6, 6, generator=torch.Generator().manual_seed(0))
    columns = assign_greedily(scores)
    assert sorted(columns.tolist()) == list(range(6))
    row, column = divmod(int(scores.argmax()), 6)
    assert columns[row] == column
    best = max(sum(float(scores[r, c]) for r, c in enumerate(order)) for order in permutations(range(6)))
    assert float(scores[range(6), columns].sum()) >= best / 2, "what a greedy choice guarantees"
    assert assign_greedily(torch.zeros(3, 3)).sort().values.tolist() == [0, 1, 2], "ties"


def test_pairs_agree_as_far_as_the_batch_allows(teachers: Teachers) -> None:
    pair = TeacherPair(*teachers)
    photo, sketch = torch.tensor([0, 0, 1, 2, 3]), torch.tensor([3, 2, 0, 4, 1])

    def output(classes: torch.Tensor) -> TeacherOutput:
        logits = torch.zeros(5, len(CLASSES)).scatter(1, classes[:, None], 9.0)
        return TeacherOutput(logits, torch.arange(5.0)[:, None])

    images = torch.arange(5.0)[:, None, None, None].expand(5, 3, 2, 2) / 5
    made = paired_by_class(PairBatch(images, images, output(photo), output(sketch), photo), pair.vocabulary)
    assert made.photo is images
    seen = made.sketch_teacher.logits.argmax(1)
    assert int((photo == seen).sum()) == 4, "one of two photos of class 0 is left with the sketch of class 4"
    chosen = made.sketch_teacher.features[:, 0].long()
    assert torch.equal(made.sketch, images[chosen])
    assert torch.equal(made.target[photo == seen], photo[photo == seen])


def test_encoders_learn_from_the_new_pairs(teachers: Teachers, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    agreed = []
    objective_of = EncoderModule.objective_of

    def record(
        module: EncoderModule, embeddings: PairEmbeddings, progress: Progress
    ) -> tuple[torch.Tensor, dict[str, torch.Tensor]]:
        match = embeddings.photo_posterior @ embeddings.sketch_posterior.T
        agreed.append(bool(match.diagonal().max() == match.max()))
        return objective_of(module, embeddings, progress)

    monkeypatch.setattr(EncoderModule, "objective_of", record)
    for paired in (False, True):
        content = joint_config(teachers, tmp_path / str(paired))
        edit(content, "model.encoding.terms.sup_con.loss", part("InfoNCELoss"))
        edit(content, "model.encoding.pair_by_class", paired)
        edit(content, "model.reconstruction.terms.one_hot.loss", part("OneHotLoss", labels="predicted"))
        cli = run("fit", tmp_path / f"{paired}.yaml", content)
        assert wants_agreement(cli.model) != paired, "generated pairs need not agree where they are paired anew"
        assert all(agreed) == paired, "the two images of a batch that match best are a pair"
        agreed.clear()
