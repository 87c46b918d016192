"""Sections that come in several kinds, told apart by their key ``kind``."""

from typing import Any


def kind_of(section: Any) -> str | None:
    """Give the tag of a section's kind: ``=`` before it, so that no key of a config is mistaken for it."""
    kind = section.get("kind") if isinstance(section, dict) else getattr(section, "kind", None)
    return None if kind is None else f"={kind}"
