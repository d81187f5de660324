-- The air that a cleared flight may use, in four dimensions; no two flights share it.


CREATE TABLE core.flight_volume (
    id bigint GENERATED ALWAYS AS IDENTITY,
    flight_id uuid NOT NULL,
    ordinal integer NOT NULL,
    part text NOT NULL,
    geom geometry(POLYGON, 4326) NOT NULL,
    alt_agl_min_m double precision NOT NULL,
    alt_agl_max_m double precision NOT NULL,
    during tstzrange NOT NULL,
    freed_at timestamptz,
    CONSTRAINT pk_flight_volume PRIMARY KEY (id),
    CONSTRAINT fk_flight_volume_flight_id_flight FOREIGN KEY (flight_id) REFERENCES core.flight (id),
    CONSTRAINT uq_flight_volume_flight_id_ordinal UNIQUE (flight_id, ordinal),
    CONSTRAINT "rule__DC-4__flight_volume_geom" CHECK (core.is_sound(geom)),
    CONSTRAINT "rule__DC-4__flight_volume_heights" CHECK (
        alt_agl_min_m BETWEEN 0 AND 20000 AND alt_agl_max_m BETWEEN 0 AND 20000 AND alt_agl_min_m < alt_agl_max_m),
    CONSTRAINT "rule__DC-4__flight_volume_during" CHECK (
        coalesce(isfinite(lower(during)) AND isfinite(upper(during)), false))
);
CREATE INDEX gist_flight_volume_geom ON core.flight_volume USING gist (geom, during) WHERE freed_at IS NULL;
GRANT SELECT, INSERT, UPDATE ON core.flight_volume TO skywarden_app;
GRANT USAGE ON ALL SEQUENCES IN SCHEMA core TO skywarden_app;

-- An exclusion constraint compares boxes; two corridors that pass each other share a box and no air. So a trigger
-- asks for the exact shapes (docs/adr/0007), one transaction after the other: whoever comes second sees the first.
CREATE FUNCTION core.judge_air() RETURNS trigger
    LANGUAGE plpgsql
    SET search_path = pg_catalog, public, pg_temp
AS $$
DECLARE
    held record;
BEGIN
    -- A transaction that keeps its first sight of the tables would not see who was quicker.
    IF current_setting('transaction_isolation') <> 'read committed' THEN
        PERFORM core.refuse('rule__DC-2__air_is_shared_out_one_by_one', 'air is taken at "read committed" only');
    END IF;
    PERFORM pg_advisory_xact_lock(hashtextextended('core.flight_volume', 0));
    -- The flight is locked before its volumes are, so that it cannot end between the two.
    IF NOT EXISTS (SELECT FROM core.flight f WHERE f.id = NEW.flight_id AND f.state = 'cleared') THEN
        PERFORM core.refuse('rule__DC-2__air_without_a_cleared_flight', 'only a cleared flight holds air');
    END IF;
    SELECT f.public_id, f.authority_id, v.during * NEW.during AS during,
           greatest(v.alt_agl_min_m, NEW.alt_agl_min_m) AS low_m, least(v.alt_agl_max_m, NEW.alt_agl_max_m) AS high_m,
           ST_Intersection(v.geom, NEW.geom) AS geom
    INTO held
    FROM core.flight_volume v JOIN core.flight f ON f.id = v.flight_id
    WHERE v.freed_at IS NULL AND v.flight_id <> NEW.flight_id
      AND v.geom && NEW.geom AND v.during && NEW.during
      AND v.alt_agl_min_m < NEW.alt_agl_max_m AND NEW.alt_agl_min_m < v.alt_agl_max_m
      AND ST_Intersects(v.geom, NEW.geom)
    ORDER BY v.id LIMIT 1;
    IF FOUND THEN
        RAISE EXCEPTION '% holds this air', held.public_id USING
            ERRCODE = 'exclusion_violation', CONSTRAINT = 'rule__DC-2__air_is_taken',
            DETAIL = jsonb_build_object(
                'flight', held.public_id, 'from', lower(held.during), 'until', upper(held.during),
                'alt_agl_min_m', held.low_m, 'alt_agl_max_m', held.high_m,
                'place', ST_AsGeoJSON(held.geom, 7)::jsonb)::text;
    END IF;
    RETURN NULL;
END
$$;
CREATE TRIGGER judge_air AFTER INSERT ON core.flight_volume FOR EACH ROW EXECUTE FUNCTION core.judge_air();

-- A volume stays as it was taken until its flight has ended, and is then free for good.
CREATE FUNCTION core.judge_freed_air() RETURNS trigger
    LANGUAGE plpgsql
    SET search_path = pg_catalog, public, pg_temp
AS $$
BEGIN
    IF OLD.freed_at IS NOT NULL OR NEW.freed_at IS NULL
       OR to_jsonb(OLD) - 'freed_at' IS DISTINCT FROM to_jsonb(NEW) - 'freed_at'
       OR EXISTS (SELECT FROM core.flight f
                  WHERE f.id = OLD.flight_id AND f.state IN ('cleared', 'uploaded', 'airborne')) THEN
        PERFORM core.refuse('rule__DC-2__air_is_held_to_the_end', 'air is held until its flight has ended');
    END IF;
    NEW.freed_at := clock_timestamp();
    RETURN NEW;
END
$$;
CREATE TRIGGER judge_freed_air BEFORE UPDATE ON core.flight_volume
    FOR EACH ROW EXECUTE FUNCTION core.judge_freed_air();

CREATE FUNCTION core.free_air() RETURNS trigger
    LANGUAGE plpgsql
    SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
    UPDATE core.flight_volume SET freed_at = clock_timestamp() WHERE flight_id = NEW.id AND freed_at IS NULL;
    RETURN NULL;
END
$$;
CREATE TRIGGER free_air AFTER UPDATE OF state ON core.flight FOR EACH ROW
    WHEN (OLD.state IN ('cleared', 'uploaded', 'airborne') AND NEW.state NOT IN ('cleared', 'uploaded', 'airborne'))
    EXECUTE FUNCTION core.free_air();

-- Whoever clears a flight takes its air: over the whole route, for the whole window.
CREATE FUNCTION core.judge_cleared() RETURNS trigger
    LANGUAGE plpgsql
    SET search_path = pg_catalog, public, pg_temp
AS $$
BEGIN
    IF EXISTS (
        SELECT FROM core.flight f JOIN core.patrol_route r ON r.id = f.route_id
        WHERE f.id = NEW.id AND f.state = 'cleared'
          AND NOT EXISTS (
            SELECT FROM core.flight_volume v WHERE v.flight_id = f.id AND v.freed_at IS NULL
            HAVING ST_Covers(ST_Union(v.geom), r.geom) AND range_agg(v.during) @> f.during)
    ) THEN
        PERFORM core.refuse('rule__DC-2__cleared_without_its_air', 'a cleared flight holds the air of its route');
    END IF;
    RETURN NULL;
END
$$;
CREATE CONSTRAINT TRIGGER judge_cleared AFTER UPDATE OF state ON core.flight
    DEFERRABLE INITIALLY DEFERRED FOR EACH ROW
    WHEN (NEW.state = 'cleared' AND OLD.state <> 'cleared' AND NEW.origin = 'live')
    EXECUTE FUNCTION core.judge_cleared();

-- ---------------------------------------------------------------------------------------------
-- A battery change is a landing on the way: the aircraft takes off again, and the flight began when it first did
-- ---------------------------------------------------------------------------------------------

INSERT INTO law.step (subject, source, target) VALUES ('flight', 'airborne', 'uploaded');
DROP TRIGGER times_are_final ON core.flight;
CREATE TRIGGER times_are_final BEFORE UPDATE ON core.flight FOR EACH ROW
    WHEN ((OLD.airborne_at IS DISTINCT FROM NEW.airborne_at
            AND (OLD.airborne_at IS NOT NULL OR OLD.state NOT IN ('uploaded', 'airborne')))
        OR (OLD.landed_at IS DISTINCT FROM NEW.landed_at AND OLD.state <> 'airborne'))
    EXECUTE FUNCTION core.refuse_change('rule__GD-36.1__times_of_a_flight_are_final');

-- ---------------------------------------------------------------------------------------------
-- A request that comes twice is filed once
-- ---------------------------------------------------------------------------------------------

ALTER TABLE core.flight
    ADD COLUMN filing_key text,
    ADD COLUMN filing_sha256 text,
    ADD CONSTRAINT ck_flight_filing_key CHECK (
        (filing_key IS NULL) = (filing_sha256 IS NULL) AND length(filing_key) BETWEEN 1 AND 64),
    ADD CONSTRAINT "rule__DC-2__filed_once" UNIQUE (pilot_id, filing_key);
CREATE TRIGGER filing_key_is_final BEFORE UPDATE ON core.flight FOR EACH ROW
    WHEN ((OLD.filing_key, OLD.filing_sha256) IS DISTINCT FROM (NEW.filing_key, NEW.filing_sha256))
    EXECUTE FUNCTION core.refuse_change('rule__DC-2__order_is_final');

-- ---------------------------------------------------------------------------------------------
-- What the unit head approved, as it was then; its hash is in the ledger event of the clearing
-- ---------------------------------------------------------------------------------------------

ALTER TABLE core.flight ADD COLUMN approval jsonb;
CREATE TRIGGER approval_is_final BEFORE UPDATE ON core.flight FOR EACH ROW
    WHEN (OLD.approval IS DISTINCT FROM NEW.approval
        AND NOT (OLD.approval IS NULL AND NEW.state = 'cleared'))
    EXECUTE FUNCTION core.refuse_change('rule__GD-20.2__record_is_fixed');
