"""What every section of a configuration is: typed, frozen, and without room for a misspelt option."""

from pydantic import BaseModel, ConfigDict


class Section(BaseModel):
    """A group of options; each has its default and its description."""

    model_config = ConfigDict(extra="forbid", frozen=True)
