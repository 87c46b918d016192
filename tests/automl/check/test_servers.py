import socket
from pathlib import Path

import pytest

from automl.check.servers import require_cluster, silent_servers
from automl.cli import main
from automl.config import Config, load_config

CONFIG = """\
name: s
data: {kind: sklearn, name: wine}
student: {space: mlp}
recipe: {epochs: 1, batch_size: 8, learning_rate: 0.01, losses: {hard_label: {weight: 1.0}}}
objectives: [accuracy]
search: {trials: 1}
"""


@pytest.fixture
def ports() -> "tuple[int, int]":
    """Give a port that answers and one that does not."""
    with socket.create_server(("127.0.0.1", 0)) as gone:
        silent = gone.getsockname()[1]
    server = socket.create_server(("127.0.0.1", 0))
    yield server.getsockname()[1], silent
    server.close()


def config_of(folder: Path, more: str) -> Config:
    (folder / "s.yaml").write_text(CONFIG + more)
    return load_config(folder / "s.yaml")


def test_what_answers_is_not_spoken_of(tmp_path: Path, ports: tuple[int, int]) -> None:
    answering, _ = ports
    more = f"tracking: {{uri: 'http://127.0.0.1:{answering}'}}\naddress: 127.0.0.1:{answering}\n"
    assert list(silent_servers(config_of(tmp_path, more))) == []
    require_cluster(config_of(tmp_path, more))
    require_cluster(config_of(tmp_path, "address: auto\n"))


def test_a_port_that_cannot_be_is_one_at_which_nobody_answers(tmp_path: Path) -> None:
    assert len(list(silent_servers(config_of(tmp_path, "tracking: {uri: 'http://127.0.0.1:99999'}\n")))) == 1


def test_servers_that_do_not_answer_are_named_without_their_secrets(tmp_path: Path, ports: tuple[int, int]) -> None:
    _, silent = ports
    more = f"tracking: {{uri: 'http://me:word@127.0.0.1:{silent}'}}\n"
    (tracking,) = silent_servers(config_of(tmp_path, more))
    assert tracking.startswith("MLflow's server") and "word" not in tracking


def test_a_cluster_that_does_not_answer_ends_the_check(
    tmp_path: Path, ports: tuple[int, int], capsys: pytest.CaptureFixture[str]
) -> None:
    _, silent = ports
    config_of(tmp_path, f"address: 127.0.0.1:{silent}\n")
    assert main(["check", str(tmp_path / "s.yaml")]) == 1
    told = capsys.readouterr()
    assert told.err.startswith(
        f"{tmp_path}/s.yaml:7:1: address: the cluster at 127.0.0.1:{silent} does not answer, and"
    )
    assert "no mistakes found" not in told.out
