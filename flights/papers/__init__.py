"""The papers of a flight: filing sheet, approval file, flight package."""
