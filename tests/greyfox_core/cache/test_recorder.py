"""A stream is recorded whole or not at all."""

from greyfox_core.cache.recorder import Recorder


def test_the_pieces_come_back_joined() -> None:
    recorder = Recorder(6)
    for piece in (b"abc", b"", b"def"):
        recorder.add(piece)
    assert recorder.body() == b"abcdef"


def test_nothing_recorded_is_an_empty_body() -> None:
    assert Recorder(0).body() == b""


def test_past_its_bound_it_gives_up_for_good() -> None:
    recorder = Recorder(5)
    for piece in (b"abc", b"def", b""):
        recorder.add(piece)
    assert recorder.body() is None
