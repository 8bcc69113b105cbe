"""Searching, embedding and comparing images: methods of both clients."""

from collections.abc import Sequence

from gemello.client import results
from gemello.client.calls import searches
from gemello.client.calls.call import Filter, Picture
from gemello.client.calls.searches import Box, Combine, Ranking
from gemello.client.connection import AsyncConnection, Connection, same_doc_as


class Searches(Connection):
    """Searches, and what else compares images."""

    def search(
        self,
        *like: Picture | str,
        box: Box | None = None,
        combine: Combine = "best",
        unlike: Sequence[Picture | str] = (),
        top_k: int = 10,
        offset: int = 0,
        max_distance: float | None = None,
        min_score: float | None = None,
        match_false_alarms: float | None = None,
        filter: Filter | None = None,  # noqa: A002
        group_by: str | None = None,
        flip: bool = False,
        embeddings: bool = False,
    ) -> results.SearchAnswer:
        """Return the gallery sorted by distance from one image or several, which are not stored.

        like, unlike: paths, bytes, or ids of stored images; results nearer to an unlike one are left out
        box: (x1, y1, x2, y2) in 0–1, to search with this part of the image alone
        combine: distance from the nearest of several images ("best") or from their average ("mean")
        top_k, offset: how many results, from which on
        max_distance, min_score: leave out what is farther away, or less likely a match
        match_false_alarms: of the queries without a match, the part that may be told of one; None
            for what the service is set to
        filter: metadata keys, ``label`` and ``filename`` with values or operators, as in docs/api.md
        group_by: only the nearest image of each value of this key
        flip: find mirror images, too
        embeddings: with the vectors of the query and the results

        Each result has ``distance``, ``score`` (the probability of a match) and ``match`` (whether it is
        near enough to be called one), None without a calibration; ``match`` of the whole answer is
        False when nothing in the gallery is one, and ``calibration`` says what the verdicts rest on. Raises ``ApiError`` and ``Unreachable``.
        """
        ranking = Ranking(
            top_k,
            offset,
            max_distance,
            min_score,
            match_false_alarms,
            filter,
            group_by,
            flip,
            embeddings,
        )
        return self.run(searches.search(like, unlike, box, combine, ranking))

    def search_batch(
        self,
        images: Sequence[Picture],
        *,
        top_k: int = 10,
        offset: int = 0,
        max_distance: float | None = None,
        min_score: float | None = None,
        match_false_alarms: float | None = None,
        filter: Filter | None = None,  # noqa: A002
        group_by: str | None = None,
        flip: bool = False,
        embeddings: bool = False,
    ) -> results.BatchAnswer:
        """Return a search's results for each image; the options are those of ``search``.

        A file that is not an image is an item with an error. Raises ``ApiError`` and ``Unreachable``.
        """
        ranking = Ranking(
            top_k,
            offset,
            max_distance,
            min_score,
            match_false_alarms,
            filter,
            group_by,
            flip,
            embeddings,
        )
        return self.run(searches.search_batch(images, ranking))

    def similar(
        self,
        image_id: str,
        *,
        top_k: int = 10,
        offset: int = 0,
        max_distance: float | None = None,
        min_score: float | None = None,
        match_false_alarms: float | None = None,
        filter: Filter | None = None,  # noqa: A002
        group_by: str | None = None,
        flip: bool = False,
        embeddings: bool = False,
    ) -> results.SearchAnswer:
        """Return the gallery sorted by distance from a stored image, which is itself left out.

        The options are those of ``search``. Raises ``ApiError`` and ``Unreachable``.
        """
        ranking = Ranking(
            top_k,
            offset,
            max_distance,
            min_score,
            match_false_alarms,
            filter,
            group_by,
            flip,
            embeddings,
        )
        return self.run(searches.similar(image_id, ranking))

    def embed(self, images: Sequence[Picture]) -> results.EmbedAnswer:
        """Return the embedding of each image.

        A file that is not an image is an item with an error. Raises ``ApiError`` and ``Unreachable``.
        """
        return self.run(searches.embed(images))

    def compare(
        self,
        first: Picture | str,
        second: Picture | str,
        *,
        match_false_alarms: float | None = None,
    ) -> results.Comparison:
        """Return how alike two images are: paths, bytes or ids of stored images.

        match_false_alarms: as in a search, among a hundred images

        Raises ``ApiError`` and ``Unreachable``.
        """
        return self.run(searches.compare(first, second, match_false_alarms))

    def duplicates(
        self, *, max_distance: float = 0.25, limit: int = 100, offset: int = 0
    ) -> results.Duplicates:
        """Return groups of near-duplicates, joined by steps no longer than ``max_distance``.

        ``limit`` of them from the ``offset``-th on, the largest first. Raises ``ApiError`` and
        ``Unreachable``.
        """
        return self.run(searches.duplicates(max_distance, limit, offset))


class AsyncSearches(AsyncConnection):
    """The same for asyncio."""

    @same_doc_as(Searches.search)
    async def search(
        self,
        *like: Picture | str,
        box: Box | None = None,
        combine: Combine = "best",
        unlike: Sequence[Picture | str] = (),
        top_k: int = 10,
        offset: int = 0,
        max_distance: float | None = None,
        min_score: float | None = None,
        match_false_alarms: float | None = None,
        filter: Filter | None = None,  # noqa: A002
        group_by: str | None = None,
        flip: bool = False,
        embeddings: bool = False,
    ) -> results.SearchAnswer:
        ranking = Ranking(
            top_k,
            offset,
            max_distance,
            min_score,
            match_false_alarms,
            filter,
            group_by,
            flip,
            embeddings,
        )
        return await self.run(searches.search(like, unlike, box, combine, ranking))

    @same_doc_as(Searches.search_batch)
    async def search_batch(
        self,
        images: Sequence[Picture],
        *,
        top_k: int = 10,
        offset: int = 0,
        max_distance: float | None = None,
        min_score: float | None = None,
        match_false_alarms: float | None = None,
        filter: Filter | None = None,  # noqa: A002
        group_by: str | None = None,
        flip: bool = False,
        embeddings: bool = False,
    ) -> results.BatchAnswer:
        ranking = Ranking(
            top_k,
            offset,
            max_distance,
            min_score,
            match_false_alarms,
            filter,
            group_by,
            flip,
            embeddings,
        )
        return await self.run(searches.search_batch(images, ranking))

    @same_doc_as(Searches.similar)
    async def similar(
        self,
        image_id: str,
        *,
        top_k: int = 10,
        offset: int = 0,
        max_distance: float | None = None,
        min_score: float | None = None,
        match_false_alarms: float | None = None,
        filter: Filter | None = None,  # noqa: A002
        group_by: str | None = None,
        flip: bool = False,
        embeddings: bool = False,
    ) -> results.SearchAnswer:
        ranking = Ranking(
            top_k,
            offset,
            max_distance,
            min_score,
            match_false_alarms,
            filter,
            group_by,
            flip,
            embeddings,
        )
        return await self.run(searches.similar(image_id, ranking))

    @same_doc_as(Searches.embed)
    async def embed(self, images: Sequence[Picture]) -> results.EmbedAnswer:
        return await self.run(searches.embed(images))

    @same_doc_as(Searches.compare)
    async def compare(
        self,
        first: Picture | str,
        second: Picture | str,
        *,
        match_false_alarms: float | None = None,
    ) -> results.Comparison:
        return await self.run(searches.compare(first, second, match_false_alarms))

    @same_doc_as(Searches.duplicates)
    async def duplicates(
        self, *, max_distance: float = 0.25, limit: int = 100, offset: int = 0
    ) -> results.Duplicates:
        return await self.run(searches.duplicates(max_distance, limit, offset))
