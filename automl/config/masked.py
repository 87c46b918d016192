"""A config that can be shown: its text as it is, but for its secrets."""

import json
from collections.abc import Iterator

import yaml
from yaml.nodes import MappingNode, Node, ScalarNode, SequenceNode

from automl.config.environment import VARIABLE
from automl.masking import is_private, mask


def masked_config(text: str) -> str:
    """Hide the secrets of a config: those in addresses, and all that stands under names such as ``password``.

    Args:
        text: YAML.

    Returns:
        YAML with the same settings; ``${NAME}``, which the environment fills, stays.
    """
    root = yaml.compose(text, Loader=yaml.SafeLoader)
    for start, end, new in sorted(set() if root is None else set(_secrets(root)), reverse=True):
        # A block ends where the next one starts; the white space between is none of it.
        stop = start + len(text[start:end].rstrip())
        text = text[:start] + new + text[stop:]
    return text


def _secrets(node: Node) -> Iterator[tuple[int, int, str]]:
    """Find where something must be hidden, from and to, and what to write in its place."""
    if isinstance(node, MappingNode):
        for key, value in node.value:
            if isinstance(key, ScalarNode) and is_private(key.value) and not _is_harmless(value):
                # From the key on: a list may stand no deeper than its key, where a text must not.
                yield key.end_mark.index, value.end_mark.index, ": '***'"
            else:
                yield from _secrets(value)
    elif isinstance(node, SequenceNode):
        for value in node.value:
            yield from _secrets(value)
    elif (hidden := mask(node.value)) != node.value:
        yield node.start_mark.index, node.end_mark.index, json.dumps(hidden, ensure_ascii=False)


def _is_harmless(node: Node) -> bool:
    """Say whether nothing stands there, or the name of a variable."""
    return isinstance(node, ScalarNode) and (
        node.tag.endswith((":null", ":bool")) or node.value in ("", "***") or bool(VARIABLE.fullmatch(node.value))
    )
