"""What several tests of teachers share."""

from tests.teachers.served import server  # noqa: F401 - a fixture
