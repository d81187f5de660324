"""From a plan to the path that is flown: items followed, curves, heights over the terrain, ways home. Pure."""
