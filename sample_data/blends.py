"""What has no hard edge, blended into the painted ground: burnt land, and plumes in the water."""

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np

from sample_data.frame import FloatArray, Grid
from sample_data.incidents import Site
from sample_data.noise import stream
from sample_data.scars import burnt


@dataclass(frozen=True)
class Blend:
    """A window of a picture: how much of another surface each pixel shows, and that surface's reflectance by band."""

    window: tuple[slice, slice]
    share: FloatArray
    tone: FloatArray

    def into(self, ground: FloatArray, band: int) -> None:
        """Changes one band of the ground in place."""
        here = ground[self.window]
        here += self.share * (self.tone[..., band] - here)


def burns(seed: int, purpose: str, grid: Grid, sites: Iterable[Site], margin_m: float) -> Iterable[Blend]:
    """The burn scars among the sites that a picture shows."""
    for index, site in enumerate(sites):
        window = grid.window(site.outline, margin_m)
        part = grid.part(window)
        if site.look == "burn" and not part.is_empty:
            yield Blend(window, *burnt(stream(seed, f"{purpose} {index}"), part, site.outline))


def plumes(grid: Grid, sites: Iterable[Site], margin_m: float) -> Iterable[Blend]:
    """The plumes among the sites that a picture shows; foreign water is dim in the near infrared."""
    for site in sites:
        window = grid.window(site.outline, margin_m)
        part = grid.part(window)
        if site.plume is not None and not part.is_empty:
            tone = np.array((*site.tone, 0.6 * site.tone[0]), np.float32)
            yield Blend(window, site.plume.share(part), tone)
