"""Records of flights as they lie on the disk: telemetry logs and the memories of autopilots. Pure readers."""
