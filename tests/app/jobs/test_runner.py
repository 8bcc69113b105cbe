"""Jobs: their table, the thread that works on them, cancelling, and going on after a restart."""

import threading
import time
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest

from app.errors import (
    ImageUndecodable,
    JobNotFound,
    Overloaded,
    StorageFull,
    StorageUnavailable,
)
from app.jobs import runner as runner_module
from app.jobs import table as jobs_module
from app.jobs.patience import patiently
from app.jobs.runner import JobRunner, Progress, Work
from app.jobs.table import ItemError, Job, Jobs
from app.storage.local.database import Database

PATIENCE_S = 10


@pytest.fixture
def database(tmp_path: Path) -> Iterator[Database]:
    opened = Database(tmp_path / "gallery.sqlite3")
    yield opened
    opened.close()


@pytest.fixture
def jobs(database: Database) -> Jobs:
    return Jobs(database)


@pytest.fixture
def running(jobs: Jobs) -> Iterator[Callable[[Work], JobRunner]]:
    """Starts a runner for one kind of work, and stops it in the end."""
    runners = []

    def start(work: Work) -> JobRunner:
        runner = JobRunner(jobs, {"work": work})
        runner.start()
        runners.append(runner)
        return runner

    yield start
    for runner in runners:
        runner.stop()


def submit(jobs: Jobs, runner: JobRunner, **arguments: Any) -> Job:
    job = jobs.create("work", arguments)
    runner.wake()
    return job


def until(jobs: Jobs, job: Job, *states: str) -> Job:
    deadline = time.monotonic() + PATIENCE_S
    while jobs.get(job.id).state not in states:
        assert time.monotonic() < deadline, jobs.get(job.id)
        time.sleep(0.005)
    return jobs.get(job.id)


def test_a_job_comes_back_as_it_went_also_after_a_restart(jobs: Jobs, tmp_path: Path) -> None:
    job = jobs.create("work", {"größe": [1, None]})
    assert (job.state, job.done, job.total, job.failed) == ("queued", 0, None, 0)
    jobs.report(job.id, 3, 9, 2, [("a.png", ImageUndecodable("it is empty"))])
    other = Database(tmp_path / "gallery.sqlite3")
    again = Jobs(other).get(job.id)
    other.close()
    assert again.arguments == {"größe": [1, None]}
    assert (again.done, again.total, again.added, again.failed) == (3, 9, 2, 1)
    assert jobs.errors(job.id) == [
        ItemError("a.png", "image_undecodable", "The image cannot be decoded: it is empty.")
    ]
    with pytest.raises(JobNotFound, match="'none'"):
        jobs.get("none")


def test_an_item_fails_once_and_errors_are_bounded(
    jobs: Jobs, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(jobs_module, "MAX_ERRORS", 3)
    job = jobs.create("work", {})
    error = ImageUndecodable("it is empty")
    jobs.report(job.id, 2, None, 0, [("a", error), ("b", error)])
    jobs.report(job.id, 4, None, 0, [("b", error), ("c", error), ("d", error)])
    assert jobs.get(job.id).failed == 4
    assert [each.item for each in jobs.errors(job.id)] == ["a", "b", "c"]


def test_old_jobs_make_room_but_no_unfinished_one(
    jobs: Jobs, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(jobs_module, "_KEPT", 2)
    first = jobs.create("work", {})
    for _ in range(4):
        jobs.move(jobs.create("work", {}).id, "succeeded")
    kept = jobs.all()
    assert len(kept) == 3
    assert kept[-1].id == first.id
    assert [job.id for job in jobs.unfinished()] == [first.id]


def test_jobs_are_done_in_order_and_say_how_they_ended(
    jobs: Jobs, running: Callable[[Work], JobRunner]
) -> None:
    order: list[int] = []

    def work(arguments: Mapping[str, Any], progress: Progress) -> None:
        order.append(arguments["number"])
        progress.total = 2
        progress.report(2, [("x", ImageUndecodable("it is empty"))])
        if arguments["number"] == 1:
            raise StorageUnavailable("the disk failed")
        if arguments["number"] == 2:
            raise KeyError("/srv/secret")

    runner = running(work)
    submitted = [submit(jobs, runner, number=number) for number in range(4)]
    ended = [until(jobs, job, "succeeded", "failed") for job in submitted]
    assert order == [0, 1, 2, 3]
    assert [job.state for job in ended] == ["succeeded", "failed", "failed", "succeeded"]
    assert "the disk failed" in str(ended[1].reason)
    assert "the service made a mistake" in str(ended[2].reason)
    assert "/srv/secret" not in str(ended[2].reason)
    assert (ended[0].done, ended[0].total, ended[0].failed) == (2, 2, 1)


def test_a_job_can_be_cancelled_before_and_while_it_runs(
    jobs: Jobs, running: Callable[[Work], JobRunner]
) -> None:
    begun = threading.Event()

    def work(_: Mapping[str, Any], progress: Progress) -> None:
        begun.set()
        for done in range(10_000):
            progress.report(done)
            time.sleep(0.001)

    runner = running(work)
    job, waiting = submit(jobs, runner), submit(jobs, runner)
    assert begun.wait(PATIENCE_S)
    assert runner.cancel(waiting.id).state == "cancelled"
    assert runner.cancel(job.id).state == "cancelled"
    after = submit(jobs, runner)
    until(jobs, after, "running")
    assert jobs.get(job.id).done < 9_999
    assert jobs.get(waiting.id).done == 0
    assert runner.cancel(job.id).state == "cancelled", "once more changes nothing"
    with pytest.raises(JobNotFound):
        runner.cancel("none")


def test_a_stopped_job_goes_on_at_the_next_start(
    jobs: Jobs, running: Callable[[Work], JobRunner]
) -> None:
    begun = threading.Event()
    seen: list[int] = []

    def work(_: Mapping[str, Any], progress: Progress) -> None:
        seen.append(progress.done)
        for done in range(progress.done, 200):
            progress.report(done + 1)
            begun.set()
            time.sleep(0.002)

    first = running(work)
    job = submit(jobs, first)
    assert begun.wait(PATIENCE_S)
    first.stop()
    stopped = jobs.get(job.id)
    assert stopped.state == "running"
    assert 0 < stopped.done < 200
    running(work)
    assert until(jobs, job, "succeeded").done == 200
    assert seen == [0, stopped.done]


def test_work_gives_way_while_the_service_is_busy(
    jobs: Jobs, running: Callable[[Work], JobRunner], monkeypatch: pytest.MonkeyPatch
) -> None:
    attempts = 0

    def busy() -> str:
        nonlocal attempts
        attempts += 1
        if attempts < 3:
            raise Overloaded(0)
        return "done"

    answers: list[str] = []
    runner = running(lambda _, progress: answers.append(patiently(busy, progress.wait)))
    until(jobs, submit(jobs, runner), "succeeded")
    assert (answers, attempts) == (["done"], 3)


def test_hardening_35_a_job_that_finds_the_disk_full_goes_on_once_there_is_room(
    jobs: Jobs, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(runner_module, "_RETRY_S", 0.02)
    room = threading.Event()
    ended: list[str] = []

    def work(_: Mapping[str, Any], progress: Progress) -> None:
        progress.report(max(progress.done, 1))
        if not room.is_set():
            raise StorageFull()
        progress.report(2)

    runner = JobRunner(jobs, {"work": work}, ended=lambda job: ended.append(job.id))
    runner.start()
    job = submit(jobs, runner)
    deadline = time.monotonic() + PATIENCE_S
    while "disk is full" not in (jobs.get(job.id).reason or ""):
        assert time.monotonic() < deadline
    assert not jobs.get(job.id).finished
    assert ended == []
    room.set()
    done = until(jobs, job, "succeeded", "failed")
    runner.stop()
    assert (done.state, done.done, done.reason) == ("succeeded", 2, None)
    assert ended == [job.id]


def test_a_table_that_cannot_be_written_does_not_end_the_runner(
    jobs: Jobs, running: Callable[[Work], JobRunner], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(runner_module, "_RETRY_S", 0.02)
    original, failures = Jobs.move, iter([StorageFull(), StorageUnavailable("the disk failed")])

    def move(self: Jobs, *arguments: Any) -> bool:
        for failure in failures:
            raise failure
        return original(self, *arguments)

    monkeypatch.setattr(Jobs, "move", move)
    runner = running(lambda *_: None)
    assert until(jobs, submit(jobs, runner), "succeeded", "failed").state == "succeeded"


def test_work_gives_way_to_kinds_that_go_first_and_then_goes_on(jobs: Jobs) -> None:
    order: list[str] = []
    begun = threading.Event()

    def slow(_: Mapping[str, Any], progress: Progress) -> None:
        order.append(f"slow from {progress.done}")
        while not order.count("quick"):
            progress.report(progress.done + 1)
            begun.set()
            time.sleep(0.001)

    def quick(*_: Any) -> None:
        order.append("quick")

    runner = JobRunner(jobs, {"slow": slow, "quick": quick}, first=["quick"])
    runner.start()
    waiting = [jobs.create("slow", {}) for _ in range(2)]
    runner.wake()
    assert begun.wait(PATIENCE_S)
    jobs.create("quick", {})
    runner.wake()
    for job in waiting:
        until(jobs, job, "succeeded")
    runner.stop()
    assert order[:2] == ["slow from 0", "quick"]
    assert order[2].startswith("slow from ")
    assert order[2] != "slow from 0"
    assert order[3] == "slow from 0"
