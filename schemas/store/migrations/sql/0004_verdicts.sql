-- What the engine found of a flight, from its live track and from its logs; photos with pose and footprint.

CREATE TABLE core.flight_verdict (
    id bigint GENERATED ALWAYS AS IDENTITY,
    flight_id uuid NOT NULL,
    source text NOT NULL,
    log_sha256 text,
    log_name text,
    engine text NOT NULL,
    as_published boolean NOT NULL,
    thresholds jsonb NOT NULL,
    report jsonb NOT NULL,
    judged_by uuid,
    judged_at timestamptz NOT NULL DEFAULT clock_timestamp(),
    CONSTRAINT pk_flight_verdict PRIMARY KEY (id),
    CONSTRAINT fk_flight_verdict_flight_id_flight FOREIGN KEY (flight_id) REFERENCES core.flight (id),
    CONSTRAINT fk_flight_verdict_judged_by_person FOREIGN KEY (judged_by) REFERENCES core.person (id),
    CONSTRAINT ck_flight_verdict_source CHECK (source IN ('live', 'tlog', 'bin')),
    -- The live track is in the database; a log is a file, and is named by what it holds.
    CONSTRAINT ck_flight_verdict_log CHECK (
        CASE source WHEN 'live' THEN log_sha256 IS NULL ELSE coalesce(log_sha256 ~ '^[0-9a-f]{64}$', false) END)
);
CREATE INDEX ix_flight_verdict_flight_id ON core.flight_verdict (flight_id, id);
-- Whoever finds otherwise later adds a verdict; what was found stays.
CREATE TRIGGER record_is_final BEFORE UPDATE OR DELETE ON core.flight_verdict FOR EACH ROW
    EXECUTE FUNCTION core.refuse_change('rule__GD-20.2__record_is_fixed');
CREATE TRIGGER record_is_kept BEFORE TRUNCATE ON core.flight_verdict FOR EACH STATEMENT
    EXECUTE FUNCTION core.refuse_change('rule__GD-20.2__record_is_fixed');
CREATE FUNCTION core.stamp_verdict() RETURNS trigger
    LANGUAGE plpgsql
    SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
    NEW.judged_at := clock_timestamp();
    RETURN NEW;
END
$$;
CREATE TRIGGER stamp_verdict BEFORE INSERT ON core.flight_verdict
    FOR EACH ROW EXECUTE FUNCTION core.stamp_verdict();
GRANT SELECT, INSERT ON core.flight_verdict TO skywarden_app;
GRANT USAGE ON ALL SEQUENCES IN SCHEMA core TO skywarden_app;

-- A photo with its place in the flight: pose from the track at its time, what it shows of the ground, how wrong
-- that can be. What was not known when it was handed in is null; rows from before this are all null.
ALTER TABLE core.flight_frame
    ADD COLUMN pitch_deg double precision,
    ADD COLUMN roll_deg double precision,
    ADD COLUMN gimbal_pitch_deg double precision,
    ADD COLUMN footprint geometry(POLYGON, 4326),
    ADD COLUMN position_error_m double precision,
    ADD COLUMN pose jsonb NOT NULL DEFAULT '{}',
    ADD COLUMN quarantined boolean NOT NULL DEFAULT false,
    ADD COLUMN quarantine_reason text,
    ADD CONSTRAINT "rule__DC-4__flight_frame_pose" CHECK (
        abs(pitch_deg) <= 180 AND abs(roll_deg) <= 180 AND abs(gimbal_pitch_deg) <= 180
        AND position_error_m >= 0 AND position_error_m < 'Infinity'),
    ADD CONSTRAINT "rule__DC-4__flight_frame_footprint" CHECK (core.is_sound(footprint)),
    ADD CONSTRAINT ck_flight_frame_quarantine CHECK (quarantined = (quarantine_reason IS NOT NULL));
CREATE INDEX gist_flight_frame_footprint ON core.flight_frame USING gist (footprint);

-- ---------------------------------------------------------------------------------------------
-- A flight without a link to the platform is declared flown by its pilot, and judged from its log
-- ---------------------------------------------------------------------------------------------

INSERT INTO law.step (subject, source, target) VALUES
    ('flight', 'cleared', 'landed'),
    ('flight', 'uploaded', 'landed');
DROP TRIGGER times_are_final ON core.flight;
CREATE TRIGGER times_are_final BEFORE UPDATE ON core.flight FOR EACH ROW
    WHEN ((OLD.airborne_at IS DISTINCT FROM NEW.airborne_at
            AND (OLD.airborne_at IS NOT NULL
                OR NOT (OLD.state IN ('uploaded', 'airborne') OR (OLD.state = 'cleared' AND NEW.state = 'landed'))))
        OR (OLD.landed_at IS DISTINCT FROM NEW.landed_at
            AND NOT (OLD.state = 'airborne' OR (OLD.state IN ('cleared', 'uploaded') AND NEW.state = 'landed'))))
    EXECUTE FUNCTION core.refuse_change('rule__GD-36.1__times_of_a_flight_are_final');

-- ---------------------------------------------------------------------------------------------
-- The public log: flown as published, yes or no, by the newest verdict of every source
-- ---------------------------------------------------------------------------------------------

CREATE OR REPLACE VIEW public_map.flight_log WITH (security_barrier) AS
SELECT f.public_id, r.public_id AS route_id, r.name_en AS route_en, r.name_zh AS route_zh,
       q.public_id AS area_id, q.name_en AS area_en, q.name_zh AS area_zh,
       a.name_en AS authority_en, a.name_zh AS authority_zh,
       (f.airborne_at AT TIME ZONE k.timezone)::date AS flown_on,
       (round(extract(epoch FROM f.landed_at - f.airborne_at) / 900) * 15)::integer AS duration_min,
       f.stayed_inside,
       CASE WHEN f.deviation_lateral_m > k.deviation_tolerance_m OR NOT j.as_published
            THEN 'deviating' ELSE 'as_published' END AS flown,
       f.origin,
       j.as_published AND NOT coalesce(f.deviation_lateral_m > k.deviation_tolerance_m, false) AS flown_as_published
FROM core.flight f
JOIN core.patrol_route r ON r.id = f.route_id
JOIN core.patrol_area q ON q.id = r.area_id
JOIN core.authority a ON a.id = f.authority_id
JOIN LATERAL (
    SELECT p.timezone, p.deviation_tolerance_m, p.flight_log_delay FROM law.pack p
    WHERE ST_Covers(p.jurisdiction, r.geom)
      AND p.effective_from <= (f.airborne_at AT TIME ZONE p.timezone)::date
      AND (p.effective_to IS NULL OR p.effective_to > (f.airborne_at AT TIME ZONE p.timezone)::date)) k ON true
CROSS JOIN LATERAL (
    SELECT bool_and(newest.as_published) AS as_published
    FROM (SELECT DISTINCT ON (v.source) v.as_published FROM core.flight_verdict v
          WHERE v.flight_id = f.id ORDER BY v.source, v.id DESC) newest) j
WHERE f.state = 'closed' AND f.landed_at + k.flight_log_delay <= now();
