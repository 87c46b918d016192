"""What each command does with its arguments and shows of the result.

Nothing heavy is imported before a command needs it: ``automl --help`` and ``automl predict`` must not wait for PyTorch.
"""

import json
import sys
from argparse import Namespace
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from automl.commands_to_type import typed
from automl.errors import UserError


def load(command: str) -> None:
    """Import what a long command needs, so that it is there when the command begins."""
    if command in ("search", "distill"):
        import automl.searching.search
    if command == "attribute":
        import automl.attribution.attribute  # noqa: F401 - the same


def run_init(arguments: Namespace) -> None:
    """Write a config to start from."""
    from automl.init import init

    path = init(arguments.name)
    _say(f"wrote {path}; next: {typed('automl', 'check', path)}")


def run_check(arguments: Namespace) -> None:
    """Read everything and say what a search would do."""
    from automl.check import check

    _say(check(arguments.config))


def run_search(arguments: Namespace) -> None:
    """Search, and show the front."""
    from automl.searching.search import search

    _say_result(search(arguments.config, resume=arguments.resume, trials=arguments.trials, address=arguments.address))


def run_distill(arguments: Namespace) -> None:
    """Train one student, and show it."""
    from automl.searching.search import distill

    _say_result(distill(arguments.config))


def run_front(arguments: Namespace) -> None:
    """Show the front of a run."""
    from automl.front.view import front_json

    run = _load_run(arguments.run)
    if arguments.json:
        _write(json.dumps(front_json(run), indent=2, ensure_ascii=False, allow_nan=False))
    else:
        _say_front(run)


def run_export(arguments: Namespace) -> None:
    """Take a student out of a run."""
    from automl.export import export

    run = _load_run(arguments.run)
    with _mistakes_of_the_user():
        _say(export(run, pick=arguments.pick, where=tuple(arguments.where), to=Path(arguments.to)))


def run_attribute(arguments: Namespace) -> None:
    """Tell what each teacher contributed to a student."""
    from automl.attribution.attribute import attribute
    from automl.attribution.view import attribution_tables, attribution_text

    if not arguments.trial.isdecimal():
        raise UserError(f"expected the number of a trial, such as 17, got {arguments.trial!r}", place="TRIAL")
    found = attribute(arguments.run, int(arguments.trial), seeds=arguments.seeds, address=arguments.address)
    for table in attribution_tables(found):
        _say(table)
    _write(attribution_text(found))


def run_report(arguments: Namespace) -> None:
    """Write the page about a run."""
    from automl.report import write_report

    _say(str(write_report(_load_run(arguments.run))))


def run_predict(arguments: Namespace) -> None:
    """Run an exported student."""
    with _mistakes_of_the_user():
        from automl.predicting.predict import format_table, predict, texts_after

        folder, given = Path(arguments.folder), Path(arguments.input)
        texts = texts_after(folder, given)
        _write(format_table(predict(folder, given)) if texts is None else texts)


def _load_run(run: str) -> Any:
    from automl.run_folder import load_run

    with _mistakes_of_the_user("RUN"):
        return load_run(run)


@contextmanager
def _mistakes_of_the_user(place: str = "") -> Iterator[None]:
    """Take ValueError for what it means in the project's own functions: the user gave something wrong."""
    try:
        yield
    except UserError:
        raise
    except ValueError as error:
        raise UserError(str(error), place=place) from error


def _say_front(run: Any) -> None:
    from rich.console import Console

    from automl.front.view import WIDTH, front_table

    _say(front_table(run, width=max(WIDTH, Console().width)))


def _say_result(run: Any) -> None:
    from automl.front.view import next_steps

    _say_front(run)
    _write(f"\n{next_steps(run)}")


def _say(what: Any) -> None:
    """Write a text, a table or nothing; a table that is wider than the terminal is not squeezed."""
    from rich.console import Console

    if what is None:
        return
    if isinstance(what, str | Path):
        _write(str(what))
        return
    console = Console(highlight=False)
    console.width = max(console.width, Console(width=1000).measure(what).maximum)
    console.print(what)


def _write(text: str) -> None:
    sys.stdout.write(f"{text}\n")
