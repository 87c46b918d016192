"""Features of teachers in a search: which are wanted, what is kept, what runs on the spot, and what is said of it."""

import pickle
import re
from collections.abc import Callable, Mapping
from contextlib import ExitStack
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch
import yaml
from torch import nn

from automl.cluster.nodes import trial_on_node
from automl.config import load_config
from automl.errors import UserError, WorkFailed
from automl.numbers import byte_count
from automl.preparation.prepare import Prepared, prepare
from automl.teaching.caching import roomy_gb, wanted
from automl.teaching.teach import fill_cache
from teachers import Coverage, LiveOutputs, Outputs, OutputStore, Teacher, probe
from trials.losses import LOSSES, Needs
from trials.records import Outcome


class Model:
    """A teacher with features that counts what it is asked; pickled it is another."""

    preprocessing = None

    @property
    def module(self) -> nn.Module:
        return nn.Identity()

    def feature_id(self, name: str) -> str:
        return name

    def __init__(self, factor: float) -> None:
        self.factor = factor
        self.asked: list[tuple[int, tuple[str, ...]]] = []

    def __call__(self, inputs: Any, features: Any = ()) -> Outputs:
        self.asked.append((len(inputs), tuple(features)))
        flat = torch.as_tensor(inputs).float().flatten(1) * self.factor / 16
        known = {"stage1": flat[:, :40].reshape(-1, 4, 10), "stage2": flat[:, :6], "stage3": flat[:, :8]}
        return Outputs(logits=flat[:, 20:30], features={name: known[name] for name in features})


class Hint(nn.Module):
    """A loss that reads one feature of the teachers."""

    def __init__(self, pairing: Any, *, stage: int = 2, scale: float = 1.0) -> None:
        super().__init__()
        assert f"stage{stage}" in pairing.teacher.features
        self.name, self.scale = f"stage{stage}", scale

    @staticmethod
    def needs(*, stage: int = 2, scale: float = 1.0) -> Needs:
        return Needs(teacher=(f"stage{stage}",))

    def forward(self, student: Outputs, teacher: Outputs, label_B: torch.Tensor) -> torch.Tensor:
        return self.scale * (student.logits.mean(dim=-1) - teacher.features[self.name].flatten(2).mean(dim=-1)) ** 2


class Adversary(Hint):
    @staticmethod
    def needs(*, stage: int = 2, scale: float = 1.0) -> Needs:
        return Needs(models=True)

    def __init__(self, pairing: Any, *, stage: int = 2, scale: float = 1.0) -> None:
        nn.Module.__init__(self)
        assert [type(model) for model in pairing.teacher_models] == [Model, Model]

    def forward(self, student: Outputs, teacher: Outputs, label_B: torch.Tensor) -> torch.Tensor:
        return (student.logits - teacher.logits).square().mean(dim=-1)


@pytest.fixture(autouse=True)
def known_losses(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(LOSSES, "hint", Hint)
    monkeypatch.setitem(LOSSES, "adversary", Adversary)


Make = Callable[..., Prepared]


@pytest.fixture
def make(small_config: Path, tmp_path: Path) -> Make:
    def go(losses: Mapping[str, Any], **sections: Any) -> Prepared:
        plain = yaml.safe_load(small_config.read_text())
        plain["recipe"]["losses"] = {"hard_label": {"weight": 1.0}, **losses}
        first = {name: value for name, value in plain["teachers"][0].items() if name != "covers"}
        plain["teachers"] = [first | {"name": name} for name in ("big", "small")]
        plain |= sections
        path = tmp_path / "made.yaml"
        path.write_text(yaml.safe_dump(plain))
        return prepare(load_config(path))

    return go


def teachers() -> list[Teacher]:
    return [
        Teacher(name=name, model=Model(factor), coverage=Coverage(), digest=f"{name}{factor}")
        for name, factor in (("big", 1.0), ("small", 3.0))
    ]


class Filled:
    def __init__(self, prepared: Prepared, folder: Path, executor: Any, *, alike: bool = False) -> None:
        self.teachers = teachers()
        if alike:
            self.teachers[1] = replace(self.teachers[0], name="small")
        self.said: list[str] = []
        self.store = OutputStore(folder, limit_bytes=prepared.config.cache.limit_bytes)
        executor.local = True
        with ExitStack() as leases:
            self.place, self.records, self.computed = fill_cache(
                prepared, self.teachers, executor, self.store, leases=leases, say=self.said.append
            )


@pytest.fixture
def fill(tmp_path: Path, in_process: Any) -> Callable[[Prepared], Filled]:
    return lambda prepared: Filled(prepared, tmp_path / "cache", in_process())


@pytest.fixture(autouse=True)
def resolved(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("automl.cluster.nodes.resolve", lambda reference: reference)
    monkeypatch.setattr("automl.cluster.nodes._UNPACKED", {})


def test_every_feature_that_a_recipe_may_choose_is_wanted(make: Make) -> None:
    losses = {
        "kd": {"weight": 1.0},
        "hint": {"weight": [0.0, 1.0], "stage": {"low": 1, "high": 3}, "scale": [1.0, 2.0]},
    }
    needed = wanted(make(losses))
    assert needed.terms == (("stage1",), ("stage2",), ("stage3",))
    assert needed.features == ("stage1", "stage2", "stage3")
    assert needed.models == ()
    assert wanted(make({"kd": {"weight": 1.0}, "hint": {"weight": 0.0}})).terms == ()
    assert wanted(make({"kd": {"weight": 1.0}, "adversary": {"weight": 1.0}})).models == ("adversary",)


HINT = {"kd": {"weight": 1.0}, "hint": {"weight": 1.0, "stage": [1, 2]}}


def test_features_are_computed_in_the_pass_that_computes_logits_and_the_next_search_starts_warm(
    make: Make, fill: Callable[[Prepared], Filled]
) -> None:
    prepared = make(HINT)
    first = fill(prepared)
    rows = sum(len(prepared.dataset.splits[name]) for name in ("train", "validation"))
    for each in first.teachers:
        passes = [rows for rows, names in each.model.asked if rows != 64]
        assert sum(passes) == rows
    assert first.computed == 2 * 3
    assert first.said[0].endswith("for the answers of 2 teachers about 1,438 rows; 0% of it is there")
    kept = [line.split(",")[0] for line in first.said[1:-1]]
    assert kept == [f"  kept: {name} of all teachers" for name in ("logits", "stage1", "stage2")]
    second = fill(prepared)
    assert second.computed == 0
    assert second.said[0].endswith("100% of it is there")
    assert all(asked == 64 for each in second.teachers for asked, _ in each.model.asked)  # They are tried out alone.
    assert second.records == first.records
    batch = prepared.dataset.batch(prepared.dataset.splits["train"][:9])
    heard, truth = (
        first.place.open(prepared.dataset)(batch, ("stage1",)),
        LiveOutputs(teachers(), num_classes=10)(batch, ("stage1",)),
    )
    torch.testing.assert_close(heard.logits, truth.logits, rtol=1e-3, atol=1e-3)
    for k in range(2):
        torch.testing.assert_close(heard.features[k]["stage1"], truth.features[k]["stage1"], rtol=1e-3, atol=1e-3)


def test_what_two_teachers_share_that_are_one_model_is_counted_once(
    make: Make, tmp_path: Path, in_process: Any
) -> None:
    prepared = make(HINT)
    (first, *kept), rows = Filled(prepared, tmp_path, in_process(), alike=True).said[:4], 1079
    # Logits of 10 classes and features of 40 and 6 numbers, 2 bytes each; a pack holds the logits of both teachers.
    # Teachers are judged by logits of 359 validation rows, too; nobody reads what they say of test rows.
    logits, features = (rows + 359) * (1 + 2) * 10 * 2, (rows * 40 * 2, rows * 6 * 2)
    assert first.startswith(f"cache: {byte_count(logits + sum(features))} of at most ")
    assert first.endswith("; 0% of it is there")
    assert [line.split(", ")[-1] for line in kept] == [byte_count(size) for size in (logits, *features)]
    assert Filled(prepared, tmp_path, in_process(), alike=True).said[0].endswith("; 100% of it is there")
    on_disk = sum(file.stat().st_size for file in tmp_path.rglob("*.*") if file.suffix in (".shard", ".pack"))
    assert on_disk == pytest.approx(logits + sum(features), rel=0.05)
    # What is planned for two is what is there for both: no byte more is needed.
    enough = {"gb": (logits + sum(features)) / 1e9}
    assert len(Filled(make(HINT, cache=enough), tmp_path / "other", in_process(), alike=True).said) == 5


def gb_for(logits: int, *features: int) -> dict[str, Any]:
    return {"gb": 2 * ((1079 + 359) * logits + 1079 * sum(features)) / 1e9 + 1e-7}


def test_what_finds_no_room_is_asked_on_the_spot_and_its_price_is_told(
    make: Make, fill: Callable[[Prepared], Filled]
) -> None:
    filled = fill(make(HINT, cache=gb_for(40, 12)))
    assert [line.split(" of ")[0] for line in filled.said[1:3]] == ["  kept: logits", "  kept: stage2"]
    assert len(filled.said) == 7
    for name, line in zip(("big", "small"), filled.said[3:5], strict=True):
        assert line.startswith(f"  on the spot: {name} runs in each step that reads stage1, ")
        assert " ms for 64 rows, " in line
        assert line.endswith(" an epoch; 86.3 kB more would keep its answers")
    told, enough = filled.said[5].split("; cache.gb: ")
    assert told.endswith("what has no room is computed anew in every trial")
    assert not any("too small" in line for line in fill(make(HINT, cache={"gb": float(enough.split()[0])})).said)
    prepared = make(HINT)
    batch = prepared.dataset.batch(prepared.dataset.splits["train"][:9])
    heard = filled.place.open(prepared.dataset)
    before = [len(each.model.asked) for each in filled.teachers]
    assert heard(batch, ("stage2",)).features[1]["stage2"].shape == (9, 6)
    assert [len(each.model.asked) for each in filled.teachers] == before
    assert heard(batch, ("stage1", "stage2")).features[1]["stage1"].shape == (9, 4, 10)
    assert [each.model.asked[-1] for each in filled.teachers] == [(9, ("stage1",))] * 2


def test_without_any_room_all_teachers_run_and_are_judged_all_the_same(
    make: Make, fill: Callable[[Prepared], Filled], tmp_path: Path, in_process: Any
) -> None:
    prepared = make(HINT)
    truth = fill(prepared).records
    nothing = make(HINT, cache={"gb": 1e-9})
    filled = Filled(nothing, tmp_path / "other", in_process())
    assert filled.computed == 0
    for record, expected in zip(filled.records, truth, strict=True):
        assert record.metrics == pytest.approx(expected.metrics, abs=0.01)  # Kept logits are rounded.
    assert [line.split(",")[0] for line in filled.said[1:-1]] == [
        "  on the spot: big runs in every step",
        "  on the spot: small runs in every step",
        "  cache.gb is too small for all that this search reads of teachers: what has no room is computed anew in "
        f"every trial; cache.gb: {roomy_gb(2 * ((1079 + 359) * 40 + 1079 * 92))} keeps all",
    ]
    assert not list((tmp_path / "other").rglob("*.pack"))


def test_that_answers_of_earlier_searches_are_removed_is_told_with_what_would_keep_them(
    make: Make, fill: Callable[[Prepared], Filled]
) -> None:
    first, whole = fill(make(HINT)), {"kd": {"weight": 1.0}, "hint": {"weight": 1.0, "stage": 3}}
    before = first.store.used_bytes()
    tight = fill(make(whole, cache={"gb": before / 1e9}))
    (line,) = (line for line in tight.said if "earlier searches left" in line)
    assert line.split(" that ")[0].strip() == byte_count(2 * 1079 * 8 * 2)
    assert tight.store.used_bytes() <= before * 1.05
    roomy = fill(make(HINT, cache={"gb": float(line.split("cache.gb: ")[1].split()[0])}))
    assert not any("earlier searches left" in line for line in roomy.said)


@pytest.mark.parametrize(
    ("losses", "cache"),
    [
        (HINT, {"gb": 1.0}),
        (HINT, gb_for(40)),
        (HINT, {"gb": 1e-9}),
        ({"adversary": {"weight": 1.0}}, {"gb": 1.0}),
    ],
    ids=["cached", "features on the spot", "all on the spot", "models"],
)
def test_a_trial_is_trained_wherever_its_teachers_are_heard(
    make: Make, fill: Callable[[Prepared], Filled], losses: Any, cache: Any
) -> None:
    prepared = make(losses, cache=cache, precisions=["float32"])
    filled = fill(prepared)
    values = {"depth": 1, "layer1.width": 16, "recipe.losses.hint.stage": 1}
    values |= {"activation": "relu", "normalisation": "batch", "shortcut": False, "dropout": 0.0}
    result, _ = trial_on_node(prepared.trial(0, values), (prepared.setting, filled.place))
    assert result.error == ""
    assert result.outcome is Outcome.TRAINED


def test_losses_that_run_models_are_told_with_their_price(
    make: Make, fill: Callable[[Prepared], Filled], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(
        "automl.cluster.nodes.probe", lambda *args, **kw: replace(probe(*args, **kw), seconds_per_row=0.001)
    )
    told = re.fullmatch(
        r"  the teachers' models, (\d+) bytes, go to every trial, for adversary; each whole pass of a step through "
        r"them takes at least 128 ms for 64 rows",  # of two teachers
        fill(make({"adversary": {"weight": 1.0}})).said[-2],
    )
    assert told is not None
    assert int(told[1]) == pytest.approx(sum(len(pickle.dumps(teacher)) for teacher in teachers()), abs=200)


def test_memory_is_told_for_the_trials_that_run_teachers_at_a_time(
    make: Make,
    fill: Callable[[Prepared], Filled],
    tmp_path: Path,
    in_process: Any,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    assert fill(make(HINT)).said[-1].startswith("  memory: no teacher runs in a trial, of at most ")
    assert "; a process that fills the cache takes about " not in fill(make(HINT)).said[-1]
    monkeypatch.setattr("teachers.cache.probing.held_bytes", lambda teacher: 1000)
    tight = make(HINT, cache=gb_for(40, 12) | {"memory_gb": 1e-3}, search={"trials": 1, "in_flight": 3})
    told = re.fullmatch(
        r"  memory: (.+) of at most 1 MB for all teachers in 3 trials at a time, ([^,;]+) in each; a process that "
        r"fills the cache takes about .+",
        Filled(tight, tmp_path / "other", in_process()).said[-1],
    )
    assert told is not None
    assert told[2] == byte_count(2 * 1000)
    assert told[1] == byte_count((3 + 2) * 2 * 1000)


def test_teachers_that_do_not_fit_into_memory_are_refused_with_what_would_help(
    make: Make, fill: Callable[[Prepared], Filled], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("teachers.cache.probing.held_bytes", lambda teacher: 1000)
    search = {"trials": 1, "in_flight": 3}
    tight = {"memory_gb": 9000 / 1e9}
    expected = (
        r"made\.yaml:\d+:\d+: cache\.memory_gb: big and small would run in 3 trials at a time, since cache\.gb has no "
        r"room for all that they say: .* in each and .* in all, .*; set cache\.gb to 0\.000[0-9]+, which keeps all "
        r"that they say, or set search\.in_flight to 2, or raise it to 0\.0000100"
    )
    with pytest.raises(UserError, match=expected):
        fill(make(HINT, cache=gb_for(40, 12) | tight, search=search))
    fill(make(HINT, cache=gb_for(40, 12) | tight, search=search | {"in_flight": 2}))
    fill(make(HINT, cache={"gb": 1.0} | tight, search=search))
    with pytest.raises(UserError, match=r"at a time, for adversary: .*; set search\.in_flight to 2, or raise it to "):
        fill(make({"adversary": {"weight": 1.0}}, cache={"gb": 1.0} | tight, search=search))


def test_models_that_only_ray_can_pack_are_told_without_their_size(
    make: Make, fill: Callable[[Prepared], Filled], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(Model, "__reduce__", lambda self: (lambda: self, ()))
    line = fill(make({"adversary": {"weight": 1.0}})).said[-2]
    assert line.startswith("  the teachers' models go to every trial, for adversary; ")


def test_a_machine_that_lacks_shards_of_features_fetches_them(
    make: Make, fill: Callable[[Prepared], Filled], tmp_path: Path
) -> None:
    prepared = make(HINT)
    filled = fill(prepared)
    keys = [*filled.place.packs.values(), *(s.key for each in filled.place.features.values() for s in each)]
    contents = {key.digest: filled.store.read_shard_bytes(key) for key in keys}
    elsewhere = replace(filled.place, folder=tmp_path / "elsewhere", contents=contents)
    batch = prepared.dataset.batch(prepared.dataset.splits["train"][:9])
    expected = filled.place.open(prepared.dataset)(batch, ("stage1",)).features[1]["stage1"]
    for _ in range(2):  # The second time from its own disk.
        assert torch.equal(elsewhere.open(prepared.dataset)(batch, ("stage1",)).features[1]["stage1"], expected)
    for file in (tmp_path / "elsewhere").rglob("*.shard"):
        file.write_bytes(file.read_bytes()[:-10])  # Torn.
    assert torch.equal(elsewhere.open(prepared.dataset)(batch, ("stage1",)).features[1]["stage1"], expected)


def test_shards_of_features_that_are_damaged_or_gone_end_the_search_with_its_message(
    make: Make, fill: Callable[[Prepared], Filled]
) -> None:
    prepared = make(HINT)
    filled = fill(prepared)
    shard = filled.place.features[1, "stage2", 0][0]
    filled.store.path(shard.key).write_bytes(b"torn")
    with pytest.raises(WorkFailed, match=r"answers were removed or damaged during the search: .*--resume"):
        filled.place.open(prepared.dataset)
    assert fill(make(HINT)).computed == 1
    filled.place.open(prepared.dataset)


def test_shards_in_use_by_a_trial_are_not_evicted(make: Make, fill: Callable[[Prepared], Filled]) -> None:
    prepared = make(HINT)
    filled = fill(prepared)
    opened = filled.place.open(prepared.dataset)
    with pytest.raises(ValueError, match="do not fit"):
        OutputStore(filled.store.folder, limit_bytes=0).make_room(0)
    assert filled.place.open(prepared.dataset)  # All that trials read is there still.
    del opened


def test_views_are_kept_and_read_each_in_its_epoch(make: Make, fill: Callable[[Prepared], Filled]) -> None:
    data = {"kind": "sklearn", "name": "digits", "augmentation": {"kind": "image", "shift": 1, "views": 2}}
    prepared = make(HINT, data=data)
    filled = fill(prepared)
    assert ", each in 2 augmented views; " in filled.said[0]
    assert sorted(filled.place.packs) == [0, 1, 2]
    assert {view for _, _, view in filled.place.features} == {1, 2}
    heard = filled.place.open(prepared.dataset)
    rows = prepared.dataset.splits["train"][:9]
    for epoch in range(3):
        batch = prepared.dataset.batch(rows, view=prepared.dataset.training_view(epoch))
        assert batch.view == 1 + epoch % 2
        truth = LiveOutputs(filled.teachers, num_classes=10)(batch, ("stage2",))
        answer = heard(batch, ("stage2",))
        torch.testing.assert_close(answer.logits, truth.logits, rtol=1e-3, atol=1e-3)
        torch.testing.assert_close(answer.features[0]["stage2"], truth.features[0]["stage2"], rtol=1e-3, atol=1e-3)
    more = make(HINT, data=data | {"augmentation": data["augmentation"] | {"views": 3}})  # type: ignore[operator] # a plain dict
    assert fill(more).computed == 2 * 3  # The third view alone.


def test_cut_logits_teach_a_trial(make: Make, fill: Callable[[Prepared], Filled]) -> None:
    prepared = make({"kd": {"weight": 1.0}}, cache={"gb": 1.0, "top_k": 2})
    filled = fill(prepared)
    whole = make({"kd": {"weight": 1.0}})
    batch = prepared.dataset.batch(prepared.dataset.splits["train"][:9])
    cut, full = (
        filled.place.open(prepared.dataset)(batch).logits,
        LiveOutputs(filled.teachers, num_classes=10)(batch).logits,
    )
    given, made = (torch.softmax(each, dim=-1) for each in (full, cut))
    torch.testing.assert_close(made.max(dim=-1).values, given.max(dim=-1).values, atol=2e-3, rtol=2e-3)
    assert fill(whole).computed == 2  # Another way to keep them is another entry.


def test_a_feature_that_a_teacher_lacks_is_told_with_its_place(make: Make, fill: Callable[[Prepared], Filled]) -> None:
    with pytest.raises(UserError, match=r"made\.yaml:.*teachers\[0\]: .*KeyError: 'stage9'"):
        fill(make({"hint": {"weight": 1.0, "stage": 9}}))


def test_what_tells_workers_where_to_read_is_small(make: Make, fill: Callable[[Prepared], Filled]) -> None:
    assert len(pickle.dumps(fill(make(HINT)).place)) < 10_000


@pytest.mark.parametrize("augmented", [False, True])
def test_nobody_is_asked_about_rows_that_nobody_reads(
    make: Make, fill: Callable[[Prepared], Filled], augmented: bool
) -> None:
    section = {"data": {"kind": "sklearn", "name": "digits", "augmentation": {"kind": "image", "shift": 1, "views": 2}}}
    prepared = make(HINT, **(section if augmented else {}))
    dataset = prepared.dataset
    train, validation = (len(dataset.splits[name]) for name in ("train", "validation"))
    filled = fill(prepared)
    for each in filled.teachers:
        told = [(rows, "stage1" in names) for rows, names in each.model.asked if rows != 64]
        read = train * (2 if augmented else 1)
        assert sum(rows for rows, features in told if features) == read
        assert sum(rows for rows, features in told if not features) == validation + (train if augmented else 0)
    heard = filled.place.open(dataset)
    with pytest.raises(IndexError, match=f"row {dataset.splits['test'][0]} is not in the cache"):
        heard(dataset.batch(dataset.splits["test"][:1]))
    rows = dataset.splits["validation"][:9]
    expected = LiveOutputs(teachers(), num_classes=10)(dataset.batch(rows)).logits
    torch.testing.assert_close(heard(dataset.batch(rows)).logits, expected, rtol=1e-3, atol=1e-3)
    for epoch in range(2):
        batch = dataset.batch(dataset.splits["train"][5:900:7], view=dataset.training_view(epoch))
        truth = LiveOutputs(teachers(), num_classes=10)(batch, ("stage2",))
        found = heard(batch, ("stage2",))
        torch.testing.assert_close(found.logits, truth.logits, rtol=1e-3, atol=1e-3)
        torch.testing.assert_close(found.features[1]["stage2"], truth.features[1]["stage2"], rtol=1e-3, atol=1e-3)
