"""Floor 4: pages, API, command line and worker; the only place where everything meets."""
