"""What a refusal keeps."""

from greyfox_core.errors import Unavailable


def test_a_refusal_at_rest_refers_to_nothing_that_it_came_through() -> None:
    try:
        try:
            raise KeyError("x")
        except KeyError as error:
            raise Unavailable("Not now.", retry_after=1) from error
    except Unavailable as refusal:
        kept = refusal.at_rest()

    assert (kept.__traceback__, kept.__cause__, kept.__context__) == (None, None, None)
    assert (kept.message, kept.retry_after) == ("Not now.", 1)
