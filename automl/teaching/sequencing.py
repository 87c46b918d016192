"""Texts that teachers write before any trial, on the whole cluster at once, and the best of them as training rows."""

import json
from collections.abc import Callable, Sequence
from dataclasses import replace
from itertools import pairwise
from typing import Any

import numpy as np
from numpy.typing import NDArray

from automl.cluster.executor import Executor, Share
from automl.cluster.token_nodes import write_on_node
from automl.config.sequences import Sequences
from automl.errors import UserError
from automl.numbers import counted
from automl.preparation.prepare import Prepared, at
from automl.teaching.answering import answering
from teachers import Generation, OutputStore, ShardKey, Teacher, TeacherEnsemble
from teachers.digests import rows_digest
from trials.ending import end_of
from trials.prompts import Cut, Prompt, prompts_of
from trials.sequences import Completion, best_of, find_scorer, with_completions
from trials.sequences.best import mean_score

_PROMPTS_OF_A_TASK = 32


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
        prompts = _prompts(prepared, asked)
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


def _prompts(prepared: Prepared, asked: Sequences) -> list[Prompt]:
    """Cut the beginnings off training documents.

    Raises:
        ValueError: None is long enough.
    """
    documents, reading = prepared.documents, prepared.setting.reading
    assert documents is not None and reading is not None
    cut = Cut(most=asked.prompts, begins=asked.prompt, goes_on=asked.max_new_tokens)
    prompts = prompts_of(documents, reading.tokenizer, cut, split="train")
    if not prompts:
        raise ValueError(f"no training document has more than {asked.prompt} tokens; lower prompt")
    return prompts


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
    name = f"texts and ends {json.dumps(how, sort_keys=True)} {rows_digest([model[0]])} {model[1]}"
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
        for n, each in zip(chunk, unpacked(store.read_shard(key)), strict=True):
            found[n] += [(k, text) for text in each]
    return found


def unpacked(arrays: dict[str, Any]) -> list[list[Generation]]:
    """Turn arrays, as ``write_on_node`` gives them, into the texts after each prompt."""
    content = bytes(arrays["bytes"])
    ends = np.cumsum(arrays["lengths"])
    texts = [content[end - length : end].decode() for end, length in zip(ends, arrays["lengths"], strict=True)]
    log_p: NDArray[np.float64] = arrays["log_probabilities"]
    made = [
        Generation(text=text, log_probability=None if np.isnan(value) else float(value), ended=bool(ended))
        for text, value, ended in zip(texts, log_p, arrays["ended"], strict=True)
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
