"""The images that a command measures on, and the measuring with its progress bar."""

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from gemello.commands.errors import OptionInvalid

if TYPE_CHECKING:
    from app.bundle.encoder import Encoder
    from trainer.evaluate.measurement import Measurement

Queries = Annotated[Path | None, typer.Option(help="Class folders to search with.")]
Gallery = Annotated[Path | None, typer.Option(help="Class folders to search in.")]
Data = Annotated[
    Path | None,
    typer.Option(
        help="Class folders or CSV: each image searched in the others; or a folder that holds "
        "queries/ and gallery/."
    ),
]
ReportFile = Annotated[
    Path | None, typer.Option("--report", help="Write a report here: one HTML page.")
]


@dataclass(frozen=True, slots=True)
class Images:
    """The images to measure on: each of ``source`` in the others, or in those of ``gallery``.

    ``total`` is the number of files in both.
    """

    name: str
    source: Path
    gallery: Path | None
    total: int

    def searched(self) -> list[Path]:
        """Return the files that are searched in. Raises ``DataError``."""
        from trainer.data.records import read_data

        return [record.path for record in read_data(self.gallery or self.source)]

    def measure(self, encoder: "Encoder", description: str = "embedding") -> "Measurement":
        """Embed and search, with a bar on standard error. Raises ``DataError``."""
        from gemello.progress import track
        from trainer.data.records import read_data
        from trainer.evaluate.retrieval import measure_queries, measure_records

        with track(description, self.total) as advance:
            if self.gallery:
                return measure_queries(encoder, self.source, self.gallery, advance)
            return measure_records(encoder, read_data(self.source), advance)


def images(data: Path | None, queries: Path | None, gallery: Path | None) -> Images:
    """Return the images that the options name.

    Raises ``OptionInvalid`` when the options disagree, ``DataError`` where there are no images.
    """
    from trainer.data.records import read_data
    from trainer.evaluate.retrieval import queries_and_gallery

    if queries and gallery and not data:
        name = f"{queries.name} in {gallery.name}"
    elif data and not queries and not gallery:
        name = data.resolve().name
        queries, gallery = queries_and_gallery(data) or (data, None)
    else:
        raise OptionInvalid("--data", "give either --data, or --queries and --gallery")
    total = sum(len(read_data(folder)) for folder in (queries, gallery) if folder)
    return Images(name, queries, gallery, total)


def duplicates(measurement: "Measurement") -> list[str]:
    """Return a sentence for each group of measured files with the same bytes."""
    from trainer.data.same_bytes import same_bytes

    groups = same_bytes([*measurement.paths, *measurement.gallery_paths])
    return [" = ".join(map(str, group)) + ", byte for byte" for group in groups]
