"""Photos of a flight: joined to its track, cast onto the terrain, handed in or quarantined."""
