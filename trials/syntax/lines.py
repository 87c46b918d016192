"""Lines of a text, and where they begin."""

from itertools import accumulate


def one_newline(text: str) -> str:
    """Write every line break as a single line feed, without a change to the place of any other character."""
    return text.replace("\r\n", " \n").replace("\r", "\n")


def lines_of(text: str) -> list[str]:
    """Cut a text into lines, each with its line feed; a text that ends in one has no empty line after it."""
    lines = [f"{line}\n" for line in text.split("\n")]
    lines[-1] = lines[-1][:-1]
    return lines if lines[-1] else lines[:-1]


def starts_of(lines: list[str]) -> list[int]:
    """Give the place of the first character of each line, then the length of all."""
    return list(accumulate(map(len, lines), initial=0))
