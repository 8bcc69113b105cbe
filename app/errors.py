"""Everything that can go wrong in the service's own terms, without a word of HTTP.

GemelloError
├── SettingsError            a setting is unknown or has an impossible value
├── ImageError               the bytes cannot become an image
│   ├── ImageUndecodable     a known format, but empty, cut short or broken
│   ├── ImageTypeUnsupported not a format we decode
│   └── ImageTooLarge        too many bytes, pixels or scans
├── ImportFailure            images cannot be had from where they should come from
│   ├── ArchiveInvalid       not a zip archive, or one that cannot be read
│   ├── AddressRefused       an address that must not be fetched
│   └── FetchFailed          an address that gave no image
├── ParameterInvalid         a parameter has an impossible value
├── GalleryError
│   ├── ImageNotFound        no such id
│   ├── ImageConflict        the id is taken, and the caller asked for an error
│   ├── StorageFull          the disk has no room
│   └── StorageUnavailable   the disk or the database failed
│       ├── ImageDamaged     a stored image's bytes are missing or altered
│       └── DatabaseDamaged  the database fails its own check
│           ├── DatabaseMissing   there are stored images, but no records of them
│           └── DatabaseOutdated  the database lacks what was written after it
├── ModelError
│   ├── ModelNotFound        no such model, or no such version
│   ├── ModelCorrupt         a file does not match the manifest's checksum
│   ├── ModelStoreUnwritable a model cannot be written to the store
│   ├── AdaptationRefused    adapting a model to the gallery would do harm
│   ├── ModelFileRefused     a file of another maker that is no encoder of images
│   └── RuntimeUnavailable   the chosen runtime is not installed, or refuses the model
├── JobError
│   ├── JobNotFound          no such job
│   └── JobConflict          another job does the same
├── Overloaded               the queue is full; try again after ``retry_after_s``
└── NotReady                 the service is still starting, or the model failed its probe

Each class has a stable ``code`` and carries facts as attributes; ``str(error)`` is one sentence.
"""

from typing import ClassVar


class GemelloError(Exception):
    """Base of all our errors."""

    code: ClassVar[str] = "error"
    title: ClassVar[str] = "Something went wrong"


class SettingsError(GemelloError):
    code = "settings_invalid"
    title = "Invalid setting"


class ImageError(GemelloError):
    code = "image_invalid"
    title = "Invalid image"


class ImageUndecodable(ImageError):
    code = "image_undecodable"
    title = "Image cannot be decoded"

    def __init__(self, reason: str) -> None:
        super().__init__(f"The image cannot be decoded: {reason}.")
        self.reason = reason


class ImageTypeUnsupported(ImageError):
    code = "image_type_unsupported"
    title = "Unsupported image type"

    def __init__(self, supported: tuple[str, ...]) -> None:
        super().__init__(
            f"The bytes are not an image we decode; send one of {', '.join(supported)}."
        )
        self.supported = supported


class ImageTooLarge(ImageError):
    code = "image_too_large"
    title = "Image too large"

    def __init__(self, what: str, actual: int, limit: int, setting: str) -> None:
        super().__init__(
            f"The image has {actual:,} {what}; the limit is {limit:,} (GEMELLO_{setting})."
        )
        self.what, self.actual, self.limit, self.setting = what, actual, limit, setting


class ImportFailure(GemelloError):
    code = "import_failed"
    title = "Images cannot be imported"


class ArchiveInvalid(ImportFailure):
    code = "archive_invalid"
    title = "Invalid archive"

    def __init__(self, reason: str) -> None:
        super().__init__(f"The archive cannot be read: {reason}.")
        self.reason = reason


class AddressRefused(ImportFailure):
    code = "address_refused"
    title = "Address refused"

    def __init__(self, url: str, reason: str) -> None:
        super().__init__(f"{url} is not fetched: {reason}.")
        self.url, self.reason = url, reason


class FetchFailed(ImportFailure):
    code = "fetch_failed"
    title = "Address gave no image"

    def __init__(self, url: str, reason: str) -> None:
        super().__init__(f"{url} could not be fetched: {reason}.")
        self.url, self.reason = url, reason


class ParameterInvalid(GemelloError):
    code = "parameter_invalid"
    title = "Invalid parameter"

    def __init__(self, name: str, reason: str) -> None:
        super().__init__(f"{name}: {reason}.")
        self.name, self.reason = name, reason


class GalleryError(GemelloError):
    code = "gallery_error"
    title = "Gallery error"


class ImageNotFound(GalleryError):
    code = "image_not_found"
    title = "No such image"

    def __init__(self, image_id: str) -> None:
        super().__init__(f"The gallery holds no image with the id {image_id!r}.")
        self.image_id = image_id


class ImageConflict(GalleryError):
    code = "image_conflict"
    title = "Id already taken"

    def __init__(self, image_id: str) -> None:
        super().__init__(f"The gallery already holds an image with the id {image_id!r}.")
        self.image_id = image_id


class StorageFull(GalleryError):
    code = "storage_full"
    title = "Storage is full"

    def __init__(self) -> None:
        super().__init__("The disk has no room; nothing was stored.")


class StorageUnavailable(GalleryError):
    code = "storage_unavailable"
    title = "Storage is unavailable"

    def __init__(self, reason: str, sentence: str | None = None) -> None:
        super().__init__(sentence or f"The storage failed: {reason}; nothing was stored.")
        self.reason = reason


class ImageDamaged(StorageUnavailable):
    code = "image_damaged"
    title = "Stored image is damaged"

    def __init__(self, digest: str, problem: str) -> None:
        image = f"stored image {digest[:12]}… {problem}"
        super().__init__(f"the {image}", f"The {image}; add the same file again to mend it.")


class DatabaseDamaged(StorageUnavailable):
    code = "database_damaged"
    title = "Database cannot be trusted"

    def __init__(self, database: str, problem: str) -> None:
        ways_out = (
            "restore a backup (`gemello gallery restore`), make it anew from the stored images"
        )
        ways_out += (
            " (`gemello gallery rebuild`), or go on without what is lost (`gemello gallery accept`)"
        )
        super().__init__(problem, f"The database {database} {problem}; {ways_out}.")


class DatabaseMissing(DatabaseDamaged):
    code = "database_missing"


class DatabaseOutdated(DatabaseDamaged):
    code = "database_outdated"


class ModelError(GemelloError):
    code = "model_error"
    title = "Model error"


class ModelNotFound(ModelError):
    code = "model_not_found"
    title = "No such model"

    def __init__(self, name: str, store: str, known: list[str]) -> None:
        have = f"it holds {', '.join(known)}" if known else "it holds none"
        super().__init__(f"There is no model {name!r} in {store}; {have}.")
        self.name, self.known = name, known


class ModelCorrupt(ModelError):
    code = "model_corrupt"
    title = "Model does not match its manifest"

    def __init__(self, path: str, reason: str) -> None:
        super().__init__(f"The model file {path} is refused: {reason}.")
        self.path, self.reason = path, reason


class ModelStoreUnwritable(ModelError):
    code = "model_store_unwritable"
    title = "Model store cannot be written"

    def __init__(self, folder: str, reason: str) -> None:
        super().__init__(f"No model can be written to {folder}: {reason}.")
        self.folder, self.reason = folder, reason


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


class JobError(GemelloError):
    code = "job_error"
    title = "Job error"


class JobNotFound(JobError):
    code = "job_not_found"
    title = "No such job"

    def __init__(self, job_id: str) -> None:
        super().__init__(f"There is no job with the id {job_id!r}.")
        self.job_id = job_id


class JobConflict(JobError):
    code = "job_conflict"
    title = "Another job does the same"

    def __init__(self, job_id: str, reason: str) -> None:
        super().__init__(f"{reason}; see the job {job_id}.")
        self.job_id = job_id


class Overloaded(GemelloError):
    code = "overloaded"
    title = "Too many requests"

    def __init__(self, retry_after_s: int = 1) -> None:
        super().__init__(f"The service is busy; try again in {retry_after_s} s.")
        self.retry_after_s = retry_after_s


class NotReady(GemelloError):
    code = "not_ready"
    title = "Not ready"

    def __init__(self, reason: str) -> None:
        super().__init__(f"The service is not ready: {reason}.")
        self.reason = reason
