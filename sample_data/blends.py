"""What has no hard edge, blended into the painted ground: burnt land, and plumes in the water."""

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np

from sample_data.frame import FloatArray, Grid
from sample_data.incidents import Site
from sample_data.noise import fractal, step, stream
from sample_data.scars import burnt
from sample_data.spectra import surface


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


def blooms(seed: int, purpose: str, grid: Grid, sites: Iterable[Site], margin_m: float) -> Iterable[Blend]:
    """The blooms of algae among the sites that a picture shows: scum that the wind drove into streaks."""
    for index, site in enumerate(sites):
        window = grid.window(site.outline, margin_m)
        part = grid.part(window)
        if site.look == "bloom" and not part.is_empty:
            streaks = fractal(stream(seed, f"{purpose} {index}"), part, 40.0, 5.0, roughness=0.6)
            share = part.mask([site.outline]) * (0.30 + 0.65 * step(-1.3, 1.3, streaks))
            yield Blend(window, share.astype(np.float32), np.broadcast_to(surface("scum"), (*part.shape, 4)))
