"""Languages: Chinese and English from the first page on, from catalogues read straight from their .po files."""

from __future__ import annotations

import io
from collections.abc import Mapping
from datetime import date, datetime, tzinfo
from functools import cache
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

from babel.messages.mofile import write_mo
from babel.messages.pofile import read_po
from babel.support import NullTranslations, Translations
from flask import Flask, Response, g, request
from flask_babel import Babel, Domain, get_locale
from flask_babel import gettext as _gettext
from flask_babel import ngettext as _ngettext

from schemas.refusals import LANGUAGES
from web.identity.request_identity import services

CATALOGUES = Path(__file__).parent / "translations"
COOKIE = "lang"
COOKIE_MAX_AGE_S = 365 * 86_400


class PoDomain(Domain):  # type: ignore[misc]
    """A domain whose catalogues are the committed .po files: nothing is compiled to disk, nothing can be stale."""

    def get_translations(self) -> NullTranslations:
        """The catalogue of the language of this request."""
        return catalogue(current_language())


class PoBabel(Babel):  # type: ignore[misc]
    """Flask-Babel with the domain above."""

    domain_instance = PoDomain()


@cache
def catalogue(lang: str) -> NullTranslations:
    """The messages of `lang`; English is the language of the message ids themselves."""
    source = CATALOGUES / lang / "LC_MESSAGES" / "messages.po"
    if not source.exists():
        return NullTranslations()
    compiled = io.BytesIO()
    with source.open("rb") as handle:
        write_mo(compiled, read_po(handle, locale=lang))
    compiled.seek(0)
    return Translations(compiled)


def current_language() -> str:
    """`zh` or `en`: what the URL says, else the cookie, else the browser, else English."""
    if "language" not in g:
        asked = (request.args.get("lang"), request.cookies.get(COOKIE))
        known = [lang for lang in asked if lang in LANGUAGES]
        g.language = known[0] if known else request.accept_languages.best_match(LANGUAGES, default="en")
    return str(g.language)


def gettext(message: str, **values: object) -> str:
    """The message in the reader's language, with its values filled in."""
    return str(_gettext(message, **values))


def ngettext(singular: str, plural: str, num: int, **values: object) -> str:
    """The message for `num` things in the reader's language; `%(num)d` stands for the number."""
    return str(_ngettext(singular, plural, num, **values))


def joined(*sentences: str) -> str:
    """Sentences as one text: with spaces between them in English, without in Chinese."""
    return ("" if current_language() == "zh" else " ").join(sentences)


def register(app: Flask) -> None:
    """Installs the languages, the words and the date formats in `app` and its templates."""
    PoBabel(app, locale_selector=current_language)
    app.after_request(_remember)
    app.jinja_env.globals.update(language=current_language, other_language_url=other_language_url)
    app.jinja_env.filters.update(day=day, weekday=weekday, moment=moment, inwords=in_words)


def _remember(response: Response) -> Response:
    """Keeps a language that was chosen in the URL."""
    if request.args.get("lang") in LANGUAGES:
        response.set_cookie(
            COOKIE,
            current_language(),
            max_age=COOKIE_MAX_AGE_S,
            samesite="Lax",
            httponly=True,
            secure=request.is_secure,
        )
    return response


def other_language_url() -> str:
    """This very page in the other language."""
    args: dict[str, Any] = request.args.to_dict(flat=False)
    args["lang"] = ["en" if current_language() == "zh" else "zh"]
    # An error page may stand for a request that cannot be repeated with GET.
    path = request.path if request.method in ("GET", "HEAD") else "/"
    return f"{path}?{urlencode(args, doseq=True)}"


def in_words(value: Mapping[str, str] | str | None) -> str:
    """The text of a bilingual value `{"en", "zh"}` in the language of the reader."""
    if value is None:
        return ""
    if isinstance(value, str):
        return value
    return value.get(current_language()) or value.get("en") or next(iter(value.values()), "")


def local_zone() -> tzinfo:
    """The time zone in which legal dates and all times are shown."""
    return services().zone


def day(value: date | datetime | None) -> str:
    """A date as `2026-11-21`, in the time zone of the rule pack."""
    return local_date(value).isoformat() if value else ""


def weekday(value: date | datetime | None) -> str:
    """A date with its weekday, for deadlines: `2026-11-21 (Sat)`, `2026-11-21（周六）`."""
    if not value:
        return ""
    local = local_date(value)
    names = get_locale().days["format"]["abbreviated"]
    name = names[local.weekday()]
    return f"{local.isoformat()}（{name}）" if current_language() == "zh" else f"{local.isoformat()} ({name})"


def moment(value: datetime | None) -> str:
    """An instant as `2026-11-21 14:05`, in the time zone of the rule pack."""
    return value.astimezone(local_zone()).strftime("%Y-%m-%d %H:%M") if value else ""


def local_date(value: date | datetime) -> date:
    """The local date of an instant; a date is one already."""
    return value.astimezone(local_zone()).date() if isinstance(value, datetime) else value


def days_left(until: date, today: date) -> str:
    """A countdown in words: `in 12 days`, `today`, `3 days ago`."""
    left = (until - today).days
    if left == 0:
        return gettext("today")
    if left > 0:
        return ngettext("in %(num)d day", "in %(num)d days", left)
    return ngettext("%(num)d day ago", "%(num)d days ago", -left)
