"""Which models there are, and which one serves."""

from app.bundle.adapted import base_map
from app.bundle.manifest import Manifest
from app.bundle.model_store import Bundle, list_models, resolve
from app.bundle.runtimes import check_fit, load_encoder
from app.config import Settings
from app.inference.batcher import Batcher
from app.inference.served_model import ServedModel
from app.storage.local.runtime_state import RuntimeState
from app.telemetry.metrics import Metrics


class Models:
    """The published models, as this service's settings run them."""

    def __init__(self, settings: Settings, state: RuntimeState, metrics: Metrics) -> None:
        self._settings, self._state, self._metrics = settings, state, metrics

    def all(self) -> list[Bundle]:
        """Return every published model, by name and version. Raises ``ModelCorrupt``."""
        store = self._settings.model_store
        return [resolve(store, title, verify_files=False) for title in list_models(store)]

    def find(self, title: str) -> Bundle:
        """Return a ``name/version``, its files unchecked. Raises ``ModelNotFound`` or ``ModelCorrupt``."""
        return resolve(self._settings.model_store, title, verify_files=False)

    def load(self, title: str) -> ServedModel:
        """Put a ``name`` or ``name/version`` to work. Raises ``ModelError``."""
        settings = self._settings
        bundle = resolve(settings.model_store, title)
        encoder = load_encoder(
            bundle,
            settings.runtime,
            precision=settings.precision,
            threads=settings.inference_threads,
        )
        check_fit(bundle, encoder)
        batcher = Batcher(
            encoder,
            max_batch=settings.max_batch,
            queue_size=settings.queue_size,
            observe=self._metrics.observe,
        )
        return ServedModel(bundle.manifest, batcher, base_map(bundle))

    def at_start(self) -> ServedModel:
        """Load the model that was activated last, unless the setting has changed since."""
        chosen = self._state.get("model")
        if chosen and self._state.get("instead_of") == self._configured():
            return self.load(chosen)
        return self.load(self._settings.model)

    def remember(self, model: Manifest) -> None:
        """Let ``model`` serve after a restart, too, as long as the setting stays as it is."""
        self._state.put(model=f"{model.name}/{model.version}", instead_of=self._configured())

    def _configured(self) -> str:
        """What the setting says and means: ``gemello models set-default`` changes what a name means."""
        asked = self._settings.model
        return f"{asked} = {self.find(asked).title}"
