"""A search from its config to its front."""

from contextlib import ExitStack
from pathlib import Path

from automl.check.losses import require_losses
from automl.cluster.executor import Executor, Share
from automl.cluster.no_cluster import NoClusterError
from automl.cluster.nodes import trial_on_node
from automl.commands_to_type import typed
from automl.config import Config, dump_config, load_config
from automl.errors import UserError, WorkFailed
from automl.front.empty_front import why_empty
from automl.preparation.prepare import Prepared, at, prepare
from automl.preparation.teaching_checks import idle_hard_label
from automl.proxies.screening import make_screening, require_proxies
from automl.report import front_figure, front_png, write_report
from automl.run import Run
from automl.run_folder import REPORT_FILE, read_run
from automl.searching.batch_check import oversized_batch
from automl.searching.controller import Controller
from automl.searching.ended import TRACKED, nothing_left
from automl.searching.finale import final_measurements, measure_front
from automl.searching.halving import Halving
from automl.searching.lopsided import LopsidedWatch
from automl.searching.progress import Progress
from automl.searching.reach import settle_objectives
from automl.searching.sampling import sampler_of
from automl.searching.standing import Standing
from automl.searching.starting import is_begun, keep_config, refuse_existing, refuse_other_data, undo
from automl.searching.stop_rule import StopRule
from automl.searching.students import Students
from automl.study.journal import RunLock
from automl.study.ledger import Ledger, open_ledger
from automl.teaching.teach import teach
from automl.tracking import Example, SendingTrials, Summary, Tracker
from automl.transfer.take_over import require_source, settle_warm_start

_EXAMPLE_ROWS = 4


def search(path: str | Path, *, resume: bool = False, trials: int | None = None, address: str | None = None) -> Run:
    """Search students and measure their front.

    Args:
        path: Of the config.
        resume: Go on with a run that was stopped; without it an existing run is refused.
        trials: Proposals in all, instead of the config's.
        address: Of a Ray cluster, instead of the config's.

    Returns:
        The run, with its front.

    Raises:
        UserError: The config, or what it names, is wrong; or the run exists and ``resume`` is False.
        WorkFailed: The cluster or the storage cannot be used, or no student keeps the limits.
    """
    config = load_config(path)
    if trials is not None:
        config = config.model_copy(update={"search": config.search.model_copy(update={"trials": trials})})
    if address is not None:
        config = config.model_copy(update={"address": address})
    refuse_existing(config, resume=resume)
    if is_begun(config) and (ended := nothing_left(config)) is not None:
        return _as_it_is(config, *ended)
    prepared = prepare(config)
    sampler_of(prepared)  # A wrong one is told before anything is written.
    require_source(prepared)
    require_losses(prepared)
    require_proxies(prepared)
    config.folder.mkdir(parents=True, exist_ok=True)
    with RunLock(config.folder):
        fresh = not is_begun(config)
        if fresh:
            keep_config(config)
        ledger = None
        try:
            ledger = _open(prepared, fresh=fresh)
            return _search(prepared, ledger)
        except (UserError, WorkFailed) as error:
            wrong_from_the_start = ledger is None or (isinstance(error, UserError) and not ledger.finished())
            if fresh and (wrong_from_the_start or isinstance(error, NoClusterError)):
                undo(config, ledger)
            raise


def distill(path: str | Path) -> Run:
    """Train one fixed student: a search of one trial, with the same tracking, report and export.

    Args:
        path: Of a config whose student has ``values``, or a space without choices, and whose recipe leaves nothing to
            search.

    Returns:
        The run; its front holds the student in the precisions that beat each other in nothing.

    Raises:
        UserError: The config leaves something to search, or what ``search`` raises.
        WorkFailed: As ``search``.
    """
    config = load_config(path, must_end=False)
    with at(config, "student"):
        space = config.student.make_space()
    if config.student.fixed_values(space) is None:
        raise UserError(
            "distill trains one fixed student; give student.values, one for each choice of the space "
            f"{space.name!r} ({', '.join(choice.name for choice in space.choices[:3])}, ...)",
            place=config.place("student"),
        )
    if searched := [choice.name for choice in config.recipe.choices()]:
        raise UserError(
            f"distill trains once; give one value each for {', '.join(searched)}", place=config.place("recipe")
        )
    again = typed("automl", "search", path, "--resume", "--trials", "1")
    refuse_existing(config, resume=False, remedy=f"type `{again}`")
    return search(path, trials=1)


def _as_it_is(config: Config, run: Run, reason: str) -> Run:
    """Give a run of which nothing is to be done."""
    with Progress(trials=config.search.trials, seconds=None) as progress:
        progress.say(f"the run {run.folder} has ended, and nothing is left to do: {reason}; --trials N asks for more")
    return _with_members(run)


def _with_members(run: Run) -> Run:
    """Give the run back if it has a front.

    Raises:
        WorkFailed: It has none.
    """
    if not run.front.members:
        raise WorkFailed(f"{why_empty(run)} (all of it: {run.folder / REPORT_FILE})")
    return run


def _search(prepared: Prepared, ledger: Ledger) -> Run:
    config = prepared.config
    with ExitStack() as stack:
        progress = stack.enter_context(Progress(trials=config.search.trials, seconds=_seconds(config.search.minutes)))
        progress.say(f"the run is kept in {config.folder}")
        executor = Executor(address=config.address)
        stack.callback(executor.close)
        return _search_on(prepared, ledger, executor, progress, stack)


def _search_on(prepared: Prepared, ledger: Ledger, executor: Executor, progress: Progress, stack: ExitStack) -> Run:
    config = prepared.config
    with at(config, "tracking", "uri"):
        uri = config.tracking.expanded_uri()
    refuse_other_data(prepared, ledger)
    objectives = settle_objectives(prepared, ledger, executor, progress.say)
    keep_config(config)  # Only now are its limits those of the run.
    for note in filter(None, (idle_hard_label(config, prepared.dataset), oversized_batch(prepared))):
        progress.say(note)
    prepared, place = teach(prepared, ledger, executor, leases=stack, say=progress.say)
    students = Students(config.folder)
    warm_start = settle_warm_start(prepared, ledger, objectives, students, progress.say)
    tracker = Tracker(
        uri,
        config.folder,
        experiment=config.tracking.experiment or config.name,
        objectives=objectives,
        primary_metric=prepared.task.metrics[0].name,
    )
    closing = stack.enter_context(ExitStack())
    closing.callback(lambda: _say_all(progress, str(tracker.close(say=progress.say))))
    ledger.remember("finished", False)
    ledger.remember(TRACKED, False)
    standing = Standing(objectives, config.limits, final_measurements(ledger))
    for finished in sorted(ledger.finished(), key=lambda finished: finished.ended):
        standing.add(finished)
    screening = make_screening(prepared, place, ledger, earlier=standing.finished, say=progress.say)
    ledger.propose_with(sampler_of(prepared, objectives, warm_start=warm_start, chooser=screening))
    tracker.sync(read_run(config.folder, ledger, config_text=dump_config(config)))
    watch = LopsidedWatch(standing.finished, progress.say)
    setting = executor.share((prepared.setting, place))
    share = Share(cpus=config.resources.cpus, gpus=config.resources.gpus)
    controller = Controller(
        ledger=ledger,
        executor=executor,
        make_trial=lambda proposal: prepared.trial(proposal.number, proposal.values),
        function=trial_on_node,
        setting=setting,
        standing=standing,
        students=students,
        share=share,
        in_flight=executor.in_flight(config.search.in_flight, share),
        seconds=_seconds(config.resources.trial_minutes),
        retries=config.resources.retries,
        stop=StopRule.of(config.search, searched=bool(prepared.choices)),
        listeners=(progress, watch, SendingTrials(tracker), *(() if screening is None else (screening,))),
        known=None if warm_start is None else warm_start.results,
        proxies=(lambda trial: {}) if screening is None else screening.scores,
        halving=None if (rungs := config.rungs()) is None else Halving(rungs, ledger=ledger, standing=standing),
    )
    reason = controller.run()
    if (hint := tracker.ui_hint(seconds=10)) is not None:
        ledger.remember("tracking", {"command": hint.command, "charts": hint.charts})
    progress.say(progress.line(standing, running=0))
    progress.say(f"search ended: {reason}")
    watch.tell_rest()
    tracker.wait_idle(30, say=progress.say)  # MLflow's thread must not run beside the measurements.
    measure_front(ledger, standing=standing, executor=executor, setting=setting, students=students, progress=progress)
    run = read_run(config.folder, ledger, config_text=dump_config(config))
    write_report(run)
    tracker.finish(_summary(run, prepared))
    lacking = str(tracker.close(say=progress.say))
    closing.pop_all()
    _say_all(progress, lacking)
    ledger.remember(TRACKED, not lacking)
    return _with_members(run)


def _open(prepared: Prepared, *, fresh: bool) -> Ledger:
    config = prepared.config
    higher = {metric.name for metric in prepared.task.metrics if metric.higher_is_better}
    with at(config, "storage"):
        return open_ledger(
            config.folder,
            storage=config.expanded_storage(),
            name=config.name,
            choices=prepared.choices,
            directions=["maximize" if name in higher else "minimize" for name in config.objectives],
            limits=config.limits,
            fresh=fresh,
            # Files of students without their study mean that the study is elsewhere, not that there was none.
            known=not fresh and Students(config.folder).num_bytes() > 0,
        )


def _seconds(minutes: float | None) -> float | None:
    return None if minutes is None else minutes * 60


def _summary(run: Run, prepared: Prepared) -> Summary:
    rows = prepared.dataset.splits["validation"][:_EXAMPLE_ROWS]
    inputs = prepared.dataset.inputs
    example: Example
    if isinstance(inputs, list):
        example = [inputs[row] for row in rows]
    else:
        (tensor,) = prepared.task.signature(prepared.dataset).inputs
        example = {tensor.name: inputs[rows]}
    page = front_figure(run).to_html(include_plotlyjs=True, full_html=True).encode()
    report = run.folder / REPORT_FILE
    return Summary(
        run=run,
        files={"front.png": front_png(run), "front.html": page, "report.html": report.read_bytes()},
        example=example,
    )


def _say_all(progress: Progress, text: str) -> None:
    if text:
        progress.say(text)
