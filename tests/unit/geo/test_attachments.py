"""What counts as a file that proves something, by its first and last bytes."""

import pytest

from geo.attachments import HEAD_BYTES, TAIL_BYTES, described
from schemas.refusals import RuleViolation

WHOLE = b"%PDF-1.7\n" + b"x" * 3_000 + b"\nstartxref\n0\n%%EOF\n"


def taken(content, name="certificate.pdf"):
    return described("0" * 64, len(content), (content[:HEAD_BYTES], content[-TAIL_BYTES:]), name).media_type


def test_a_whole_pdf__taken():
    assert taken(WHOLE) == "application/pdf"
    assert taken(WHOLE + b"\0" * 900) == "application/pdf"


@pytest.mark.parametrize("content", [b"%PDF-1.4 x", WHOLE[:-10], b"%PDF-1.4\n%%EOF\n" + b"x" * 3_000, b"%PDF-"])
def test_what_begins_as_a_pdf_and_does_not_end_as_one__refused(content):
    with pytest.raises(RuleViolation) as caught:
        taken(content)
    assert (caught.value.status, caught.value.refusals[0].text) == (422, "attachment.cut")


@pytest.mark.parametrize(("content", "status"), [(b"", 422), (b"MZ%%EOF", 415), (b"x%PDF-1.4 %%EOF", 415)])
def test_what_is_no_document__refused(content, status):
    with pytest.raises(RuleViolation) as caught:
        taken(content)
    assert caught.value.status == status
