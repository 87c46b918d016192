"""The part of the page about proxies."""

import json
import re
from collections.abc import Callable
from dataclasses import replace

import numpy as np

from automl.report import render
from automl.report.markup import Figures
from automl.report.proxy_section import proxy_section
from automl.run import FinishedTrial, ProxyUse, Run
from automl.tracking.rows import trial_row
from automl.tracking.summary import summary_row
from trials.records import Outcome

MakeRun = Callable[..., Run]
USE = ProxyUse(name="relations", candidates=4, followed=("naswot",))


def with_proxies(run: Run, use: ProxyUse | None = USE) -> Run:
    """Give trained students scores: ``relations`` knows their accuracy, ``naswot`` nothing."""
    rng = np.random.default_rng(0)

    def scored(finished: FinishedTrial) -> FinishedTrial:
        if finished.result.outcome is not Outcome.TRAINED:
            return finished
        metrics = finished.result.candidates[0].metrics
        proxies = {"params": metrics["params"], "relations": metrics["accuracy"] - 1, "naswot": float(rng.normal())}
        return replace(finished, proxies=proxies)

    return replace(run, trials=tuple(map(scored, run.trials)), proxy=use)


def rows_of(section: str) -> list[list[str]]:
    rows = re.findall("<tr[^>]*>(.*?)</tr>", section.split("<tbody>")[1], flags=re.DOTALL)
    return [[re.sub("<[^>]+>", "", cell) for cell in re.findall("<td[^>]*>(.*?)</td>", row)] for row in rows]


def test_a_page_without_proxies_says_nothing_of_them(make_run: MakeRun) -> None:
    assert proxy_section(make_run(), Figures()) == ""
    assert 'id="proxies"' not in render(make_run())


def test_a_page_compares_each_score_with_the_number_of_parameters(make_run: MakeRun) -> None:
    run = with_proxies(make_run(30))
    page = render(run)
    assert '<a href="#proxies">Proxies</a>' in page
    section = page[page.index('<section id="proxies">') : page.index('<section id="choices">')]
    params, relations, naswot = rows_of(section)
    trained = str(run.count(Outcome.TRAINED))
    assert params[0] == "params, to be beaten"
    assert params[3:] == ["—", "—"]
    assert relations[:3] == ["relations", trained, "1.00 (1.00 to 1.00)"]
    assert relations[3].startswith("0.")
    assert naswot[3].startswith("-")
    assert section.count('class="figure"') == 3
    assert "The sampler, and the proxy itself, chose these students" in section
    assert "the sampler proposed 4 candidates" in section
    assert "The proxy is in use." in section


def test_a_page_tells_when_a_proxy_was_switched_off(make_run: MakeRun) -> None:
    run = with_proxies(make_run(30), ProxyUse(name="naswot", candidates=4))
    page = proxy_section(run, Figures())
    assert "The proxy is off." in page
    assert "The proxy naswot is off, since it is not shown to beat params: over 20 trained students" in page
    few = proxy_section(with_proxies(make_run(8)), Figures())
    assert "in use, on trust: it is judged from 20 trained students on" in few


def test_one_that_was_followed_alone_ordered_nothing(make_run: MakeRun) -> None:
    page = proxy_section(with_proxies(make_run(8), ProxyUse(name="naswot", candidates=1)), Figures())
    assert "naswot was followed, and ordered nothing" in page
    assert "candidates" not in page
    assert "<table" in proxy_section(with_proxies(make_run(8), None), Figures())


def test_mlflow_is_told_the_scores_and_how_well_they_foretold(make_run: MakeRun) -> None:
    run = with_proxies(make_run(30))
    told = {metric.key: metric.value for metric in trial_row(run.trials[0], folder="/runs").metrics}
    assert told["proxy/relations"] == run.trials[0].proxies["relations"]
    assert told["proxy/params"] == told["params"]
    summary = {(metric.key, metric.step): metric.value for metric in summary_row(run, text="").metrics}
    assert summary["proxy/spearman/relations", 30] == summary["proxy/spearman_low/relations", 30] == 1.0
    lead = summary["proxy/lead/relations", 30]
    assert lead == 1.0 - summary["proxy/spearman/params", 30]
    assert summary["proxy/lead_low/relations", 30] < lead < summary["proxy/lead_high/relations", 30]
    plain = make_run(30)
    keys = [m.key for m in (*summary_row(plain, text="").metrics, *trial_row(plain.trials[0], folder="/").metrics)]
    assert not [key for key in keys if key.startswith("proxy")]


def test_the_axis_of_the_parameters_is_labelled_as_people_write_them(make_run: MakeRun) -> None:
    def labels(largest: float) -> list[str]:
        run = with_proxies(make_run(8))
        spread = [
            replace(finished, proxies={**finished.proxies, "params": largest ** (place / 7) * 1000})
            for place, finished in enumerate(run.trials)
        ]
        figures = Figures()
        proxy_section(replace(run, trials=tuple(spread)), figures)
        (found,) = re.findall(r'"ticktext":(\[.*?\])', figures.data())
        return list(json.loads(found))

    assert {"1 k", "2 k", "5 k", "10 k", "20 k"} <= set(labels(20))
    assert {"1 k", "10 k", "100 k"} <= set(labels(1000))
    assert "20 k" not in labels(1000)
