"""Taking a student out of a run: picked, compared with its module, described."""

from automl.export.exporting import Exported, export

__all__ = ["Exported", "export"]
