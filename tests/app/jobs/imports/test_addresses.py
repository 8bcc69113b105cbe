"""Which addresses may be fetched from."""

import ipaddress

import pytest

from app.jobs.imports import addresses
from app.jobs.imports.addresses import is_elsewhere, is_public


@pytest.mark.parametrize(
    ("text", "public"),
    [
        ("93.184.216.34", True),
        ("2606:2800:220:1::1", True),
        ("127.0.0.1", False),
        ("10.1.2.3", False),
        ("172.16.0.1", False),
        ("192.168.1.1", False),
        ("169.254.169.254", False),
        ("100.64.0.1", False),
        ("0.0.0.1", False),
        ("224.0.0.1", False),
        ("255.255.255.255", False),
        ("::1", False),
        ("::", False),
        ("fe80::1", False),
        ("fc00::1", False),
        ("::ffff:10.0.0.1", False),
        ("::ffff:93.184.216.34", True),
        ("2002:7f00:1::", False),
        ("64:ff9b::7f00:1", False),
        ("64:ff9b::5db8:d822", False),
        ("64:ff9b:1::7f00:1", False),
        ("64:ff9b:1:ffff::a00:1", False),
        ("::127.0.0.1", False),
        ("::93.184.216.34", False),
        ("fec0::1", False),
        ("feff::1", False),
        ("2002:a00:1::1", False),
        ("2002:5db8:d822::1", True),
        ("2001:0:4136:e378:8000:63bf:3fff:fdd2", False),
        ("ff02::1", False),
        ("::ffff:0:7f00:1", False),
        ("::ffff:0:5db8:d822", False),
        ("192.88.99.1", False),
        ("2002:c058:6301::1", False),
        ("3fff::1", False),
        ("3fff:fff:ffff::1", False),
        ("5f00::1", False),
        ("4000::1", False),
        ("1::1", False),
        ("100::1", False),
        ("2001:db8::1", False),
        ("2001:20::1", False),
        ("2a00:1450:4001:81b::200e", True),
    ],
)
def test_hardening_31_which_addresses_lie_in_the_open_internet(text: str, public: bool) -> None:
    assert is_public(ipaddress.ip_address(text)) == public


@pytest.mark.parametrize(
    ("target", "source", "reached"),
    [
        ("93.184.216.34", "93.184.216.34", False),
        ("93.184.216.35", "93.184.216.34", True),
        ("93.184.216.34", "192.168.1.5", True),
        ("2a00:1450:4001:81b::1", "2a00:1450:4001:81b::1", False),
        ("2a00:1450:4001:81b::1", "2a00:1450:4001:81b:1:2:3:4", False),
        ("2a00:1450:4001:81c::1", "2a00:1450:4001:81b::1", True),
        ("93.184.216.34", None, True),
    ],
)
def test_hardening_31_this_machine_is_not_reached_by_its_public_address(
    monkeypatch: pytest.MonkeyPatch, target: str, source: str | None, reached: bool
) -> None:
    found = ipaddress.ip_address(source) if source else None
    monkeypatch.setattr(addresses, "_source_of", lambda _: found)
    assert is_elsewhere(ipaddress.ip_address(target)) == reached


def test_the_system_says_what_it_would_send_from() -> None:
    home = ipaddress.ip_address("127.0.0.1")
    assert addresses._source_of(home) == home
    assert not is_elsewhere(home)
