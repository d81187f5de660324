#!/bin/sh
# Brings the Chinese catalogue up to date with the texts of pages and code; new ones then wait for their translation.
set -eu
cd "$(dirname "$0")/.."
python="${PYTHON:-../.local/venv/bin/python}"
template="$(mktemp)"
"$python" -m babel.messages.frontend extract -q -F translations/babel.cfg -k lazy_gettext -k N_ --no-location --sort-output \
    --omit-header -o "$template" .
[ -f translations/zh/LC_MESSAGES/messages.po ] ||
    "$python" -m babel.messages.frontend init -q -i "$template" -d translations -l zh
"$python" -m babel.messages.frontend update -q -i "$template" -d translations -l zh --no-fuzzy-matching --ignore-obsolete \
    --omit-header --width 110
rm "$template"
