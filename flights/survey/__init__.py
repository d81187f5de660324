"""From an area and a camera to the flight that photographs it: lines, the ways between them, and a plan. Pure."""
