"""Citizens speak: complaints and questions, requests for zones, and word of what changes in a place."""
