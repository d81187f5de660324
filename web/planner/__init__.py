"""The planner's desk: siting plans, devices, patrol areas and deployment points on their way to approval."""
