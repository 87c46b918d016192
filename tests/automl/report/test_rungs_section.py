"""The part of the page about halving."""

import re
from collections.abc import Callable

from automl.report import render
from automl.report.markup import Figures
from automl.report.rungs_section import rungs_section
from automl.run import Run
from tests.automl.rung_runs import with_rungs
from trials.records import Outcome

MakeRun = Callable[..., Run]


def test_a_page_without_halving_says_nothing_of_rungs(make_run: MakeRun) -> None:
    page = render(make_run())
    assert rungs_section(make_run(), Figures()) == ""
    assert 'id="rungs"' not in page
    assert "stopped at a rung" not in page


def test_a_page_tells_what_rungs_stopped_and_how_well_they_foretold(make_run: MakeRun) -> None:
    run = with_rungs(make_run(20), stopped={1: 1, 2: 4, 3: 1})
    page = render(run)
    assert "3 stopped at a rung" in page
    assert '<a href="#rungs">Rungs</a>' in page
    section = page[page.index('<section id="rungs">') : page.index('<section id="choices">')]
    trained = run.count(Outcome.TRAINED)
    rows = [re.sub("<[^>]+>", " ", row).split() for row in section.split("<tbody>")[1].split("</tr>")][:2]
    assert rows[0][:4] == ["1", str(trained + 3), "2", str(trained)]
    assert rows[1][:4] == ["4", str(trained + 1), "1", str(trained)]
    assert rows[0][-2:] == ["1.00", "1.00"]  # Of the accuracy: the order stayed.
    epochs = f"{12 * trained + 1 + 4 + 1:,} were trained"
    assert epochs in section
    assert "the rungs chose them" in section
    assert section.count('class="figure"') == 2


def test_a_search_whose_trials_were_all_stopped_so_far_has_no_correlation(make_run: MakeRun) -> None:
    run = make_run(4, finished=False)
    page = rungs_section(with_rungs(run, stopped=dict.fromkeys(range(4), 1)), Figures())
    assert "—" in page
    assert 'class="figure"' not in page
