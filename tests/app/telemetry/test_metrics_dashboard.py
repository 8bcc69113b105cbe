"""The dashboard asks for metrics that there are, with labels that they have."""

import json
import re

import httpx

from tests.support.images import picture
from tests.support.paths import ROOT

DASHBOARD = ROOT / "docs" / "grafana.json"


def test_every_panel_asks_for_a_metric_that_the_service_reports(server: httpx.Client) -> None:
    server.post("/gallery", files={"images": picture(1)}, data={"ids": '["a"]'})
    server.post("/search", files={"image": picture(1)})
    server.delete("/gallery/a")
    reported = server.get("/metrics").text
    panels = json.loads(DASHBOARD.read_text())["panels"]
    asked = [target["expr"] for panel in panels for target in panel["targets"]]
    assert len(panels) == 11
    for expression in asked:
        for name in re.findall(r"gemello_\w+", expression):
            assert re.search(rf"^{name}[{{ ]", reported, re.MULTILINE), name
    for label in ("route", "status", "stage", "version"):
        assert f'{label}="' in reported
    assert 'route="/search"' in reported
