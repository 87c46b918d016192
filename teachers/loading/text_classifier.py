"""A classifier of texts from transformers.

Shape letters: B = batch, b = rows of one run, C = classes, T = positions.
"""

from collections.abc import Collection, Mapping, Sequence

from torch import Tensor

from teachers.loading.network import Network
from teachers.loading.text_batches import TextBatches, masked_mean, split_features, texts_of
from teachers.outputs import Inputs, Outputs


class TextClassifier:
    """Reads texts with its own tokenizer and gives logits over the classes that it is heard on."""

    copies_held = 2
    """The arrays that it came as, and the network."""

    def __init__(self, network: Network, batches: TextBatches, columns: Sequence[int] | None) -> None:
        """Put them together.

        Args:
            network: Takes ``input_ids`` and ``attention_mask``.
            batches: Its tokenizer.
            columns: Of the network's logits, those to give; None gives all.
        """
        self._network = network
        self._batches = batches
        self._columns = None if columns is None else list(columns)

    def __call__(self, inputs: Inputs, features: Collection[str] = ()) -> Outputs:
        """Answer for a batch; where a feature has positions, texts are filled up to the greatest length."""
        asked = split_features(tuple(features), self.feature_id)

        def run(ids_bT: Tensor, mask_bT: Tensor) -> Outputs:
            return run_text(self._network, ids_bT, mask_bT, asked)

        positions = any(not pool for _, pool in asked.values())
        answer = self._batches(texts_of(inputs), run, fixed=self._batches.max_length if positions else None)
        if self._columns is None:
            return answer
        return Outputs(logits=answer.logits[:, self._columns], features=answer.features)

    def feature_id(self, name: str) -> str:
        """Replace an alias by what it stands for."""
        return self._network.feature_id(name)


def run_text(network: Network, ids_bT: Tensor, mask_bT: Tensor, asked: Mapping[str, tuple[str, bool]]) -> Outputs:
    """Run a network on padded texts.

    Args:
        network: Takes ``input_ids`` and ``attention_mask``.
        ids_bT: Token ids, int64.
        mask_bT: 1 where there is a token.
        asked: As ``split_features`` gives it.

    Returns:
        What the network gives as logits, and the features under their names.
    """
    bases = tuple(dict.fromkeys(base for base, _ in asked.values()))
    answer = network({"input_ids": ids_bT, "attention_mask": mask_bT}, bases)
    features = {
        name: masked_mean(answer.features[base], mask_bT) if pool else answer.features[base]
        for name, (base, pool) in asked.items()
    }
    return Outputs(logits=answer.logits, features=features)
