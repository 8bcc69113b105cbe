"""The report inside a bundle: its page, and its plots as PNGs."""

from app.bundle.manifest import Manifest
from app.bundle.model_store import Bundle
from gemello.progress import say
from trainer.data.cache import ImageCache
from trainer.data.scan import Scan
from trainer.publish.measure import Retrieval
from trainer.report import Report, Thumbnails, write_report
from trainer.report.text import common_folder, shown
from trainer.report.thumbnails import from_cache


def write_bundle_report(bundle: Bundle, retrieval: Retrieval, scan: Scan, test: ImageCache) -> None:
    """Write ``report/`` of ``bundle``; its pictures come from ``test``, the measured images.

    Raises ``ReportError``.
    """
    say("writing the report")
    manifest, history = bundle.manifest, bundle.manifest.training["history"]
    report = Report(
        title=f"{bundle.title}, trained on {manifest.data['source']}",
        after=retrieval.trained,
        before=retrieval.untrained,
        history=history["epochs"],
        untrained_recall=history["untrained_validation_recall@1"],
        ladder=history["ladder"],
        calibration=manifest.calibration,
        data={
            **{f"{name} of each split": manifest.data[name] for name in ("images", "classes")},
            **_left_out(scan),
        },
        config=manifest.training["config"],
        model=_model(manifest),
    )
    folder, thumbnails = bundle.path / "report", Thumbnails(from_cache(test))
    folder.mkdir()
    write_report(folder / "index.html", report, thumbnails, pngs=folder)


def _left_out(scan: Scan) -> dict[str, object]:
    records = [record for cache in scan.caches.values() for record in cache.records]
    root = common_folder([*(r.path for r in records), *(item.path for item in scan.left_out)])
    lines = [(i.kind, shown(i.path, root), shown(i.reason, root)) for i in scan.left_out]
    return {
        "bad": {path: reason for kind, path, reason in lines if kind == "unreadable"},
        "duplicates": [f"{path}: {reason}" for kind, path, reason in lines if kind != "unreadable"],
    }


def _model(manifest: Manifest) -> dict[str, object]:
    encoder = manifest.training.get("encoder")
    return {
        "name": manifest.name,
        "version": manifest.version,
        "backbone": manifest.backbone.name,
        **({"features of": encoder["model"]} if encoder else {}),
        "dimension": manifest.dimension,
        "input_size": manifest.input_size,
        "resize": manifest.preprocessing.resize,
    }
