"""The command line. Its commands, flags and exit codes are a contract that scripts rely on.

Nothing heavy is imported before a command needs it: ``automl --help`` and ``automl predict`` must not wait for PyTorch.
"""

import argparse
import os
import sys
import tempfile
import traceback
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from automl import commands
from automl.commands_to_type import typed
from automl.errors import UserError, WorkFailed, disk_is_full
from automl.full_disk import no_room
from automl.interrupts import ending_at_once
from automl.shadowing import refuse_shadows

DONE, FAILED, WRONG_INPUT = 0, 1, 2
"""Exit codes."""

_RESUMED = ("search", "distill")
"""Commands that leave a run to go on with."""

_FIRST_SEARCH = {
    "init digits": "write digits.yaml, with comments",
    "check digits.yaml": "see what it would do; nothing is trained",
    "search digits.yaml": "Ctrl-C stops it, --resume goes on",
    "export runs/digits --pick knee --to student": "",
    "predict student image.png": "",
}

_KNOWN = """\
RUN is a run's folder, such as runs/digits, or its MLflow run id.
Exit codes: 0 done, 1 the work failed, 2 the config or the command is wrong.
"""

Flag = tuple[str, dict[str, Any]]
"""Its name, and what argparse makes of it."""


def _positive(text: str) -> int:
    if not text.isdecimal() or int(text) < 1:
        raise argparse.ArgumentTypeError(f"expected a whole number from 1 on, got {text!r}")
    return int(text)


def _version() -> str:
    from importlib.metadata import PackageNotFoundError, version

    try:
        return version("automl-distill")
    except PackageNotFoundError:
        return "not installed"


class _Version(argparse.Action):
    """Looks the version up only when it is asked for."""

    def __call__(self, parser: argparse.ArgumentParser, *_: object) -> None:
        sys.stdout.write(f"automl {_version()}\n")
        parser.exit()


RUN: Flag = ("run", {"metavar": "RUN", "help": "a run's folder, or its MLflow run id"})
CONFIG: Flag = ("config", {"metavar": "CONFIG", "help": "the YAML file"})
_ADDRESS: Flag = ("--address", {"metavar": "ADDR", "help": "a Ray cluster, instead of the config's"})
_WRITES = "writes NAME.yaml (default: config)"
_NAME: Flag = ("name", {"metavar": "NAME", "nargs": "?", "default": "config", "help": _WRITES})
_PICK = "knee, best (of the task's first metric), or TRIAL[:PRECISION]"
_WHERE = "such as 'latency_ms<=2'; may stand several times"

COMMANDS: dict[str, tuple[Callable[[argparse.Namespace], None], str, list[Flag]]] = {
    "init": (commands.run_init, "write a commented config to start from", [_NAME]),
    "check": (commands.run_check, "read everything, train nothing; tell errors, ranges, forecast", [CONFIG]),
    "search": (
        commands.run_search,
        "search students and measure their front",
        [
            CONFIG,
            ("--resume", {"action": "store_true", "help": "go on with a run that was stopped"}),
            ("--trials", {"metavar": "N", "type": _positive, "help": "trials in all, instead of the config's"}),
            _ADDRESS,
        ],
    ),
    "distill": (commands.run_distill, "train one fixed student, as a search would", [CONFIG]),
    "front": (
        commands.run_front,
        "show the front of a run",
        [RUN, ("--json", {"action": "store_true", "help": "as one JSON object, for scripts"})],
    ),
    "export": (
        commands.run_export,
        "take a student out of a run",
        [
            RUN,
            ("--pick", {"metavar": "WHICH", "required": True, "help": _PICK}),
            ("--where", {"metavar": "LIMIT", "action": "append", "default": [], "help": _WHERE}),
            ("--to", {"metavar": "FOLDER", "required": True, "help": "where to write it"}),
        ],
    ),
    "attribute": (
        commands.run_attribute,
        "tell what each teacher contributed to a student",
        [
            RUN,
            ("trial", {"metavar": "TRIAL", "help": "number of a trained trial"}),
            ("--seeds", {"metavar": "N", "type": _positive, "default": 5, "help": "seeds to train with (default: 5)"}),
            _ADDRESS,
        ],
    ),
    "report": (commands.run_report, "write one HTML page about a run", [RUN]),
    "predict": (
        commands.run_predict,
        "run an exported student on a file or a folder of images",
        [
            ("folder", {"metavar": "FOLDER", "help": "what export wrote"}),
            ("input", {"metavar": "INPUT", "help": "an image, a folder of images, a table, an array or texts"}),
        ],
    ),
}
"""What each command does, what the help says of it, and its arguments; a setting belongs into the config, not here."""


def _epilog() -> str:
    """Show a first search, and what is true of every command."""
    lines = {typed("automl", *rest.split()): what for rest, what in _FIRST_SEARCH.items()}
    width = 5 + max(len(line) for line, what in lines.items() if what)
    shown = [f"  {line:<{width}}{what}".rstrip() for line, what in lines.items()]
    return "\n".join(["a first search:", *shown, "", _KNOWN])


def make_parser() -> argparse.ArgumentParser:
    """Make the parser of all commands."""
    parser = argparse.ArgumentParser(
        prog="automl",
        usage="automl COMMAND ...",
        description="Search small students, distil them from your teachers,\nand keep the Pareto front of what ships.",
        epilog=_epilog(),
        formatter_class=argparse.RawDescriptionHelpFormatter,
        allow_abbrev=False,
        add_help=False,
    )
    subparsers = parser.add_subparsers(title="commands", metavar="COMMAND ...", required=True, dest="command")
    for name, (function, summary, flags) in COMMANDS.items():
        added = subparsers.add_parser(
            name, prog=f"automl {name}", help=summary, description=f"{summary.capitalize()}.", allow_abbrev=False
        )
        added.set_defaults(function=function)
        for flag, settings in flags:
            added.add_argument(flag, **settings)
    about = parser.add_argument_group("options")  # the last, so that the commands stand first on the page
    about.add_argument("-h", "--help", action="help", help="show this page and exit")
    about.add_argument("--version", action=_Version, nargs=0, help="show the version and exit")
    return parser


def main(arguments: Sequence[str] | None = None) -> int:
    """Run a command.

    Args:
        arguments: Those of the command line; None takes the process's.

    Returns:
        The exit code.
    """
    parsed = make_parser().parse_args(arguments)
    try:
        refuse_shadows()
        with ending_at_once(lambda: _stopped(KeyboardInterrupt(), parsed)):
            commands.load(parsed.command)
        parsed.function(parsed)
        sys.stdout.flush()
    except UserError as error:
        return _fail(error, WRONG_INPUT, str(error))
    except WorkFailed as error:
        return _fail(error, FAILED, str(error))
    except KeyboardInterrupt as error:
        return _stopped(error, parsed)
    except BrokenPipeError:  # the reader, such as `head`, has seen enough
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
    except Exception as error:
        if disk_is_full(error):
            return _fail(error, FAILED, no_room(error, _written_to(parsed), _resumption(parsed)))
        # What nobody foresaw still ends in one message.
        return _fail(error, FAILED, f"unexpected {_in_one_line(error)}; the traceback is in {_keep(error)}")
    return DONE


def _stopped(error: KeyboardInterrupt, parsed: argparse.Namespace) -> int:
    resumption = _resumption(parsed)
    return _fail(error, FAILED, f"stopped; go on with: {resumption}" if resumption else "stopped")


def _resumption(parsed: argparse.Namespace) -> str:
    """Say what to type to go on with the same work; empty where there is none to go on with."""
    if parsed.command == "attribute":
        words = ["automl", "attribute", parsed.run, parsed.trial]
        return typed(*words, *_given({"--seeds": parsed.seeds, "--address": parsed.address}))
    if parsed.command == "distill":  # A search of one trial, which ``search`` goes on with.
        parsed = argparse.Namespace(command="search", config=parsed.config, trials=1, address=None)
    if parsed.command != "search":
        return ""
    words = ["automl", "search", parsed.config, "--resume"]
    return typed(*words, *_given({"--trials": parsed.trials, "--address": parsed.address}))


def _given(options: dict[str, Any]) -> list[str]:
    return [part for flag, value in options.items() if value is not None for part in (flag, str(value))]


def _written_to(parsed: argparse.Namespace) -> list[Path]:
    """Name the folders that a command writes to, beside that of temporary files."""
    if parsed.command in _RESUMED:
        from automl.config import load_config

        try:
            return [load_config(parsed.config, files_must_exist=False).folder]
        except UserError:  # it was changed since
            return [Path("runs")]
    named = (getattr(parsed, name, None) for name in ("to", "run"))
    return [Path(name) for name in named if name is not None]


def _fail(error: BaseException, code: int, message: str) -> int:
    if os.environ.get("AUTOML_DEBUG") == "1":
        traceback.print_exception(error)
    sys.stderr.write(f"{message}\n")
    return code


def _in_one_line(error: Exception) -> str:
    return " ".join(f"{type(error).__name__}: {error}".split())[:500]


def _keep(error: Exception) -> str:
    with tempfile.NamedTemporaryFile("w", prefix="automl-error-", suffix=".txt", delete=False) as file:
        file.write("".join(traceback.format_exception(error)))
    return f"{file.name} (AUTOML_DEBUG=1 shows it)"


if __name__ == "__main__":
    sys.exit(main())
