"""What holds across parts: names, hosts, aliases, files."""

from pathlib import Path

import pytest
import trustme

from tests.greyfox_core.config.kit import loaded, refused

QUOTA = "{name: %s, period: day, input_tokens: 1}"


@pytest.mark.parametrize(
    ("text", "why"),
    [
        (f"quotas: [{QUOTA % 'a'}, {QUOTA % 'a'}]", '"a" is the name of another one in quotas'),
        (
            "rate_limits: [{name: a, tokens_per_minute: 1}, {name: a, tokens_per_minute: 1}]",
            "another one in rate_limits",
        ),
        ("routes: [{name: a, use: openai/x}, {name: a, use: openai/x}]", "another one in routes"),
        ("routes: [{name: default, use: openai/x}]", "where no rule matches"),
        ("routes: [{name: a, use: [openai/x, opnai/y]}]", '"opnai/y" names no upstream of this file'),
        ("routes: [{name: a, use: [{model: opnai/y}]}]", '"opnai/y" names no upstream of this file'),
        ("routes: [{name: a, when: {content: [code]}, use: openai/x}]", '"code" names no pattern set'),
        ("routes: [{name: a, when: {dialect: opneai}, use: openai/x}]", '"opneai" is no dialect'),
        ("aliases: {a: opnai/x}", '"opnai/x" names no upstream'),
        ("aliases: {a: openai/*}", "is no target"),
        ("aliases: {a: gpt-*}", "is no model"),
        ("aliases: {'a*': gpt-4o}", '"a*" is no alias'),
        ("aliases: {a: a}", 'alias "a" leads in a circle'),
        (
            "auth: {jwt: [%s, %s]}"
            % (("{issuer: i, audience: a, algorithms: RS256, jwks_url: https://a.example/}",) * 2),
            "another entry",
        ),
    ],
)
def test_names_that_do_not_hold_together_are_refused(tmp_path: Path, text: str, why: str) -> None:
    told = refused(tmp_path, text)
    assert why in told
    assert "config.yaml:2:" in told
    assert told.endswith("1 problem.")


def test_a_host_belongs_to_one_upstream(tmp_path: Path) -> None:
    upstreams = """\
upstreams:
  a: {dialect: openai, base_url: https://a.example, hosts: [A.example]}
  b: {dialect: openai, base_url: https://b.example, hosts: [b.example, a.example.]}
"""
    told = refused(tmp_path, "", upstreams=upstreams)
    assert 'config.yaml:3:72: "a.example." is a host of upstream a already' in told


def test_a_circle_of_aliases_is_told_at_each_of_them(tmp_path: Path) -> None:
    assert refused(tmp_path, "aliases: {a: b, b: c, c: a, d: gpt-4o}").endswith("3 problems.")


def test_aliases_may_take_eight_steps_and_no_more(tmp_path: Path) -> None:
    chain = "aliases:\n" + "".join(f"  a{n}: a{n + 1}\n" for n in range(8))
    assert loaded(tmp_path, chain).config.aliases["a0"] == "a1"
    longer = "aliases:\n" + "".join(f"  a{n}: a{n + 1}\n" for n in range(9))
    assert 'alias "a0"' in refused(tmp_path, longer)


def test_dialects_may_be_globs_of_wire_formats(tmp_path: Path) -> None:
    assert loaded(tmp_path, "routes: [{name: a, when: {dialect: 'openai-*'}, use: openai/x}]").config.routes


def test_exclusions_name_routes_or_the_default(tmp_path: Path) -> None:
    text = "routes: [{name: hr, use: openai/x}]\ncache: {exclude: [{route: 'h*'}, {route: default}]}"
    assert len(loaded(tmp_path, text).config.cache.exclude) == 2


def test_files_are_looked_for_beside_the_configuration(tmp_path: Path) -> None:
    upstream = "upstreams: {a: {dialect: openai, base_url: https://a.example, ca_file: ca.pem}}\n"
    assert '"ca.pem" is no file of CA certificates in PEM form (No such file' in refused(
        tmp_path, "", upstreams=upstream
    )
    (tmp_path / "ca.pem").write_text("nonsense")
    assert "is no file of CA certificates" in refused(tmp_path, "", upstreams=upstream)
    trustme.CA().cert_pem.write_to_path(tmp_path / "ca.pem")
    assert loaded(tmp_path, "", upstreams=upstream).config.upstreams["a"].ca_file == "ca.pem"


def test_a_public_key_in_a_file_fits_its_algorithms(tmp_path: Path) -> None:
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
    from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

    issuer = "auth: {jwt: [{issuer: i, audience: a, algorithms: %s, public_key_file: key.pem}]}"
    assert "no file that can be read (No such file" in refused(tmp_path, issuer % "EdDSA")
    (tmp_path / "key.pem").write_text("nonsense")
    assert 'the key in "key.pem" is no public key' in refused(tmp_path, issuer % "EdDSA")
    (tmp_path / "key.pem").write_bytes(b"\xff\xfe")
    assert "is no file in PEM form" in refused(tmp_path, issuer % "EdDSA")
    public = Ed25519PrivateKey.generate().public_key()
    (tmp_path / "key.pem").write_bytes(public.public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo))
    assert '"RS256" is nothing that the key in public_key_file can verify' in refused(
        tmp_path, issuer % "[EdDSA, RS256]"
    )
    assert loaded(tmp_path, issuer % "EdDSA").config.auth.jwt[0].public_key_file == "key.pem"
