"""Every text has its Chinese, from the first page on."""

import ast
from pathlib import Path

from web.i18n import catalogue
from web.translations.messages import WEB, chinese, used


def test_catalogue__every_text_in_use__has_its_chinese():
    known = chinese()
    missing = []
    for message in used():
        if not message.id:
            continue
        found = known.get(message.id, message.context)
        texts = found.string if found and isinstance(found.string, tuple) else (found.string if found else "",)
        if not all(texts):
            missing.append(message.id)
    assert missing == []


def test_catalogue__holds_no_text_that_nothing_uses():
    ids = {message.id for message in used()}
    assert [message.id for message in chinese() if message.id not in ids] == []


def test_catalogue__placeholders__are_the_same_in_both_languages():
    import re

    for message in chinese():
        english = message.id if isinstance(message.id, str) else " ".join(message.id)
        strings = message.string if isinstance(message.string, tuple) else (message.string,)
        for text in strings:
            assert set(re.findall(r"%\(\w+\)[sd]|\{\w+\}", text)) == set(re.findall(r"%\(\w+\)[sd]|\{\w+\}", english))


def test_catalogue__of_an_unknown_language__is_english():
    assert catalogue("xx").gettext("Map") == "Map"
    assert catalogue("zh").gettext("Map") == "地图"


def test_texts__inside_format_strings__are_never_hidden_from_extraction():
    """Babel does not look into f-strings, so a text there would stay English for ever."""
    hidden = []
    for path in Path(WEB).rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.JoinedStr):
                calls = [n for n in ast.walk(node) if isinstance(n, ast.Call) and isinstance(n.func, ast.Name)]
                hidden += [f"{path.name}:{n.lineno}" for n in calls if n.func.id in ("gettext", "ngettext", "N_")]
    assert hidden == []
