"""Models that are not there, or are not what they should be.

Sentences name folders of the service's machine and what libraries say; ``detail`` does not.
"""

from pathlib import PurePath

from app.errors.base import GemelloError


class ModelError(GemelloError):
    code = "model_error"
    title = "Model error"


class ModelNotFound(ModelError):
    code = "model_not_found"
    title = "No such model"

    def __init__(self, name: str, store: str, known: list[str]) -> None:
        have = f"it holds {', '.join(known)}" if known else "it holds none"
        super().__init__(f"There is no model {name!r} in {store}; {have}.")
        self.name, self.known, self._have = name, known, have

    @property
    def detail(self) -> str:
        return f"There is no model {self.name!r} in the model store; {self._have}."


class ModelCorrupt(ModelError):
    code = "model_corrupt"
    title = "Model does not match its manifest"

    def __init__(self, path: str, reason: str) -> None:
        super().__init__(f"The model file {path} is refused: {reason}.")
        self.path, self.reason = path, reason

    @property
    def detail(self) -> str:
        return f"The model file {PurePath(self.path).name} is refused: {self.reason}."


class ModelStoreUnwritable(ModelError):
    code = "model_store_unwritable"
    title = "Model store cannot be written"

    def __init__(self, folder: str, reason: str) -> None:
        super().__init__(f"No model can be written to {folder}: {reason}.")
        self.folder, self.reason = folder, reason

    @property
    def detail(self) -> str:
        return "No model can be written to the model store; the service's log says why."


class AdaptationRefused(ModelError):
    code = "adaptation_refused"
    title = "The model is not adapted"

    def __init__(self, reason: str) -> None:
        super().__init__(f"{reason}; nothing was changed.")
        self.reason = reason


class ModelFileRefused(ModelError):
    code = "model_file_refused"
    title = "Model file cannot be imported"

    def __init__(self, file: str, reason: str) -> None:
        super().__init__(f"{file} cannot be imported: {reason}.")
        self.file, self.reason = file, reason


class RuntimeUnavailable(ModelError):
    code = "runtime_unavailable"
    title = "Runtime unavailable"

    def __init__(self, runtime: str, reason: str) -> None:
        super().__init__(f"The runtime {runtime!r} cannot serve this model: {reason}.")
        self.runtime, self.reason = runtime, reason

    @property
    def detail(self) -> str:
        return f"The runtime {self.runtime!r} cannot serve this model; the service's log says why."
