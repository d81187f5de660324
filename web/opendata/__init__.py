"""Open data and standards: whole layers as files, OGC API Features, TileJSON, OpenAPI, and who reads from where."""
