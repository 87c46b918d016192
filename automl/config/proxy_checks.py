"""Whether a search can order its candidates by the proxy that it names."""

from collections.abc import Iterator

from automl.config.config import Config
from automl.config.messages import Mistake, unknown
from automl.config.places import Path as Place
from automl.config.running import Proxy
from automl.config.student import Student
from automl.proxies.agreement import BASELINE
from trials.proxies import OF_TEACHERS, PROXIES, find_proxy


def proxy_mistakes(config: Config) -> Iterator[Mistake]:
    """Find proxies that there are not, that need teachers where there are none, or that have nothing to order."""
    section = config.search.proxy
    if section is None:
        return
    place: Place = ("search", "proxy")
    if section.name == BASELINE:
        others = ", ".join(name for name in PROXIES if name != BASELINE)
        message = f"{BASELINE} is what a proxy has to beat, and is compared with it always; take one of {others}"
        yield Mistake(path=(*place, "name"), message=message)
    else:
        yield from _name(section.name, (*place, "name"), config)
    yield from _followed(section, place, config)
    if section.candidates > 1 and _has_one_architecture(config.student):
        message = "there is one architecture, so that all candidates would have one score; leave the proxy out"
        yield Mistake(path=place, message=message)


def _followed(section: Proxy, place: Place, config: Config) -> Iterator[Mistake]:
    for position, name in enumerate(section.followed):
        here = (*place, "followed", position)
        if name in (BASELINE, section.name) or name in section.followed[:position]:
            yield Mistake(path=here, message=f"{name!r} is followed already; remove it here")
        else:
            yield from _name(name, here, config)


def _name(name: str, place: Place, config: Config) -> Iterator[Mistake]:
    if ":" in name:
        try:
            find_proxy(name)
        except ValueError as error:
            yield Mistake(path=place, message=str(error))
    elif name not in PROXIES:
        known = unknown(name, [each for each in PROXIES if each != BASELINE], "proxy")
        yield Mistake(path=place, message=f"{known}, or package.module:name")
    elif name in OF_TEACHERS and not config.teachers:
        message = f"{name!r} compares students with teachers, but there are none; add teachers, or take another proxy"
        yield Mistake(path=place, message=message)


def _has_one_architecture(student: Student) -> bool:
    try:
        return student.fixed_values(student.make_space()) is not None
    except ValueError:  # told where the student is checked
        return False
