-- Where cameras reach, as a grid that tells no single device.
--
-- How far a device sees is restricted. Its place is public, so the grid takes from its range no more than the next full
-- half kilometre: within that, no range can be told from another, whatever is compared with whatever. Directions are
-- not asked for at all. A cell is shown where several devices reach it, and it never knows of a secret one.

CREATE TABLE core.coverage_cell (
    x integer NOT NULL,
    y integer NOT NULL,
    at_least integer NOT NULL,
    geom_3857 geometry(POLYGON, 3857) NOT NULL,
    CONSTRAINT pk_coverage_cell PRIMARY KEY (x, y),
    CONSTRAINT ck_coverage_cell_at_least CHECK (at_least IN (3, 10))
);
CREATE INDEX gist_coverage_cell_geom_3857 ON core.coverage_cell USING gist (geom_3857);

-- From what the grid was made last.
CREATE TABLE core.coverage_made (
    singleton boolean NOT NULL DEFAULT true,
    seq bigint NOT NULL,
    made_at timestamptz NOT NULL DEFAULT clock_timestamp(),
    CONSTRAINT pk_coverage_made PRIMARY KEY (singleton),
    CONSTRAINT ck_coverage_made_singleton CHECK (singleton)
);
GRANT SELECT, INSERT, UPDATE, DELETE ON core.coverage_cell, core.coverage_made TO skywarden_app;

-- The cells of 500 m in EPSG:3857 that three devices in use and more reach.
CREATE VIEW core.coverage_now AS
WITH reach AS (
    SELECT ST_X(s.geom_3857) AS east, ST_Y(s.geom_3857) AS north,
           least(ceil(greatest(d.range_m, 1) / 500), 20) * 500 / cos(radians(ST_Y(s.geom))) AS radius
    FROM core.device d JOIN core.device_site s ON s.id = d.site_id
    WHERE NOT d.secret AND d.state = 'active' AND d.category = 'fixed' AND d.range_m > 0
)
SELECT x, y, CASE WHEN count(*) >= 10 THEN 10 ELSE 3 END AS at_least
FROM reach r
CROSS JOIN LATERAL generate_series(floor((r.east - r.radius) / 500)::integer, floor((r.east + r.radius) / 500)::integer) x
CROSS JOIN LATERAL generate_series(floor((r.north - r.radius) / 500)::integer, floor((r.north + r.radius) / 500)::integer) y
WHERE power(greatest(x * 500 - r.east, r.east - (x + 1) * 500, 0), 2)
    + power(greatest(y * 500 - r.north, r.north - (y + 1) * 500, 0), 2) <= power(r.radius, 2)
GROUP BY x, y
HAVING count(*) >= 3;
GRANT SELECT ON core.coverage_now TO skywarden_app;

CREATE VIEW public_map.coverage WITH (security_barrier) AS
SELECT c.x || '/' || c.y AS cell, c.at_least, ST_Transform(c.geom_3857, 4326) AS geom, c.geom_3857
FROM core.coverage_cell c;

-- That a year was reported, by whom and when (GD-13.3); which devices it names is on the map itself.
CREATE VIEW public_map.annual_reports WITH (security_barrier) AS
SELECT r.public_id, a.public_id AS authority_id, a.name_en AS authority_en, a.name_zh AS authority_zh, r.year, r.part,
       r.due_on, r.submitted_on, r.origin
FROM core.annual_report r JOIN core.authority a ON a.id = r.authority_id;

-- How the evaluation of a published device ended, and when (GD-10.2); its words are restricted.
CREATE VIEW public_map.evaluations WITH (security_barrier) AS
SELECT d.public_id AS device_id, a.public_id AS authority_id, e.outcome, e.evaluated_on, e.origin
FROM core.evaluation e
JOIN core.device d ON d.id = e.device_id
JOIN core.authority a ON a.id = d.authority_id
WHERE NOT d.secret AND d.state <> 'registered'
  AND EXISTS (SELECT FROM core.publication p WHERE p.subject_kind = 'device' AND p.subject_id = d.id);
GRANT SELECT ON public_map.coverage, public_map.annual_reports, public_map.evaluations
    TO skywarden_public, skywarden_app;
