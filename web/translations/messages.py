"""The texts of pages and code, and the catalogue that holds their Chinese.

`python -m web.translations.messages` brings the catalogue up to date; new texts then wait for their translation.
"""

from __future__ import annotations

from pathlib import Path

from babel.messages.catalog import Catalog
from babel.messages.extract import DEFAULT_KEYWORDS, extract_from_dir
from babel.messages.pofile import read_po, write_po

WEB = Path(__file__).resolve().parent.parent
CHINESE = WEB / "translations" / "zh" / "LC_MESSAGES" / "messages.po"
METHODS = [("**.py", "python"), ("templates/**.html", "jinja2")]
OPTIONS = {"templates/**.html": {"trim_blocks": "true", "lstrip_blocks": "true"}}
KEYWORDS = {**DEFAULT_KEYWORDS, "lazy_gettext": None, "N_": None}
HEADER = r"""# Chinese texts of the pages; the ids are the English texts themselves.
msgid ""
msgstr ""
"Language: zh\n"
"Plural-Forms: nplurals=1; plural=0;\n"
"MIME-Version: 1.0\n"
"Content-Type: text/plain; charset=utf-8\n"
"Content-Transfer-Encoding: 8bit\n"

"""


def used() -> Catalog:
    """Every text that pages and code ask for."""
    catalog = Catalog(locale="zh", charset="utf-8")
    for _file, _line, message, comments, context in extract_from_dir(WEB, METHODS, OPTIONS, keywords=KEYWORDS):
        catalog.add(message, auto_comments=comments, context=context)
    return catalog


def chinese() -> Catalog:
    """The catalogue as it is committed."""
    with CHINESE.open("rb") as handle:
        return read_po(handle, locale="zh", charset="utf-8")


def update() -> None:
    """Writes the catalogue with exactly the texts in use, keeping the translations that it has."""
    fresh, known = used(), chinese() if CHINESE.exists() else Catalog(locale="zh")
    for message in fresh:
        translated = known.get(message.id, message.context)
        if message.id and translated is not None:
            message.string = translated.string
    CHINESE.parent.mkdir(parents=True, exist_ok=True)
    with CHINESE.open("wb") as handle:
        handle.write(HEADER.encode())
        write_po(handle, fresh, width=110, no_location=True, sort_output=True, omit_header=True)


if __name__ == "__main__":
    update()
