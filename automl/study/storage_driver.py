"""The Python package that a database is spoken to with."""

from sqlalchemy.engine import make_url
from sqlalchemy.exc import ArgumentError

_PACKAGES = {"psycopg": "psycopg[binary]", "psycopg2": "psycopg2-binary", "MySQLdb": "mysqlclient"}
"""What pip calls a driver, where it is not the name of the module."""


def require_driver(url: str) -> None:
    """Make sure that the driver of a database is installed; the database itself is not spoken to.

    Args:
        url: As SQLAlchemy takes it; messages never show it, since it can hold a password.

    Raises:
        ValueError: It is no URL of a database, or its driver is missing.
    """
    try:
        dialect = make_url(url).get_dialect()
        dialect.import_dbapi()
    except ArgumentError:
        raise ValueError(
            "expected the URL of a database, such as postgresql://user:${PASSWORD}@host/db or sqlite:////folder/file.db"
            + ("" if "://" not in url else f"; SQLAlchemy knows no {url.partition('://')[0]!r} here")
        ) from None  # SQLAlchemy's words can hold the URL
    except ImportError as error:
        module = (error.name or dialect.driver).partition(".")[0]
        package = _PACKAGES.get(module, module)
        raise ValueError(
            f"the Python package that speaks to {dialect.name} is missing; install it: pip install '{package}'"
        ) from error
