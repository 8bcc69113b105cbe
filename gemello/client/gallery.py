"""The gallery's images: methods of both clients."""

from collections.abc import AsyncIterator, Iterator, Mapping, Sequence
from typing import Any

from gemello.client import results
from gemello.client.calls import gallery
from gemello.client.calls.call import Filter, OnConflict, Picture
from gemello.client.calls.gallery import UNCHANGED, Unchanged
from gemello.client.connection import AsyncConnection, Connection, same_doc_as


class Gallery(Connection):
    """What is stored, and changing it."""

    def add(
        self,
        images: Sequence[Picture],
        *,
        ids: Sequence[str | None] | None = None,
        labels: Sequence[str | None] | None = None,
        metadata: Sequence[Mapping[str, Any] | None] | None = None,
        embeddings: Sequence[Sequence[float] | None] | None = None,
        embeddings_model: str | None = None,
        names: Sequence[str] | None = None,
        on_conflict: OnConflict = "skip",
    ) -> list[results.Item]:
        """Store images; return an item for each, whose ``status`` and ``error`` say what became of it.

        Each list has one entry for each image; an image without an id is named by its bytes. ``embeddings``
        that the model ``embeddings_model`` made are taken over, where the service has the same model;
        ``names`` are shown instead of the files' own. Raises ``ApiError`` when the request as a whole is
        refused, which a file alone never causes, and ``Unreachable``.
        """
        lists = {"ids": ids, "labels": labels, "metadata": metadata, "embeddings": embeddings}
        return self.run(gallery.add(images, names, lists, embeddings_model, on_conflict))

    def page(
        self,
        *,
        limit: int = 100,
        cursor: str | None = None,
        filter: Filter | None = None,  # noqa: A002
        embeddings: bool = False,
    ) -> results.ImagePage:
        """Return records in order of arrival; ``next_cursor`` leads to more.

        Raises ``ApiError`` and ``Unreachable``.
        """
        return self.run(gallery.page(limit, cursor, filter, embeddings))

    def images(
        self,
        *,
        limit: int = 1000,
        filter: Filter | None = None,  # noqa: A002
    ) -> Iterator[results.Image]:
        """Yield every image's record, in order of arrival, fetched ``limit`` at a time.

        Raises ``ApiError`` and ``Unreachable``.
        """
        cursor: str | None = None
        while True:
            page = self.page(limit=limit, cursor=cursor, filter=filter)
            yield from page.images
            cursor = page.next_cursor
            if cursor is None:
                return

    def get(self, image_id: str) -> results.Image:
        """Return an image's record. Raises ``ApiError`` (404 without such an image), ``Unreachable``."""
        return self.run(gallery.get(image_id))

    def content(self, image_id: str) -> bytes:
        """Return an image's bytes, as they were uploaded. Raises ``ApiError`` and ``Unreachable``."""
        return self.run(gallery.content(image_id))

    def thumbnail(self, image_id: str, *, size: int = 256) -> bytes:
        """Return a small picture of an image as WebP, its longer side ``size`` pixels.

        The service rounds ``size`` up to 64, 128, 256, 512 or 1024; no picture is made larger than it is. Raises ``ApiError`` and ``Unreachable``.
        """
        return self.run(gallery.thumbnail(image_id, size))

    def update(
        self,
        image_id: str,
        *,
        label: str | Unchanged | None = UNCHANGED,
        metadata: Mapping[str, Any] | Unchanged = UNCHANGED,
    ) -> results.Image:
        """Change an image's label and metadata where given, and return its record.

        A label of None takes it away; metadata are merged, and None takes a key away. Raises ``ApiError``
        and ``Unreachable``.
        """
        return self.run(gallery.update(image_id, label, metadata))

    def remove(self, image_id: str) -> None:
        """Remove an image. Raises ``ApiError`` (404 without such an image), ``Unreachable``."""
        return self.run(gallery.remove(image_id))

    def remove_where(self, filter: Filter) -> int:  # noqa: A002
        """Remove all images that a filter names, ``{}`` all there are; return how many.

        Raises ``ApiError`` and ``Unreachable``.
        """
        return self.run(gallery.remove_where(filter))

    def stats(self) -> results.Stats:
        """Return counts over the whole gallery. Raises ``ApiError`` and ``Unreachable``."""
        return self.run(gallery.stats())


class AsyncGallery(AsyncConnection):
    """The same for asyncio."""

    @same_doc_as(Gallery.add)
    async def add(
        self,
        images: Sequence[Picture],
        *,
        ids: Sequence[str | None] | None = None,
        labels: Sequence[str | None] | None = None,
        metadata: Sequence[Mapping[str, Any] | None] | None = None,
        embeddings: Sequence[Sequence[float] | None] | None = None,
        embeddings_model: str | None = None,
        names: Sequence[str] | None = None,
        on_conflict: OnConflict = "skip",
    ) -> list[results.Item]:
        lists = {"ids": ids, "labels": labels, "metadata": metadata, "embeddings": embeddings}
        return await self.run(gallery.add(images, names, lists, embeddings_model, on_conflict))

    @same_doc_as(Gallery.page)
    async def page(
        self,
        *,
        limit: int = 100,
        cursor: str | None = None,
        filter: Filter | None = None,  # noqa: A002
        embeddings: bool = False,
    ) -> results.ImagePage:
        return await self.run(gallery.page(limit, cursor, filter, embeddings))

    @same_doc_as(Gallery.images)
    async def images(
        self,
        *,
        limit: int = 1000,
        filter: Filter | None = None,  # noqa: A002
    ) -> AsyncIterator[results.Image]:
        cursor: str | None = None
        while True:
            page = await self.page(limit=limit, cursor=cursor, filter=filter)
            for image in page.images:
                yield image
            cursor = page.next_cursor
            if cursor is None:
                return

    @same_doc_as(Gallery.get)
    async def get(self, image_id: str) -> results.Image:
        return await self.run(gallery.get(image_id))

    @same_doc_as(Gallery.content)
    async def content(self, image_id: str) -> bytes:
        return await self.run(gallery.content(image_id))

    @same_doc_as(Gallery.thumbnail)
    async def thumbnail(self, image_id: str, *, size: int = 256) -> bytes:
        return await self.run(gallery.thumbnail(image_id, size))

    @same_doc_as(Gallery.update)
    async def update(
        self,
        image_id: str,
        *,
        label: str | Unchanged | None = UNCHANGED,
        metadata: Mapping[str, Any] | Unchanged = UNCHANGED,
    ) -> results.Image:
        return await self.run(gallery.update(image_id, label, metadata))

    @same_doc_as(Gallery.remove)
    async def remove(self, image_id: str) -> None:
        return await self.run(gallery.remove(image_id))

    @same_doc_as(Gallery.remove_where)
    async def remove_where(self, filter: Filter) -> int:  # noqa: A002
        return await self.run(gallery.remove_where(filter))

    @same_doc_as(Gallery.stats)
    async def stats(self) -> results.Stats:
        return await self.run(gallery.stats())
