"""What endpoints answered, kept for good in a file that several processes share."""

import json
import sqlite3
import time
from collections.abc import Collection, Iterator
from contextlib import contextmanager
from pathlib import Path

_AT_ONCE = 500
_PATIENCE_SECONDS = 60.0


class KeptAnswers:
    """Answers by the digest of what was asked, in SQLite: an answer is on disk before the next thing is done.

    A process that is killed while it writes leaves what was there before. The file also says when the next request may
    be sent, so that all processes of a machine keep one rate together.
    """

    def __init__(self, path: str | Path) -> None:
        """Name the file; it is made when something is kept.

        Args:
            path: In a folder that is made as well.
        """
        self._path = Path(path)

    def find(self, keys: Collection[str]) -> dict[str, object]:
        """Look up what was answered.

        Args:
            keys: Digests of what is asked.

        Returns:
            The answers that are there, by digest.
        """
        if not self._path.exists():
            return {}
        found: dict[str, object] = {}
        asked = list(keys)
        with self._open() as database:
            for start in range(0, len(asked), _AT_ONCE):
                some = asked[start : start + _AT_ONCE]
                marks = ", ".join("?" * len(some))
                rows = database.execute(f"SELECT key, answer FROM answers WHERE key IN ({marks})", some)  # noqa: S608 - question marks alone
                found |= {key: json.loads(answer) for key, answer in rows}
        return found

    def keep(self, key: str, answer: object) -> None:
        """Write an answer down."""
        with self._open() as database:
            database.execute("INSERT OR REPLACE INTO answers VALUES (?, ?)", (key, json.dumps(answer)))

    def next_slot(self, server: str, *, seconds: float) -> float:
        """Take the next moment at which a request may be sent.

        Args:
            server: Whose rate it is.
            seconds: Between two requests.

        Returns:
            Seconds to wait until then, 0 or more.
        """
        with self._open() as database:
            database.execute("BEGIN IMMEDIATE")
            row = database.execute("SELECT free FROM slots WHERE server = ?", (server,)).fetchone()
            now = time.time()
            # A clock that was set back must not stop the work for hours.
            slot = now if row is None or row[0] > now + 3600 else max(now, row[0])
            database.execute("INSERT OR REPLACE INTO slots VALUES (?, ?)", (server, slot + seconds))
        return max(0.0, slot - now)

    @contextmanager
    def _open(self) -> Iterator[sqlite3.Connection]:
        """Open the file for one piece of work: connections belong to one thread and must not cross a fork."""
        self._path.parent.mkdir(parents=True, exist_ok=True)
        database = sqlite3.connect(self._path, timeout=_PATIENCE_SECONDS)
        try:
            with database:
                database.execute("CREATE TABLE IF NOT EXISTS answers (key TEXT PRIMARY KEY, answer TEXT NOT NULL)")
                database.execute("CREATE TABLE IF NOT EXISTS slots (server TEXT PRIMARY KEY, free REAL NOT NULL)")
                yield database
        except sqlite3.DatabaseError as error:
            if isinstance(error, sqlite3.OperationalError):
                raise OSError(f"{self._path} cannot be used: {error}") from error
            raise ValueError(
                f"{self._path}, where the answers of endpoints are kept, is damaged: {error}; move it away to ask "
                "everything anew"
            ) from error
        finally:
            database.close()
