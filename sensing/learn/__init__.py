"""What officers teach: a pixel model from clicks and polygons, a re-ranker of finds from their decisions."""
