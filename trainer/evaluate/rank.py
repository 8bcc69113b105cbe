"""For every query image, the whole gallery sorted by distance, written to a file as it is computed."""

import json
from collections.abc import Callable
from pathlib import Path

from app.bundle.encoder import Encoder
from app.index.flat import FlatIndex
from gemello.image_folder import image_files
from trainer.errors import DataError
from trainer.evaluate.embedding import embed_files


def rank(
    encoder: Encoder,
    queries: Path,
    gallery: Path,
    out: Path,
    advance: Callable[[int], None] = lambda _: None,
) -> dict[str, str]:
    """Write ``{"gallery": N, "queries": [{"query", "results": [{"path", "distance"}]}]}``.

    Paths are relative to the two folders; results ascend by distance. The file is renamed into
    place when complete. Returns the files that are not images, and why. Raises ``DataError``.
    """
    for folder in (queries, gallery):
        if not folder.is_dir():
            raise DataError(f"{folder} is not a folder.")
    answers = embed_files(encoder, list(image_files(gallery)), advance)
    asked = embed_files(encoder, list(image_files(queries)), advance)
    if not answers.paths or not asked.paths:
        raise DataError(f"{queries if answers.paths else gallery} holds no image that decodes.")
    names = [path.relative_to(gallery).as_posix() for path in answers.paths]
    index = FlatIndex(encoder.dimension)
    index.add(names, answers.vectors)
    temporary = out.with_name(f".{out.name}.part")
    with temporary.open("w", encoding="utf-8") as stream:
        stream.write(f'{{"gallery": {len(names)}, "queries": [')
        for number, (path, vector) in enumerate(zip(asked.paths, asked.vectors, strict=True)):
            ids, distances = index.search(vector[None], len(names))
            results = [
                {"path": name, "distance": round(float(distance), 6)}
                for name, distance in zip(ids[0], distances[0], strict=True)
            ]
            name = path.relative_to(queries).as_posix()
            entry = json.dumps({"query": name, "results": results}, ensure_ascii=False)
            stream.write(f"{',' if number else ''}\n{entry}")
        stream.write("\n]}\n")
    temporary.replace(out)
    return {**answers.bad, **asked.bad}
