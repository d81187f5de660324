-- Privacy zones with a height band and a schedule (GD-16.5), and how long an aircraft can stay in the air.

-- Whether hours are written as zones have them: [{"days": ["MON"], "from": "22:00", "until": "06:00"}], each period
-- beginning on its days in the local time of the rule pack, over midnight where it ends before it begins.
CREATE FUNCTION core.are_hours(hours jsonb) RETURNS boolean
    LANGUAGE sql IMMUTABLE PARALLEL SAFE
    SET search_path = pg_catalog, pg_temp
AS $$
    SELECT CASE WHEN jsonb_typeof(hours) IS DISTINCT FROM 'array' THEN false ELSE
        jsonb_array_length(hours) BETWEEN 1 AND 50 AND (
            SELECT bool_and(CASE WHEN jsonb_typeof(h) <> 'object' OR jsonb_typeof(h -> 'days') IS DISTINCT FROM 'array'
                THEN false
                ELSE h - ARRAY['days', 'from', 'until'] = '{}'
                    AND jsonb_array_length(h -> 'days') BETWEEN 1 AND 7
                    AND h -> 'days' <@ '["MON", "TUE", "WED", "THU", "FRI", "SAT", "SUN"]'
                    AND (SELECT count(DISTINCT d) = count(*) FROM jsonb_array_elements(h -> 'days') AS d)
                    AND coalesce(jsonb_typeof(h -> 'from') = 'string' AND jsonb_typeof(h -> 'until') = 'string', false)
                    AND (h ->> 'from') ~ '^([01][0-9]|2[0-3]):[0-5][0-9]$'
                    AND (h ->> 'until') ~ '^(([01][0-9]|2[0-3]):[0-5][0-9]|24:00)$'
                    AND (h ->> 'from') <> (h ->> 'until')
                END)
            FROM jsonb_array_elements(hours) AS h)
        END
$$;

ALTER TABLE core.privacy_zone
    ADD COLUMN floor_agl_m double precision,
    ADD COLUMN ceiling_agl_m double precision,
    ADD COLUMN schedule jsonb,
    ADD CONSTRAINT "rule__DC-4__privacy_zone_height_band" CHECK (
        floor_agl_m BETWEEN 0 AND 20000 AND ceiling_agl_m BETWEEN 0 AND 20000 AND floor_agl_m < ceiling_agl_m),
    ADD CONSTRAINT "rule__DC-4__privacy_zone_schedule" CHECK (schedule IS NULL OR core.are_hours(schedule)),
    -- When and how high a hidden place counts would tell what it is; and what a check refuses would tell it too.
    ADD CONSTRAINT "rule__GD-15__sensitive_zone_always_counts" CHECK (
        NOT sensitive OR (floor_agl_m IS NULL AND ceiling_agl_m IS NULL AND schedule IS NULL)),
    -- Whoever has a shape to hide is sensitive: the public view goes by that word.
    ADD CONSTRAINT "rule__GD-15__hidden_shape_is_sensitive" CHECK (sensitive OR exact_geom IS NULL);

CREATE TRIGGER band_is_final BEFORE UPDATE ON core.privacy_zone FOR EACH ROW
    WHEN ((OLD.floor_agl_m, OLD.ceiling_agl_m, OLD.schedule)
        IS DISTINCT FROM (NEW.floor_agl_m, NEW.ceiling_agl_m, NEW.schedule))
    EXECUTE FUNCTION core.refuse_change('rule__GD-15__zone_is_final');

CREATE OR REPLACE VIEW public_map.privacy_zones WITH (security_barrier) AS
SELECT z.public_id,
       CASE WHEN z.sensitive THEN 'other' ELSE z.kind END AS kind,
       CASE WHEN NOT z.sensitive THEN z.name_en END AS name_en,
       CASE WHEN NOT z.sensitive THEN z.name_zh END AS name_zh,
       CASE WHEN NOT z.sensitive THEN z.source END AS source,
       z.buffer_m, z.valid_from, z.valid_to, z.origin, z.geom, z.geom_3857,
       z.floor_agl_m, z.ceiling_agl_m, z.schedule
FROM core.privacy_zone z
WHERE z.valid_to IS NULL OR z.valid_to > now();

ALTER TABLE core.drone
    ADD COLUMN endurance_min double precision,
    ADD CONSTRAINT "rule__DC-4__drone_endurance_min" CHECK (endurance_min > 0 AND endurance_min <= 100000);
