"""``gemello jobs`` and ``gemello models activate``: long work of a service."""

import json

from tests.support.command_line import run


def test_a_model_is_activated_and_its_job_can_be_looked_at(stored: str) -> None:
    done = run("models", "activate", "tiny/1", GEMELLO_URL=stored)
    assert (done.returncode, done.stdout) == (0, "succeeded, 6 done, 0 failed\n")
    job, *_ = json.loads(run("jobs", "list", "--json", GEMELLO_URL=stored).stdout)
    assert job["kind"] == "activate_model"
    shown = run("jobs", "show", job["id"], GEMELLO_URL=stored).stdout
    assert "6 of 6" in shown
    assert '{"model": "tiny/1"}' in shown
    assert "succeeded" in run("jobs", "list", GEMELLO_URL=stored).stdout
    waited = run("jobs", "wait", job["id"], "--json", GEMELLO_URL=stored)
    assert (waited.returncode, json.loads(waited.stdout)["done"]) == (0, 6)
    assert run("jobs", "cancel", job["id"], GEMELLO_URL=stored).stdout == "succeeded\n"
    started = run("models", "activate", "tiny/1", "--no-wait", GEMELLO_URL=stored)
    assert len(started.stdout.strip()) == 32
