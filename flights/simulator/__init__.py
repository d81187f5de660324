"""A simulated ArduCopter: a process of its own that speaks real MAVLink 2 and has ArduPilot's habits.

It shares no code with the line it is flown over (flights/link) nor with the canonical form: what it
stores and reads back follows the autopilot's sources, so agreement between the two proves something.
"""
