"""What the sections of the page say, and what they advise."""

import json
import re
from dataclasses import replace

from automl.front.empty_front import why_empty
from automl.front.pareto_front import best, knee
from automl.numbers import written
from automl.report import render
from automl.report.details import aligned
from automl.report.points import front_points
from trials.records import Limit, Outcome


def test_every_member_has_its_row_and_knee_and_best_are_named(make_run):
    run = make_run(24)
    text = render(run)
    for member in run.front.members:
        row = re.search(rf'<tr id="member-{member.trial}-{member.precision}">(.*?)</tr>', text).group(1)
        assert member.digest in row
        assert written("size_bytes", member.metrics["size_bytes"]) in row
        assert written("test_accuracy", member.metrics["test_accuracy"]) in row
    for tag, member in (("knee", knee(run.front)), ("best", best(run.front, "accuracy", higher_is_better=True))):
        row = re.search(rf'<tr id="member-{member.trial}-{member.precision}">(.*?)</tr>', text).group(1)
        assert f'class="tag {tag}"' in row
        assert text.count(f'class="tag {tag}"') == 1


def test_provisional_latencies_are_said_to_be_so_while_the_search_goes_on(read_page, make_run):
    going_on, ended = read_page(render(make_run(12, finished=False))).text, read_page(render(make_run(12))).text
    assert "latencies are provisional" in going_on
    assert ", provisional" in going_on
    assert "--resume" in going_on
    assert "are provisional" not in ended
    assert ", provisional" not in ended
    assert "--resume" not in ended


def test_what_to_type_next_can_be_typed(read_page, make_run, tmp_path):
    run = make_run(12, folder=tmp_path / "my runs" / "digits")
    text = read_page(render(run)).text
    assert f"automl export '{run.folder}' --pick knee --to students/knee" in text
    assert "automl predict students/knee INPUT" in text
    assert "mlflow ui" not in text
    tracking = {"command": "mlflow ui --port 7", "charts": "http://127.0.0.1:7/#/experiments/1"}
    tracked = read_page(render(replace(run, tracking=tracking))).text
    assert "mlflow ui --port 7" in tracked
    assert "http://127.0.0.1:7/#/experiments/1" in tracked


def test_the_limit_of_the_example_is_one_that_members_keep(read_page, make_run):
    run = make_run(12)
    bound = float(re.search(r"--where 'size_bytes<=(\d+)'", read_page(render(run)).text).group(1))
    assert any(member.metrics["size_bytes"] <= bound for member in run.front.members)


def test_each_teacher_is_shown_at_the_home_of_each_with_its_own_in_a_frame(read_page, make_run):
    page = read_page(render(make_run(3)))
    assert "Accuracy of each teacher at each one's home, %" in page.text
    (figure,) = (each for each in page.figures.values() if "home of straight" in json.dumps(each))
    (heat,) = figure["data"]
    assert [name.strip() for name in heat["y"]] == ["slanted_left", "straight", "slanted_right"]
    assert heat["text"] == [["97", "61", "61"], ["61", "97", "61"], ["61", "61", "97"]]
    frames = [(shape["x0"], shape["y0"]) for shape in figure["layout"]["shapes"]]
    assert frames == [(-0.5, -0.5), (0.5, 0.5), (1.5, 1.5)]


def test_homes_are_compared_only_where_there_are_several(read_page, make_run):
    run = make_run(3)
    generalists = [replace(each, metrics={"home": 0.97}) for each in run.teachers]
    for teachers in (run.teachers[:1], tuple(generalists)):
        assert "each one's home" not in read_page(render(replace(run, teachers=teachers))).text


def test_teachers_of_everything_have_an_accuracy_and_no_home(read_page, make_run):
    run = make_run(3)
    generalists = tuple(replace(each, metrics={"home": 0.97}, covers="everything") for each in run.teachers)
    text = read_page(render(replace(run, teachers=generalists))).text
    assert "Each of them covers everything; accuracy is on validation rows." in text
    assert "Accuracy by label, %" in text
    assert "home" not in text.split("Whom")[0].split("Teachers")[-1].split("The search")[0]
    mixed = read_page(render(replace(run, teachers=(generalists[0], *run.teachers[1:])))).text
    assert "accuracy at home" in mixed
    assert "accuracy abroad" in mixed


def test_trials_that_have_not_ended_are_told(read_page, make_run):
    run = replace(make_run(6, finished=False), num_open=2)
    text = read_page(render(run)).text
    assert "8 students  proposed" in text
    assert "2 of them  have not ended." in text
    assert "2 not ended" in text
    assert "not ended" not in read_page(render(make_run(6))).text
    assert "1 trial  is open" in read_page(render(replace(make_run(0), num_open=1))).text


def test_the_best_in_a_metric_that_should_be_low_has_least_of_it(make_run):
    run = make_run(12)
    members = tuple(replace(m, metrics={**m.metrics, "loss": 1 - m.metrics["accuracy"]}) for m in run.front.members)
    front = replace(run.front, members=members)
    run = replace(run, front=front, primary_metric="loss", primary_higher_is_better=False)
    (marked,) = (point for point in front_points(run) if "best" in point.marks)
    assert marked.metrics["loss"] == min(member.metrics["loss"] for member in members)


def test_failures_are_listed_by_the_last_line_of_their_error(read_page, make_run):
    text = read_page(render(make_run(24))).text
    assert "RuntimeError: loss is not a number at epoch 3" in text
    assert "10, 21" in text
    assert "Traceback" not in text


def test_where_every_student_is_refused_it_says_what_to_loosen(read_page, make_run):
    run = make_run(4, outcomes=dict.fromkeys(range(4), Outcome.INFEASIBLE))
    text = read_page(render(run)).text
    why = why_empty(run)
    assert why.reason[1:] in text
    (nearest,) = why.nearest  # None of the other limit, which nobody broke.
    assert nearest.startswith("size_bytes <= 400000: the nearest student")
    assert nearest in text
    assert "every student was refused before training: loosen limits" in text


def test_where_no_student_is_good_enough_it_says_how_near_the_best_came(read_page, make_run):
    run = make_run(6, limits=(Limit(metric="accuracy", at_most=False, value=0.999),))
    nearest = max(c.metrics["accuracy"] for each in run.trials for c in each.result.candidates)
    text = read_page(render(run)).text
    assert "No student keeps the limits (accuracy >= 0.999); 6 students trained" in text
    assert f"the nearest student has accuracy {nearest:.4g}" in text


def test_where_every_trial_failed_it_shows_the_errors(read_page, make_run):
    text = read_page(render(make_run(3, outcomes=dict.fromkeys(range(3), Outcome.FAILED)))).text
    assert "Every trial failed" in text
    assert "loss is not a number" in text


def test_metrics_by_class_and_further_ones_are_folded_away(read_page, make_run):
    run = make_run(12)
    members = tuple(replace(m, metrics={**m.metrics, "macro_f1": 0.5}) for m in run.front.members)
    text = render(replace(run, front=replace(run.front, members=members)))
    shown, folded = text.split("<summary>Everything else that was measured of them</summary>")
    folded = folded.split("</details>")[0]
    assert "macro f1" not in shown
    assert "<td>0.5000</td>" in folded
    assert "Accuracy by class, %" in folded
    for digit, value in enumerate(members[0].metrics[f"accuracy.{digit}"] for digit in range(10)):
        assert f"<th>{digit}</th>" in folded
        assert f"<td>{100 * value:.0f}</td>" in folded


def test_a_column_of_shares_has_as_many_decimals_in_each_row_and_a_count_has_none():
    assert [aligned("accuracy", value) for value in (0.9, 1.0, 0.12345)] == ["0.9000", "1.0000", "0.1235"]
    assert (aligned("params", 720), aligned("accuracy", None), aligned("accuracy", 0.0)) == ("720", "—", "0")


def test_where_limits_are_broken_the_advice_fits_them(make_run):
    poor = render(make_run(6, limits=(Limit(metric="accuracy", at_most=False, value=0.999),)))
    assert "larger choices" in poor
    assert "smaller choices" not in poor
    big = render(make_run(4, outcomes=dict.fromkeys(range(4), Outcome.INFEASIBLE)))
    assert "smaller choices" in big
    assert "larger choices" not in big


def test_a_search_without_a_front_can_go_on_with_more_trials(read_page, make_run):
    run = make_run(3, outcomes=dict.fromkeys(range(3), Outcome.FAILED))
    assert f"automl search {run.folder}/config.yaml --resume --trials 6" in read_page(render(run)).text


def with_shares(run, terms, teachers):
    def taught(finished):
        history = [replace(r, shares=terms, teacher_shares=teachers) for r in finished.result.history]
        return replace(finished, result=replace(finished.result, history=tuple(history)))

    return replace(run, trials=tuple(map(taught, run.trials)))


def test_each_student_of_the_front_shows_how_its_teaching_was_divided(make_run):
    run = make_run(12)
    text = render(with_shares(run, {"hard_label": 0.25, "kd": 0.75}, {"left": 0.5, "straight": 0.5}))
    part = text.split('<section id="division">')[1].split("</section>")[0]
    trials = {member.trial for member in run.front.members}
    assert len(trials) < len(run.front.members)
    assert part.count("<tr>") == len(trials) + 1
    assert part.count('title="kd 75 %">kd 75 %</i>') == len(trials)
    assert part.count('title="hard_label 25 %">25 %</i>') == len(trials)
    assert part.count('title="left 50 %"') == len(trials)
    assert 'class="banner"' not in part


def test_a_loss_that_is_hardly_heard_stands_above_the_shares(make_run):
    part = render(with_shares(make_run(3), {"hard_label": 0.996, "kd": 0.004}, {})).split('<section id="division">')[1]
    assert "The loss kd held under 1 % of the gradient in 3 of 3 trained trials: raise its weight" in part
    assert "Trials 0, 1, 2." in part
    assert 'title="kd 0.4 %"></i>' in part


def test_where_nothing_was_divided_there_is_no_such_section(make_run):
    for run in (make_run(3), with_shares(make_run(3), {"hard_label": 1.0}, {})):
        text = render(run)
        assert "How the teaching was divided" not in text
        assert 'href="#division"' not in text
