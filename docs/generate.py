"""Writes the documents that are made from the code; ``make docs`` runs it, a test compares.

python docs/generate.py
"""

import json
import tempfile
from pathlib import Path

from app.config import PREFIX, Settings
from app.main import create_app
from trainer.config import options

DOCS = Path(__file__).parent
ROOT = DOCS.parent


def settings_page() -> str:
    """Every setting of the service, and every option of the trainer, as Markdown tables."""
    service = [
        f"| `{PREFIX}{name.upper()}` | {_default(field.default)} | {field.description} |"
        for name, field in Settings.model_fields.items()
    ]
    training = [
        f"| `{name}` | {_default(default)} | {description} |"
        for name, default, description in options()
    ]
    return "\n".join(
        [
            "# Settings",
            "",
            "This page is made by `make docs` from `app/config.py` and `trainer/config/`.",
            "",
            "## The service",
            "",
            "Each is an environment variable. An unknown `GEMELLO_` variable, or an impossible",
            "value, stops the start with a sentence that names it. An empty value means unset.",
            "",
            "| variable | default | what it does, and when to change it |",
            "|---|---|---|",
            *service,
            "",
            "The command line also reads `GEMELLO_URL` (address of the service) and `GEMELLO_KEY`.",
            "",
            "## Training",
            "",
            "Given as `gemello train … --set loss.margin=0.2`, or in a TOML file with the same sections;",
            "[training.md](training.md) says why.",
            "",
            "| option | default | what it does |",
            "|---|---|---|",
            *training,
            "",
        ]
    )


def openapi_document(model_store: Path, model: str) -> str:
    """The OpenAPI document as served, sorted, so that a change shows as a small difference."""
    with tempfile.TemporaryDirectory() as folder:
        settings = Settings(
            data_dir=Path(folder), model_store=model_store, model=model, sample_gallery=False
        )
        app = create_app(settings)
        document = app.openapi()
        app.state.service.stop()
    return json.dumps(document, indent=2, sort_keys=True) + "\n"


def _default(value: object) -> str:
    if isinstance(value, Path):
        value = value.relative_to(ROOT)
    if isinstance(value, bool):
        value = int(value)
    return "unset" if value is None else f"`{value}`"


if __name__ == "__main__":
    (DOCS / "settings.md").write_text(settings_page())
    (DOCS / "openapi.json").write_text(openapi_document(ROOT / "model_store", "default"))
