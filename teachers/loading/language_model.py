"""A causal language model from transformers: logits on token ids, sorted probabilities on texts, and texts of its own.

Shape letters: B = batch, b = rows of one run, T = positions of the data's rows, V = vocabulary, S = samples, k = kept.
"""

import hashlib
from collections.abc import Collection, Sequence
from typing import Any

import torch
from torch import Tensor

from teachers.generating import Generation, check_settings
from teachers.loading.loaded import numbers
from teachers.loading.network import Network
from teachers.loading.text_batches import TextBatches, definition_of, numbering_of
from teachers.outputs import Inputs, Outputs

SORTED = "sorted_probabilities"
"""Feature: the largest probabilities of the next token at each position, largest first, (B, T, k). Rows of zeros stand
where the text of a row has fewer tokens than the row."""

SORTED_TOP = 128
"""k, or the vocabulary where it is smaller; what is beyond is a small rest."""

_NEVER = -1e4
"""Logit of a token that the model does not have: its probability is 0, and it fits into 16 bits."""


class LanguageModel:
    """Reads rows of the data's token ids; with another tokenizer than theirs, the texts that these stand for."""

    copies_held = 2
    """The arrays that it came as, and the network."""

    def __init__(self, network: Network, batches: TextBatches, *, data_tokenizer: str | None, batch: int) -> None:
        """Put them together.

        Args:
            network: Takes ``input_ids`` and ``attention_mask``, gives logits (b, T, V).
            batches: Its tokenizer.
            data_tokenizer: Definition of the tokenizer that made the data's ids, the JSON of the library
                ``tokenizers``; None takes the ids for the model's own.
            batch: Rows of one run at most.

        Raises:
            ValueError: The model knows fewer tokens than the data's tokenizer, which it shares.
        """
        self._network = network
        self._batches = batches
        self._batch = batch
        self._definition = data_tokenizer
        own = definition_of(batches.tokenizer)
        self._decoder = None if data_tokenizer is None else _read(batches.tokenizer, data_tokenizer)
        self._num_tokens = None if self._decoder is None else int(self._decoder.get_vocab_size())
        numbering = None if data_tokenizer is None else numbering_of(own, data_tokenizer)
        self.shares_tokenizer = data_tokenizer is None or numbering is not None
        """Whether its logits are over the data's vocabulary; else they say nothing, and ``SORTED`` is to be read."""
        self._old_V: Tensor | None = None
        if numbering is not None and numbering.moved is not None and self._num_tokens is not None:
            self._old_V = torch.from_numpy(numbering.old_numbers(self._num_tokens))
        width = int(network.module.config.vocab_size)  # type: ignore[union-attr, arg-type] # a config of transformers
        needed = self._num_tokens if self._old_V is None else int(self._old_V.max()) + 1
        if self.shares_tokenizer and needed is not None and width < needed:
            raise ValueError(f"the model has {width} tokens, its tokenizer and the data's have {needed}")

    def __reduce__(self) -> tuple[Any, ...]:
        """Travel without what is made from the definition."""
        return _rebuilt, (self._network, self._batches, self._definition, self._batch)

    def __call__(self, inputs: Inputs, features: Collection[str] = ()) -> Outputs:
        """Answer for rows of token ids (B, T): logits (B, T, V).

        Where the tokenizers differ, logits are all 0, which is a guess among all tokens, and the one feature is
        ``SORTED``.
        """
        ids_BT = numbers(inputs).to(torch.int64)
        if self.shares_tokenizer:
            answers = [self._answer(rows, tuple(features)) for rows in torch.split(ids_BT, self._batch)]
            return Outputs(
                logits=torch.cat([answer.logits for answer in answers]),
                features={name: torch.cat([answer.features[name] for answer in answers]) for name in features},
            )
        if others := sorted(set(features) - {SORTED}):
            raise ValueError(
                f"the teacher cuts texts into other tokens than the data, so that it has no {', '.join(others)} at the "
                f"data's positions; it gives {SORTED} alone, which the loss uld reads"
            )
        assert self._num_tokens is not None
        logits_BTV = torch.zeros(1).expand(*ids_BT.shape, self._num_tokens)
        return Outputs(logits=logits_BTV, features={SORTED: self._sorted_of_texts(ids_BT)} if features else {})

    def feature_id(self, name: str) -> str:
        """Replace an alias by what it stands for."""
        return self._network.feature_id(name)

    def generate(
        self, prompts: Sequence[str], *, samples: int, temperature: float, max_new_tokens: int, seed: int
    ) -> list[list[Generation]]:
        """Draw from the model's probabilities; fulfils ``Generator``. Prompts that are too long lose their start."""
        check_settings(samples=samples, temperature=temperature, max_new_tokens=max_new_tokens)
        room = self._batches.max_length - max_new_tokens
        if room < 1:
            raise ValueError(
                f"max_new_tokens must be below the {self._batches.max_length} tokens that the teacher reads, got "
                f"{max_new_tokens}"
            )
        found = []
        for prompt in prompts:
            ids = self._batches.tokenizer(prompt)["input_ids"][-room:] or [self._end]
            named = hashlib.sha256(f"{seed} {prompt}".encode("utf-8", "surrogatepass")).digest()
            rows = self._drawn(
                torch.tensor([ids]),
                samples=1 if temperature == 0 else samples,
                temperature=temperature,
                tokens=max_new_tokens,
                seed=int.from_bytes(named[:8], "little") >> 1,
            )
            found.append(rows * samples if temperature == 0 else rows)
        return found

    @property
    def _end(self) -> int:
        tokenizer = self._batches.tokenizer
        return int(tokenizer.pad_token_id if tokenizer.eos_token_id is None else tokenizer.eos_token_id)

    def _answer(self, ids_bT: Tensor, features: tuple[str, ...]) -> Outputs:
        # Padding stands at the end, where no earlier position sees it; any token will do there.
        inner = tuple(name for name in features if name != SORTED)
        own_bT = ids_bT if self._old_V is None else self._old_V[ids_bT].clamp(min=0)
        answer = self._network({"input_ids": own_bT, "attention_mask": torch.ones_like(own_bT)}, inner)
        logits_bTV = answer.logits[..., : self._num_tokens]
        if self._old_V is not None:
            logits_bTV = answer.logits.index_select(-1, self._old_V.clamp(min=0))
            logits_bTV[..., self._old_V < 0] = _NEVER
        sorted_bTk = {SORTED: _sorted(logits_bTV)} if SORTED in features else {}
        return Outputs(logits=logits_bTV, features={**answer.features, **sorted_bTk})

    def _sorted_of_texts(self, ids_BT: Tensor) -> Tensor:
        """Read the texts of rows with the model's own tokenizer, as many of its tokens as a row has; (B, T, k)."""
        assert self._decoder is not None
        texts = self._decoder.decode_batch(ids_BT.tolist(), skip_special_tokens=True)

        def run(ids_bT: Tensor, mask_bT: Tensor) -> Outputs:
            answer = self._network({"input_ids": ids_bT, "attention_mask": mask_bT})
            sorted_bTk = _sorted(answer.logits) * mask_bT[:, :, None]
            return Outputs(logits=sorted_bTk[:, :0], features={SORTED: sorted_bTk})

        return self._batches(texts, run, fixed=min(ids_BT.shape[1], self._batches.max_length)).features[SORTED]

    def _drawn(self, ids_1T: Tensor, *, samples: int, temperature: float, tokens: int, seed: int) -> list[Generation]:
        """Draw some texts that go on after one prompt."""
        module: Any = self._network.module
        device = self._network.ready()
        greedy = temperature == 0
        how = {"do_sample": False} if greedy else {"do_sample": True, "temperature": temperature, "top_k": 0}
        with torch.no_grad(), torch.random.fork_rng():
            torch.manual_seed(seed)
            answer = module.generate(
                ids_1T.to(device),
                attention_mask=torch.ones_like(ids_1T).to(device),
                num_return_sequences=samples,
                max_new_tokens=tokens,
                pad_token_id=int(self._batches.tokenizer.pad_token_id),
                eos_token_id=self._end,
                return_dict_in_generate=True,
                output_logits=True,
                use_cache=True,
                **how,
            )
        written_ST = answer.sequences[:, ids_1T.shape[1] :].cpu()
        steps_TSV = torch.stack([step.float().cpu() for step in answer.logits]).log_softmax(dim=-1)
        told_ST = steps_TSV.permute(1, 0, 2).gather(2, written_ST[:, :, None]).squeeze(2)
        # What follows the token that ends a text fills the row up.
        ends_ST = (written_ST == self._end).int()
        counts_ST = (ends_ST.cumsum(dim=1) - ends_ST) == 0
        return [
            Generation(
                text=self._batches.tokenizer.decode(ids[counts & (ids != self._end)], skip_special_tokens=True),
                log_probability=min(0.0, float(told[counts].sum())),
                ended=bool((ids == self._end).any()),
            )
            for ids, told, counts in zip(written_ST, told_ST, counts_ST, strict=True)
        ]


def _sorted(logits: Tensor) -> Tensor:
    """Give the largest probabilities (..., k), largest first."""
    return logits.softmax(dim=-1).topk(min(SORTED_TOP, logits.shape[-1]), dim=-1).values


def _read(tokenizer: Any, definition: str) -> Any:  # of the library tokenizers
    """Read a definition with the class that stands behind a tokenizer of transformers."""
    return type(tokenizer.backend_tokenizer).from_str(definition)


def _rebuilt(network: Network, batches: TextBatches, definition: str | None, batch: int) -> LanguageModel:
    return LanguageModel(network, batches, data_tokenizer=definition, batch=batch)
