"""Calls about the service itself: its state, its models, and the jobs that it works on."""

import json
from collections.abc import Sequence
from urllib.parse import quote

from gemello.client import results
from gemello.client.calls.call import Call, OnConflict, Picture, decoded_as, files_of
from gemello.client.decoding import decode


def health() -> Call[results.Health]:
    return Call("GET", "/health", decoded_as(results.Health), retry=False)


def import_archive(archive: Picture, on_conflict: OnConflict) -> Call[results.Job]:
    return Call(
        "POST",
        "/gallery/import",
        decoded_as(results.Job),
        data={"on_conflict": on_conflict},
        files=files_of("archive", [archive]),
    )


def import_folder(folder: str, on_conflict: OnConflict) -> Call[results.Job]:
    data = {"folder": folder, "on_conflict": on_conflict}
    return Call("POST", "/gallery/import", decoded_as(results.Job), data=data)


def import_urls(urls: Sequence[str], on_conflict: OnConflict) -> Call[results.Job]:
    data = {"urls": json.dumps(list(urls)), "on_conflict": on_conflict}
    return Call("POST", "/gallery/import", decoded_as(results.Job), data=data)


def jobs() -> Call[list[results.Job]]:
    return Call("GET", "/jobs", lambda answer: decode(results.JobList, answer).jobs)


def job(job_id: str) -> Call[results.JobDetails]:
    return Call("GET", f"/jobs/{quote(job_id, safe='')}", decoded_as(results.JobDetails))


def cancel(job_id: str) -> Call[results.Job]:
    return Call("POST", f"/jobs/{quote(job_id, safe='')}/cancel", decoded_as(results.Job))


def models() -> Call[list[results.PublishedModel]]:
    return Call("GET", "/models", lambda answer: decode(results.ModelList, answer).models)


def activate(name: str, version: str) -> Call[results.Job]:
    path = f"/models/{quote(name, safe='')}/{quote(version, safe='')}/activate"
    return Call("POST", path, decoded_as(results.Job))


def adapt(name: str, version: str, new_name: str, force: bool) -> Call[results.Job]:
    path = f"/models/{quote(name, safe='')}/{quote(version, safe='')}/adapt"
    data = {"name": new_name, "force": str(force).lower()}
    return Call("POST", path, decoded_as(results.Job), data=data)
