"""A report of a measurement: one HTML page that needs nothing else, and its plots as PNGs."""

from trainer.report.content import Report
from trainer.report.page import write_report
from trainer.report.thumbnails import Thumbnails

__all__ = ["Report", "Thumbnails", "write_report"]
