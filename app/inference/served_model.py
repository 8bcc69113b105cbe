"""The model that serves, and how another takes its place while searches go on."""

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from app.bundle.adapted import BaseMap
from app.bundle.encoder import Encoder
from app.bundle.manifest import Manifest
from app.inference.batcher import Batcher


@dataclass(eq=False, slots=True)
class ServedModel:
    """A model at work: what it says of itself, its inference, and how many callers use it.

    One that was adapted has ``base``, the map of another model's vectors to its own.
    """

    manifest: Manifest
    batcher: Batcher
    base: BaseMap | None = None
    users: int = 0

    @property
    def encoder(self) -> Encoder:
        return self.batcher.encoder

    @property
    def id(self) -> str:
        return self.encoder.model_id

    @property
    def title(self) -> str:
        return f"{self.manifest.name}/{self.manifest.version}"


class ActiveModel:
    """The model that answers.

    A search holds on to the one it began with to its end, so that vectors of two models never meet;
    a model that was replaced ends with its last search.
    """

    def __init__(self, model: ServedModel, *, ended: Callable[[ServedModel], None]) -> None:
        """Serve ``model``; ``ended`` is called with each replaced model once nobody uses it."""
        self._model, self._ended = model, ended
        self._lock = threading.Lock()

    @property
    def model(self) -> ServedModel:
        """For a look; what must not change meanwhile is done inside ``use``."""
        return self._model

    @contextmanager
    def use(self) -> Iterator[ServedModel]:
        """Yield the model that answers now, which serves at least until the end of the block."""
        with self._lock:
            model = self._model
            model.users += 1
        try:
            yield model
        finally:
            with self._lock:
                model.users -= 1
                over = model.users == 0 and model is not self._model
            if over:
                self._end(model)

    def swap(self, new: ServedModel) -> None:
        """Let ``new`` answer from now on."""
        with self._lock:
            old, self._model = self._model, new
            over = old.users == 0 and old is not new
        if over:
            self._end(old)

    def close(self) -> None:
        """Finish what was accepted, then stop."""
        self._model.batcher.close()

    def _end(self, model: ServedModel) -> None:
        model.batcher.close()
        self._ended(model)
