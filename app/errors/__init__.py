"""Everything that can go wrong in the service's own terms, without a word of HTTP.

GemelloError
├── SettingsError            a setting is unknown or has an impossible value
├── ImageError               the bytes cannot become an image
│   ├── ImageUndecodable     a known format, but empty, cut short or broken
│   ├── ImageTypeUnsupported not a format we decode
│   └── ImageTooLarge        too many bytes, pixels, scans or parts
├── ImportFailure            images cannot be had from where they should come from
│   ├── ArchiveInvalid       not a zip archive, or one that cannot be read
│   ├── AddressRefused       an address that must not be fetched
│   └── FetchFailed          an address that gave no image
├── ParameterInvalid         a parameter has an impossible value
├── GalleryError
│   ├── ImageNotFound        no such id
│   ├── ImageConflict        the id is taken, and the caller asked for an error
│   ├── GalleryFull          the gallery has as many images, or bytes, as it may
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
│   ├── JobConflict          another job does the same
│   └── JobQueueFull         too many imports wait, or their archives take too much room
├── Overloaded               the queue is full; try again after ``retry_after_s``
└── NotReady                 the service is still starting, or the model failed its probe

Each class has a stable ``code`` and carries facts as attributes; ``str(error)`` is one sentence, ``error.detail``
what of it callers are told.
"""

from app.errors.base import (
    GemelloError,
)
from app.errors.gallery import (
    DatabaseDamaged,
    DatabaseMissing,
    DatabaseOutdated,
    GalleryError,
    GalleryFull,
    ImageConflict,
    ImageDamaged,
    ImageNotFound,
    StorageFull,
    StorageUnavailable,
)
from app.errors.images import (
    AddressRefused,
    ArchiveInvalid,
    FetchFailed,
    ImageError,
    ImageTooLarge,
    ImageTypeUnsupported,
    ImageUndecodable,
    ImportFailure,
)
from app.errors.models import (
    AdaptationRefused,
    ModelCorrupt,
    ModelError,
    ModelFileRefused,
    ModelNotFound,
    ModelStoreUnwritable,
    RuntimeUnavailable,
)
from app.errors.service import (
    JobConflict,
    JobError,
    JobNotFound,
    JobQueueFull,
    NotReady,
    Overloaded,
    ParameterInvalid,
    SettingsError,
)

__all__ = [
    "AdaptationRefused",
    "AddressRefused",
    "ArchiveInvalid",
    "DatabaseDamaged",
    "DatabaseMissing",
    "DatabaseOutdated",
    "FetchFailed",
    "GalleryError",
    "GalleryFull",
    "GemelloError",
    "ImageConflict",
    "ImageDamaged",
    "ImageError",
    "ImageNotFound",
    "ImageTooLarge",
    "ImageTypeUnsupported",
    "ImageUndecodable",
    "ImportFailure",
    "JobConflict",
    "JobError",
    "JobNotFound",
    "JobQueueFull",
    "ModelCorrupt",
    "ModelError",
    "ModelFileRefused",
    "ModelNotFound",
    "ModelStoreUnwritable",
    "NotReady",
    "Overloaded",
    "ParameterInvalid",
    "RuntimeUnavailable",
    "SettingsError",
    "StorageFull",
    "StorageUnavailable",
]
