"""Calls about the service itself: its state, its models, and the jobs it works on."""

import json
from collections.abc import Sequence
from urllib.parse import quote

from gemello.client import results
from gemello.client.call import Call, Picture, files_of, key_of, parsed_as


def health() -> Call[results.Health]:
    """The service's state. Raises ``ApiError`` with status 503 until it is ready."""
    return Call("GET", "/health", parsed_as(results.Health), retry=False)


def import_archive(archive: Picture, *, on_conflict: str = "skip") -> Call[results.Job]:
    """Begin to add the images of a zip archive."""
    data = {"on_conflict": on_conflict}
    return Call(
        "POST",
        "/gallery/import",
        parsed_as(results.Job),
        data=data,
        files=files_of("archive", [archive]),
    )


def import_folder(folder: str, *, on_conflict: str = "skip") -> Call[results.Job]:
    """Begin to add a folder of the service's machine, below its GEMELLO_IMPORT_DIR."""
    data = {"folder": folder, "on_conflict": on_conflict}
    return Call("POST", "/gallery/import", parsed_as(results.Job), data=data)


def import_urls(urls: Sequence[str], *, on_conflict: str = "skip") -> Call[results.Job]:
    """Begin to add images from the web, where the service's settings allow it."""
    data = {"urls": json.dumps(list(urls)), "on_conflict": on_conflict}
    return Call("POST", "/gallery/import", parsed_as(results.Job), data=data)


def jobs() -> Call[list[results.Job]]:
    """The jobs that are kept, the newest first."""
    return Call(
        "GET",
        "/jobs",
        lambda answer: [results.parsed(results.Job, job) for job in key_of(answer, "jobs")],
    )


def job(job_id: str) -> Call[results.Job]:
    """How far a job is, and what failed."""
    return Call("GET", f"/jobs/{quote(job_id, safe='')}", parsed_as(results.Job))


def cancel(job_id: str) -> Call[results.Job]:
    """Stop a job; what it has done stays done."""
    return Call("POST", f"/jobs/{quote(job_id, safe='')}/cancel", parsed_as(results.Job))


def models() -> Call[list[results.PublishedModel]]:
    """The published models."""
    return Call(
        "GET",
        "/models",
        lambda answer: [
            results.parsed(results.PublishedModel, each) for each in key_of(answer, "models")
        ],
    )


def activate(name: str, version: str) -> Call[results.Job]:
    """Begin to let another model answer; the old one does until all images are embedded."""
    path = f"/models/{quote(name, safe='')}/{quote(version, safe='')}/activate"
    return Call("POST", path, parsed_as(results.Job))
