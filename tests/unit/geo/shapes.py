"""The shapes of requirements.md 3.0, and the house's rule pack."""

from shapely.geometry import LineString, Polygon

R1 = LineString([(113.2550, 23.1250), (113.2850, 23.1250)])
R2 = LineString([(113.2550, 23.1300), (113.2850, 23.1300)])
R3 = LineString([(113.2550, 23.1290), (113.2850, 23.1290)])
R4 = LineString([(113.2550, 23.1250), (113.2950, 23.1250)])
PA1 = Polygon([(113.25, 23.12), (113.29, 23.12), (113.29, 23.14), (113.25, 23.14)])
Z1 = Polygon([(113.2695, 23.1295), (113.2705, 23.1295), (113.2705, 23.1305), (113.2695, 23.1305)])
