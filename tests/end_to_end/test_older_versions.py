"""What version 0.1 wrote is opened by today's code, with the same answers."""

import zipfile
from pathlib import Path

import pytest

from app.config import Settings
from tests.support.paths import DATA
from tests.support.serving import in_thread


@pytest.fixture
def old(tmp_path: Path) -> Settings:
    """A data folder of version 0.1 with four images and a job, and the model that embedded them."""
    with zipfile.ZipFile(DATA / "data_folder_0_1.zip") as archive:
        archive.extractall(tmp_path)
    return Settings(
        data_dir=tmp_path, model_store=tmp_path / "store", model="tiny", sample_gallery=False
    )


def test_a_data_folder_of_version_0_1_opens(old: Settings) -> None:
    with in_thread(old) as server:
        listed = server.get("/gallery", params={"include": "embedding"}).json()
        images = {image["id"]: image for image in listed["images"]}
        assert [i["filename"] for i in listed["images"]] == [
            "red.png",
            "green.png",
            "blue.png",
            "w/white.png",
        ]
        assert images["red"]["metadata"] == {"price": 5, "tags": ["a", "b"]}
        assert images["green"]["label"] == "cold"
        for image_id, image in images.items():
            data = server.get(image["image_url"]).content
            results = server.post("/search", files={"image": data}).json()["results"]
            assert (results[0]["id"], len(results)) == (image_id, 4)
            assert results[0]["distance"] < 1e-3
            stored = image["embedding"]
            assert sum(x * x for x in stored) == pytest.approx(1, abs=1e-3)
        cheap = server.post("/search", files={"image": data}, data={"filter": '{"price": 5}'})
        assert [r["id"] for r in cheap.json()["results"]] == ["red"]
        (job,) = server.get("/jobs").json()["jobs"]
        assert (job["kind"], job["state"], job["added"]) == ("import_archive", "succeeded", 1)
        assert server.delete("/gallery/green").status_code == 204
    with in_thread(old) as server:
        assert server.get("/gallery").json()["total"] == 3
