-- What a unit head returns, and what is drafted anew before it is approved, is a draft again.
INSERT INTO law.step (subject, source, target) VALUES
    ('patrol_area', 'checked', 'draft'),
    ('deployment_point', 'checked', 'draft');
