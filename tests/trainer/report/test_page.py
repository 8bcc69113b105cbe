"""The page, parsed: all that it needs is inside, all that it promises is there."""

import base64
import io
import os
import re
from dataclasses import replace
from html.parser import HTMLParser
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from app.testing import FakeEncoder
from tests.support.drawings import draw_classes
from tests.support.tiny_model import CALIBRATION
from trainer.data.records import read_data
from trainer.errors import ReportError
from trainer.evaluate.measurement import Measurement
from trainer.evaluate.retrieval import measure_records
from trainer.report import Report, drawings, scatter, sheets, write_report
from trainer.report.classes import class_table
from trainer.report.drawings import DrawnPlot

VOID = {"meta", "img", "source", "link", "br", "input"}


class Page(HTMLParser):
    """Tags with their attributes, and the text that is shown."""

    def __init__(self, path: Path) -> None:
        super().__init__()
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.words: list[str] = []
        self.open: list[str] = []
        self.source = path.read_text(encoding="utf-8")
        self.feed(self.source)
        assert self.open == [], "every tag is closed"

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))
        if tag not in VOID:
            self.open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        if "style" not in self.open:
            self.words.append(data)

    @property
    def text(self) -> str:
        return " ".join(" ".join(self.words).split())

    def all(self, tag: str, **wanted: str) -> list[dict[str, str | None]]:
        return [
            a for t, a in self.tags if t == tag and all(a.get(k) == v for k, v in wanted.items())
        ]

    @property
    def addresses(self) -> list[str]:
        names = ("src", "srcset", "href", "action", "data", "poster", "background")
        return [str(a[name]) for _, a in self.tags for name in names if name in a]


def full(measured: Measurement) -> Report:
    before = replace(measured, ranks=measured.ranks + (np.arange(45) % 3 == 0))
    after = replace(measured, ranks=np.where(np.arange(45) % 4 == 0, 3, 1))
    folder = measured.paths[0].parents[1]
    return Report(
        title="mine/1 on data",
        after=after,
        before=before,
        names=("untrained", "mine/1"),
        history=[
            {"loss": 0.2, "active": 0.9, "distance": 0.5, "recall": None},
            {"loss": 0.1, "active": 0.4, "spread": 0.06, "recall": 0.7},
        ],
        untrained_recall=0.5,
        ladder=[
            {"name": "adapted", "published": False},
            {
                "name": "fine-tuned",
                "published": True,
                "recall@1": [0.8, 0.7, 0.9],
                "map@r": [0.5, 0.45, 0.55],
            },
        ],
        calibration=CALIBRATION,
        data={
            "counts": {"images": {"train": 1234}},
            "bad": {str(folder / "class000" / "broken.png"): "It cannot be decoded."},
            "duplicates": [f"{folder}/class001/a.png = {folder}/class002/b.png, byte for byte"],
        },
        config={"margin": 0.1, "weights": None, "flip": False},
        model={"name": "mine/1", "backbone": {"name": "lite0"}},
    )


@pytest.fixture
def undrawn(monkeypatch: pytest.MonkeyPatch) -> None:
    """Pages whose plots nobody looks at: drawing them takes seconds."""
    dot = io.BytesIO()
    Image.new("RGB", (1, 1)).save(dot, "PNG")
    png = dot.getvalue()
    monkeypatch.setattr(drawings, "_drawn", lambda those: [DrawnPlot(p, png, png) for p in those])
    monkeypatch.setattr(scatter, "layout", lambda vectors, _: np.full((len(vectors), 2), 0.5))


def written(report: Report, parent: Path) -> Page:
    folder = parent / "written"
    folder.mkdir(exist_ok=True)
    write_report(folder / "report.html", report)
    assert [path.name for path in folder.iterdir()] == ["report.html"], "nothing is left behind"
    return Page(folder / "report.html")


@pytest.fixture(scope="module")
def page(measured: Measurement, tmp_path_factory: pytest.TempPathFactory) -> Page:
    return written(full(measured), tmp_path_factory.mktemp("full"))


def test_nothing_is_fetched_and_every_image_decodes(page: Page) -> None:
    assert page.addresses
    for address in page.addresses:
        kind, _, data = address.partition(";base64,")
        assert kind in {"data:image/png", "data:image/webp"}
        with Image.open(io.BytesIO(base64.b64decode(data, validate=True))) as image:
            image.load()
            assert min(image.size) > 1
    assert not page.all("script")
    assert not page.all("link")
    assert not re.search(r"url\(|@import|https?://|\bon[a-z]+=", page.source)
    policy = page.all("meta", **{"http-equiv": "Content-Security-Policy"})[0]["content"]
    assert policy == "default-src 'none'; img-src data:; style-src 'unsafe-inline'"
    assert all(image.get("alt") for image in page.all("img"))
    assert page.all("meta", name="viewport")
    assert len(page.source) < 6_000_000


def test_the_sections_come_in_order(measured: Measurement, page: Page) -> None:
    text = page.text
    order = [
        "mine/1 on data",
        "Recall@1",
        "Figures",
        "What was compared",
        "adapted – – fine-tuned 80.0 % 70.0–90.0 50.0 % 45.0–55.0 published",
        "Training",
        "Distances of matches and non-matches",
        "Up to distance 0.400 the model's calibration",
        "False alarms by gallery size",
        "Recall@k Part of the queries",
        "All classes, worst first",
        "Worst queries: mine/1",
        "Worst confident mistakes: mine/1",
        "Best queries: mine/1",
        "Found by mine/1, missed by untrained",
        "Found by untrained, missed by mine/1",
        "Map of the embeddings",
        "Data Counts",
        "images › train 1,234",
        "class000/broken.png It cannot be decoded.",
        "class001/a.png = class002/b.png, byte for byte",
        "Configuration",
        "margin 0.1",
        "weights – flip no",
    ]
    place = 0
    for words in order:
        assert words in text[place:], words
        place = text.index(words, place)
    recall = float(full(measured).after.hits(1).mean())
    assert f"→ {100 * recall:.1f} % (95 %" in text
    assert str(measured.paths[0].parents[1]) not in text, "where the images lie is nobody's concern"


@pytest.mark.usefixtures("undrawn")
def test_a_plain_measurement_is_enough(measured: Measurement, tmp_path: Path) -> None:
    page = written(Report("plain", measured), tmp_path)
    assert "Training" not in page.text
    assert "compared" not in page.text
    assert "untrained" not in page.text
    assert "p-value" not in page.text
    assert "Every file could be read." in page.text
    assert "Configuration" not in page.text


@pytest.mark.usefixtures("undrawn")
def test_answers_are_framed_and_marked(measured: Measurement, tmp_path: Path) -> None:
    report = Report("plain", measured)
    page = written(report, tmp_path)
    shown_queries = [
        query
        for choose in (sheets.worst, sheets.confident, sheets.best)
        for query in choose(measured)
    ]
    answers = [answer.right for query in shown_queries for answer in measured.answers(query)]
    assert len(page.all("figure", **{"class": "asked"})) == len(shown_queries)
    assert len(page.all("figure", **{"class": "right"})) == sum(answers)
    assert len(page.all("figure", **{"class": "wrong"})) == len(answers) - sum(answers)
    # One mark of each in the key above the sheets.
    assert page.text.count("✓") == sum(answers) + 1
    assert page.text.count("✗") == len(answers) - sum(answers) + 1


@pytest.mark.usefixtures("undrawn")
def test_classes_are_counted_and_the_middle_is_folded(tmp_path: Path) -> None:
    measured = measure_records(FakeEncoder(), read_data(draw_classes(tmp_path / "data", 70, 2)))
    table = class_table(Report("many", measured))
    assert [len(table.worst), len(table.best), len(table.others)] == [40, 20, 10]
    rows = [*table.worst, *table.others, *table.best]
    assert sorted(row.label for row in rows) == sorted(set(measured.labels))
    for row in rows:
        members = [i for i, label in enumerate(measured.labels) if label == row.label]
        recall = sum(measured.ranks[i] == 1 for i in members) / len(members)
        assert row.after == f"{100 * recall:.1f}\N{NO-BREAK SPACE}%"
        wrong = [measured.answers(i)[0].label for i in members if measured.ranks[i] > 1]
        if wrong:
            most = min(set(wrong), key=lambda label: (-wrong.count(label), label))
            assert row.mistaken == f"{most} ({wrong.count(most)}×)"
        else:
            assert row.mistaken == "–"
    write_report(tmp_path / "many.html", Report("many", measured))
    page = Page(tmp_path / "many.html")
    assert len(page.all("details")) == 1
    assert "10 classes between" in page.text


@pytest.mark.usefixtures("undrawn")
def test_hostile_names_are_shown_as_text(tmp_path: Path) -> None:
    data = draw_classes(tmp_path / "data", 3, 2)
    (data / "class000").rename(data / "<script>alert(1)</script>".replace("/", "_"))
    odd = os.fsdecode(b"caf\xe9.png")
    (data / "class001" / "image00.png").rename(data / "class001" / odd)
    (data / "class002" / os.fsdecode(b"br\xff.png")).write_bytes(b"no image")
    page = written(Report("<b>$x$</b>", measure_records(FakeEncoder(), read_data(data))), tmp_path)
    assert not page.all("script")
    assert "<script>alert(1)<_script>" in page.text
    assert "<b>$x$</b>" in page.text


@pytest.mark.usefixtures("undrawn")
def test_a_file_that_went_away_and_one_class_alone(tmp_path: Path) -> None:
    data = draw_classes(tmp_path / "data", 1, 3)
    measured = measure_records(FakeEncoder(), read_data(data))
    (data / "class000" / "image00.png").unlink()
    write_report(tmp_path / "one.html", Report("one", measured))
    page = Page(tmp_path / "one.html")
    assert "file gone" in page.text
    assert "All images are of one class" in page.text
    assert "With so few classes the intervals are rough." in page.text


@pytest.mark.usefixtures("undrawn")
def test_two_models_on_other_queries_are_shown_on_those_of_both(
    measured: Measurement, tmp_path: Path
) -> None:
    report = replace(
        full(measured), before=measured.select(range(30)), after=measured.select(range(10, 45))
    )
    assert "20 queries of" in written(report, tmp_path).text
    apart = replace(report, before=measured.select([0]), after=measured.select([1, 2]))
    assert "2 queries of" in written(apart, tmp_path).text


@pytest.mark.usefixtures("undrawn")
def test_a_comparison_leads_with_its_conclusion(measured: Measurement, tmp_path: Path) -> None:
    report = replace(full(measured), comparison=True, before=measured, after=measured)
    assert "No difference shown between untrained and mine/1" in written(report, tmp_path).text


def test_plots_are_written_as_pngs(measured: Measurement, tmp_path: Path) -> None:
    folder = tmp_path / "new" / "plots"
    write_report(tmp_path / "page.html", full(measured), pngs=folder)
    curves = {f"curve_{key}" for key in ("loss", "active", "distance", "spread", "recall")}
    names = {*curves, "distances_after", "distances_before", "recall_at_k", "map"}
    assert {path.stem for path in folder.iterdir()} == names
    for path in folder.iterdir():
        with Image.open(path) as image:
            assert image.format == "PNG"
            assert len(image.convert("RGB").getcolors(1 << 24) or ()) > 3, "something is drawn"


@pytest.mark.usefixtures("undrawn")
def test_what_cannot_be_written_is_said(measured: Measurement, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    report = Report("plain", measured)
    with pytest.raises(ReportError, match="cannot be written to"):
        write_report(tmp_path / "none" / "report.html", report)
    with pytest.raises(ReportError, match="cannot be written to"):
        write_report(tmp_path / "file" / "report.html", report)
    with pytest.raises(ReportError, match="cannot be written to"):
        write_report(tmp_path / "page.html", report, pngs=tmp_path / "file")
