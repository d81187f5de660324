"""Areas as people say them."""

from __future__ import annotations

from web.i18n import gettext


def area_words(area_m2: float) -> str:
    """An area as people say it: square metres, or hectares from one hectare on."""
    if area_m2 >= 10_000:
        return gettext("%(n)s ha", n=f"{area_m2 / 10_000:.2f}")
    return gettext("%(n)s m²", n=f"{round(area_m2):,}")
