"""Keeps a stream's pieces as they pass, up to a size, for an entry."""


class Recorder:
    """`max_size` is bytes. Past it everything is dropped at once: a part of an answer is worth nothing."""

    def __init__(self, max_size: int) -> None:
        self._left = max_size
        self._pieces: list[bytes] | None = []

    def add(self, piece: bytes) -> None:
        """One piece, as it goes to the client."""
        if self._pieces is not None:
            self._left -= len(piece)
            if self._left < 0:
                self._pieces = None
            else:
                self._pieces.append(piece)

    def body(self) -> bytes | None:
        """All that passed; None where it was too much."""
        return None if self._pieces is None else b"".join(self._pieces)
