"""Embedded pictures, by kind."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt

from app.bundle.encoder import Encoder, Vectors
from benchmarks.default_model.checks import (
    Picture,
    clothes,
    edited_copies,
    emoji,
    shop,
    stamps,
    things,
)
from benchmarks.default_model.scores import embed
from benchmarks.default_model.sources import sources
from gemello.progress import track

Labels = npt.NDArray[np.str_]


@dataclass(frozen=True, slots=True, eq=False)
class Images:
    """Embeddings float32 [N, D], labels [N], and the files that they are of [N]."""

    vectors: Vectors
    labels: Labels
    files: Labels

    def take(self, rows: npt.NDArray[np.int64] | npt.NDArray[np.bool_]) -> "Images":
        return Images(self.vectors[rows], self.labels[rows], self.files[rows])


@dataclass(frozen=True, slots=True, eq=False)
class Kind:
    """Images of one kind; without ``queries`` some of the gallery's are taken out and asked for."""

    name: str
    gallery: Images
    queries: Images | None


class Vectoriser:
    """Embeds pictures, and keeps the vectors in a file where one is named."""

    def __init__(self, encoder: Encoder, cache: Path | None) -> None:
        self._encoder, self._known = encoder, dict[str, Vectors]()
        self._path = cache / f"{encoder.model_id[:12]}.npz" if cache else None
        if self._path and self._path.exists():
            with np.load(self._path) as stored:
                self._known = dict(zip(stored["keys"].tolist(), stored["vectors"], strict=True))

    def images(self, pictures: Sequence[Picture], kind: str) -> Images:
        keys = [f"{p.path}{(p.edit and f'#{p.edit}/{p.key}') or ''}" for p in pictures]
        missing = [place for place, key in enumerate(keys) if key not in self._known]
        if missing:
            with track(kind, len(missing)) as advance:
                (vectors,) = embed([self._encoder], [pictures[place] for place in missing], advance)
            self._known.update(zip((keys[place] for place in missing), vectors, strict=True))
            if self._path:
                self._path.parent.mkdir(parents=True, exist_ok=True)
                names = list(self._known)
                np.savez(self._path, keys=names, vectors=np.stack([self._known[n] for n in names]))
        return Images(
            np.stack([self._known[key] for key in keys]),
            np.array([f"{kind}/{picture.label}" for picture in pictures]),
            np.array([str(picture.path) for picture in pictures]),
        )


def kinds(data: Path, encode: Vectoriser, seed: int) -> tuple[list[Kind], Images]:
    """The four kinds, and what is left to fill galleries with."""
    where = sources(data)
    found = []
    for check in (
        emoji("symbols", where),
        edited_copies("edited copies", where, 3, seed),
        shop("grocery", where),
        things("things", where, seed),
    ):
        gallery = check.gallery or check.queries
        if check.name == "edited copies":
            asked = {picture.label for picture in check.queries}
            gallery = [picture for picture in gallery if picture.label in asked]
        found.append(
            Kind(
                check.name,
                encode.images(gallery, check.name),
                encode.images(check.queries, check.name) if check.gallery else None,
            )
        )
    others = [
        encode.images([*check.queries, *(check.gallery or ())], check.name)
        for check in (stamps("stamps", where), clothes("clothing", where))
    ]
    return found, joined(others)


def every(kind: Kind) -> Images:
    """All images of a kind, but no edited ones."""
    if kind.queries is None or kind.name == "edited copies":
        return kind.gallery
    return joined([kind.gallery, kind.queries])


def joined(images: Sequence[Images]) -> Images:
    return Images(
        np.concatenate([each.vectors for each in images]),
        np.concatenate([each.labels for each in images]),
        np.concatenate([each.files for each in images]),
    )


def filling(kind: Kind, kinds: Sequence[Kind], rest: Images, data: Path) -> Images:
    """Images of the others, each file once, and none from a folder that ``kind`` is from.

    The originals of edited copies are photographs of groceries, and a picture of what is asked for
    would be no false alarm.
    """
    others = joined([*(every(each) for each in kinds if each is not kind), rest])
    own = {_folder(file, data) for file in every(kind).files.tolist()}
    _, first = np.unique(others.files, return_index=True)
    foreign = [row for row in first.tolist() if _folder(others.files[row], data) not in own]
    return others.take(np.array(foreign, np.int64))


def _folder(file: str, data: Path) -> tuple[str, ...]:
    """The set that a file is of; of the groceries its split, of the emoji all."""
    parts = Path(file).relative_to(data / "test").parts
    return parts[:3] if parts[0] == "grocery" else parts[:1]
