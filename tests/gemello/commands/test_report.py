"""``gemello report``: a published model's page is found, copied, or missed in a sentence."""

import json
import shutil
from pathlib import Path

import pytest

from tests.support.command_line import refusal, run


@pytest.fixture
def store(tiny_store: Path, tmp_path: Path) -> Path:
    """A store with one model, and no report."""
    return Path(shutil.copytree(tiny_store, tmp_path / "store"))


@pytest.fixture
def page(store: Path) -> Path:
    page = store / "tiny/1/report/index.html"
    page.parent.mkdir()
    page.write_text("<title>tiny/1</title>")
    return page


def test_the_page_is_named_and_copied(store: Path, page: Path, tmp_path: Path) -> None:
    named = run("report", "tiny", "--store", store)
    assert (named.returncode, named.stdout) == (0, f"{page}\n")
    out = tmp_path / "copy.html"
    copied = run("report", "tiny", "--out", out, "--json", GEMELLO_MODEL_STORE=str(store))
    assert json.loads(copied.stdout) == {"model": "tiny/1", "report": str(out)}
    assert out.read_text() == page.read_text()


def test_a_model_without_one_is_told_how_to_get_it(store: Path) -> None:
    told = refusal(run("report", "tiny", "--store", store))
    assert "tiny/1 has no report; make one with `gemello evaluate --model tiny/1" in told


@pytest.mark.usefixtures("page")
def test_what_cannot_be_written_is_refused(store: Path, tmp_path: Path) -> None:
    def refused(*options: object) -> str:
        return refusal(run("report", *options, "--store", store))

    assert "must end in .html" in refused("tiny", "--out", tmp_path / "page.pdf")
    assert "does not exist" in refused("tiny", "--out", tmp_path / "none" / "page.html")
    assert "no model 'none'" in refused("none")
