"""From a query that the encoder has understood to an answer in words."""

from typing import NamedTuple

from crossx.search.gallery.protocol import Gallery
from crossx.search.gallery.rows import Hit
from crossx.search.names import escaped_folder, printable
from crossx.search.serve import answers
from crossx.search.serve.limits import MOST_OFFSET
from crossx.search.serve.metrics import Metrics
from crossx.search.serve.queries import Queries, Understood
from crossx.search.serve.times import Times


class Page(NamedTuple):
    """Which hits are wanted.

    Attributes:
        k: How many.
        offset: Number of best hits before them.
        under: Folder in which they are; empty for all.
        exact: Whether every photo is compared.
    """

    k: int = 20
    offset: int = 0
    under: str = ""
    exact: bool = False


class Searcher:
    """Answers queries from one gallery with one encoder; used by several threads.

    Args:
        gallery: The photos.
        queries: The encoder's side.
        metrics: Where times are counted.
    """

    def __init__(self, gallery: Gallery, queries: Queries, metrics: Metrics) -> None:
        self.gallery, self.queries, self.metrics = gallery, queries, metrics

    def answer(self, understood: Understood, page: Page, times: Times) -> answers.Answer:
        """Find the photos of a query and describe them."""
        with times.part("search"):  # one more than wanted tells whether there is a next page, and one may be the query
            hits = self.gallery.search(understood.vector[None], page.k + 2, page.offset, page.under, page.exact)[0]
            places = [place for place, hit in enumerate(hits) if understood.itself not in (hit.id, *hit.copies)]
            results = [self._result(hits[place]) for place in places[: page.k]]
            how = self.gallery.how(page.under, page.exact)
        for part, value in times.ms.items():
            self.metrics.parts.labels(part).observe(value / 1000)
        self.metrics.queries.labels(understood.kind).inc()
        further = page.offset + places[page.k] if len(places) > page.k else MOST_OFFSET + 1
        return answers.Answer(
            query=answers.Query(
                kind=understood.kind,
                seen=understood.seen,
                warnings=list(understood.warnings),
                guesses=[answers.Guess(name=name, p=p) for name, p in understood.guesses],
            ),
            results=[result for result in results if result is not None],
            exact=how.exact,
            recall=how.recall,
            ms=answers.Milliseconds(**times.ms),
            next=further if further <= MOST_OFFSET else None,
        )

    def _result(self, hit: Hit) -> answers.Result | None:
        """A hit in words; None where it has been removed in the meantime."""
        try:
            photo = self.gallery.photo(hit.id)
        except KeyError:
            return None
        folder, _, name = photo.path.rpartition("/")
        return answers.Result(
            id=hit.id,
            score=round(hit.score, 6),
            verdict=self.queries.verdict(hit.score),
            name=printable(name),
            folder=escaped_folder(folder),
            width=photo.width,
            height=photo.height,
            thumb=answers.thumb_address(hit.id),
            copies=list(hit.copies),
        )
