"""OGC SensorThings API 1.1, sensing profile: instruments of registered devices push, and officers read."""
