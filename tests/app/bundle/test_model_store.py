"""Publishing, resolving, activating; and everything that can be wrong with a bundle."""

import json
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from app.bundle import model_store
from app.errors import ModelCorrupt, ModelNotFound, ParameterInvalid
from tests.support.tiny_model import publish_tiny


@pytest.fixture
def store(tmp_path: Path, tiny_store: Path) -> Path:
    """A copy of the store that a test may spoil."""
    return Path(shutil.copytree(tiny_store, tmp_path / "store"))


def edit(store: Path, change: Callable[[dict], object]) -> None:
    path = store / "tiny/1/manifest.json"
    manifest = json.loads(path.read_text())
    change(manifest)
    path.write_text(json.dumps(manifest))
    (path.parent / "manifest.sha256").unlink()


def test_a_published_bundle_is_found_by_name_and_by_version(store: Path) -> None:
    for model in ("tiny", "tiny/1"):
        bundle = model_store.resolve(store, model)
        assert (bundle.title, bundle.path) == ("tiny/1", store / "tiny/1")
    assert model_store.list_models(store) == ["tiny/1"]


def test_versions_are_numbers_and_the_newest_serves_until_another_is_chosen(store: Path) -> None:
    for _ in range(9):
        publish_tiny(store)
    assert model_store.versions(store, "tiny") == [str(i) for i in range(1, 11)]
    assert model_store.next_version(store, "tiny") == "11"
    assert model_store.resolve(store, "tiny").title == "tiny/10"
    model_store.activate(store, "tiny", "9")
    assert model_store.resolve(store, "tiny").title == "tiny/9"
    (store / "tiny" / model_store.ACTIVE).unlink()
    assert model_store.active_version(store, "tiny") == "10"


@pytest.mark.parametrize("content", [b"", b"77\n", b"\xff\xfe", b"../2"])
def test_a_spoilt_choice_falls_back_to_the_newest(store: Path, content: bytes) -> None:
    (store / "tiny" / model_store.ACTIVE).write_bytes(content)
    assert model_store.resolve(store, "tiny").title == "tiny/1"


@pytest.mark.parametrize(
    "model",
    ["none", "tiny/2", "tiny/01", "tiny/1/2", "tiny/..", "../store/tiny", "", "/", ".", "a b"],
)
def test_an_unknown_model_is_answered_with_those_there_are(store: Path, model: str) -> None:
    with pytest.raises(ModelNotFound, match="it holds tiny/1") as caught:
        model_store.resolve(store, model)
    assert caught.value.known == ["tiny/1"]


def test_an_empty_or_missing_store_holds_none(tmp_path: Path) -> None:
    for store in (tmp_path, tmp_path / "missing"):
        assert model_store.list_models(store) == []
        with pytest.raises(ModelNotFound, match="it holds none"):
            model_store.resolve(store, "tiny")
    with pytest.raises(ModelNotFound):
        model_store.activate(tmp_path, "tiny", "1")


@pytest.mark.parametrize("name", ["openvino/model.xml", "openvino/model.bin"])
def test_a_tampered_or_missing_file_is_named(store: Path, name: str) -> None:
    path = store / "tiny/1" / name
    data = bytearray(path.read_bytes())
    data[len(data) // 2] ^= 1
    path.write_bytes(data)
    with pytest.raises(ModelCorrupt, match="SHA-256") as caught:
        model_store.resolve(store, "tiny")
    assert caught.value.path == str(path)
    assert model_store.resolve(store, "tiny", verify_files=False).title == "tiny/1"
    path.unlink()
    with pytest.raises(ModelCorrupt, match="No such file") as caught:
        model_store.resolve(store, "tiny")
    assert caught.value.path == str(path)


@pytest.mark.parametrize("content", [b"", b"{", b"[]", b"\xff\xfe\0", b"null", b'{"name": "tiny"}'])
def test_a_malformed_manifest_is_named(store: Path, content: bytes) -> None:
    path = store / "tiny/1/manifest.json"
    path.write_bytes(content)
    with pytest.raises(ModelCorrupt) as caught:
        model_store.resolve(store, "tiny")
    assert caught.value.path == str(path)


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        (lambda m: m.update(surprise=1), "surprise"),
        (lambda m: m["preprocessing"].update(resize="squeeze"), "preprocessing.resize"),
        (lambda m: m.pop("dimension"), "dimension"),
        (lambda m: m.update(model_id="0" * 64), "model_id"),
        (lambda m: m.update(input_size=64), "model_id"),
        (lambda m: m.update(version="2"), "describes tiny/2"),
        (lambda m: m.update(name="other"), "describes other/1"),
        (lambda m: m["files"].update({"../../secret": "0" * 64}), "outside"),
        (lambda m: m["files"].update({"/etc/hostname": "0" * 64}), "outside"),
        (lambda m: m["files"].update({"openvino": "0" * 64}), "directory"),
        (lambda m: m["files"].update({"nul\0": "0" * 64}), "outside"),
    ],
)
def test_a_manifest_that_does_not_fit_is_refused(
    store: Path, change: Callable[[dict], object], reason: str
) -> None:
    (store / "secret").write_text("secret")
    edit(store, change)
    with pytest.raises(ModelCorrupt, match=reason):
        model_store.resolve(store, "tiny")


def test_every_byte_of_the_manifest_counts(store: Path) -> None:
    path = store / "tiny/1/manifest.json"
    whole = path.read_bytes()
    for place in range(0, len(whole), 97):
        path.write_bytes(whole[:place] + bytes([whole[place] ^ 1]) + whole[place + 1 :])
        with pytest.raises(ModelCorrupt, match="manifest"):
            model_store.resolve(store, "tiny")
    path.write_bytes(whole)
    assert model_store.resolve(store, "tiny").title == "tiny/1"
    (path.parent / "manifest.sha256").write_text("0" * 64 + "  manifest.json\n")
    with pytest.raises(ModelCorrupt, match=r"is not the one in manifest\.sha256"):
        model_store.resolve(store, "tiny")


def test_a_bundle_of_an_older_version_has_no_checksum_of_its_manifest(store: Path) -> None:
    (store / "tiny/1/manifest.sha256").unlink()
    assert model_store.resolve(store, "tiny").title == "tiny/1"


def test_staging_leaves_nothing_behind(store: Path) -> None:
    before = sorted(store.rglob("*"))
    with (
        pytest.raises(RuntimeError, match="training failed"),
        model_store.staging(store, "tiny") as f,
    ):
        (f / "half").write_text("written")
        raise RuntimeError("training failed")
    with model_store.staging(store, "tiny") as folder:
        (folder / "never").write_text("published")
    assert sorted(store.rglob("*")) == before


@pytest.mark.parametrize("name", ["", "..", "a/b", ".hidden", "a b", "x" * 65, "ä"])
def test_a_name_that_cannot_be_a_folder_is_refused(tmp_path: Path, name: str) -> None:
    with pytest.raises(ParameterInvalid, match="name"), model_store.staging(tmp_path, name):
        pass
    assert list(tmp_path.iterdir()) == []


def test_a_new_name_goes_with_the_model_that_failed(store: Path) -> None:
    with pytest.raises(RuntimeError), model_store.staging(store, "new"):
        raise RuntimeError
    assert not (store / "new").exists()
    assert model_store.versions(store, "tiny")


def test_a_bundle_under_construction_is_not_there_yet(store: Path) -> None:
    with model_store.staging(store, "tiny") as folder:
        shutil.copytree(store / "tiny/1", folder, dirs_exist_ok=True)
        edit_version(folder, "2")
        # A process that died here would leave just this.
        assert model_store.list_models(store) == ["tiny/1"]
        assert model_store.resolve(store, "tiny").title == "tiny/1"
        model_store.publish(store, folder)
    assert model_store.list_models(store) == ["tiny/1", "tiny/2"]
    assert model_store.resolve(store, "tiny").title == "tiny/2"


def test_a_version_is_published_once(store: Path) -> None:
    with model_store.staging(store, "tiny") as folder:
        shutil.copytree(store / "tiny/1", folder, dirs_exist_ok=True)
        with pytest.raises(FileExistsError, match="tiny/1 is already published"):
            model_store.publish(store, folder)
    assert model_store.list_models(store) == ["tiny/1"]


def test_what_does_not_match_its_manifest_is_not_published(store: Path) -> None:
    with model_store.staging(store, "tiny") as folder:
        shutil.copytree(store / "tiny/1", folder, dirs_exist_ok=True)
        edit_version(folder, "2")
        (folder / "openvino/model.bin").write_bytes(b"other")
        with pytest.raises(ModelCorrupt, match=r"model\.bin"):
            model_store.publish(store, folder)
    assert model_store.list_models(store) == ["tiny/1"]


def edit_version(folder: Path, version: str) -> None:
    path = folder / "manifest.json"
    path.write_text(json.dumps({**json.loads(path.read_text()), "version": version}))
    (folder / "manifest.sha256").unlink()


def test_hashes_cover_every_file_but_the_manifest(tmp_path: Path) -> None:
    (tmp_path / "report").mkdir()
    for name in ("manifest.json", "report/manifest.json", "report/a.png", "model.keras"):
        (tmp_path / name).write_text(name)
    hashes = model_store.hash_files(tmp_path)
    assert sorted(hashes) == ["model.keras", "report/a.png", "report/manifest.json"]
    assert hashes["model.keras"] == model_store.sha256_file(tmp_path / "model.keras")


def test_what_is_not_published_as_the_default_leaves_what_the_name_means(tmp_path: Path) -> None:
    for number in range(3):
        with model_store.staging(tmp_path, "tiny") as folder:
            source = publish_tiny(tmp_path / f"other{number}", offset=0.1 * number)
            shutil.copytree(source.path, folder, dirs_exist_ok=True)
            manifest = source.manifest.model_copy(update={"version": str(number + 1)})
            model_store.write_manifest(folder, manifest)
            model_store.publish(tmp_path, folder, as_default=False)
        assert model_store.active_version(tmp_path, "tiny") == "1"
        # Nothing is chosen for a name that had no version before.
        assert (tmp_path / "tiny" / "active").exists() is (number > 0)


def test_an_earlier_attempt_with_the_same_key_is_removed(tmp_path: Path) -> None:
    left = tmp_path / "tiny" / ".staging-mine" / "stale"
    left.mkdir(parents=True)
    with model_store.staging(tmp_path, "tiny", "mine") as folder:
        assert (folder, list(folder.iterdir())) == (left.parent, [])
