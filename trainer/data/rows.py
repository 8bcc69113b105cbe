"""Rows of arrays in a file, read by index: memory holds the rows that were asked for, nothing else.

A memory map would do the same in fewer lines, but its pages count as the process's memory until
the kernel takes them back, so that a run on 100,000 images would seem to need ten times that of
one on 10,000, and a container's limit might kill it.
"""

import copy
import math
import os
import tempfile
import weakref
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Self

import numpy as np
import numpy.typing as npt

from trainer.errors import DataError

Indices = npt.NDArray[np.int64]
Array = npt.NDArray[Any]
# Rows that one system call reads; Linux takes 1024 buffers at most.
_RUN = 256


class _Descriptor:
    """An open file, closed with the last that reads from it."""

    def __init__(self, number: int) -> None:
        self.number = number
        weakref.finalize(self, os.close, number)


class RowFile:
    """``len(self)`` rows of one shape and type, the raw bytes one after the other.

    ``self[indices]`` is a fresh array [n, *row]; ``indices`` is a slice, an integer array (any order,
    repeats allowed) or a boolean array. ``self[index]`` is one row. Safe to read from many threads.
    Raises ``IndexError``, and ``DataError`` when the file is too short or cannot be read.
    """

    def __init__(self, path: Path, count: int, row: tuple[int, ...], dtype: npt.DTypeLike) -> None:
        try:
            descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
        except OSError as exc:
            raise DataError(f"{path} cannot be read ({exc.strerror}).") from exc
        self._set(descriptor, str(path), row, dtype)
        self._count = count
        if os.fstat(descriptor).st_size < count * self._bytes:
            raise DataError(f"{path} is cut short; delete its folder and train again.")

    def _set(self, descriptor: int, name: str, row: tuple[int, ...], dtype: npt.DTypeLike) -> None:
        self._file, self._name = _Descriptor(descriptor), name
        self._indices: Indices | None = None
        self._count = 0
        self._row, self.dtype = row, np.dtype(dtype)
        self._bytes = math.prod(row) * self.dtype.itemsize

    @property
    def shape(self) -> tuple[int, ...]:
        return (self._count, *self._row)

    def __len__(self) -> int:
        return self._count

    def __getitem__(self, index: int | np.integer[Any] | slice | Array | list[int]) -> Array:
        if isinstance(index, int | np.integer):
            return np.asarray(self._read(self._checked(np.array([index])))[0])
        if isinstance(index, slice):
            return self._read(np.arange(*index.indices(self._count)))
        indices = np.asarray(index)
        if indices.dtype == bool:
            if indices.shape != (self._count,):
                raise IndexError(f"a mask of {indices.shape} for {self._count} rows")
            return self._read(np.flatnonzero(indices))
        return self._read(self._checked(indices.astype(np.int64)))

    def __iter__(self) -> Iterator[Array]:
        return (self[index] for index in range(self._count))

    def subset(self, indices: Array) -> Self:
        """Return the rows at ``indices`` alone, in that order; nothing is copied on disk."""
        chosen = np.arange(self._count) if self._indices is None else self._indices
        other = copy.copy(self)
        other._indices = chosen[indices]
        other._count = len(other._indices)
        return other

    def _checked(self, indices: Indices) -> Indices:
        """Negative indices count from the end, as everywhere."""
        if len(indices) and not -self._count <= indices.min() <= indices.max() < self._count:
            raise IndexError(f"an index in {indices.min()}…{indices.max()} of {self._count} rows")
        return np.where(indices < 0, indices + self._count, indices)

    def _read(self, indices: Indices) -> Array:
        if self._indices is not None:
            indices = self._indices[indices]
        out = np.empty((len(indices), *self._row), self.dtype)
        rows = out.reshape(len(indices), -1).view(np.uint8) if len(indices) else out
        order = np.argsort(indices, kind="stable")
        in_file = indices[order]
        # Neighbours in the file are read in one call, each into its own row of the answer.
        breaks = np.flatnonzero(np.diff(in_file) != 1) + 1
        for run in np.split(order, breaks):
            for start in range(0, len(run), _RUN):
                part = run[start : start + _RUN]
                self._fill([memoryview(rows[i]) for i in part.tolist()], int(indices[part[0]]))
        return out

    def _fill(self, buffers: list[memoryview], index: int) -> None:
        try:
            got = os.preadv(self._file.number, buffers, index * self._bytes)
        except OSError as exc:
            raise DataError(f"{self._name} cannot be read ({exc.strerror}).") from exc
        if got != len(buffers) * self._bytes:
            raise DataError(f"{self._name} is cut short; delete its folder and train again.")


class ImageFile(RowFile):
    """Images uint8 [count, size, size, 3] in ``path``, without any header."""

    def __init__(self, path: Path, count: int, size: int) -> None:
        super().__init__(path, count, (size, size, 3), np.uint8)


class FeatureFile(RowFile):
    """Vectors [N, dimension] of float16 or float32, appended and read.

    The file lies in ``folder`` without a name, and is gone with the process however that ends.
    """

    def __init__(self, folder: Path, dimension: int, dtype: npt.DTypeLike = np.float32) -> None:
        try:
            folder.mkdir(parents=True, exist_ok=True)
            with tempfile.TemporaryFile(dir=folder) as stream:
                descriptor = os.dup(stream.fileno())
        except OSError as exc:
            raise DataError(f"{folder} cannot be written to ({exc.strerror}).") from exc
        self._set(descriptor, f"The file of features in {folder}", (dimension,), dtype)
        self._folder = folder

    def append(self, vectors: Array) -> None:
        """Add vectors [n, dimension]. Raises ``DataError`` when the disk is full."""
        if vectors.ndim != 2 or vectors.shape[1:] != self._row:
            raise ValueError(f"vectors of shape {vectors.shape}, expected [n, {self._row[0]}]")
        data = np.ascontiguousarray(vectors, self.dtype).view(np.uint8).reshape(-1).data
        offset = self._count * self._bytes
        try:
            while data:
                written = os.pwrite(self._file.number, data, offset)
                data, offset = data[written:], offset + written
        except OSError as exc:
            raise DataError(f"{self._folder} cannot be written to ({exc.strerror}).") from exc
        self._count += len(vectors)
