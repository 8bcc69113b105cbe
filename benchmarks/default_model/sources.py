"""Where the pictures of the default model's checks lie, and the commands that get them."""

from dataclasses import dataclass
from pathlib import Path

DATA = Path(__file__).parents[2] / "examples" / "default_model" / "data"

_FETCH = ".venv/bin/python examples/default_model/fetch.py"
_CLONE = "git clone --depth 1 https://github.com/"
_GROCERY, _CLOTHING = "marcusklasson/GroceryStoreDataset", "alexeygrigorev/clothing-dataset-small"
_THINGS = "MachineLearning2020/Homework2-Caltech101"


@dataclass(frozen=True, slots=True)
class Sources:
    """Where the pictures lie."""

    emoji: Path
    clipart: Path
    stamps: Path
    grocery: Path
    clothing: Path
    things: Path

    def command(self, folder: Path) -> str:
        for clone, repository in (
            (self.grocery, _GROCERY),
            (self.clothing, _CLOTHING),
            (self.things, _THINGS),
        ):
            if folder.is_relative_to(clone):
                return f"{_CLONE}{repository} {clone}"
        return _FETCH


def sources(
    data: Path,
    grocery: Path | None = None,
    clothing: Path | None = None,
    things: Path | None = None,
) -> Sources:
    """As ``examples/default_model/README.md`` lays them out below ``data``."""
    test = data / "test"
    return Sources(
        test / "emoji",
        test / "clipart",
        test / "stamps",
        grocery or test / "grocery",
        clothing or test / "clothing",
        things or test / "things",
    )
