"""Every kind of mistake in a config, and what its author reads."""

from pathlib import Path

import pytest

from automl.config import load_config
from automl.errors import UserError
from automl.samplers import SAMPLERS
from search_spaces import SPACES
from trials.losses import LOSSES

# One row is one mistake: what is replaced, by what, and the message; rows read better whole than folded.
# ruff: noqa: E501 - a message stands on one line, as its reader sees it

BASE = """\
name: small
data: {kind: sklearn, name: digits}
student: {space: mlp}
recipe:
  epochs: 3
  batch_size: 64
  learning_rate: 0.01
  losses:
    hard_label: {weight: 1}
objectives: [accuracy, size_bytes]
search: {trials: 5}
"""
TEACHER = """\
teachers:
  - name: one
    kind: train
    student:
      {space: mlp, values: {depth: 1, activation: relu, normalisation: none, shortcut: false, dropout: 0.1, layer1.width: 8}}
    recipe: {epochs: 2, batch_size: 4, learning_rate: 1e-3, losses: {hard_label: {weight: 1}}}
"""
TAUGHT = BASE.replace("    hard_label: {weight: 1}\n", "    hard_label: {weight: 1}\n    kd: {weight: 1}\n") + TEACHER
RECIPE_KEYS = (
    "aggregation, balance, batch_size, epochs, learning_rate, losses, on_policy, optimizer, schedule, taking_part, teacher_weights, warmup, weight_decay, "
    "weighting"
)
TOP_KEYS = (
    "address, cache, data, latency, limits, name, objectives, precisions, recipe, resources, runs, search, seed, sequences, storage, "
    "student, task, teachers, tokenizer, tracking"
)
KINDS = "factory, huggingface, idx, image_folder, npz, sklearn, table"
METRICS = "accuracy, balanced_accuracy, cross_entropy, latency_ms, macro_f1, macs, params, size_bytes"
SAMPLER_NAMES = ", ".join(sorted(SAMPLERS))
A_LIMIT = "a limit reads 'latency_ms <= 2' or 'accuracy >= 0.9'"
LISTENS = "this loss listens to teachers, but there are none; add teachers, or remove it and train on hard_label"


@pytest.fixture(autouse=True)
def _in_an_empty_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)


def message(text: str) -> str:
    Path("x.yaml").write_text(text)
    with pytest.raises(UserError) as caught:
        load_config("x.yaml")
    return str(caught.value)


def changed(old: str, new: str) -> str:
    assert BASE.count(old) == 1
    return BASE.replace(old, new)


def test_the_unchanged_config_has_no_mistake() -> None:
    Path("x.yaml").write_text(BASE)
    assert load_config("x.yaml").name == "small"


KEYS = {
    "misspelt": ("  epochs: 3", "  epoch: 3", f"5:3: recipe.epoch: unknown key, did you mean 'epochs'? known keys: {RECIPE_KEYS}"),
    "of another section": (
        "search:",
        "trials: 3\nsearch:",
        f"11:1: trials: unknown key; it belongs into search; known keys: {TOP_KEYS}",
    ),
    "of another section or misspelt": ("search: {", "search: {warm_start: {run: a, student: 3}, ", "11:31: search.warm_start.student: unknown key, did you mean 'students', or does it belong into the top level? known keys: run, students"),
    "far from any": ("search: {", "search: {zz: 1, ", "11:10: search.zz: unknown key; known keys: halving, in_flight, minutes, proxy, sampler, stall, trials, warm_start"),
    "in a range": ("epochs: 3", "epochs: {lo: 1, high: 3}", "5:12: recipe.epochs.lo: unknown key, did you mean 'low'? known keys: high, log, low, step"),
    "missing": ("  epochs: 3\n", "", "4:1: recipe.epochs: this key is missing: Passes over the training split."),
    "missing learning rate": ("  learning_rate: 0.01\n", "", "4:1: recipe.learning_rate: this key is missing: The highest learning rate, such as 0.003; schedule and warmup say how it is reached and left."),
    "missing at the top": ("name: small\n", "", "1:1: name: this key is missing: Of the search: its folder is runs/NAME, its MLflow experiment has this name."),
    "twice": ("search:", "name: other\nsearch:", "11:1: name: this key stands here already, in line 1; keep one"),
    "no text": ("search:", "? [a, b]\n: 3\nsearch:", "11:3: a key must be a text"),
}  # fmt: skip
TYPES = {
    "real for whole": ("epochs: 3", "epochs: 3.0", "5:3: recipe.epochs: expected a whole number, got 3.0; write 3"),
    "text for whole": ("epochs: 3", "epochs: many", "5:3: recipe.epochs: expected a whole number, got 'many'"),
    "quoted whole": ("epochs: 3", "epochs: '3'", "5:3: recipe.epochs: expected a whole number, got '3'; write 3"),
    "truth for whole": ("epochs: 3", "epochs: true", "5:3: recipe.epochs: expected a whole number, got true"),
    "nothing": ("epochs: 3", "epochs:", "5:3: recipe.epochs: expected a whole number, got nothing"),
    "text for real": ("0.01", "fast", "7:3: recipe.learning_rate: expected a number, got 'fast'"),
    "infinite": ("0.01", ".inf", "7:3: recipe.learning_rate: expected a finite number, got .inf"),
    "number for text": ("name: small", "name: 7", "1:1: name: expected a text, got 7; write '7', in quotes"),
    "text for list": ("[accuracy, size_bytes]", "accuracy", "10:1: objectives: expected a list, got 'accuracy'; write [accuracy]"),
    "number for section": ("search:", "latency: 3\nsearch:", "11:1: latency: expected KEY: VALUE pairs, got 3; keys: batch_size, length, min_runs, provider, rounds, seconds, threads, warmup_runs"),
    "number for loss": ("{weight: 1}", "1", "9:5: recipe.losses.hard_label: expected KEY: VALUE pairs, got 1; write {weight: 1}"),
    "text for truth": ("search:", "teachers: [{name: a, kind: estimator, path: x, trust: yes}]\nsearch:", "11:48: teachers[0].trust: expected true or false, got 'yes'; write true"),
    "no path": ("kind: sklearn, name: digits", "kind: idx, path: [a]", "2:19: data.path: expected a path, got [a]"),
    "one number for a size": ("kind: sklearn, name: digits", "kind: image_folder, path: ., image_size: 32, channels: 1", "2:37: data.image_size: expected height and width, such as [32, 32], got 32"),
}  # fmt: skip
VALUES = {
    "too small": ("epochs: 3", "epochs: 0", "5:3: recipe.epochs: expected a number of at least 1, got 0"),
    "not above": ("0.01", "0", "7:3: recipe.learning_rate: expected a number above 0, got 0"),
    "range upside down": ("epochs: 3", "epochs: {low: 5, high: 3}", "5:3: recipe.epochs: low must not exceed high, got low 5 and high 3"),
    "range between steps": ("epochs: 3", "epochs: {low: 1, high: 4, step: 2}", "5:3: recipe.epochs: high must lie a whole number of steps above low, got 1 to 4 by 2"),
    "steps of a real range": ("0.01", "{low: 0.1, high: 1.0, step: 1}", "7:3: recipe.learning_rate: step is for whole numbers; leave it out, or write a list, got 0.1 to 1.0"),
    "step and log": ("epochs: 3", "epochs: {low: 1, high: 4, step: 1, log: true}", "5:3: recipe.epochs: a range has either step or log, got step 1 and log true; leave one out"),
    "log from 0": ("{weight: 1}", "{weight: {low: 0, high: 1, log: true}}", "9:18: recipe.losses.hard_label.weight: a range with log needs low above 0, got 0.0"),
    "one option twice": ("epochs: 3", "epochs: [3, 3]", "5:3: recipe.epochs: options must be at least one and differ, got [3, 3]"),
    "no option": ("epochs: 3", "epochs: []", "5:3: recipe.epochs: expected at least one, got none"),
    "not one of few": ("search:", "precisions: [fp32]\nsearch:", "11:14: precisions[0]: expected 'float32' or 'int8', got 'fp32'"),
    "no folder name": ("name: small", "name: a/b", "1:1: name: expected letters, digits, '.', '_' and '-' (it names a folder), got 'a/b'"),
    "shares that leave no rows": ("name: digits", "name: digits, split: {validation: 0.6, test: 0.5}", "2:62: data.split.test: validation and test together must be below 1, got 0.6 + 0.5"),
    "labelled above 1": ("name: digits", "name: digits, labelled: 2.0", "2:37: data.labelled: expected a share from 0 to 1.0, or a whole number of rows, got 2.0"),
    "a file for an import name": ("kind: sklearn, name: digits", "kind: factory, factory: my/data.py", "2:23: data.factory: expected an import name such as 'package.module:name', got 'my/data.py'"),
    "a strict limit": ("search:", "limits: [latency_ms < 2]\nsearch:", f"11:10: limits[0]: {A_LIMIT}, got 'latency_ms < 2'; write <= for < and >= for >"),
    "a limit with a unit": ("search:", "limits: [latency_ms <= 2ms]\nsearch:", f"11:10: limits[0]: {A_LIMIT}, got 'latency_ms <= 2ms'; '2ms' is not a number (no unit stands behind it: the metric's name carries it)"),
}  # fmt: skip
NAMES = {
    "kind": ("kind: sklearn", "kind: sklern", f"2:8: data.kind: unknown kind 'sklern', did you mean 'sklearn'? known: {KINDS}"),
    "kind of a table": ("kind: sklearn", "kind: csv", f"2:8: data.kind: a .csv file is of kind table; write kind: table ({KINDS})"),
    "no kind": ("kind: sklearn, ", "", f"2:1: data: the key 'kind' is missing; it is one of {KINDS}"),
    "no section with a kind": ("{kind: sklearn, name: digits}", "digits", f"2:1: data: expected KEY: VALUE pairs, got 'digits'; kind is one of {KINDS}"),
    "only the branch of the kind": ("kind: sklearn, name: digits", "kind: npz, pat: x", "2:19: data.pat: unknown key, did you mean 'path'? known keys: augmentation, class_names, inputs, kind, labelled, labels, limit_rows, missing_label, path, split"),
    "metric": ("[accuracy, ", "[acuracy, ", f"10:14: objectives[0]: unknown metric 'acuracy', did you mean 'accuracy'? known: {METRICS}"),
    "metric of a limit": ("search:", "limits: [latency <= 2]\nsearch:", f"11:10: limits[0]: unknown metric 'latency', did you mean 'latency_ms'? known: {METRICS}"),
    "space": ("space: mlp", "space: mpl", f"3:11: student.space: unknown space 'mpl', did you mean 'mlp'? known: {', '.join(sorted(SPACES))}, or package.module:name"),
    "module of a space": ("space: mlp", "space: no_package:x", "3:11: student.space: 'no_package:x': there is no module 'no_package'; install its package, or put the folder that holds it on PYTHONPATH"),
    "option of a space": ("space: mlp", "space: mlp, options: {wide: 3}", "3:23: student.options: unknown option of space 'mlp': 'wide'; known: activations, dropouts, max_depth, max_width, min_width, normalisations, shortcuts"),
    "module of a factory": ("space: mlp", "space: factory, options: {factory: 'no_package:x'}", "3:27: student.options: 'no_package:x': there is no module 'no_package'; install its package, or put the folder that holds it on PYTHONPATH"),
    "no factory": ("space: mlp", "space: factory", "3:1: student.options: space 'factory' needs the option factory; write `options: {factory: ...}` beside `space`; its options are arguments, factory"),
    "choice": ("space: mlp", "space: mlp, options: {max_depth: 1}, choices: {dropuot: 0.1}", "3:58: student.choices.dropuot: unknown choice of 'mlp': 'dropuot', did you mean 'dropout'? known: activation, depth, dropout, layer1.width, normalisation, shortcut"),
    "task": ("search:", "task: {kind: regression}\nsearch:", "11:8: task.kind: unknown task 'regression'; known: classification, language_modelling, or package.module:name"),
    "annotator": ("search:", "task: {kind: language_modelling, annotate: pyton_syntax}\nsearch:", "11:34: task.annotate: unknown annotator 'pyton_syntax', did you mean 'python_syntax'? known: python_syntax, or package.module:name"),
    "sampler": ("trials: 5", "trials: 5, sampler: nsga", f"11:21: search.sampler: unknown sampler 'nsga', did you mean 'nsga2'? known: {SAMPLER_NAMES}, or package.module:name"),
    "optimizer": ("epochs: 3", "epochs: 3\n  optimizer: adam", "6:3: recipe.optimizer: unknown optimizer 'adam', did you mean 'adamw'? known: adamw, sgd"),
    "one of several weightings": ("epochs: 3", "epochs: 3\n  weighting: [fixed, entrpy]", "6:3: recipe.weighting: unknown weighting 'entrpy', did you mean 'entropy'? known: confidence, entropy, fixed, learnt"),
}  # fmt: skip
TOGETHER = {
    "facts without tokens": ("search:", "task: {annotate: python_syntax}\nsearch:", "11:1: task: annotate is for language_modelling; leave it out"),
    "an objective twice": ("[accuracy, size_bytes]", "[accuracy, accuracy]", "10:24: objectives[1]: 'accuracy' stands here twice; keep one"),
    "a limit twice": ("search:", "limits: [params <= 5, params <= 6]\nsearch:", "11:23: limits[1]: params has an upper bound already; keep one"),
    "limits that exclude each other": ("search:", "limits: [accuracy >= 0.9, params <= 5, accuracy <= 0.5]\nsearch:", "11:40: limits[2]: nothing keeps both accuracy >= 0.9 and accuracy <= 0.5; loosen or remove one"),
    "a loss without teachers": ("{weight: 1}", "{weight: 1}\n    kd: {weight: [0, 1]}", f"10:5: recipe.losses.kd: {LISTENS}"),
    "no loss that always counts": ("{weight: 1}", "{weight: [0, 1]}", "8:3: recipe.losses: all weights can be 0 at once, and nothing would be trained; give one loss a weight that is never 0"),
    "a choice outside the space": ("space: mlp", "space: mlp, choices: {depth: {low: 1, high: 9}}", "3:33: student.choices.depth: expected a whole number from 1 to 4, got 9"),
    "a step between those of the space": ("space: mlp", "space: decoder, choices: {width: {low: 32, high: 96, step: 8}}", "3:64: student.choices.width.step: the space goes in steps of 16; expected a multiple of that, got 8"),
    "log where the space has steps": ("space: mlp", "space: decoder, choices: {width: {low: 32, high: 96, log: true}}", "3:64: student.choices.width.log: the space goes in steps of 16, which log cannot; leave it out"),
    "an end between the steps": ("space: mlp", "space: decoder, choices: {width: {low: 32, high: 100}}", "3:37: student.choices.width: expected a whole number from 16 to 512 in steps of 16, got 100"),
    "a step in a list": ("space: mlp", "space: decoder, choices: {feedforward: {low: 1, high: 4, step: 3}}", "3:68: student.choices.feedforward.step: this choice is one of 1, 2, 4, of which none is between; leave it out"),
    "narrowed and fixed": ("space: mlp", "space: mlp, choices: {depth: 1}, values: {depth: 1}", "3:1: student: give either choices (to narrow the space) or values (to fix the student), not both"),
    "half a student": ("space: mlp", "space: mlp, values: {depth: 1, activation: relu, normalisation: none, shortcut: false}", "3:23: student.values: a fixed student needs a value for each choice; missing: dropout (one of 0.0, 0.1, 0.3), layer1.width (a whole number from 4 to 512)"),
    "nothing stops it": ("{trials: 5}", "{in_flight: 2}", "11:1: search: nothing says when to stop; add trials (such as 50), minutes, or stall"),
    "a rung at the end": ("{trials: 5}", "{trials: 5, halving: {grace: 3}}", "11:21: search.halving: rungs must stand before the last epoch, which is 3 in the longest recipe; the last stands at 3: give earlier ones, or remove halving"),
    "rungs that fall": ("{trials: 5}", "{trials: 5, halving: {rungs: [2, 1]}}", "11:21: search.halving: rungs must rise, got 2, 1"),
    "an unknown proxy": ("{trials: 5}", "{trials: 5, proxy: synflo}", "11:21: search.proxy.name: unknown proxy 'synflo', did you mean 'synflow'? known: naswot, relations, synflow, or package.module:name"),
    "an unknown proxy to follow": ("{trials: 5}", "{trials: 5, proxy: {name: naswot, followed: [zen]}}", "11:54: search.proxy.followed[0]: unknown proxy 'zen'; known: naswot, relations, synflow, or package.module:name"),
    "a proxy that cannot be imported": ("{trials: 5}", "{trials: 5, proxy: 'math:pie'}", "11:21: search.proxy.name: module 'math' has no 'pie'; did you mean one of pi?"),
    "a proxy that is no function": ("{trials: 5}", "{trials: 5, proxy: 'math:pi'}", "11:21: search.proxy.name: proxy 'math:pi' must be a function of a body and a batch, got float"),
    "a proxy followed twice": ("{trials: 5}", "{trials: 5, proxy: {name: naswot, followed: [naswot]}}", "11:54: search.proxy.followed[0]: 'naswot' is followed already; remove it here"),
    "a proxy of teachers without any": ("{trials: 5}", "{trials: 5, proxy: relations}", "11:21: search.proxy.name: 'relations' compares students with teachers, but there are none; add teachers, or take another proxy"),
    "the baseline as a proxy": ("{trials: 5}", "{trials: 5, proxy: params}", "11:21: search.proxy.name: params is what a proxy has to beat, and is compared with it always; take one of synflow, naswot, relations"),
    "rungs told twice": ("{trials: 5}", "{trials: 5, halving: {grace: 1, rungs: [2]}}", "11:21: search.halving: expected either grace, such as 3, or rungs, such as [3, 9], got {grace: 1, rungs: [2]}"),
    "rungs not told": ("{trials: 5}", "{trials: 5, halving: {reduction: 2}}", "11:21: search.halving: expected either grace, such as 3, or rungs, such as [3, 9], got {reduction: 2}"),
    "a file that is not there": ("kind: sklearn, name: digits", "kind: npz, path: /no/x.npz", "2:19: data.path: there is nothing at /no/x.npz; relative paths start from the folder of the config"),
    "a file of a split that is not there": ("kind: sklearn, name: digits", "kind: table, label: y, path: {test: /no/x.csv}", "2:38: data.path.test: there is nothing at /no/x.csv; relative paths start from the folder of the config"),
}  # fmt: skip
TEACHERS = {
    "kind": ("kind: train", "kind: trian", "15:5: teachers[0].kind: unknown kind 'trian', did you mean 'train'? known: completions, endpoint, estimator, exported, factory, onnx, run, sentence_encoder, train, transformers"),
    "coverage": ("kind: train", "kind: train\n    covers: {labls: [1]}", "16:14: teachers[0].covers.labls: unknown key, did you mean 'labels'? known keys: column, labels, values"),
    "column without values": ("kind: train", "kind: train\n    covers: {column: style}", "16:5: teachers[0].covers: a coverage by rows needs both column and values; values is missing"),
    "no label": ("kind: train", "kind: train\n    covers: {labels: []}", "16:5: teachers[0].covers: labels that a teacher covers must be at least one; leave the key out for all"),
    "searched recipe": ("epochs: 2", "epochs: [2, 3]", "18:14: teachers[0].recipe.epochs: a teacher is trained once, so that nothing of its recipe is searched; give one value"),
    "taught teacher": ("hard_label: {weight: 1}}", "hard_label: {weight: 1}, kd: {weight: 1}}", "18:95: teachers[0].recipe.losses.kd: a teacher is trained without teachers; remove this loss, and train on hard_label"),
    "wrong value": ("layer1.width: 8", "layer1.width: 2", "17:109: teachers[0].student.values.layer1.width: expected a whole number from 4 to 512, got 2"),
    "inactive choice": ("layer1.width: 8", "layer1.width: 8, layer2.width: 8", "17:126: teachers[0].student.values.layer2.width: unknown choice of 'mlp' with these values: 'layer2.width', did you mean 'layer1.width'? known: activation, depth, dropout, layer1.width, normalisation, shortcut"),
    "name": ("name: one", "name: a/b", "14:5: teachers[0].name: expected a name without '.', slashes and line breaks, got 'a/b'"),
}  # fmt: skip
SYNTAX = {
    "tab": ("search: {", "search:\n\t{", "12:1: this is no YAML: there is a tab; indent with spaces only"),
    "two colons": ("name: small", "name: a: b", "1:8: this is no YAML: a second ': ' on one line; put the value into quotes, or the key on a line of its own"),
    "open bracket": ("{trials: 5}", "{trials: 5", "12:1: this is no YAML: expected ',' or '}', but got '<stream end>' (while parsing a flow mapping that begins in line 11)"),
    "no such anchor": ("{trials: 5}", "*nobody", "11:9: this is no YAML: found undefined alias 'nobody'"),
    "object": ("{trials: 5}", "!!python/object:os.system {}", "11:9: search: a config takes plain values only, got 'tag:yaml.org,2002:python/object:os.system'; remove the tag"),
    "anchor in itself": ("{trials: 5}", "&a {stall: *a}", "11:9: search.stall: an alias cannot stand within what it names"),
    "second document": ("search:", "---\nsearch:", "11:1: this is no YAML: a second document begins here; a config is one"),
    "no character": ("search:", "a: \x07\nsearch:", "11: character 0x7 cannot stand in YAML; remove it"),
}  # fmt: skip


@pytest.mark.parametrize(
    ("old", "new", "expected"),
    [
        pytest.param(*case, id=f"{group}: {name}")
        for group, cases in {
            "key": KEYS, "type": TYPES, "value": VALUES, "name": NAMES, "together": TOGETHER, "syntax": SYNTAX,
        }.items()
        for name, case in cases.items()
    ],
)  # fmt: skip
def test_a_mistake_is_told_with_its_place_and_remedy(old: str, new: str, expected: str) -> None:
    assert message(changed(old, new)) == f"x.yaml:{expected}"


@pytest.mark.parametrize(("old", "new", "expected"), TEACHERS.values(), ids=TEACHERS)
def test_a_mistake_about_a_teacher_is_told_alone(old: str, new: str, expected: str) -> None:
    assert TAUGHT.count(old) == 1
    assert message(TAUGHT.replace(old, new)) == f"x.yaml:{expected}"


def test_the_unchanged_config_with_a_teacher_has_no_mistake() -> None:
    Path("x.yaml").write_text(TAUGHT)
    assert load_config("x.yaml").teachers[0].name == "one"


def test_teachers_that_no_loss_listens_to_are_told() -> None:
    assert message(BASE + TEACHER) == (
        "x.yaml:12:1: teachers: no loss listens to them; add one to recipe.losses, such as `kd: {weight: 1.0}`; "
        f"known: {', '.join(sorted(LOSSES))}"
    )


def test_a_loss_of_weight_0_listens_to_nobody() -> None:
    assert message(TAUGHT.replace("kd: {weight: 1", "kd: {weight: 0")) == (
        "x.yaml:13:1: teachers: no loss listens to them, since kd can have no weight but 0; raise it"
    )


def test_a_loss_that_comes_in_after_the_last_epoch_is_told() -> None:
    late = TAUGHT.replace("kd: {weight: 1", "kd: {first_epoch: 4, weight: 1")
    told = message(late)
    assert "recipe.losses.kd.first_epoch: the recipe has 3 epochs at most, so that this loss never comes in" in told
    Path("x.yaml").write_text(late.replace("epochs: 3", "epochs: [3, 4]"))
    load_config("x.yaml")


def test_a_misspelt_space_is_told_without_what_it_may_leave_to_be_searched() -> None:
    told = message(BASE.replace("space: mlp", "space: mpl").replace("search: {trials: 5}\n", ""))
    assert told.startswith("x.yaml:3:11: student.space: unknown space 'mpl', did you mean 'mlp'?")
    assert "nothing says when to stop" not in told


def test_a_misspelt_loss_is_told_without_what_follows_from_it() -> None:
    told = message(TAUGHT.replace("kd: {", "kdd: {"))
    assert "recipe.losses.kdd: unknown loss 'kdd', did you mean 'kd'?" in told
    assert "listens" not in told


def test_teachers_of_one_name_are_told() -> None:
    two = TAUGHT + TEACHER.removeprefix("teachers:\n")
    assert message(two) == "x.yaml:19:5: teachers[1].name: teachers[0] has the name 'one' already; rename one"


def test_weights_of_teachers_are_checked_against_names_and_weighting() -> None:
    text = TAUGHT.replace("  epochs: 3\n", "  epochs: 3\n  weighting: entropy\n  teacher_weights: {won: 2}\n")
    assert message(text) == (
        "x.yaml:7:3: recipe.teacher_weights: these are for the weighting fixed, but weighting is 'entropy'; "
        "add fixed, or remove them\n"
        "x.yaml:7:21: recipe.teacher_weights.won: unknown teacher 'won', did you mean 'one'? known: one"
    )


@pytest.mark.parametrize(
    ("setting", "place"),
    [("teacher_weights: {one: 0}", "teacher_weights"), ("taking_part: {one: false}", "taking_part")],
)
def test_a_recipe_that_listens_to_nobody_and_to_no_labels_is_told(setting: str, place: str) -> None:
    text = TAUGHT.replace("  epochs: 3\n", f"  epochs: 3\n  {setting}\n")
    assert message(text) == (
        f"x.yaml:6:3: recipe.{place}: no teacher is listened to, by a weight of 0 or by taking_part, so that kd would "
        "teach nothing; listen to one, or remove the teachers and all losses but hard_label"
    )
    assert message(text.replace("    hard_label: {weight: 1}\n", "", 1)) == (
        f"x.yaml:6:3: recipe.{place}: no teacher is listened to, by a weight of 0 or by taking_part, and no loss "
        "hard_label reads labels, so that nothing would be learnt; listen to a teacher, or add hard_label"
    )


@pytest.mark.parametrize(
    ("setting", "place"),
    [
        ("teacher_weights: {one: [0, 1]}", "teacher_weights"),
        ("teacher_weights: {one: {low: 0, high: 1}}", "teacher_weights"),
        ("taking_part: {one: [true, false]}", "taking_part"),
    ],
)
def test_a_recipe_that_may_come_to_listen_to_nobody_and_to_no_labels_is_told(setting: str, place: str) -> None:
    text = TAUGHT.replace("  epochs: 3\n", f"  epochs: 3\n  {setting}\n")
    Path("x.yaml").write_text(text)
    load_config("x.yaml")
    remedy = "let one teacher always be listened to, or give hard_label a weight that is never 0"
    assert message(text.replace("    hard_label: {weight: 1}\n", "", 1)) == (
        f"x.yaml:6:3: recipe.{place}: the search may listen to no teacher, by a weight of 0 or by taking_part, and no "
        f"loss hard_label reads labels, so that nothing would be learnt; {remedy}"
    )
    assert message(text.replace("hard_label: {weight: 1}", "hard_label: {weight: [0, 1]}", 1)) == (
        f"x.yaml:6:3: recipe.{place}: the search may listen to no teacher, by a weight of 0 or by taking_part, and "
        f"hard_label may have the weight 0, so that nothing would be learnt; {remedy}"
    )


def test_an_unknown_option_of_a_loss_is_told_with_the_known_ones() -> None:
    text = TAUGHT.replace("kd: {weight: 1}", "kd: {weight: 1, temprature: 4}")
    assert message(text) == (
        "x.yaml:10:21: recipe.losses.kd.temprature: unknown option of 'kd': 'temprature', did you mean 'temperature'? "
        "known: temperature, weight"
    )


def test_an_unknown_loss_is_told_once() -> None:
    assert message(changed("hard_label", "hard_lable")) == (
        "x.yaml:9:5: recipe.losses.hard_lable: unknown loss 'hard_lable', did you mean 'hard_label'? "
        f"known: {', '.join(sorted(['hard_label', *LOSSES]))}, or package.module:name"
    )


def test_a_proxy_with_one_architecture_has_nothing_to_order() -> None:
    fixed = "{space: mlp, values: {depth: 1, activation: relu, normalisation: none, shortcut: false, dropout: 0.1, layer1.width: 8}}"
    text = BASE.replace("{space: mlp}", fixed).replace("{trials: 5}", "{trials: 5, proxy: naswot}")
    assert (
        message(text)
        == "x.yaml:11:21: search.proxy: there is one architecture, so that all candidates would have one score; leave the proxy out"
    )
    Path("x.yaml").write_text(text.replace("proxy: naswot", "proxy: {name: naswot, candidates: 1}"))
    assert load_config("x.yaml").search.proxy is not None  # Recipes differ; it is followed.


def test_all_mistakes_come_in_one_message_and_those_that_explain_others_first() -> None:
    text = BASE.replace("name: small\n", "").replace("epochs: 3", "epochs: three").replace("trials: 5", "trails: 5")
    assert message(text).splitlines() == [
        "x.yaml:10:10: search.trails: unknown key, did you mean 'trials'? "
        "known keys: halving, in_flight, minutes, proxy, sampler, stall, trials, warm_start",
        "x.yaml:4:3: recipe.epochs: expected a whole number, got 'three'",
        "x.yaml:1:1: name: this key is missing: Of the search: its folder is runs/NAME, "
        "its MLflow experiment has this name.",
    ]


def test_a_flood_of_mistakes_is_cut() -> None:
    text = changed("epochs: 3", f"epochs: [{', '.join('x' * 30)}]")
    lines = message(text).splitlines()
    assert len(lines) == 21
    assert lines[19] == "x.yaml:5:69: recipe.epochs[19]: expected a whole number, got 'x'"
    assert lines[20] == "and 10 more mistakes"


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("", "x.yaml: this file is empty; `automl init NAME` writes a commented config to start from"),
        ("# only words\n", "x.yaml: this file is empty; `automl init NAME` writes a commented config to start from"),
        ("- a\n- b\n", "x.yaml: expected KEY: VALUE lines, such as 'name: digits'"),
        ("text", "x.yaml: expected KEY: VALUE lines, such as 'name: digits'"),
    ],
)
def test_a_file_that_holds_no_config_is_told(text: str, expected: str) -> None:
    assert message(text) == expected


def test_a_file_that_is_not_there_is_told_with_the_folder_that_was_looked_in(tmp_path: Path) -> None:
    with pytest.raises(UserError) as caught:
        load_config("digits.yaml")
    assert str(caught.value) == (
        f"digits.yaml: there is no such file in {tmp_path}; `automl init digits` writes a config to start from"
    )


def test_a_folder_is_told() -> None:
    Path("there").mkdir()
    with pytest.raises(UserError, match=r"^there: this is a folder; name the YAML file in it$"):
        load_config("there")


def test_a_file_that_is_no_text_is_told() -> None:
    Path("x.yaml").write_bytes(b"name: \xff\n")
    with pytest.raises(UserError, match=r"^x\.yaml: this is no text in UTF-8 \(byte 6\); save it as UTF-8$"):
        load_config("x.yaml")
