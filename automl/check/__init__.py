"""What ``automl check`` finds out before a search: mistakes, ranges, and what it will take."""

from automl.check.checking import check
from automl.check.report import CheckReport

__all__ = ["CheckReport", "check"]
