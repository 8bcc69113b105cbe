"""Makes ``app/sample_gallery`` from the data that ``fetch.py`` laid out: symbols no model trained on.

    python examples/emoji/make_sample_gallery.py NAMES.json

NAMES.json is the ``emoji.json`` of the npm package emoji-datasource-google: its short names become
labels. Takes evenly spaced symbols of the test half, of things rather than flags and people.
"""

import json
import shutil
import sys
from pathlib import Path

DATA = Path(__file__).parent / "data" / "test"
OUT = Path(__file__).parents[2] / "app" / "sample_gallery"
CATEGORIES = {
    "Activities",
    "Animals & Nature",
    "Food & Drink",
    "Objects",
    "Smileys & Emotion",
    "Travel & Places",
}
SYMBOLS = 130


def class_key(code_points: str) -> str:
    """The class of a symbol: its code points, lower-case, without fe0f and leading zeros."""
    parts = code_points.lower().split("-")
    return "-".join(part.lstrip("0") for part in parts if part != "fe0f")


def main(names: Path) -> None:
    symbols = {
        class_key(symbol["unified"]): symbol["short_name"].replace("_", "-")
        for symbol in json.loads(names.read_text())
        if symbol["category"] in CATEGORIES
    }
    keys = sorted(key for key in symbols if (DATA / "queries" / key).is_dir())
    shutil.rmtree(OUT, ignore_errors=True)
    chosen = [keys[i * len(keys) // SYMBOLS] for i in range(SYMBOLS)]
    for key in chosen:
        folder = OUT / symbols[key]
        folder.mkdir(parents=True)
        for part in ("queries", "gallery"):
            for image in sorted((DATA / part / key).iterdir()):
                shutil.copy(image, folder / image.name)
    files = [path for path in OUT.rglob("*") if path.is_file()]
    size = sum(path.stat().st_size for path in files) / 1e6
    print(f"{len(files)} images of {len(chosen)} symbols, {size:.1f} MB, in {OUT.name}/")


if __name__ == "__main__":
    main(Path(sys.argv[1]))
