"""Signatures of requests to channels: the published test vector, and what changes them."""

from datetime import UTC, datetime

import pytest

from web.http_signatures import content_digest, sign, signature_base, signed

# RFC 9421, B.1.5 and B.2.5: the shared secret, what it covers, and the signature.
SECRET = "uzvJfB4u3N0Jy4T7NZ75MDVcr8zSTInedJtkgcu46YW4XByzNJjxBdtjUkdJPBtbmHhIDi6pcl8jsasjlTMtDQ=="
COVERED = [
    ("date", "Tue, 20 Apr 2021 02:07:55 GMT"),
    ("@authority", "example.com"),
    ("content-type", "application/json"),
]
PARAMETERS = '("date" "@authority" "content-type");created=1618884473;keyid="test-shared-secret"'
EXPECTED = "pxcQw6G3AjtMBQjwo8XzkZf/bws5LelbaMk5rGIGtE8="
AT = datetime(2025, 7, 2, 2, 0, tzinfo=UTC)
HEADERS = {
    "content-type": "application/json",
    "content-digest": content_digest(b"{}"),
    "idempotency-key": '"DC-ABCDEF"',
}


def sign_with(**changed):
    asked = {"method": "POST", "url": "https://a.example/n", "headers": HEADERS, "key_id": "us", "secret": b"s" * 32}
    asked |= {"created": AT} | changed
    return sign(asked.pop("method"), asked.pop("url"), asked.pop("headers"), **asked)


def test_signature__of_the_published_example__is_the_published_one():
    import base64

    assert signed(signature_base(COVERED, PARAMETERS), base64.b64decode(SECRET)) == EXPECTED


def test_content_digest__of_the_published_example__is_the_published_one():
    # RFC 9530, B.1.
    assert content_digest(b'{"hello": "world"}\n') == "sha-256=:RK/0qy18MlBSVnWgjwz6lZEWjP/lF5HF9bvEF8FabDg=:"


def test_sign__names_what_it_covers__and_when():
    made = sign_with()
    assert made["Signature-Input"] == (
        'skywarden=("@method" "@target-uri" "content-type" "content-digest" "idempotency-key")'
        ';created=1751421600;keyid="us";alg="hmac-sha256"'
    )


@pytest.mark.parametrize(
    "changed",
    [
        {"method": "PUT"},
        {"url": "https://b.example/n"},
        {"headers": HEADERS | {"content-digest": content_digest(b"[]")}},
        {"headers": HEADERS | {"idempotency-key": '"DC-GHJKMN"'}},
        {"secret": b"t" * 32},
        {"created": AT.replace(second=1)},
    ],
    ids=lambda changed: next(iter(changed)),
)
def test_sign__anything_else__signs_otherwise(changed):
    assert sign_with(**changed)["Signature"] != sign_with()["Signature"]
