"""``gemello models`` on a store of this machine."""

import json
import shutil
from pathlib import Path

from tests.support.command_line import refusal, run
from tests.support.tiny_model import publish_tiny


def test_the_published_models(tiny_store: Path, tmp_path: Path) -> None:
    store = Path(shutil.copytree(tiny_store, tmp_path / "store"))
    publish_tiny(store, offset=0.2)
    listed = json.loads(run("models", "list", "--store", store, "--json").stdout)
    assert [(row["model"], row["active"]) for row in listed] == [
        ("tiny/1", False),
        ("tiny/2", True),
    ]
    table = run("models", "list", GEMELLO_MODEL_STORE=str(store))
    assert "tiny/2" in table.stdout
    manifest = json.loads(run("models", "show", "tiny/1", "--store", store, "--json").stdout)
    assert (manifest["name"], manifest["version"], manifest["dimension"]) == ("tiny", "1", 48)
    used = run("models", "set-default", "tiny/1", "--store", store)
    assert (used.returncode, "tiny/1 is the default" in used.stdout) == (0, True)
    good = run("models", "verify", "tiny", "--store", store)
    assert (good.returncode, good.stdout) == (0, "tiny/1: 2 files match their checksums.\n")

    (store / "tiny/1/openvino/model.bin").write_bytes(b"altered")
    assert "model.bin" in refusal(run("models", "verify", "tiny/1", "--store", store))
    assert "model.bin" in refusal(run("models", "set-default", "tiny/1", "--store", store))
    assert "it holds tiny/1, tiny/2" in refusal(run("models", "show", "none", "--store", store))
