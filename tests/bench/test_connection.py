import pytest

from bench.connection import Connection
from bench.replies import plain_answer, stream_answer


class Told:
    def __init__(self) -> None:
        self.statuses: list[bytes] = []

    def answered(self, connection: Connection, first: float, last: float) -> None:
        assert first <= last
        self.statuses.append(connection.status)

    def lost(self, connection: Connection) -> None:
        raise AssertionError("nothing is closed here")


@pytest.mark.parametrize("piece", [1, 3, 7, 64, 1_000, 100_000])
@pytest.mark.parametrize("answer", [plain_answer(), b"".join(stream_answer(3))], ids=["length", "chunks"])
def test_an_answer_ends_with_its_last_byte_however_it_is_cut(answer: bytes, piece: int) -> None:
    told = Told()
    connection = Connection(told)
    for count in (1, 2):  # kept alive
        for at in range(0, len(answer), piece):
            assert len(told.statuses) == count - 1
            connection.data_received(answer[at : at + piece])
        assert told.statuses == [b"200"] * count


def test_an_answer_without_a_body_is_whole_with_its_head() -> None:
    told = Told()
    Connection(told).data_received(b"HTTP/1.1 401 Unauthorized\r\nContent-Length: 0\r\n\r\n")
    assert told.statuses == [b"401"]
