"""The pilot desk: check a plan against every rule, file it, and see what waits."""
