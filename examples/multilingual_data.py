"""Make a table of LibreOffice's help in eight languages: the same paragraphs in each, by the program they belong to.

    apt-get download libreoffice-help-{de,en-us,es,fr,it,nl,pl,ru}
    for package in libreoffice-help-*.deb; do dpkg -x $package help; done
    python examples/multilingual_data.py --help-folder help --to examples/multilingual.parquet

Each row has a paragraph (`text`), its language (`lang`), its `page`, the program that the page is about (`module`), and
its `split`: pages of the test split share nothing with those of training. `label` is what a student may see of
`module`: all of validation and test, and one training page in ten. The help is under the MPL 2.0.
"""

import argparse
import hashlib
import re
from collections.abc import Iterator
from html.parser import HTMLParser
from pathlib import Path

import pandas as pd

LANGUAGES = ("de", "en-US", "es", "fr", "it", "nl", "pl", "ru")
MODULES = ("sbasic", "scalc", "schart", "sdraw", "simpress", "smath", "swriter")
"""The programs; what they share, and the database with its few paragraphs, is left out."""

FEWEST_LETTERS = 40
"""Of a paragraph in English: shorter ones are headings and names of commands."""
TEST, VALIDATION = 0.2, 0.1
LABELLED = 0.1
"""Of the training pages, those whose module students see."""

_PARAGRAPH = re.compile(r"(par|hd)_")


class Paragraphs(HTMLParser):
    """Collects the texts of headings and paragraphs that have an id."""

    def __init__(self) -> None:
        super().__init__()
        self.found: dict[str, str] = {}
        self._id: str | None = None
        self._tag = ""
        self._parts: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        """Begin a paragraph where none is open."""
        given = dict(attrs).get("id") or ""
        if self._id is None and _PARAGRAPH.match(given):
            self._id, self._tag, self._parts = given, tag, []

    def handle_data(self, data: str) -> None:
        """Keep words within a paragraph."""
        if self._id is not None:
            self._parts.append(data)

    def handle_endtag(self, tag: str) -> None:
        """End the paragraph."""
        if self._id is not None and tag == self._tag:
            self.found.setdefault(self._id, " ".join("".join(self._parts).split()))
            self._id = None


def paragraphs_of(page: Path) -> dict[str, str]:
    """Read the paragraphs of a page, by their ids."""
    parser = Paragraphs()
    parser.feed(page.read_text(encoding="utf-8"))
    return parser.found


def parallel(folder: Path) -> Iterator[dict[str, str]]:
    """Give the paragraphs that stand in every language, each in words of its own, one row a language."""
    for module in MODULES:
        for first in sorted((folder / LANGUAGES[0] / "text" / module).rglob("*.html")):
            page = str(first.relative_to(folder / LANGUAGES[0] / "text"))
            files = {lang: folder / lang / "text" / page for lang in LANGUAGES}
            if not all(file.is_file() for file in files.values()):
                continue
            found = {lang: paragraphs_of(file) for lang, file in files.items()}
            for name in found["en-US"]:
                texts = {lang: found[lang].get(name, "") for lang in LANGUAGES}
                if len(texts["en-US"]) < FEWEST_LETTERS or len(set(texts.values())) < len(LANGUAGES):
                    continue  # Texts that are alike were not translated.
                for lang, text in texts.items():
                    yield {"lang": lang, "module": module, "page": page, "pid": name, "text": text}


def share_of(page: str, *, of: str) -> float:
    """Place a page between 0 and 1, evenly and always the same."""
    return int(hashlib.sha256(f"{of} {page}".encode()).hexdigest()[:12], 16) / 16**12


def split_of(page: str) -> str:
    """Say to which split a page belongs."""
    place = share_of(page, of="split")
    return "test" if place < TEST else "validation" if place < TEST + VALIDATION else "train"


def labelled(table: pd.DataFrame) -> pd.Series:
    """Give what students see of the module: nothing of most training pages."""
    hidden = (table["split"] == "train") & (table["page"].map(lambda page: share_of(page, of="label")) >= LABELLED)
    return table["module"].mask(hidden)


def make(folder: Path) -> pd.DataFrame:
    """Make the table of a folder that holds one folder a language."""
    table = pd.DataFrame(parallel(folder))
    english = table[table["lang"] == "en-US"]
    # Words that two programs share tell nothing of either; those that one repeats are kept once.
    clear = english[english.groupby("text")["module"].transform("nunique") == 1].drop_duplicates("text")
    table = table.merge(clear[["page", "pid"]], on=["page", "pid"])
    table["split"] = table["page"].map(split_of)
    table["label"] = labelled(table)
    return table


def main() -> None:
    """Read the command line, and write the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--help-folder", type=Path, required=True, help="where the packages were unpacked")
    parser.add_argument("--to", type=Path, required=True, help="the table: .parquet")
    arguments = parser.parse_args()
    folder = next((found for found in sorted(arguments.help_folder.rglob("help")) if (found / "en-US").is_dir()), None)
    if folder is None or not all((folder / lang).is_dir() for lang in LANGUAGES):
        raise SystemExit(f"{arguments.help_folder} does not hold the help in all of {', '.join(LANGUAGES)}")
    table = make(folder)
    table.to_parquet(arguments.to, index=False)
    pages = table.groupby("split")["page"].nunique().to_dict()
    print(f"{len(table):,} paragraphs in {len(LANGUAGES)} languages, pages by split: {pages}")


if __name__ == "__main__":
    main()
