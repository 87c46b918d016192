"""Texts that teachers write before any trial, on the whole cluster at once, and the best of them as training rows."""

import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from itertools import pairwise
from typing import Any

import numpy as np
from numpy.typing import NDArray

from automl.answering import answering
from automl.config.sequences import Sequences
from automl.errors import UserError
from automl.executor import Executor, Share
from automl.nodes import write_on_node
from automl.numbers import counted
from automl.preparation import Prepared, at
from teachers import Generation, OutputStore, ShardKey, Teacher, TeacherEnsemble
from teachers.digests import rows_digest
from trials.ending import end_of
from trials.sequences import Completion, best_of, find_scorer, with_completions
from trials.sequences.best import mean_score

_PROMPTS_OF_A_TASK = 32


@dataclass(frozen=True, kw_only=True)
class Prompt:
    """The beginning of a document.

    Args:
        document: Its row among the documents.
        text: Of the beginning.
        reference: How it goes on.
    """

    document: int
    text: str
    reference: str


def with_sequences(
    prepared: Prepared, teachers: Sequence[Teacher], executor: Executor, store: OutputStore, say: Callable[[str], None]
) -> Prepared:
    """Let teachers write, and add the best to the training rows; nothing changes where the config asks for none.

    Args:
        prepared: Its documents and its section ``sequences``.
        teachers: As loaded, each of which goes on from documents that it covers.
        executor: Where they write.
        store: Where what they wrote is kept.
        say: Is told what is done.

    Raises:
        UserError: A teacher cannot write, or nothing that was written passes the check.
    """
    asked = prepared.config.sequences
    if asked is None:
        return prepared
    with at(prepared.config, "sequences"):
        prompts = prompts_of(prepared, asked)
        score = find_scorer(asked.score)
    say(f"teachers write {counted(asked.samples, 'text')} each after {counted(len(prompts), 'beginning')}")
    written = _written(prepared, teachers, prompts, executor, store)
    with at(prepared.config, "sequences", "score"):
        kept = [
            made
            for prompt, texts in zip(prompts, written, strict=True)
            for made in best_of(
                texts,
                document=prompt.document,
                prompt=prompt.text,
                reference=prompt.reference,
                score=score,
                keep=asked.keep,
            )
        ]
    if not kept:
        raise UserError(
            f"nothing of what the teachers wrote passes {asked.score}; raise samples, or score otherwise",
            place=prepared.config.place("sequences", "score"),
        )
    count = sum(map(len, written))
    say(f"of {counted(count, 'text')} the best {len(kept)} are learnt from, {asked.score} {mean_score(kept):.3f}")
    return _extended(prepared, kept, asked)


def prompts_of(prepared: Prepared, asked: Sequences) -> list[Prompt]:
    """Cut the beginnings off training documents, evenly spread, that are long enough to go on.

    Raises:
        ValueError: None is.
    """
    documents, reading = prepared.documents, prepared.setting.reading
    assert documents is not None and isinstance(documents.inputs, list) and reading is not None
    rows = documents.splits["train"]
    ids = reading.tokenizer.ids_of([documents.inputs[row] for row in rows])
    long = [n for n, tokens in enumerate(ids) if len(tokens) > asked.prompt]
    if not long:
        raise ValueError(f"no training document has more than {asked.prompt} tokens; lower prompt")
    if asked.prompt + asked.max_new_tokens > reading.length:
        raise ValueError(
            f"prompt and max_new_tokens together are {asked.prompt + asked.max_new_tokens} tokens, and models read "
            f"{reading.length}, as task.length says; lower them"
        )
    chosen = [long[n] for n in np.linspace(0, len(long) - 1, min(asked.prompts, len(long))).astype(int)]
    decode, until = reading.tokenizer.decode, asked.prompt + asked.max_new_tokens
    return [
        Prompt(
            document=int(rows[n]), text=decode(ids[n][: asked.prompt]), reference=decode(ids[n][asked.prompt : until])
        )
        for n in chosen
    ]


def _written(
    prepared: Prepared,
    teachers: Sequence[Teacher],
    prompts: Sequence[Prompt],
    executor: Executor,
    store: OutputStore,
) -> list[list[tuple[int, Generation]]]:
    """Read what teachers wrote after each prompt, and have written what is missing."""
    asked, config, documents = prepared.config.sequences, prepared.config, prepared.documents
    assert asked is not None and documents is not None and prepared.setting.reading is not None
    how = {"samples": asked.samples, "temperature": asked.temperature, "max_new_tokens": asked.max_new_tokens}
    how |= {"seed": config.seed}
    model = prepared.setting.reading.tokenizer.definition, prepared.setting.reading.length
    name = f"texts {json.dumps(how, sort_keys=True)} {rows_digest([model[0]])} {model[1]}"
    jobs = []
    for k, teacher in enumerate(teachers):
        covered = teacher.coverage.rows(len(documents), documents.columns)
        own = [n for n, prompt in enumerate(prompts) if covered[prompt.document]]
        for start in range(0, len(own), _PROMPTS_OF_A_TASK):
            chunk = own[start : start + _PROMPTS_OF_A_TASK]
            texts = [prompts[n].text for n in chunk]
            key = ShardKey(teacher=teacher.digest, inputs=rows_digest(texts), output=name, dtype="float32")
            jobs.append((k, chunk, texts, key))
    missing = [job for job in jobs if store.fault(job[3]) is not None]
    shared = {k: executor.share(teachers[k]) for k in dict.fromkeys(job[0] for job in missing)}
    share = Share(cpus=config.resources.cpus)
    tasks = [
        executor.submit(
            write_on_node, shared[k], model, texts, how, config.resources.threads, share=share, name=f"write-{k}"
        )
        for k, _, texts, _ in missing
    ]
    for (k, _, _, key), task in zip(missing, tasks, strict=True):
        with answering(prepared, k):
            (arrays,) = executor.run_all([task])
        store.store_shard(key, arrays)
    found: list[list[tuple[int, Generation]]] = [[] for _ in prompts]
    for k, chunk, _, key in jobs:
        for n, texts in zip(chunk, unpacked(store.read_shard(key)), strict=True):
            found[n] += [(k, text) for text in texts]
    return found


def unpacked(arrays: dict[str, Any]) -> list[list[Generation]]:
    """Turn arrays, as ``write_on_node`` gives them, into the texts after each prompt."""
    content = bytes(arrays["bytes"])
    ends = np.cumsum(arrays["lengths"])
    texts = [content[end - length : end].decode() for end, length in zip(ends, arrays["lengths"], strict=True)]
    log_p: NDArray[np.float64] = arrays["log_probabilities"]
    made = [
        Generation(text=text, log_probability=None if np.isnan(value) else float(value))
        for text, value in zip(texts, log_p, strict=True)
    ]
    edges = np.concatenate([[0], np.cumsum(arrays["counts"])])
    return [made[start:stop] for start, stop in pairwise(edges)]


def _extended(prepared: Prepared, kept: Sequence[Completion], asked: Sequences) -> Prepared:
    reading, documents = prepared.setting.reading, prepared.documents
    assert reading is not None and documents is not None
    dataset = with_completions(
        prepared.dataset,
        kept,
        documents=documents,
        tokenizer=reading.tokenizer,
        end=end_of(reading.tokenizer),
        share=asked.share,
    )
    ensemble = TeacherEnsemble(
        prepared.coverages, num_classes=dataset.num_classes, num_rows=len(dataset), columns=dataset.columns
    )
    task = replace(prepared.task, columns=dataset.columns)  # type: ignore[type-var] # a LanguageModelling
    setting = replace(prepared.setting, dataset=dataset, task=task, ensemble=ensemble)
    return replace(prepared, dataset=dataset, task=task, ensemble=ensemble, setting=setting)
