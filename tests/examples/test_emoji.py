"""The emoji example: classes, halves, and archives that hold more than pictures."""

import io
import subprocess
import sys
import tarfile
from importlib.util import module_from_spec, spec_from_file_location
from pathlib import Path
from types import ModuleType

import pytest

from tests.support.images import picture

SCRIPT = Path(__file__).parents[2] / "examples" / "emoji" / "fetch.py"


@pytest.fixture(scope="module")
def fetch() -> ModuleType:
    spec = spec_from_file_location("fetch", SCRIPT)
    assert spec is not None
    assert spec.loader is not None
    module = module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def pack(archive: Path, files: dict[str, bytes]) -> None:
    with tarfile.open(archive, "w:gz") as packed:
        for name, content in files.items():
            member = tarfile.TarInfo(name)
            member.size = len(content)
            packed.addfile(member, io.BytesIO(content))


def test_a_class_is_its_code_points(fetch: ModuleType) -> None:
    assert fetch.class_key("0023-FE0F-20e3") == "23-20e3"
    assert fetch.class_key("1f600") == "1f600"


def test_the_halves_are_fixed(fetch: ModuleType) -> None:
    keys = ("1f600", "1f601", "1f602", "23-20e3")
    assert [fetch.is_test(key) for key in keys] == [True, False, False, False]


def test_only_shared_pictures_without_skin_tone_are_laid_out(
    fetch: ModuleType, tmp_path: Path
) -> None:
    names = ["1f600", "1f601", "1f602", "1f44b-1f3fb", "0023-fe0f-20e3"]
    pictures = {}
    for style, (package, inside, suffix) in fetch.SOURCES.items():
        archive = tmp_path / fetch.archive_name(package)
        kind = "PNG" if suffix == ".png" else "WEBP"
        files = {f"{inside}{name}{suffix}": picture(i, kind) for i, name in enumerate(names)}
        files["package/../../escaped.png"] = picture(9)
        files[f"{inside}deeper/1f603{suffix}"] = picture(9, kind)
        if style == "google":
            files[f"{inside}1f604{suffix}"] = picture(9, kind)
        pack(archive, files)
        pictures[style] = fetch.unpack(archive, inside, suffix, tmp_path / style)
    train, test = fetch.lay_out(pictures, tmp_path / "data")
    assert train + test == 4
    laid_out = sorted(
        p.relative_to(tmp_path / "data").as_posix() for p in tmp_path.glob("data/**/*.*")
    )
    for key in ("1f600", "1f601", "1f602", "23-20e3"):
        expected = (
            [
                f"test/gallery/{key}/fluent.webp",
                f"test/gallery/{key}/google.png",
                f"test/queries/{key}/twitter.png",
            ]
            if fetch.is_test(key)
            else [f"train/{key}/{name}" for name in ("fluent.webp", "google.png", "twitter.png")]
        )
        assert set(expected) <= set(laid_out)
    assert len(laid_out) == 12
    assert not (tmp_path / "escaped.png").exists()


@pytest.mark.parametrize(("noise", "said"), [("", "status 7"), ("npm error no network", "network")])
def test_a_download_that_fails_is_said_in_a_sentence(
    fetch: ModuleType, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, noise: str, said: str
) -> None:
    npm = tmp_path / "npm"
    npm.write_text(f'#!/bin/sh\nprintf "{noise}" >&2\nexit 7\n')
    npm.chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}:/usr/bin:/bin")
    with pytest.raises(SystemExit, match=rf"could not fetch some-package@1: .*{said}"):
        fetch.download("some-package@1", tmp_path)


def test_a_missing_npm_client_is_said(
    fetch: ModuleType, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(SystemExit, match=r"npm client is missing.*--from"):
        fetch.download("some-package@1", tmp_path)


def test_a_damaged_archive_is_named(fetch: ModuleType, tmp_path: Path) -> None:
    archive = tmp_path / "damaged.tgz"
    archive.write_bytes(b"no archive")
    with pytest.raises(SystemExit, match=r"damaged\.tgz cannot be unpacked"):
        fetch.unpack(archive, "package/", ".png", tmp_path / "out")


def test_a_missing_archive_is_named(tmp_path: Path) -> None:
    done = subprocess.run(
        [sys.executable, SCRIPT, "--from", tmp_path], check=False, capture_output=True, text=True
    )
    assert done.returncode == 1
    assert "emoji-datasource-google-16.0.0.tgz" in done.stderr
    assert "Traceback" not in done.stderr
