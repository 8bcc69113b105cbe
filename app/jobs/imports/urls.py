"""Adds images from addresses on the web."""

from collections.abc import Sequence
from pathlib import PurePosixPath
from urllib.parse import unquote, urlsplit

from app.errors import GemelloError, ImportFailure
from app.gallery.gallery import Gallery
from app.gallery.metadata import MAX_FILENAME, clean_name
from app.gallery.new_image import NewImage, OnConflict, batched
from app.inference.failures import as_result
from app.jobs.imports.add import Candidate, add_all, count_added
from app.jobs.imports.fetch import Fetcher, shown
from app.jobs.runner import Progress


def import_urls(
    gallery: Gallery,
    urls: Sequence[str],
    fetcher: Fetcher,
    progress: Progress,
    *,
    on_conflict: OnConflict = "skip",
) -> None:
    """Add the image at each address, from where ``progress`` stands.

    An address that must not be fetched, or gives no image, is told and passed over. Raises
    ``Stopped`` when ``progress`` ends it.
    """
    progress.total = len(urls)
    candidates = (Candidate(shown(url), _fetched(url, fetcher)) for url in urls[progress.done :])
    for batch in batched(candidates, Candidate.size):
        results, failures = add_all(gallery, batch, progress, on_conflict)
        progress.advance(len(batch), count_added(results), failures)


def _fetched(url: str, fetcher: Fetcher) -> NewImage | GemelloError:
    try:
        data = fetcher.fetch(url)
    except ImportFailure as exc:
        return as_result(exc)
    name = unquote(PurePosixPath(urlsplit(url).path).name)
    return NewImage(data=data, filename=clean_name(name, MAX_FILENAME))
