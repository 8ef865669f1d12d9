"""Scanning whole texts: edges, wrappings, engines, idempotence."""

from __future__ import annotations

import base64
import json
import time

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from telem.sanitize.assign import secret_class
from telem.sanitize.engines import HAS_RE2, Engine, Linear, Pure
from telem.sanitize.flat import Span, flatten, starts_word
from telem.sanitize.pseudonym import Pseudonyms
from telem.sanitize.rules import shipped_rules
from telem.sanitize.scan import FINDINGS_MAX, KEPT_CHARS, Scanner

RULES = shipped_rules()
PSEUDONYMS = Pseudonyms(b"k" * 32)
ENGINES: list[Engine] = [Linear(), Pure()] if HAS_RE2 else [Pure()]
SCANNERS = [Scanner(RULES, PSEUDONYMS, engine) for engine in ENGINES]
SCANNER = SCANNERS[0]
TOKEN = "ghp_" + "FAKE0a1B2c3D4e5F6g7H8i9J0k1L2m3N4o5P"
EXAMPLES = [example.text for rule in RULES for example in rule.must_match]

pieces = st.one_of(
    st.sampled_from(EXAMPLES),
    st.text(max_size=12),
    st.sampled_from(
        ["\\n", "\x1b[31m", "%3D", '"', "'", "=", ": ", "password", "token ", "@", "/home/", "ada", "\n", "://"]
    ),
)
texts = st.lists(pieces, max_size=5).map("".join)


@given(texts)
@settings(max_examples=150, deadline=None)
def test_sanitizing_twice_is_sanitizing_once(text: str) -> None:
    once = SCANNER.clean(text)
    assert SCANNER.clean(once) == once


@given(texts)
@settings(max_examples=60, deadline=None)
def test_engines_give_the_same_answer(text: str) -> None:
    assert len({scanner.clean(text) for scanner in SCANNERS}) == 1


@given(st.text(alphabet=st.characters(codec=None), max_size=60))
@settings(max_examples=60, deadline=None)
def test_any_text_can_be_scanned(text: str) -> None:
    """Lone surrogates and NULs included."""
    assert isinstance(SCANNER.clean(text), str)


@pytest.mark.parametrize(
    "frame",
    [
        "{}",
        "line\\n{}\\nmore",
        "\x1b[31m{}\x1b[0m",
        "\\u001b[1;32m{}\\u001b[0m",
        "a%3D{}%26b",
        "my_{}",
        "x={};y",
        "({})",
        "'{}'",
        "{}\u2026",
        "\u5bc6\u94a5{}\u662f",
        "\U0001f511{}\U0001f511",
        "a,{},b",
        "| {} |",
        "{0} {0}",
    ],
)
def test_token_is_found_whatever_stands_around_it(frame: str) -> None:
    for scanner in SCANNERS:
        assert scanner.clean(frame.format(TOKEN)) == frame.format("[REDACTED:github-token]")


@pytest.mark.parametrize("size", [18, 24, 40])
@pytest.mark.parametrize("tail", ["", "\u2026", "...", "[TRUNCATED 99 characters]"])
def test_token_that_was_cut_off_is_found(size: int, tail: str) -> None:
    assert SCANNER.clean(f"see {TOKEN[:size]}{tail}") == f"see [REDACTED:github-token]{tail}"


def test_token_in_base64_takes_the_whole_run() -> None:
    wrapped = base64.b64encode(f"user:{TOKEN}".encode()).decode()
    assert SCANNER.clean(f"data: {wrapped}!") == "data: [REDACTED:github-token]!"


def test_token_in_hex_takes_the_whole_run() -> None:
    assert SCANNER.clean(TOKEN.encode().hex()) == "[REDACTED:github-token]"


@pytest.mark.parametrize("escape", ["\\u{:04x}", "%{:02X}", "&#{};", "\\x{:02x}"])
def test_token_in_escapes_is_found_where_it_stands(escape: str) -> None:
    wrapped = escape.format(ord(TOKEN[0])) + TOKEN[1:]
    assert SCANNER.clean(f"<{wrapped}>") == "<[REDACTED:github-token]>"


def test_base64_of_an_image_and_integrity_hashes_stay() -> None:
    image = base64.b64encode(b"\x89PNG\r\n\x1a\n" + bytes(range(256))).decode()
    for text in (
        f"data:image/png;base64,{image}",
        "sha512-" + "Ab1+" * 21 + "A==",
        "commit 0021bc0ab5a7e4ff63febb2a78e919c396d85458",
    ):
        assert SCANNER.clean(text) == text


HARMLESS = """\
git@github.com:org/repo.git
e0606052-77ef-4bb9-9a0b-a311468eee7d
password = getpass.getpass("Password: ")
const token = await getToken();
apiKey: process.env.OPENAI_API_KEY,
password: ${{ secrets.DB_PASSWORD }}
password: "********"
API_KEY=your-api-key-here
def verify(password: str, hashed: str) -> bool:
"password": {"type": "string", "minLength": 8}
Password must be at least 8 characters
{"input_tokens":1234,"output_tokens":99,"cache_read_tokens":5120}
CHARS_PER_TOKEN = 4.0
for key, value in items():
author: Jane
http://localhost:3000/api 127.0.0.1:8080 192.168.0.1
Chrome/120.0.6099.109 Safari/537.36
task-1234567890-abcdefghijklmnop-qrstuv
npm i @types/node@20.1.2
uses: actions/checkout@v4
Co-Authored-By: Claude <noreply@anthropic.com>
secretName: db-credentials
the token is invalid
"token_type":"Bearer"
self.token = token
--password-file /run/secrets/db
secrets: inherit
headers["Authorization"] = "Bearer " + token
-H "Authorization: Bearer $TOKEN"
public key: T+yrihToyPR9ofmEqjqrzpczfdxwPZr5127EqyQm31U=
postgres://postgres:postgres@localhost:5432/dev
http://user:password@example.com
Version 12.3.88.2
traceparent: 00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01
arn:aws:iam::123456789012:role/x
/home/runner/work/x /Users/Shared /home/ubuntu /root
docker run -u 1000:1000 alpine""".splitlines()


@pytest.mark.parametrize("text", HARMLESS)
def test_harmless_text_comes_back_as_it_was(text: str) -> None:
    for scanner in SCANNERS:
        assert scanner.clean(text) == text


@pytest.mark.parametrize(
    ("text", "clean"),
    [
        ("DB_PASSWORD=S3cretPw1\nUSER=x", "DB_PASSWORD=[REDACTED:assignment]\nUSER=x"),
        ('{\\"password\\":\\"S3cretPw1\\"}', '{\\"password\\":\\"[REDACTED:assignment]\\"}'),
        ('os.getenv("DB_PASSWORD", "S3cretPw1")', 'os.getenv("DB_PASSWORD", "[REDACTED:assignment]")'),
        ("jdbc:x?user=root&password=S3cretPw1&ssl=1", "jdbc:x?user=root&password=[REDACTED:assignment]&ssl=1"),
        ("  - name: DB_PASSWORD\n    value: S3cretPw1", "  - name: DB_PASSWORD\n    value: [REDACTED:assignment]"),
        ("token: \x1b[32mabc123def456\x1b[0m", "token: \x1b[32m[REDACTED:assignment]\x1b[0m"),
        ("postgres://app:s3cr3t@db:5432/x", "postgres://app:[REDACTED:url-login]@db:5432/x"),
        ("Cookie: sid=abc123def4; theme=dark", "Cookie: sid=[REDACTED:cookie]; theme=dark"),
    ],
)
def test_only_the_value_goes(text: str, clean: str) -> None:
    assert SCANNER.clean(text) == clean


@pytest.mark.parametrize(
    ("name", "promise"),
    [
        ("DB_PASSWORD", "password"),
        ("clientSecret", "token"),
        ("apiKey", "key"),
        ("api_key_2", "key"),
        ("db_pass", "password"),
        ("input_tokens", ""),
        ("token_count", ""),
        ("max_token", ""),
        ("CHARS_PER_TOKEN", ""),
        ("PWD", ""),
        ("monkey", ""),
        ("keyword", ""),
        ("public_key", ""),
        ("secret_name", ""),
        ("author", ""),
    ],
)
def test_name_promises(name: str, promise: str) -> None:
    assert secret_class(name) == promise


def test_private_key_goes_whole_escaped_and_cut_off() -> None:
    line = "MIIEFAKE0a1B2c3D4e5F6g7H8i9J0k1L2m3N4o5P6q7R8s9T0u1V2w3X4y5Z6FAK"
    head, foot = "-----BEGIN RSA PRIVATE" + " KEY-----", "-----END RSA PRIVATE" + " KEY-----"
    whole = f"{head}\n{line}\n{line}\n{foot}"
    for key in (whole, whole.replace("\n", "\\n"), f"{head}\n{line}\n{line[:20]}"):
        assert SCANNER.clean(f"a {key}") == "a [REDACTED:private-key]"
    assert SCANNER.clean(f"{line}\n{foot}\nafter") == "[REDACTED:private-key]\nafter"


def test_flat_text_has_the_offsets_of_the_original() -> None:
    text = "a?\u00e9\U0001f511\ud800b"
    flat = flatten(text)
    assert len(flat.text) == len(flat.data) == len(text)
    assert flat.text == "a?\x7f\x7f\x7fb"


def test_word_starts_after_an_escape_and_not_inside_a_word() -> None:
    assert starts_word("\\nghp", 2)
    assert starts_word("\x1b[31mghp", 5)
    assert starts_word("%3Dghp", 3)
    assert not starts_word("task-", 2)


@pytest.mark.parametrize("scanner", SCANNERS, ids=lambda scanner: scanner.engine.name)
@pytest.mark.parametrize(
    "text",
    [
        "a.a." * 4000,
        "a-a-" * 4000,
        "sk-" * 5000,
        "eyJ" * 5000,
        "://a:" * 3000,
        "password" * 2000,
        "A" * 16000,
        "1 2-3." * 2500,
        "\\u0041" * 2500,
    ],
    ids=range(9),
)
def test_no_text_takes_more_than_a_moment(scanner: Scanner, text: str) -> None:
    start = time.process_time()
    scanner.clean(text)
    assert time.process_time() - start < 1.5


def test_allowed_values_and_domains_stay() -> None:
    scanner = Scanner(RULES, PSEUDONYMS, allow=["bob@example.com"], allow_domains=["acme.io"])
    text = "bob@example.com ada@acme.io"
    assert scanner.clean(text) == text


def test_json_stays_json() -> None:
    text = json.dumps({"command": f"curl -H 'Authorization: Bearer {TOKEN}' x", "email": "ada@example.com"})
    assert set(json.loads(SCANNER.clean(text))) == {"command", "email"}


@pytest.mark.parametrize("scanner", SCANNERS, ids=lambda scanner: scanner.engine.name)
def test_text_with_too_much_to_replace_keeps_its_beginning(scanner: Scanner) -> None:
    lines = [f"user{n}@example.com wrote\n" for n in range(FINDINGS_MAX + 200)]
    notes: list[str] = []
    clean = scanner.clean("".join(lines), notes.append)
    assert clean.endswith("[REDACTED:too-many-findings]")
    assert notes.index("too-many-findings") == len(notes) - 1
    assert clean.count("email:") > 100
    assert "user" not in clean.replace("[REDACTED:too-many-findings]", "")
    assert scanner.clean(clean) == clean


def test_too_much_to_replace_is_cut_off_before_what_stands_across_the_cut() -> None:
    secret = "ghp_" + "FAKE0a1B2c3D4e5F6g7H8i9J0k1L2m3N4o5P"
    for shift in range(0, 60, 7):
        begin = "x" * (KEPT_CHARS - 60 + shift) + " " + secret + " "
        clean = SCANNER.clean(begin + "ada@example.com, " * (FINDINGS_MAX + 1))
        assert secret[:10] not in clean
        assert secret[-10:] not in clean
        assert clean.endswith("[REDACTED:too-many-findings]")


def test_marker_in_what_is_cut_off_does_not_save_it() -> None:
    text = "ada@example.com, " * (FINDINGS_MAX + 1) + "[REDACTED:jwt] DB_PASSWORD=S3cretPw1"
    assert "S3cretPw1" not in SCANNER.clean(text)


def test_rule_in_a_marker_is_no_name() -> None:
    text = "https://[REDACTED:url-token]:x-oauth-basic@git.test/o/r and [REDACTED:password-rule]: Abcdef123"
    for scanner in SCANNERS:
        assert scanner.clean(text) == text


@given(st.lists(st.one_of(st.sampled_from(EXAMPLES), st.text(max_size=300)), max_size=8).map(" ".join))
@settings(max_examples=40, deadline=None)
def test_looking_near_places_finds_what_looking_everywhere_does(text: str) -> None:
    flat = flatten(text * 3)
    for rule in RULES:
        if rule.near:
            near = Pure().finder(rule.pattern, ignore_case=rule.ignore_case, near=rule.near, reach=rule.reach)
            everywhere = Pure().finder(rule.pattern, ignore_case=rule.ignore_case)
            assert list(near(flat)) == list(everywhere(flat)), rule.id


@pytest.mark.parametrize(
    ("text", "clean"),
    [
        ("sonar -Dtoken=a8sd7f6a8sd7f6x", "sonar -Dtoken=[REDACTED:assignment]"),
        ("x;UID=u;PWD=S3cretPw1", "x;UID=u;PWD=[REDACTED:assignment]"),
        ("PWD=/srv/Book1 x", "PWD=/srv/Book1 x"),
        ('config :app, :api_token, "a8sd7f6a8sd7"', 'config :app, :api_token, "[REDACTED:assignment]"'),
        ('<entry key="db.password">S3cretPw1</entry>', '<entry key="db.password">[REDACTED:assignment]</entry>'),
        ("<key>pwd</key>\n<string>S3cretPw1</string>", "<key>pwd</key>\n<string>[REDACTED:assignment]</string>"),
        ('<X apiKey={"a8sd7f6a8sd7"} />', '<X apiKey={"[REDACTED:assignment]"} />'),
        ("the password was set to S3cretPw1", "the password was set to [REDACTED:assignment]"),
        ("--ks-pass pass:S3cretPw1 a", "--ks-pass pass:[REDACTED:cli-argument] a"),
        ("APP_KEY=base64:Abc123Def456Ghi789", "APP_KEY=base64:[REDACTED:assignment]"),
        ("deploy --auth a8sd7f6a8sd7 x", "deploy --auth [REDACTED:assignment] x"),
        ("password count=7 of 9", "password count=7 of 9"),
        ("token: vault:kv/x#token", "token: vault:kv/x#token"),
        ("\x1b[32mm4uxmTksFoxhdn7Uik+hRRd0poYW5GmuL+AEhBe7sPP=\x1b[0m", "\x1b[32m[REDACTED:azure-marked-key]\x1b[0m"),
        ("out\\012ghp_FAKE0a1B2c3D4e5F6g7H8i9J0k1L2m3N4o5P", "out\\012[REDACTED:github-token]"),
    ],
)  # fmt: skip
def test_only_the_value_goes_in_less_common_notations(text: str, clean: str) -> None:
    for scanner in SCANNERS:
        assert scanner.clean(text) == clean


@pytest.mark.parametrize("scanner", SCANNERS, ids=lambda scanner: scanner.engine.name)
@pytest.mark.parametrize("token", ["tk_zdn515ktfjoki2zfc24mnxac61jse", TOKEN, "sk-ant-api03-FAKE0a1B2c3D4e5F6g7H8+"])
def test_tokens_without_anything_between_them_go_at_once(scanner: Scanner, token: str) -> None:
    clean = scanner.clean("see " + token * 40)
    assert token[:24] not in clean
    assert scanner.clean(clean) == clean


def test_what_is_peeled_off_layer_by_layer_goes_as_a_whole(monkeypatch: pytest.MonkeyPatch) -> None:
    scanner = Scanner(RULES, PSEUDONYMS, ENGINES[0])
    whole = scanner._found

    def one_at_a_time(text: str, limit: int) -> list[Span]:
        return sorted(whole(text, limit))[:1]

    monkeypatch.setattr(scanner, "_found", one_at_a_time)
    clean = scanner.clean("a " + f"{TOKEN} " * 9)
    assert clean == "a " + "[REDACTED:github-token] " * 4 + "[REDACTED:too-many-findings]"
