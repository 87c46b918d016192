"""Short texts about three things in two languages, and the smallest students that read them."""

import numpy as np
import torch
from torch import Tensor, nn

from search_spaces import Categorical, Choice, ModelSignature, SearchSpace, StudentSpec
from trials.data import Dataset, RawData, split
from trials.reading import Reading
from trials.records import LatencySettings
from trials.setting import Setting
from trials.tasks import Classification
from trials.tokenization import train_tokenizer

WORDS = {
    "en": {
        "sea": "waves salt ship harbour tide gull anchor sailing",
        "wood": "oak moss beech root needle fern clearing bark",
        "town": "street tram roof market bridge square lamp tower",
        "": "the a by with under near over old small quiet many",
    },
    "de": {
        "sea": "Wellen Salz Schiff Hafen Flut Möwe Anker Segeln",
        "wood": "Eiche Moos Buche Wurzel Nadel Farn Lichtung Rinde",
        "town": "Straße Bahn Dach Markt Brücke Platz Laterne Turm",
        "": "die ein bei mit unter nahe über alte kleine stille viele",
    },
}
CLASSES = ("sea", "town", "wood")


def texts(num_rows: int = 240, *, seed: int = 0) -> RawData:
    """Make up texts of two to thirty words, each third one about its class."""
    rng = np.random.default_rng(seed)
    languages = rng.choice(list(WORDS), size=num_rows)
    labels = rng.integers(0, len(CLASSES), size=num_rows)
    rows = []
    for language, label in zip(languages, labels, strict=True):
        about, other = (WORDS[language][topic].split() for topic in (CLASSES[label], ""))
        words = [rng.choice(other, 2), rng.choice(about, 1)] * int(rng.integers(1, 11))
        rows.append(" ".join(np.concatenate([rng.permutation(part) for part in words]).tolist()))
    return RawData(
        inputs=rows, labels=labels.astype(np.int64), class_names=CLASSES, columns={"lang": languages.astype(str)}
    )


def text_data(num_rows: int = 240) -> Dataset:
    return split(texts(num_rows), validation=0.25, test=0.25, seed=0)


class Bag(nn.Module):
    """The mean of the embeddings of what is no padding, and a linear layer."""

    def __init__(self, vocabulary_size: int, width: int, num_classes: int) -> None:
        super().__init__()
        self.embedding = nn.Embedding(vocabulary_size, width)
        self.head = nn.Linear(width, num_classes)

    def forward(self, ids_BT: Tensor) -> Tensor:
        seen_BT1 = (ids_BT != 0).unsqueeze(-1).to(torch.float32)
        mean_BD = (self.embedding(ids_BT) * seen_BT1).sum(dim=1) / seen_BT1.sum(dim=1).clamp(min=1.0)
        logits: Tensor = self.head(mean_BD)
        return logits


def build_bag(spec: StudentSpec, signature: ModelSignature) -> nn.Module:
    assert signature.vocabulary_size is not None
    (num_classes,) = signature.sole_output_shape
    return Bag(signature.vocabulary_size, int(spec.values["width"]), num_classes)


def bags() -> SearchSpace:
    choices = (
        Choice(name="vocabulary_size", domain=Categorical(options=(270, 320))),
        Choice(name="length", domain=Categorical(options=(8, 40))),
        Choice(name="width", domain=Categorical(options=(4, 12))),
    )
    return SearchSpace(name="tests.trials.text_trials:bags", choices=choices, build=build_bag)


BAGS = bags()
SPEC = BAGS.spec({"vocabulary_size": 320, "length": 40, "width": 12})
NARROW = BAGS.spec({"vocabulary_size": 270, "length": 8, "width": 12})
QUICK = LatencySettings(warmup_runs=1, min_runs=6, seconds=0.0)


def text_setting(dataset: Dataset | None = None) -> Setting:
    dataset = text_data() if dataset is None else dataset
    assert isinstance(dataset.inputs, list)
    train = [dataset.inputs[row] for row in dataset.splits["train"]]
    return Setting(
        space=BAGS,
        dataset=dataset,
        task=Classification.for_dataset(dataset),
        statistics=None,
        latency=QUICK,
        reading=Reading(tokenizer=train_tokenizer(train, vocabulary_size=320)),
    )
