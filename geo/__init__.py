"""Places: devices, zones, patrol areas and routes, their publication clock, footprints and imports."""
