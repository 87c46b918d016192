"""Mistakes that are told at the setting which they are in."""

from collections.abc import Collection, Mapping, Sequence

from trials.near_names import and_known


class SettingError(ValueError):
    """A setting of the caller's does not fit the rows.

    Args:
        message: What was expected, and what came.
        setting: Its name in the section ``data``, and that of the split where there is one a split.
    """

    def __init__(self, message: str, *setting: str) -> None:
        super().__init__(message)
        self.setting = setting


def require_names(asked: Mapping[str, Sequence[str | None]], known: Collection[str], *, where: str, what: str) -> None:
    """Make sure that what settings name is there.

    Args:
        asked: Names by setting; None stands for none.
        known: Those that there are.
        where: What has them: a file, a folder.
        what: One of them: ``column``.

    Raises:
        SettingError: One is not there.
    """
    for setting, names in asked.items():
        missing = [name for name in names if name is not None and name not in known]
        if missing:
            (first, *others) = missing
            named = f"{what}{'s' * bool(others)} {', '.join(map(repr, missing))}"
            raise SettingError(f"{where} has no {named}{and_known(first, known, 'it has')}", setting)
