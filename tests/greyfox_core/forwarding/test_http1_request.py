"""Requests as bytes: nothing that a caller writes can become a line of its own."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from greyfox_core.forwarding.http1_request import Origin, head_of, split

HERE = Origin(secure=False, host="here.test", port=80, field="here.test")


@pytest.mark.parametrize(
    ("url", "origin", "target"),
    [
        ("http://here.test/v1/x?a=b", HERE, "/v1/x?a=b"),
        ("http://here.test", HERE, "/"),
        ("http://here.test?a", HERE, "/?a"),
        ("http://HERE.test:80/%41%2f", HERE, "/%41%2f"),
        ("http://here.test/a#b?c", HERE, "/a"),
        ("https://here.test/", Origin(True, "here.test", 443, "here.test"), "/"),
        ("https://here.test:80/", Origin(True, "here.test", 80, "here.test:80"), "/"),
        ("http://[::1]:8080/", Origin(False, "::1", 8080, "[::1]:8080"), "/"),
        ("http://[::1]/", Origin(False, "::1", 80, "[::1]"), "/"),
        ("http://füchse.test/", Origin(False, "xn--fchse-kva.test", 80, "xn--fchse-kva.test"), "/"),
    ],
)
def test_a_url_is_a_server_and_a_target(url: str, origin: Origin, target: str) -> None:
    assert split(url) == (origin, target)


@pytest.mark.parametrize(
    "url",
    [
        "",
        "/v1/x",
        "ftp://here.test/",
        "http:///x",
        "http://user:secret@here.test/",
        "http://here.test:99999/",
        "http://here.test:x/",
        "http://here.test\r\nx: y/",
        "http://here .test/",
        "http://[::1/",
        "http://here.test\\@there.test/",
    ],
)
def test_what_names_no_server_is_refused(url: str) -> None:
    with pytest.raises(ValueError):
        split(url)


def test_a_head_is_its_line_the_host_the_fields_in_order_and_the_length() -> None:
    head = head_of("POST", "/v1/x", HERE, [("x-a", "1"), ("X-B", "a\tb \xe9"), ("x-a", "")], b"12")

    assert head == (
        b"POST /v1/x HTTP/1.1\r\nhost: here.test\r\nx-a: 1\r\nX-B: a\tb \xe9\r\nx-a: \r\ncontent-length: 2\r\n\r\n"
    )


@pytest.mark.parametrize(
    ("method", "body", "length"),
    [
        ("GET", None, None),
        ("HEAD", None, None),
        ("OPTIONS", None, None),
        ("POST", None, b"0"),
        ("DELETE", None, b"0"),
        ("POST", b"", b"0"),
        ("GET", b"abc", b"3"),
    ],
)
def test_a_body_always_has_its_length(method: str, body: bytes | None, length: bytes | None) -> None:
    _, found, rest = head_of(method, "/", HERE, [], body).partition(b"content-length: ")

    assert (rest.removesuffix(b"\r\n\r\n") if found else None) == length


@pytest.mark.parametrize("method", ["", "GET ", "G\r\nX", "GET\0", "G T", "ÄT"])
def test_a_method_is_a_token(method: str) -> None:
    with pytest.raises(ValueError):
        head_of(method, "/", HERE, [], None)


@pytest.mark.parametrize("target", ["", "x", "/ x", "/x\r\ny: z", "/x\n", "/\0", "/\x7f", "/\u20ac"])
def test_a_target_is_one_word(target: str) -> None:
    with pytest.raises(ValueError):
        head_of("GET", target, HERE, [], None)


@pytest.mark.parametrize("name", ["", "a b", "a:", "a\r\nb", "a\n", "a\0", " a", "ä", "a\r\nb: c\r\nd"])
def test_a_name_of_a_field_is_a_token(name: str) -> None:
    with pytest.raises(ValueError):
        head_of("GET", "/", HERE, [("x", "y"), (name, "b")], None)


@pytest.mark.parametrize("value", ["b\r\nc: d", "b\nc: d", "b\r", "b\n", "\r\n", "b\0", "b\x7f", "b\x1b", "\u20ac"])
def test_a_value_stays_on_its_line(value: str) -> None:
    with pytest.raises(ValueError):
        head_of("GET", "/", HERE, [("a", value), ("x", "y")], None)


@pytest.mark.parametrize("name", ["host", "Host", "content-length", "Transfer-Encoding"])
def test_host_and_framing_are_not_the_callers_to_write(name: str) -> None:
    with pytest.raises(ValueError):
        head_of("POST", "/", HERE, [(name, "1")], b"x")


@given(st.lists(st.tuples(st.text(), st.text()), max_size=3))
def test_as_many_lines_leave_as_there_are_fields_or_none(headers: list[tuple[str, str]]) -> None:
    try:
        head = head_of("GET", "/", HERE, headers, None)
    except ValueError:
        return
    lines = head.split(b"\r\n")
    assert lines[:2] == [b"GET / HTTP/1.1", b"host: here.test"]
    assert lines[2:] == [f"{name}: {value}".encode("latin-1") for name, value in headers] + [b"", b""]
    assert b"\n" not in b"".join(lines) and b"\r" not in b"".join(lines)
