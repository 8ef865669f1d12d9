"""The second opinions, one by one."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from telem.sanitize.validators import (
    VALIDATORS,
    iban,
    luhn,
    mailbox,
    not_code,
    not_masked,
    person,
    phone,
    public_ip,
    ssn,
)


@given(st.text(max_size=80))
def test_checks_of_free_text_are_total(value: str) -> None:
    """They answer for every text; `ssn` and `iban` see only what their patterns let through."""
    for name, check in VALIDATORS.items():
        if name not in {"ssn", "iban", "luhn"}:
            assert check(value) in {True, False}


def test_luhn_knows_a_card_from_a_number() -> None:
    assert luhn("4111 1111 1111 1111")
    assert not luhn("4111 1111 1111 1112")
    assert not luhn("0000 0000 0000 0000")
    assert not luhn("42")


def test_iban_knows_its_remainder() -> None:
    assert iban("GB82 WEST 1234 5698 7654 32")
    assert not iban("GB82 WEST 1234 5698 7654 33")
    assert not iban("GB82 WEST 1234 5698 7654 3!")


def test_ssn_knows_areas_that_were_never_issued() -> None:
    assert ssn("219-09-9999")
    assert not any(map(ssn, ("000-12-3456", "666-12-3456", "900-12-3456", "219-00-1234", "219-12-0000")))


@pytest.mark.parametrize(
    "value",
    [
        "10.0.0.1",
        "127.0.0.1",
        "203.0.113.9",
        "1.7.5.1",
        "224.0.0.1",
        "x",
        "fe80::1",
        "75:9A:4A:CE:7C:DA:7E:89",
        "999.1.1.1",
    ],
)
def test_addresses_that_point_at_nobody_are_no_public_addresses(value: str) -> None:
    assert not public_ip(value)


def test_addresses_of_the_open_net_are_public() -> None:
    assert public_ip("84.23.119.7")
    assert public_ip("2a02:8109:9a80:1c::5")


def test_mailbox_knows_the_addresses_that_are_nobodys() -> None:
    assert mailbox("bob@example.com")
    assert mailbox("12345+ada@users.noreply.github.com")
    assert not any(
        map(mailbox, ("git@github.com", "noreply@github.com", "icon@2x.png", "ada@users.noreply.github.com"))
    )


def test_not_masked_refuses_what_was_blanked_out() -> None:
    assert not_masked("hunter2")
    assert not any(
        map(not_masked, ("****", "xxxxxxxx", "${TOKEN}", "$TOKEN", "{{ token }}", "<token>", "abc...", "%(token)s"))
    )


def test_not_code_refuses_what_computes() -> None:
    assert not_code("s3cr3t")
    assert not any(map(not_code, ("get_token()", "self.token", "$HOME", "/etc/passwd", "std::string")))


def test_person_refuses_the_accounts_of_machines() -> None:
    assert person("ada")
    assert not any(map(person, ("runner", "root", "Public", "Shared", "dependabot[bot]")))


def test_phone_wants_a_plausible_amount_of_digits() -> None:
    assert phone("+44 20 7946 0958")
    assert not phone("555-1234")
    assert not phone("000-000-0000")
