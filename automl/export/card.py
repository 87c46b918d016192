"""The model card of an exported student: ``README.md`` in its folder."""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from automl.export.feeding import PREPROCESSING_FILE, inputs_in_words, python_example, takes_in_words
from automl.export.parity import Parity
from automl.front.pareto_front import Member
from automl.masking import mask
from automl.numbers import counted
from automl.run import Run
from automl.teaching.strength_words import METRIC_WORDS, strength_columns
from trials.description import DESCRIPTION_FILE, WEIGHTS_FILE
from trials.recipe import HARD_LABEL
from trials.records import FIRST_TOKEN, METRICS_OF_COST, Latency

CARD_FILE = "README.md"

_ALWAYS_ANSWERS = "It answers with one of its classes for any input, also for one that belongs to none of them."


def write_card(
    run: Run,
    config: Mapping[str, Any],
    *,
    description: Mapping[str, Any],
    members: Mapping[str, Member],
    parities: Mapping[str, Parity],
) -> str:
    """Write the card.

    Args:
        run: Where the student comes from.
        config: The run's config as plain data.
        description: As ``student.json`` holds it; the first of its graphs is the one that was picked.
        members: What is known of each precision that the search measured.
        parities: Of each graph.

    Returns:
        Markdown.
    """
    digest, picked = description["digest"], next(iter(description["graphs"]))
    trial = members[picked].trial
    parts = [
        f"# {run.name}: student {digest}",
        _summary(run, description, picked=picked, trial=trial),
        "## What it scores",
        _scores(run, members),
        _by_class(members),
        "## What it costs",
        _costs(run, config, members),
        "## How it was made",
        f"- Architecture: {architecture(description['spec'])}",
        f"- {recipe_in_words(description['recipe'], description['seed'])}",
        *_teachers(run),
        "## Parity",
        _parity(parities, members),
        "## What it does not tell",
        _limits_of_knowledge(run, config, members, description),
        "## How to run it",
        f"```\nautoml predict FOLDER INPUT      # {inputs_in_words(description)}\n```",
        f"Without this program, from within this folder (`{PREPROCESSING_FILE}` says what goes in):",
        f"```python\n{python_example(description, description['graphs'][picked])}\n```",
        "## Files",
        _files(description),
    ]
    return "\n\n".join(part for part in parts if part) + "\n"


def _summary(run: Run, description: Mapping[str, Any], *, picked: str, trial: int) -> str:
    classes = description["class_names"]
    shown = ", ".join(classes[:20]) + (", ..." if len(classes) > 20 else "")
    does = f"tells {len(classes)} classes apart ({shown})" if classes else "says which token comes next"
    return (
        f"A small model that {does}. It takes {takes_in_words(description)}; it "
        f"was found and distilled by the search `{run.name}`: trial {trial}, picked in **{picked}** "
        f"(`{description['graphs'][picked]}`)."
    )


def architecture(spec: Mapping[str, Any]) -> str:
    """Put an architecture into words: its space, its constants, then its choices, those of one part together."""
    parts: dict[str, list[str]] = {}
    for name, value in {**spec.get("constants", {}), **spec["values"]}.items():
        part, _, rest = name.rpartition(".")
        parts.setdefault(part, []).append(f"{rest} {value}")
    words = [f"{part}: {', '.join(values)}" if part else ", ".join(values) for part, values in parts.items()]
    return "; ".join([f"`{spec['space']}`", *words])


def recipe_in_words(recipe: Mapping[str, Any], seed: int) -> str:
    """Put a recipe into words."""
    losses = []
    for name, options in recipe["losses"].items():
        extra = ", ".join(f"{option} {_short(value)}" for option, value in options.items() if option != "weight")
        losses.append(f"{_short(options['weight'])} × {name}" + (f" ({extra})" if extra else ""))
    weights = "".join(f", {name} {_short(weight)}" for name, weight in recipe["teacher_weights"].items())
    listens = set(recipe["losses"]) != {HARD_LABEL}
    teachers = (
        f"teachers joined by {recipe['aggregation']}, weighted {recipe['weighting']}{weights}; " if listens else ""
    )
    epochs = counted(recipe["epochs"], "epoch")
    return (
        f"{'Distilled' if listens else 'Trained'} with {' + '.join(losses)}; {teachers}{epochs} of batches of "
        f"{recipe['batch_size']}, {recipe['optimizer']}, learning rate {_short(recipe['learning_rate'])} "
        f"({recipe['schedule']}, warm-up {recipe['warmup']:.0%}), weight decay {_short(recipe['weight_decay'])}; "
        f"seed {seed}"
    )


def _scores(run: Run, members: Mapping[str, Member]) -> str:
    known = dict.fromkeys(name.removeprefix("test_") for name in _first(members).metrics if "." not in name)
    names = [name for name in known if name not in (*METRICS_OF_COST, FIRST_TOKEN)]
    names.sort(key=lambda name: name != run.primary_metric)
    table = _table(["metric", *_columns(members)], ([name, *_values(name, members)] for name in names))
    return f"{table}\n\nThe search chose by validation; the test split was read once, for members of the front."


def _by_class(members: Mapping[str, Member]) -> str:
    names = [name for name in _first(members).metrics if "." in name and not name.startswith("test_")]
    if not names:
        return ""
    return _table(["by class", *_columns(members)], ([name, *_values(name, members)] for name in names))


def _columns(members: Mapping[str, Member]) -> list[str]:
    return [f"{precision}, {split}" for precision in members for split in ("validation", "test")]


def _values(name: str, members: Mapping[str, Member]) -> list[str]:
    found = [m.metrics.get(prefix + name) for m in members.values() for prefix in ("", "test_")]
    return ["-" if value is None else f"{value:.4f}" for value in found]


_INTERVAL = (
    "A round opens the graph anew and takes the median of its runs; the latency is the median over the rounds, and the "
    "interval is of the same. It tells of the minute of measuring: a machine that is warmer, or busy, is slower as a "
    "whole."
)


def _costs(run: Run, config: Mapping[str, Any], members: Mapping[str, Member]) -> str:
    rows = []
    for precision, member in members.items():
        latency = member.latency
        rows.append(
            [
                precision,
                f"{member.metrics['size_bytes']:,.0f}",
                f"{latency.median_ms:.4g} ({latency.low_ms:.4g} to {latency.high_ms:.4g})",
                _how(latency) + ("" if latency.length is None else f", texts of {latency.length} tokens"),
                latency.device,
            ]
        )
    first, settings, interval = _first(members).metrics, config["latency"], _interval(members)
    machine = ", ".join(f"{name} {fact}" for name, fact in run.machine.items() if name != "device")
    table = _table(["precision", "bytes", "latency in ms, median (95 % interval)", "measured", "on"], rows)
    if writing := [
        f"{precision} {member.latency.first_token_ms:.4g} ms"
        for precision, member in members.items()
        if member.latency.first_token_ms is not None
    ]:
        table += (
            "\n\nLatency is that of the last token of such a text, those before it being kept. The first token after a "
            f"prompt of as many takes: {', '.join(writing)}."
        )
    return (
        f"{table}\n\n{first['params']:,.0f} parameters, {first['macs']:,.0f} multiply-accumulates a sample. Latency is "
        f"that of the exported graph in ONNX Runtime: batch of {settings['batch_size']}, {settings['threads']} thread"
        f"{'s' if settings['threads'] > 1 else ''}, provider {settings['provider']}. {interval} The machine of the "
        f"search: {machine}."
    )


def _interval(members: Mapping[str, Member]) -> str:
    if all(member.latency.rounds > 1 for member in members.values()):
        return _INTERVAL
    return "The interval is of the runs of one measurement; measured again, the median may lie outside."


def _how(latency: Latency) -> str:
    where = "beside other work, provisional" if latency.provisional else "alone"
    return where if latency.rounds == 1 else f"{where}, in {latency.rounds} rounds"


def _teachers(run: Run) -> Iterable[str]:
    if not run.teachers:
        yield "No teachers: it learnt from labels alone."
        return
    metric = run.teachers[0].metric
    columns = strength_columns(metric, [teacher.metrics for teacher in run.teachers])
    rows = [
        [t.name, t.kind, t.covers, *(f"{t.metrics[at]:.4f}" if at in t.metrics else "-" for at in columns), t.digest]
        for t in run.teachers
    ]
    yield _table(["teacher", "kind", "covers", *columns.values(), "digest"], rows)
    if "abroad" in columns:
        yield "Home is the validation rows that a teacher covers, abroad are all others."
    elif columns:
        yield f"The {METRIC_WORDS[metric]} is on validation rows."


def _parity(parities: Mapping[str, Parity], members: Mapping[str, Member]) -> str:
    lines = [str(parity) for parity in parities.values()]
    lines += [
        f"{precision}: answers as float32 on {member.agreement_share:.1%} of validation rows, as the search measured it"
        for precision, member in members.items()
        if member.agreement_share is not None
    ]
    return "\n".join(f"- {line}" for line in lines)


def _limits_of_knowledge(
    run: Run, config: Mapping[str, Any], members: Mapping[str, Member], description: Mapping[str, Any]
) -> str:
    data = config["data"]
    source = ", ".join(f"{key} {data[key]}" for key in ("kind", "name", "path", "factory") if data.get(key))
    source = mask(source)
    lines = [
        f"It was judged on held-out rows of one data set ({source}); on inputs of another origin it may do worse, "
        "and nothing here says by how much.",
        _ALWAYS_ANSWERS
        if description["class_names"]
        else "It goes on after any text, and what it writes may be false.",
        "Latency holds for the machine above; measure again on the device that it goes to.",
    ]
    if run.limits:
        lines.append(f"The search kept to: {', '.join(map(str, run.limits))}.")
    if not run.finished:
        lines.append(
            "**The search had not ended when this was exported**: latencies are provisional (measured beside other "
            "work, up to 40 % too high), there are no test scores, and later trials may beat it."
        )
    elif any(member.latency.provisional for member in members.values()):
        lines.append("Provisional latencies belong to a precision that is not on the front; it has no test scores.")
    return "\n".join(f"- {line}" for line in lines)


def _files(description: Mapping[str, Any]) -> str:
    takes = "token ids" if "tokenizer" in description else "raw inputs"
    if description.get("past"):
        takes = "token ids, and keys and values of those before,"
    lines = [f"- `{name}`: ONNX graph in {precision}, {takes} in" for precision, name in description["graphs"].items()]
    if (reading := description.get("tokenizer")) is not None:
        lines.append(f"- `{reading['file']}`: how texts are cut into tokens; the graph needs it")
    lines += [
        f"- `{WEIGHTS_FILE}`: weights of the PyTorch module",
        f"- `{DESCRIPTION_FILE}`: all of this for programs: architecture, recipe, classes, scores",
        f"- `{PREPROCESSING_FILE}`: what goes into the graph and what comes out",
    ]
    return "\n".join(lines)


def _table(head: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    lines = [head, ["---"] * len(head), *rows]
    return "\n".join("| " + " | ".join(str(cell).replace("|", "\\|") for cell in line) + " |" for line in lines)


def _first(members: Mapping[str, Member]) -> Member:
    return next(iter(members.values()))


def _short(value: Any) -> str:
    return f"{value:.4g}" if isinstance(value, float) else str(value)
