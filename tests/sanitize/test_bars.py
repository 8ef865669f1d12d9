"""The bars the sanitizer is held to, on texts made up from a seed: formats of tokens, names, places, people, wrappings.

The values are random and the frames are not those of the rules' examples, so a rule that knows only its examples fails.
"""

from __future__ import annotations

import base64
import json
import random
import re
import string
from typing import TYPE_CHECKING
from urllib.parse import quote

import pytest

from telem.sanitize.engines import HAS_RE2, Engine, Linear, Pure
from telem.sanitize.policy import shipped_policy
from telem.sanitize.redact import Redactor

if TYPE_CHECKING:
    from collections.abc import Callable

ENGINES: list[Engine] = [Linear(), Pure()] if HAS_RE2 else [Pure()]
REDACTORS = {engine.name: Redactor(shipped_policy(), b"k" * 32, engine=engine) for engine in ENGINES}
SEED = 20_260
CLASSES = {
    "a": string.ascii_letters + string.digits,
    "w": string.ascii_letters + string.digits + "_-",
    "b": string.ascii_letters + string.digits + "+/",
    "h": "0123456789abcdef",
    "l": string.ascii_lowercase + string.digits,
    "u": string.ascii_uppercase + "234567",
    "d": string.digits,
}
Sample = tuple[str, str]
MARKED = """
sk-ant-api03-{w93}AA sk-ant-oat01-{w93}AA sk-proj-{w74} sk-svcacct-{w60} sk-or-v1-{h64} AIzaSy{w33}
AQ.Ab8RN6{w42} gsk_{a52} xai-{a80} pplx-{a48} r8_{a37} hf_{a34} nvapi-{w64} tvly-dev-{a32} pcsk_{a6}_{a63}
lsv2_pt_{h32}_{h10} tgp_v1_{w43} e2b_{h40} llx-{a48} apify_api_{a36} ghp_{a36} github_pat_11{u20}_{a59}
glpat-{w20} ATATT3xFfGF0{w150} npm_{a36} pypi-AgEIcHlwaS5vcmc{w140} rubygems_{h48} dckr_pat_{w27} sqp_{h40}
lin_api_{a40} figd_{w40} phx_{a43} AKIA{u16} {a76}AZDO{a4} {b76}+ASt{a6}== {a3}8Q~{a34} GOCSPX-{w28}
ya29.a0{w150} dop_v1_{h64} LTAI{a20} fm2_{b100} vcp_{a56} nfp_{a36} sbp_{h40} pscale_tkn_{w43} dp.pt.{a43}
dapi{h32} tskey-auth-{a16}-{a32} napi_{l64} AVNS_{w19} hvs.{w91} AGE-SECRET-KEY-1{u58} dt0c01.{u24}.{u64}
xoxb-{d12}-{d13}-{a24} xapp-1-A{u10}-{d13}-{h64} SG.{w22}.{w43} key-{h32} {h32}-us12 xkeysib-{h64}-{a16}
sk_live_{a99} whsec_{a32} EAAAE{w59} rzp_live_{a14} shpat_{h32} ck_{h40} ntn_{a46} pat{a14}.{h64}
ATTA{h64}{a8} tfp_{a44}_{a14} CFPAT-{w43} NRAK-{u27} glsa_{a32}_{h8} hcaik_{l58} pina_{u60} {d10}:AA{w33}
eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIx{w60}.{w43} PMAK-{h24}-{h34} n8n_api_{h80} waka_tok_{a60}
"""
CARRIERS = [
    "{}", "export MY_VAR={}", "my key is {} please use it", '{{"env":{{"X":"{}"}}}}', "failed with key '{}' (401)",
    '+    client = Client("{}")', "\x1b[32m{}\x1b[0m done", "one\\n{}\\ntwo", "`{}`", "| prod | {} |", "({})", "{},",
]  # fmt: skip
NAMED = (
    """
DB_PASSWORD={}|export PGPASSWORD='{}'|"password": "{}",|define('DB_PASSWORD', '{}');|$env:DB_PASSWORD = "{}"
let password: String = "{}"|private static final String API_KEY = "{}";|password := "{}"|<password>{}</password>
<add key="Password" value="{}" />|--password={}|the token is: {}|Pwd={};Database=x|:api_key => "{}"|requirepass {}
MYSQL_ROOT_PASSWORD: {}|-e MYSQL_PASSWORD={} x|Passwort: {}|getenv("API_KEY", "{}")|process.env.TOKEN ?? '{}'
client_secret={}|"refresh_token" : "{}"|auth_token => {}|aws_secret_access_key = {}|x AccountKey={};E=y|cf_token={}
//npm.example.org/:_authToken={}|const token: string = `{}`;|variable "token" {{ default = "{}" }}|api_key: !!str {}
setApiKey("{}")|--from-literal=api_key={}|gh secret set NPM_TOKEN --body "{}"|{{"name":"API_KEY","value":"{}"}}
Environment="API_TOKEN={}"|"adminPassword": {{ "value": "{}" }}|psk="{}"|**Password:** {}|password -> "{}"
""".strip()
    .replace("\n", "|")
    .split("|")
)
PLACED = (
    """
postgres://app:{}@db.test:5432/app|mongodb+srv://admin:{}@c.test|redis://:{}@cache:6379/0|amqps://svc:{}@mq.test
https://ada:{}@git.test/a.git|jdbc:postgresql://db/x?user=a&password={}|jdbc:oracle:thin:scott/{}@db:1521/x
curl -u ada:{} https://x.test|wget --user=a --password={} x|sshpass -p {} ssh h|mysql -u root -p{} app
redis-cli -a '{}' keys|docker login -u a -p {} r.test|echo {} ~ docker login --password-stdin|vault login {}
openssl rsa -passin pass:{} -in k|htpasswd -b f ada {}|rabbitmqctl add_user ada {}|echo 'ada:{}' ~ chpasswd
CREATE USER a IDENTIFIED BY '{}';|ALTER USER a WITH PASSWORD '{}';|machine x.test login ada password {}
db.test:5432:app:ada:{}|requests.get(u, auth=('ada', '{}'))|new mysqli('db', 'ada', '{}', 'x');
Authorization: Bearer {}|-H "X-API-Key: {}"|PRIVATE-TOKEN: {}|Cookie: session={}; theme=dark|JSESSIONID={}
https://x.test/f?sv=1&sig={}&se=2|https://x.test/v1?key={}&y=1|"auths":{{"r.test":{{"auth":"{}"}}}}
git clone https://oauth2:{}@git.test/a|ngrok config add-authtoken {}|kubectl --token={} get pods
""".strip()
    .replace("\n", "|")
    .replace("~", "\0")
    .split("|")
)
PEOPLE = (
    """
contact {e} please|"email":"{e}"|git config user.email {e}|<{e}>|mailto:{e}|Signed-off-by: x <{e}>
/home/{u}/src|C:\\Users\\{u}\\x|file:///Users/{u}/x|%2Fhome%2F{u}%2Fx|/mnt/c/Users/{u}/x|uid=1000({u}) x
-rw-r--r-- 1 {u} staff 12 Jan  3 10:11 a|ssh {u}@10.1.2.3|chown {u}:staff x|Author: {n} <a@b.test>
git config user.name "{n}"|authors = ["{n} <a@b.test>"]|GIT_AUTHOR_NAME="{n}"|C:\\Users\\{n}\\x
call +49 {d3} {d8}|tel 212-{p}-{d4}.|phone 07{d3} {d6}|Tel. 0445/{d7}|from 84.{o}.{o}.{o} port 22|SSN 123-45-{q}
""".strip()
    .replace("\n", "|")
    .split("|")
)
HARMLESS = (
    """
commit {h40}|sha256:{h64}|"integrity": "sha512-{b86}=="|image@sha256:{h64}|toolu_01{a22}|req_011{a21}|i-{h17}|h1:{b43}=
chatcmpl-{a29}|main.{h20}.css|data:image/png;base64,iVBORw0KGgoAAAANSUhEUgAA{b400}
ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAI{b43}|SHA256:{b43}|0x{h40}|run {d11}|10.{o}.{o}.3:8080|192.168.{o}.{o}
Chrome/120.0.6099.{o}|{h4}:{h4} x|nonce-{b22}==
--hash=sha256:{h64} \\|index {h7}..{h7} 100644|{{"input_tokens":{d5},"output_tokens":{d4}}}|user#{d6}
"version": "1.{o}.{o}"|GITHUB_TOKEN: ${{{{ secrets.GITHUB_TOKEN }}}}|token = get_token()|password: str
const secret = await fetchSecret(id);
key={{item.id}}|postgres://user:password@localhost/db|curl -H "Authorization: Bearer $TOKEN" x|docker run -u 1000:1000 x
password=$(cat /run/pw)|"token": {{"type": "string"}}|secret: <your-secret>|api_key="changeme"|session = Session()
bcrypt.compare(password, user.hash)|JWT_EXPIRES_IN=7d|PASSWORD_MIN_LENGTH=12|auth_url = "https://x.test/login"
test_authentication_with_expired_tokens_returns_401|hf_hub_download_with_retries|npm_config_registry|task-runner-{l6}
secret: arn:aws:secretsmanager:eu-west-1:123456789012:secret:x|password: op://vault/item/field
traceparent: 00-{h32}-{h16}-01|uses: actions/checkout@v4|npm i @types/node@20.1.2|/home/runner/work
git@github.com:o/r.git|2026-01-1{d1}T10:00:00Z
Co-Authored-By: Claude <noreply@anthropic.com>|drwxr-xr-x 3 root root 4096 Jan 1 00:00 .|8.8.8.8|std::vector<int>
""".strip()
    .replace("\n", "|")
    .split("|")
)


class Maker:
    """Fills frames with what was never seen."""

    def __init__(self, seed: int) -> None:
        self.random = random.Random(seed)

    def fill(self, frame: str) -> str:
        """Replace `{a12}` by twelve characters of a class."""

        def some(match: re.Match[str]) -> str:
            made = "".join(self.random.choices(CLASSES[match[1]], k=int(match[2])))
            return "7" + made[1:] if match[1] in "awbhl" and len(made) > 7 else made

        frame = re.sub(r"\{o\}", lambda _: str(self.random.randrange(33, 250)), frame)
        frame = re.sub(r"\{p\}", lambda _: f"5{self.random.randrange(12, 99)}", frame)
        frame = re.sub(r"\{q\}", lambda _: str(self.random.randrange(1_000, 9_999)), frame)
        return re.sub(r"\{([awbhlud])(\d+)\}", some, frame)

    def secret(self) -> str:
        """A password or a key."""
        return self.fill(self.random.choice(["{a16}", "{l20}", "{h40}", "{w43}", "Summer{d4}!x", "silver-horse-{d2}"]))


def provider(make: Maker) -> list[Sample]:
    tokens = [make.fill(form) for form in MARKED.split() for _ in range(3)]
    return [(make.random.choice(CARRIERS).format(token), token) for token in tokens]


def framed(frames: list[str]) -> Callable[[Maker], list[Sample]]:
    def make_all(make: Maker) -> list[Sample]:
        made = []
        for frame in frames * 4:
            secret = make.secret()
            made.append((frame.replace("\0", "|").replace("{{", "{").replace("}}", "}").replace("{}", secret), secret))
        return made

    return make_all


AROUND = (
    "a\\n{}", "x%3D{}%26y", "\u5bc6{}\u662f",
    "\\u001b[1m{}", "&quot;{}&quot;", '\\\\\\"{}\\\\\\"', "{}\u2026", "v={}\x00",
)  # fmt: skip


def edges(make: Maker) -> list[Sample]:
    made = []
    for frame in AROUND:
        for form in ("ghp_{a36}", "sk-ant-api03-{w93}AA", "xoxb-{d12}-{d13}-{a24}", "hf_{a34}"):
            token = make.fill(form)
            made.append((frame.format(token), token))
            half = token[: len(token) * 2 // 3]
            made.append((f"cut off: {half}" + make.random.choice(["", "...", "\u2026", "<cut>"]), half))
    for kind in ("RSA ", "EC ", "", "OPENSSH "):
        lines = [make.fill("{b64}") for _ in range(5)]
        head, foot = (f"-----{word} {kind}PRIVATE KEY-----" for word in ("BEGIN", "END"))
        key = "\n".join([head, *lines, foot])
        numbered = "\n".join(f"{n}\t{line}" for n, line in enumerate(key.split("\n")))
        forms = [
            key,
            json.dumps({"k": key}),
            json.dumps(json.dumps(key)),
            key.replace("\n", "\n+"),
            key[:300],
            numbered,
        ]
        made += [(text, lines[0]) for text in forms]
        made.append(("\n".join([*lines[2:], foot]), lines[-1]))
    return made


def people(make: Maker) -> list[Sample]:
    made = []
    for frame in PEOPLE * 4:
        user = make.random.choice(["alovelace", "ghopper", "jdoe42", "kenji_t", "priya.k"])
        name = make.random.choice(["Ada Lovelace", "José García", "Grace van Dyke", "Olu O'Brien"])
        mail = f"{user}@{make.random.choice(['gmail.com', 'firma.de', 'mail.example.co.uk'])}"
        holes = {"{e}": mail, "{u}": user, "{n}": name}
        hole = next((hole for hole in holes if hole in frame), "")
        if hole:
            made.append((frame.replace(hole, holes[hole]), holes[hole]))
        else:
            text = make.fill(frame)
            made.append((text, re.sub(r"^[^+\d]*| port 22|\.$", "", text)))
    return made


def encoded(make: Maker) -> list[Sample]:
    made = []
    for _ in range(20):
        token = make.fill("ghp_{a36}")
        for text in (
            f"GITHUB_TOKEN={token}",
            f"DB_PASSWORD={make.secret()}x",
            f"postgres://a:{make.fill('{a16}')}@db/x",
        ):
            run = base64.b64encode(text.encode()).decode()
            made += [(f"data: {run}", run), (text.encode().hex(), text.encode().hex())]
        made.append((f"r={quote(f'token={token}', safe='')}", token))
        escaped = "".join(f"\\u{ord(c):04x}" for c in token)
        made.append((f'"{escaped}"', escaped))
    return made


def survives(secret: str, text: str) -> bool:
    size = max(6, min(24, len(secret) // 2))
    return any(secret[at : at + size] in text for at in range(max(1, len(secret) - size + 1)))


@pytest.mark.parametrize("engine", REDACTORS)
@pytest.mark.parametrize(
    ("samples", "bar"),
    [
        (provider, 0.99),
        (framed(NAMED), 0.96),
        (framed(PLACED), 0.97),
        (edges, 0.98),
        (people, 0.95),
        (encoded, 0.70),
    ],
    ids=["provider", "named", "placed", "edges", "people", "encoded"],
)
def test_secrets_are_caught(engine: str, samples: Callable[[Maker], list[Sample]], bar: float) -> None:
    made = samples(Maker(SEED))
    redactor = REDACTORS[engine]
    missed = [(text, secret) for text, secret in made if survives(secret, redactor.text(text))]
    assert len(missed) <= (1 - bar) * len(made), missed


@pytest.mark.parametrize("engine", REDACTORS)
def test_harmless_texts_come_back(engine: str) -> None:
    make = Maker(SEED)
    texts = [make.fill(frame.replace("{{", "{").replace("}}", "}")) for frame in HARMLESS for _ in range(5)]
    altered = [(text, clean) for text in texts if (clean := REDACTORS[engine].text(text)) != text]
    assert len(altered) <= 0.007 * len(texts), altered


def test_other_words_stay_and_a_second_time_changes_nothing() -> None:
    lost = words = 0
    for samples in (provider, framed(NAMED), framed(PLACED)):
        for text, secret in samples(Maker(SEED)):
            clean = {engine: redactor.text(text) for engine, redactor in REDACTORS.items()}
            assert len(set(clean.values())) == 1
            once = next(iter(clean.values()))
            assert REDACTORS[ENGINES[0].name].text(once) == once
            rest = re.findall(r"\w{2,}", text.replace(secret, " "))
            words += len(rest)
            lost += sum(word not in once for word in rest)
    assert lost <= 0.01 * words
