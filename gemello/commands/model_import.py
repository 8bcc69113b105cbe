"""``gemello models import FILE``: an encoder that others trained, as a model like any other."""

import re
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from gemello.commands.errors import OptionInvalid
from gemello.commands.options import Json, Store, model_store
from gemello.commands.outputs import print_fields, print_json
from gemello.progress import say

if TYPE_CHECKING:
    from app.bundle.importing.publication import Facts, Imported

# The characters of an SPDX licence expression, such as "Apache-2.0 AND (MIT OR LicenseRef-acme)".
_LICENCE = re.compile(r"[A-Za-z0-9.+() :-]{1,200}")

InputSize = Annotated[
    int | None, typer.Option(help="Side of its images in pixels, where the file leaves it open.")
]
Mean = Annotated[
    str | None,
    typer.Option(help="Mean that it was trained with, one number or R,G,B, of pixels as 0–1."),
]
Std = Annotated[
    str | None, typer.Option(help="Standard deviation that it was trained with, likewise.")
]
Resize = Annotated[
    str, typer.Option(help="How pictures become squares: stretch, crop (the middle) or pad.")
]
Output = Annotated[
    str | None, typer.Option(help="Output that is the image's vector, where there are several.")
]
Licence = Annotated[
    str | None, typer.Option(help="Licence of its weights, an SPDX name such as Apache-2.0.")
]


def register(models: typer.Typer) -> None:
    @models.command("import")
    def import_file(
        file: Annotated[Path, typer.Argument(help="ONNX, OpenVINO IR (.xml) or TFLite file.")],
        name: Annotated[str, typer.Option(help="Name to publish the model under.")],
        input_size: InputSize = None,
        mean: Mean = None,
        std: Std = None,
        resize: Resize = "stretch",
        output: Output = None,
        licence: Licence = None,
        store: Store = None,
        as_json: Json = False,
    ) -> None:
        """Make a model of a file that maps an image to a vector, and check it on test pictures.

        docs/models.md has the options for well-known encoders. Example: `gemello models import
        dino.onnx --name dino --input-size 224 --mean 0.485,0.456,0.406 --std 0.229,0.224,0.225 --resize crop
        --licence Apache-2.0`
        """
        from app.bundle.importing.publication import import_model

        facts = read_facts(input_size, mean, std, resize, output, licence)
        imported = import_model(file, name, facts, model_store(store))
        if licence is None:
            say(
                "The licence is recorded as unknown; find out whether the weights may be used as you "
                "mean to, and name it with --licence."
            )
        _show(imported, as_json)


def read_facts(
    input_size: int | None,
    mean: str | None,
    std: str | None,
    resize: str,
    output: str | None,
    licence: str | None,
) -> "Facts":
    """Return what the options say of a file. Raises ``OptionInvalid`` or ``ParameterInvalid``."""
    from app.bundle.importing.publication import UNKNOWN, Facts
    from app.bundle.importing.scaling import scaling
    from app.images.square import RESIZES

    chosen = next((known for known in RESIZES if known == resize), None)
    if chosen is None:
        raise OptionInvalid("--resize", f"expected {', '.join(RESIZES)}, got {resize!r}")
    if (mean is None) != (std is None):
        raise OptionInvalid("--mean", "give --mean and --std together")
    if licence is not None and not _LICENCE.fullmatch(licence):
        raise OptionInvalid("--licence", f"{licence!r} is no SPDX name such as Apache-2.0")
    scaled = None
    if mean is not None and std is not None:
        scaled = scaling(_numbers("--mean", mean), _numbers("--std", std))
    return Facts(
        input_size=input_size,
        scaling=scaled,
        resize=chosen,
        output=output,
        licence=licence or UNKNOWN,
    )


def _numbers(option: str, text: str) -> list[float]:
    try:
        return [float(part) for part in text.split(",")]
    except ValueError as exc:
        raise OptionInvalid(option, f"expected a number or R,G,B, got {text!r}") from exc


def _show(imported: "Imported", as_json: bool) -> None:
    bundle = imported.bundle
    manifest = bundle.manifest
    if as_json:
        print_json(
            {
                "model": bundle.title,
                "id": manifest.model_id,
                "folder": str(bundle.path),
                "dimension": manifest.dimension,
                "input_size": manifest.input_size,
                "resize": manifest.preprocessing.resize,
                "licence": manifest.backbone.licence,
                "milliseconds": round(imported.milliseconds, 2),
                "one_by_one": imported.one_by_one,
            }
        )
        return
    print_fields(
        {
            "model": bundle.title,
            "folder": bundle.path,
            "input": f"{manifest.input_size} px, {manifest.preprocessing.resize}",
            "dimension": manifest.dimension,
            "licence": manifest.backbone.licence,
            "time": f"{imported.milliseconds:.1f} ms an image"
            + (", one by one: the file takes no batch" if imported.one_by_one else ""),
        }
    )
    typer.echo(f"switch a running service to it: gemello models activate {bundle.title}")
    typer.echo(f"or start one with it: GEMELLO_MODEL={manifest.name} gemello serve")
    typer.echo(f"measure it: gemello evaluate --model {bundle.title} --data FOLDER")
    typer.echo(f"train on it: gemello train FOLDER --name mine --backbone {bundle.title}")
