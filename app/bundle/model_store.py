"""The folder of published models: ``<store>/<name>/<version>/`` and the file ``<name>/active``.

A bundle is written aside and renamed into place, so a reader sees all of it or none;
it is used only when every file matches the SHA-256 in its manifest, and the manifest the one that
lies beside it (``sha256sum --check manifest.sha256``).
"""

import hashlib
import os
import re
import shutil
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from uuid import uuid4

from pydantic import ValidationError

from app.bundle.manifest import Manifest, model_id
from app.errors import ModelCorrupt, ModelNotFound, ParameterInvalid

NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,63}")
MANIFEST = "manifest.json"
CHECKSUM = "manifest.sha256"
ACTIVE = "active"


@dataclass(frozen=True, slots=True)
class Bundle:
    """A published model: its folder and its manifest."""

    path: Path
    manifest: Manifest

    @property
    def title(self) -> str:
        return f"{self.manifest.name}/{self.manifest.version}"


def check_name(name: str) -> None:
    """Refuse what cannot be a model's name. Raises ``ParameterInvalid``."""
    if not NAME.fullmatch(name):
        raise ParameterInvalid("name", f"{name!r} must be letters, digits, '.', '_' or '-'")


def versions(store: Path, name: str) -> list[str]:
    """Return the published versions of ``name``, oldest first."""
    folder = store / name
    if not folder.is_dir():
        return []
    published = [entry.name for entry in folder.iterdir() if (entry / MANIFEST).is_file()]
    return sorted((v for v in published if v.isdigit()), key=int)


def list_models(store: Path) -> list[str]:
    """Return every ``name/version`` in the store, by name, oldest version first."""
    if not store.is_dir():
        return []
    names = sorted(entry.name for entry in store.iterdir() if NAME.fullmatch(entry.name))
    return [f"{name}/{version}" for name in names for version in versions(store, name)]


def active_version(store: Path, name: str) -> str | None:
    """Return the version that serves when none is named: the activated one, else the newest."""
    published = versions(store, name)
    try:
        chosen = (store / name / ACTIVE).read_text().strip()
    except (OSError, UnicodeDecodeError):
        chosen = ""
    return chosen if chosen in published else (published[-1] if published else None)


def activate(store: Path, name: str, version: str) -> None:
    """Make ``version`` the one that serves when only ``name`` is asked for.

    Raises ``ModelNotFound``.
    """
    if version not in versions(store, name):
        raise ModelNotFound(f"{name}/{version}", str(store), list_models(store))
    target = store / name / ACTIVE
    temporary = target.with_name(f".{ACTIVE}-{uuid4().hex}")
    temporary.write_text(f"{version}\n")
    temporary.replace(target)


def resolve(store: Path, model: str, *, verify_files: bool = True) -> Bundle:
    """Find ``name`` (its active version) or ``name/version`` and check it against its manifest.

    Raises ``ModelNotFound`` or ``ModelCorrupt``.
    """
    name, _, version = model.partition("/")
    chosen = version or (active_version(store, name) if NAME.fullmatch(name) else None)
    if not chosen or not NAME.fullmatch(name) or chosen not in versions(store, name):
        raise ModelNotFound(model, str(store), list_models(store))
    bundle = read(store / name / chosen)
    if (bundle.manifest.name, bundle.manifest.version) != (name, chosen):
        raise ModelCorrupt(str(bundle.path / MANIFEST), f"it describes {bundle.title}")
    if verify_files:
        verify(bundle)
    return bundle


def read(path: Path) -> Bundle:
    """Read a bundle's manifest. Raises ``ModelCorrupt`` when it is missing, altered or malformed."""
    manifest, checksum = path / MANIFEST, path / CHECKSUM
    try:
        data = manifest.read_bytes()
        # Bundles of older versions have none.
        if checksum.exists() and checksum.read_bytes() != _checksum_line(data):
            raise ModelCorrupt(str(manifest), f"its SHA-256 is not the one in {CHECKSUM}")
        return Bundle(path, Manifest.model_validate_json(data))
    except OSError as exc:
        raise ModelCorrupt(str(manifest), f"it cannot be read ({exc.strerror})") from exc
    except ValidationError as exc:
        problem = exc.errors()[0]
        field = ".".join(str(part) for part in problem["loc"]) or "document"
        raise ModelCorrupt(str(manifest), f"{field}: {problem['msg']}") from exc


def verify(bundle: Bundle) -> None:
    """Hold every file to its SHA-256. Raises ``ModelCorrupt`` naming the first that differs."""
    manifest = bundle.manifest
    for name, expected in manifest.files.items():
        path = bundle.path / name
        if "\0" in name or not path.resolve().is_relative_to(bundle.path.resolve()):
            raise ModelCorrupt(str(path), "it lies outside the bundle")
        try:
            actual = sha256_file(path)
        except OSError as exc:
            raise ModelCorrupt(str(path), f"it cannot be read ({exc.strerror})") from exc
        if actual != expected:
            raise ModelCorrupt(str(path), "its SHA-256 is not the one in the manifest")
    if manifest.model_id != model_id(manifest.files, manifest.input_size, manifest.preprocessing):
        raise ModelCorrupt(str(bundle.path / MANIFEST), "its model_id does not fit its files")


@contextmanager
def staging(store: Path, name: str, key: str | None = None) -> Iterator[Path]:
    """Yield a scratch folder beside the versions of ``name``; gone afterwards unless published.

    Work that may be killed and begun again gives a ``key`` of its own: what an earlier attempt left
    is removed. Raises ``ParameterInvalid``, or ``OSError``.
    """
    check_name(name)
    folder = store / name / f".staging-{key or uuid4().hex}"
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    try:
        yield folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)
        # What was refused or failed leaves no name without a model behind.
        with suppress(OSError):
            folder.parent.rmdir()


def next_version(store: Path, name: str) -> str:
    """Return one more than the newest published version; ``"1"`` for a new name."""
    published = versions(store, name)
    return str(int(published[-1]) + 1) if published else "1"


def hash_files(folder: Path) -> dict[str, str]:
    """Return relative path → SHA-256 of every file below ``folder`` but the manifest and its own."""
    files = sorted(path for path in folder.rglob("*") if path.is_file())
    return {
        path.relative_to(folder).as_posix(): sha256_file(path)
        for path in files
        if path not in (folder / MANIFEST, folder / CHECKSUM)
    }


def write_manifest(folder: Path, manifest: Manifest) -> None:
    """Write the manifest, and its own SHA-256 beside it."""
    data = f"{manifest.model_dump_json(indent=2)}\n".encode()
    (folder / MANIFEST).write_bytes(data)
    (folder / CHECKSUM).write_bytes(_checksum_line(data))


def _checksum_line(data: bytes) -> bytes:
    return f"{hashlib.sha256(data).hexdigest()}  {MANIFEST}\n".encode()


def publish(store: Path, folder: Path, *, as_default: bool = True) -> Bundle:
    """Move a finished bundle from ``staging`` into place under its version, and activate it.

    The files are synced, then renamed in one step. Without ``as_default`` the name goes on to mean
    the version that it meant, if there was one. Raises ``ModelCorrupt`` when the manifest does not
    fit the files, ``FileExistsError`` when the version is already published.
    """
    bundle = read(folder)
    verify(bundle)
    name, version = bundle.manifest.name, bundle.manifest.version
    before = active_version(store, name)
    target = store / name / version
    if target.exists():
        raise FileExistsError(f"{bundle.title} is already published")
    for path in (*folder.rglob("*"), folder):
        sync(path)
    if before and not as_default:
        # Where nothing was chosen, the name meant the newest.
        activate(store, name, before)
    folder.rename(target)
    sync(target.parent)
    if as_default:
        activate(store, name, version)
    return read(target)


def sync(path: Path) -> None:
    """Flush a file or a folder to the disk."""
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def sha256_file(path: Path) -> str:
    with path.open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()
