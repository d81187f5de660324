-- The rule packs as the database judges by them. Rows are written by the migration alone, from the packs' files.

CREATE TABLE law.pack (
    id                      text NOT NULL,
    version                 integer NOT NULL,
    sha256                  text NOT NULL,
    effective_from          date NOT NULL,
    effective_to            date,
    timezone                text NOT NULL,
    jurisdiction            geometry(MULTIPOLYGON, 4326) NOT NULL,
    lead_days               integer NOT NULL,
    clear_days              boolean NOT NULL,
    min_official_channels   integer NOT NULL,
    min_further_channels    integer NOT NULL,
    official_channels       text[] NOT NULL,
    further_channels        text[] NOT NULL,
    prohibited_place_types  text[] NOT NULL,
    privacy_buffer_m        double precision NOT NULL,
    deviation_tolerance_m   double precision NOT NULL,
    flight_log_delay        interval NOT NULL,
    document                jsonb NOT NULL,
    CONSTRAINT pk_pack PRIMARY KEY (id, version)
);

CREATE FUNCTION law.load(p_document jsonb, p_sha256 text) RETURNS void
    LANGUAGE sql
    SET search_path = pg_catalog, public, pg_temp
BEGIN ATOMIC
    INSERT INTO law.pack
    SELECT
        d ->> 'id',
        (d ->> 'version')::integer,
        p_sha256,
        (d ->> 'effective_from')::date,
        (d ->> 'effective_to')::date,
        d ->> 'timezone',
        ST_SetSRID(ST_GeomFromGeoJSON(jsonb_build_object(
            'type', 'MultiPolygon', 'coordinates', d -> 'jurisdiction' -> 'polygons')), 4326),
        (v ->> 'publication.lead_days')::integer,
        (v ->> 'publication.clear_days')::boolean,
        (v -> 'publication.min_channels' ->> 'official')::integer,
        (v -> 'publication.min_channels' ->> 'further')::integer,
        ARRAY(SELECT c.key FROM jsonb_each(d -> 'channels') c WHERE (c.value ->> 'official')::boolean),
        ARRAY(SELECT c.key FROM jsonb_each(d -> 'channels') c WHERE NOT (c.value ->> 'official')::boolean),
        ARRAY(SELECT jsonb_array_elements_text(v -> 'privacy.prohibited_place_types')),
        (v ->> 'privacy.buffer_m')::double precision,
        (v ->> 'flight.deviation_tolerance_m')::double precision,
        make_interval(hours => (v ->> 'publish.flight_log_delay_hours')::integer),
        d
    FROM (SELECT p_document AS d, p_document -> 'values' AS v) given;
END;

CREATE FUNCTION law.at(place geometry, on_date date) RETURNS law.pack
    LANGUAGE sql STABLE
    SET search_path = pg_catalog, public, pg_temp
BEGIN ATOMIC
    SELECT p FROM law.pack p
    WHERE ST_Covers(p.jurisdiction, place)
      AND p.effective_from <= on_date AND (p.effective_to IS NULL OR on_date < p.effective_to)
    ORDER BY p.id, p.version DESC
    LIMIT 1;
END;
COMMENT ON FUNCTION law.at IS 'The rule pack in force at a place on a local date, or null (GD-02.1).';

REVOKE ALL ON ALL FUNCTIONS IN SCHEMA law FROM PUBLIC;
GRANT USAGE ON SCHEMA law TO skywarden_app;
GRANT SELECT ON law.pack TO skywarden_app;
GRANT EXECUTE ON FUNCTION law.at TO skywarden_app;
