-- What tiles are drawn from, and which of them a change reaches.

-- Devices as the map shows them, without the joins behind everything else that the public may know of them.
CREATE VIEW public_map.device_points WITH (security_barrier) AS
SELECT s.n, s.public_id, s.look AS kind, s.status AS state, s.title_en AS title, a.public_id AS authority_id,
       s.geom, s.geom_3857
FROM core.shown s
JOIN core.authority a ON a.id = s.authority_id
WHERE s.kind = 'device';

-- Where an authority has published anything, and when last: the rest of the map is not empty, it is unknown.
CREATE INDEX ix_shown_authority_id_published_on ON core.shown (authority_id, published_on);
CREATE VIEW public_map.authority_areas WITH (security_barrier) AS
SELECT a.public_id, a.name_en, a.name_zh, a.level,
       EXISTS (SELECT FROM core.shown s WHERE s.authority_id = a.id) AS published,
       (SELECT max(s.published_on) FROM core.shown s WHERE s.authority_id = a.id) AS last_on,
       a.jurisdiction AS geom, (SELECT count(*) FROM core.shown s WHERE s.authority_id = a.id) AS subjects
FROM core.authority a;

-- ---------------------------------------------------------------------------------------------
-- The number of the last change in each tile of zoom 12 that a layer was ever changed in: what is published in one town
-- leaves the tiles of all others as they are. What reaches too far for that stands under -1, -1.
-- ---------------------------------------------------------------------------------------------

CREATE TABLE core.public_cell (
    layer text NOT NULL,
    x integer NOT NULL,
    y integer NOT NULL,
    seq bigint NOT NULL,
    CONSTRAINT pk_public_cell PRIMARY KEY (layer, x, y),
    CONSTRAINT ck_public_cell_place CHECK (
        (x BETWEEN 0 AND 4095 AND y BETWEEN 0 AND 4095) OR (x = -1 AND y = -1))
);
GRANT SELECT ON core.public_cell TO skywarden_app;

-- Changes get their number one transaction after the other, so the later number is never overwritten by an earlier one.
CREATE FUNCTION core.reach_cells() RETURNS trigger
    LANGUAGE plpgsql
    SET search_path = pg_catalog, public, pg_temp
AS $$
DECLARE
    half CONSTANT double precision := 20037508.342789244;
    side CONSTANT double precision := 2 * half / 4096;
BEGIN
    INSERT INTO core.public_cell AS c (layer, x, y, seq)
    WITH boxes AS (
        SELECT n.kind || 's' AS layer, n.seq,
               least(greatest(floor((ST_XMin(g.shape) + half) / side), 0), 4095)::integer AS x0,
               least(greatest(floor((ST_XMax(g.shape) + half) / side), 0), 4095)::integer AS x1,
               least(greatest(floor((half - ST_YMax(g.shape)) / side), 0), 4095)::integer AS y0,
               least(greatest(floor((half - ST_YMin(g.shape)) / side), 0), 4095)::integer AS y1
        FROM new_changes n CROSS JOIN LATERAL (VALUES (n.geom_3857), (n.was_geom_3857)) AS g (shape)
        WHERE g.shape IS NOT NULL
    )
    SELECT r.layer, r.x, r.y, max(r.seq) FROM (
        SELECT b.layer, i AS x, j AS y, b.seq
        FROM boxes b, generate_series(b.x0, b.x1) AS i, generate_series(b.y0, b.y1) AS j
        WHERE (b.x1 - b.x0 + 1) * (b.y1 - b.y0 + 1) <= 1024
        UNION ALL
        SELECT b.layer, -1, -1, b.seq FROM boxes b WHERE (b.x1 - b.x0 + 1) * (b.y1 - b.y0 + 1) > 1024
        UNION ALL
        SELECT 'basemap', -1, -1, n.seq FROM new_changes n WHERE n.kind = 'base_feature'
    ) AS r
    GROUP BY r.layer, r.x, r.y
    ON CONFLICT (layer, x, y) DO UPDATE SET seq = excluded.seq;
    RETURN NULL;
END
$$;
CREATE TRIGGER reach_cells AFTER INSERT ON core.public_change REFERENCING NEW TABLE AS new_changes
    FOR EACH STATEMENT EXECUTE FUNCTION core.reach_cells();
-- Whoever writes, and however: what the public may no longer see leaves the map.
ALTER TABLE core.public_change ENABLE ALWAYS TRIGGER reach_cells;
REVOKE ALL ON FUNCTION core.reach_cells FROM PUBLIC;

CREATE VIEW public_map.cells WITH (security_barrier) AS
SELECT c.layer, c.x, c.y, c.seq FROM core.public_cell c;

GRANT SELECT ON public_map.device_points, public_map.authority_areas, public_map.cells
    TO skywarden_public, skywarden_app;
