"""Take a student out of a run: its graphs, weights and card in one folder, checked against the trained module."""

import json
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from rich.text import Text

from automl.commands_to_type import typed
from automl.config import Config, load_config
from automl.errors import UserError, WorkFailed
from automl.export.card import CARD_FILE, write_card
from automl.export.feeding import PREPROCESSING_FILE, preprocessing
from automl.export.parity import DamagedGraphError, Parity, compare
from automl.export.picking import names, pick_member
from automl.front.pareto_front import Member
from automl.numbers import written
from automl.preparation.prepare import at
from automl.run import Run
from automl.run_folder import CONFIG_FILE
from automl.searching.standing import members_of
from automl.searching.students import Students, write_folder
from search_spaces import ModelSignature
from trials.compress import PRECISIONS
from trials.decoding import shipped_form
from trials.description import (
    DESCRIPTION_FILE,
    TOKENIZER_FILE,
    WEIGHTS_FILE,
    description_bytes,
    load_student,
    parse_signature,
    parse_spec,
    parse_statistics,
    read_description,
)
from trials.export import export_onnx
from trials.records import Artefacts, Limit
from trials.student import Student

_FILES = {
    TOKENIZER_FILE,
    *(precision.file_name for precision in PRECISIONS.values()),
    WEIGHTS_FILE,
    DESCRIPTION_FILE,
    PREPROCESSING_FILE,
    CARD_FILE,
}


@dataclass(frozen=True, kw_only=True)
class Exported:
    """A folder with a student.

    Args:
        folder: Where it is.
        member: What was picked.
        others: Other members of the same trial, as ``--pick`` takes them.
        files: Size in bytes by name.
        parities: Of each graph, by precision.
        finished: Whether the search had ended, so that latencies are final.
        replaced: What stood in the folder before, in words; empty where nothing did.
    """

    folder: Path
    member: Member
    others: tuple[str, ...]
    files: Mapping[str, int]
    parities: Mapping[str, Parity]
    finished: bool
    replaced: str

    def __rich__(self) -> Text:
        """Say what was exported and what to type next."""
        member = self.member
        shown = {name: value for name, value in member.metrics.items() if "." not in name}
        lines = [f"trial {member.trial} in {member.precision}, student {member.digest}"]
        if self.others:
            lines[0] += f" (also on the front: {', '.join(self.others)})"
        lines.append("  " + ", ".join(f"{name} {written(name, value)}" for name, value in shown.items()))
        if not self.finished:
            lines.append("  the search has not ended: latency is provisional, and there are no test scores")
        lines += [f"parity  {parity}" for parity in self.parities.values()]
        width = max(map(len, self.files))
        lines.append(f"wrote   {self.folder}{f', in place of {self.replaced}' if self.replaced else ''}")
        lines += [f"        {name:<{width}}  {size:>9,} bytes" for name, size in self.files.items()]
        lines.append(f"next    {typed('automl', 'predict', self.folder, 'INPUT')}")
        return Text("\n".join(lines))


def export(run: Run, *, pick: str, where: Sequence[str | Limit] = (), to: Path) -> Exported:
    """Write a member of the front into a folder that works without the run.

    The folder holds the float32 graph, the graph in any other precision of the run, weights, description,
    preprocessing and card, and the tokenizer of a student that reads texts. Before anything is written, each graph is
    run beside the module made anew from the weights.

    Args:
        run: A search, finished or not.
        pick: ``knee``, ``best``, ``TRIAL`` or ``TRIAL:PRECISION``; see ``pick_member``.
        where: Further limits that it must keep.
        to: Made, or replaced where it holds an earlier export.

    Raises:
        UserError: No such member, or ``to`` holds other things.
        WorkFailed: The student's files are missing or damaged, a graph differs from the module, or the disk refuses.
    """
    to = Path(to)
    replaced = _replaced(to, run)
    member = pick_member(run, pick, where)
    config = load_config(run.folder / CONFIG_FILE, files_must_exist=False)
    source = Students(run.folder).folder(member.digest)
    description, student, files = _read(source, config)
    graphs = _graphs(description, student, files, first=member.precision)
    description["graphs"] = {precision: PRECISIONS[precision].file_name for precision in graphs}
    try:
        parities = compare(student, graphs, _signature(description), parse_statistics(description))
    except DamagedGraphError as error:
        raise WorkFailed(
            f"{source / str(error)} is damaged: ONNX Runtime cannot load it; bring it back from a copy of the run, or "
            "pick another member of its front"
        ) from error
    if failed := [parity for parity in parities.values() if not parity.holds]:
        raise WorkFailed(
            f"nothing was written, since a graph in {source} differs from the trained module:\n  "
            + "\n  ".join(map(str, failed))
        )
    members = _precisions(run, member, order=list(graphs))
    _add_measures(description, run, members)
    plain = config.model_dump(mode="json")
    card = write_card(run, plain, description=description, members=members, parities=parities)
    record = json.dumps(preprocessing(description), indent=2, ensure_ascii=False) + "\n"
    files |= {PRECISIONS[precision].file_name: graph for precision, graph in graphs.items()}
    files |= {
        DESCRIPTION_FILE: description_bytes(description),
        PREPROCESSING_FILE: record.encode(),
        CARD_FILE: card.encode(),
    }
    try:
        write_folder(to.resolve(), Artefacts(files=files))
    except OSError as error:
        raise WorkFailed(f"{to} cannot be written: {error.strerror or error}; nothing was left there") from error
    return Exported(
        folder=to,
        member=member,
        others=tuple(names([m for m in run.front.members if m.trial == member.trial and m != member])),
        files={name: len(content) for name, content in files.items()},
        parities=parities,
        finished=run.finished,
        replaced=replaced,
    )


def _signature(description: Mapping[str, Any]) -> ModelSignature:
    """Give what a student takes in, a text as long as it may be."""
    signature = parse_signature(description)
    return signature.sized(description["tokenizer"]["length"]) if "tokenizer" in description else signature


def _replaced(to: Path, run: Run) -> str:
    """Make sure that nothing but an earlier export can be lost, and name it; empty where there is none."""
    place = "--to"
    if to.resolve().is_relative_to(run.folder.resolve()):
        raise UserError(f"{to} lies within the run itself; name a folder elsewhere", place=place)
    if to.resolve() in (Path.cwd(), *Path.cwd().parents):
        raise UserError(f"{to} is the folder that you are in, or above it; name one below", place=place)
    if not to.exists():
        return ""
    if not to.is_dir():
        raise UserError(f"{to} is a file; name a folder", place=place)
    found = {path.name for path in to.iterdir()}
    if not found:
        return ""
    try:
        earlier = read_description(to)
    except ValueError as error:
        raise UserError(
            f"{to} is not empty and holds no earlier export, so it is not overwritten; name another folder", place=place
        ) from error
    if strange := sorted(found - _FILES):
        raise UserError(
            f"{to} holds an earlier export and besides {', '.join(strange)}, which would be lost; move them, or name "
            "another folder",
            place=place,
        )
    return f"an earlier export (run {earlier.get('run', 'unknown')}, trial {earlier.get('trial', 'unknown')})"


def _read(source: Path, config: Config) -> tuple[dict[str, Any], Student, dict[str, bytes]]:
    """Read a student from the run: what describes it, the module with its weights, and all its files."""
    with at(config, "student"):
        build = config.student.make_space().build
    try:
        description = read_description(source)
        student = load_student(source, build)
        needed = _named(description)
        files = {name: (source / name).read_bytes() for name in needed if (source / name).is_file()}
    except (ValueError, OSError) as error:
        raise WorkFailed(
            f"the student's files cannot be used: {error}. If the search still runs, it may have left the front: "
            "look at automl front, and export again"
        ) from error
    if missing := [name for name in needed if name not in files]:
        raise WorkFailed(f"{source} lacks {', '.join(missing)}; the run is damaged, pick another member of its front")
    return description, student, files


def _named(description: Mapping[str, Any]) -> list[str]:
    """Name the files of a student; a run of others' may name any file of this machine, so its own words do not count.

    Raises:
        ValueError: The description has a precision that there is not, or a graph under another name.
    """
    graphs = description["graphs"]
    known = {precision: kind.file_name for precision, kind in PRECISIONS.items()}
    if strange := {precision: name for precision, name in graphs.items() if known.get(precision) != name}:
        raise ValueError(f"{DESCRIPTION_FILE} names the graphs {strange}; expected those of {known}")
    reads = [TOKENIZER_FILE] if "tokenizer" in description else []
    return [*(known[precision] for precision in graphs), WEIGHTS_FILE, *reads]


def _graphs(
    description: Mapping[str, Any], student: Student, files: Mapping[str, bytes], *, first: str
) -> dict[str, bytes]:
    """Give the graph in each precision, the picked one first, float32 among them whether the run made it or not."""
    graphs = {precision: files[PRECISIONS[precision].file_name] for precision in description["graphs"]}
    if "float32" not in graphs:
        form = shipped_form(student, parse_spec(description), parse_signature(description))
        graphs["float32"] = export_onnx(*form)
    return {first: graphs[first], **graphs}


def _precisions(run: Run, member: Member, *, order: Sequence[str]) -> dict[str, Member]:
    """Give what the search knows of the student in each precision, measured alone where it stands on the front."""
    (finished,) = (each for each in run.trials if each.trial.number == member.trial)
    known = {each.precision: each for each in members_of(finished)}
    known |= {each.precision: each for each in run.front.members if each.digest == member.digest}
    return {precision: known[precision] for precision in order if precision in known}


def _add_measures(description: dict[str, Any], run: Run, members: Mapping[str, Member]) -> None:
    """Put the figures of the run in place of those that the trial knew."""
    description["metrics"] = {
        precision: {name: value for name, value in member.metrics.items() if math.isfinite(value)}
        for precision, member in members.items()
    }
    description["latency"] = {precision: vars(member.latency) for precision, member in members.items()}
    description["run"] = run.name
    description["trial"] = next(iter(members.values())).trial
