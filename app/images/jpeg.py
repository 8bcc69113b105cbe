"""The segments of a JPEG, read without decoding: how many scans, and whether all of them are there.

The decoder fills what is missing with grey and says nothing. That a file ends early is seen in two ways:
a progressive file whose scans do not bring every bit of every coefficient was cut between or within
them, and a sequential scan that is followed by filler instead of an end leaves the decoder asking for
more (``PixelSource``). What neither sees is the last, finest scan of a progressive file cut short.
"""

import io
import re
from dataclasses import dataclass, field

from app.errors import ImageTooLarge

START = b"\xff\xd8"
# Between scans 0xFF is followed by zero (a stuffed byte) or is a restart marker.
_MARKER = re.compile(rb"\xff[\x01-\xcf\xd8-\xfe]")
_END, _SCAN, _APP1 = 0xD9, 0xDA, 0xE1
_ALONE = frozenset({0x01, 0xD8})
# Until the first scan Pillow goes on behind an end, and takes these for markers without a segment.
_HEADER_MARKER = re.compile(rb"\xff[\x01-\xfe]")
_ALONE_IN_HEADER = _ALONE | {0xC8} | frozenset(range(0xD0, 0xDA)) | frozenset(range(0xF0, 0xFE))
_FRAMES = frozenset(range(0xC0, 0xD0)) - {0xC4, 0xC8, 0xCC}
_HUFFMAN_SEQUENTIAL = frozenset({0xC0, 0xC1})
_PROGRESSIVE = frozenset({0xC2, 0xC6, 0xCA, 0xCE})
# Profiles and previews of a camera need some hundred segments, a scan two or three.
_MAX_SEGMENTS = 2000
# What stands between the segments of a header is read byte by byte; a camera's EXIF fits into one segment.
_FILLING, _MAX_FILLING = "bytes between the segments of its header", 64_000
_EXIF, _MAX_EXIF = b"Exif\0\0", 1_000_000
# What the decoder reads ahead of the last pixel, as stuffed bytes.
_FILLER = b"\xff\0" * 8


@dataclass(slots=True)
class JpegLayout:
    """What the segments of a JPEG say."""

    frame: int = 0
    """The marker of its frame, which says how it is coded."""
    samples: float = 0
    """Coefficients for each pixel, all components together: 3, or 1.5 with halved colour."""
    scans: int = 0
    first_scan_end: int = 0
    """Where the data of the first scan end."""
    _components: frozenset[int] = frozenset()
    _missing_bits: dict[int, list[int]] = field(default_factory=dict)
    """By component: for each coefficient the lowest bit that has come, or more than any."""

    @property
    def buffered(self) -> bool:
        """Whether all coefficients are kept until the last scan has been read."""
        return self.scans > 1 or self.frame in _PROGRESSIVE

    @property
    def cut_short(self) -> bool:
        """Whether the scans together do not make a whole picture."""
        bits = self._missing_bits
        return not self._components <= bits.keys() or any(any(low) for low in bits.values())

    @property
    def pixels_end(self) -> int | None:
        """Where the only scan ends, after which the decoder needs no end marker; None where it does."""
        return (
            self.first_scan_end if self.frame in _HUFFMAN_SEQUENTIAL and self.scans == 1 else None
        )

    def read_frame(self, marker: int, segment: bytes) -> None:
        components = segment[8 : 8 + 3 * segment[7]]
        self.frame, self._components = marker, frozenset(components[::3])
        factors = [(byte >> 4) * (byte & 15) for byte in components[1::3]]
        self.samples = sum(factors) / max(max(factors, default=1), 1)

    def read_scan(self, segment: bytes) -> None:
        self.scans += 1
        count = segment[2]
        first, last, bits = segment[3 + 2 * count : 6 + 2 * count]
        sequential = self.frame not in _PROGRESSIVE
        for component in segment[3 : 3 + 2 * count : 2]:
            low = self._missing_bits.setdefault(component, [0 if sequential else 15] * 64)
            for coefficient in range(first, min(last, 63) + 1):
                low[coefficient] = 0 if sequential else bits & 15


def read_layout(data: bytes) -> JpegLayout:
    """Walk the segments of the first picture. Raises ``ImageTooLarge`` when they are too many, or too far apart.

    A file that breaks off gives what was read; the decoder says what is wrong with it.
    """
    layout, position, segments, filling, exif = JpegLayout(), len(START), 0, 0, 0
    while found := (_MARKER if layout.scans else _HEADER_MARKER).search(data, position):
        start, marker = found.start(), data[found.start() + 1]
        if layout.scans == 1 and not layout.first_scan_end:
            layout.first_scan_end = start
        if layout.scans and marker == _END:
            break
        if not layout.scans:
            filling = _within(_FILLING, filling + start - position, _MAX_FILLING)
        segments = _within("segments", segments + 1, _MAX_SEGMENTS)
        if marker in (_ALONE if layout.scans else _ALONE_IN_HEADER):
            position = start + 2
            continue
        position = start + 2 + int.from_bytes(data[start + 2 : start + 4])
        if marker == _APP1 and data.startswith(_EXIF, start + 4):
            exif = _within("bytes of EXIF", exif + position - start, _MAX_EXIF)
        try:
            if marker in _FRAMES and not layout.frame:
                layout.read_frame(marker, data[start + 2 : position])
            elif marker == _SCAN:
                layout.read_scan(data[start + 2 : position])
        except (IndexError, ValueError):
            break
    else:
        if not layout.scans:
            _within(_FILLING, filling + len(data) - position, _MAX_FILLING)
    if layout.scans == 1 and not layout.first_scan_end:
        layout.first_scan_end = len(data)
    return layout


def _within(what: str, actual: int, limit: int) -> int:
    if actual > limit:
        raise ImageTooLarge(what, actual, limit)
    return actual


class PixelSource(io.BytesIO):
    """The bytes of an image, which may be made to end with filler where its pixels end.

    A JPEG's scan that brings all pixels leaves the decoder content; one that was cut short makes it ask
    for more than there is, which Pillow reports.
    """

    def __init__(self, data: bytes, pixels_end: int | None) -> None:
        super().__init__(data)
        self._pixels_end = pixels_end
        self._end: int | None = None
        self._filler = _FILLER

    def end_with_the_pixels(self) -> None:
        """From now on give filler after the pixels, once, where it is known where they end."""
        self._end = self._pixels_end

    def read(self, size: int | None = -1, /) -> bytes:
        if self._end is None:
            return super().read(size)
        left = self._end - self.tell()
        if left > 0:
            return super().read(left if size is None or size < 0 else min(size, left))
        filler, self._filler = self._filler, b""
        return filler
