-- The database as judge: what must never happen is refused here, whoever asks.
-- A constraint that holds a rule is named rule__<id>__<reason>; schemas/store/judge.py reads that name.

-- ---------------------------------------------------------------------------------------------
-- Shapes, states, origins
-- ---------------------------------------------------------------------------------------------

-- Not STRICT, so that the planner can put the body in place of the call; null gives null, which passes a
-- CHECK. A coordinate that is no number is never valid, and compares as greater than every number.
CREATE FUNCTION core.is_sound(shape geometry) RETURNS boolean
    LANGUAGE sql IMMUTABLE PARALLEL SAFE
RETURN geometrytype(shape) IN
        ('POINT', 'LINESTRING', 'POLYGON', 'MULTIPOINT', 'MULTILINESTRING', 'MULTIPOLYGON')
    AND ST_IsValid(shape) AND NOT ST_IsEmpty(shape)
    AND ST_XMin(shape) >= -180 AND ST_XMax(shape) <= 180
    AND ST_YMin(shape) >= -90 AND ST_YMax(shape) <= 90;

DO $$
DECLARE
    c record;
BEGIN
    FOR c IN
        SELECT g.f_table_name AS tab, g.f_geometry_column AS col FROM public.geometry_columns g
        WHERE g.f_table_schema = 'core' AND g.srid = 4326
    LOOP
        EXECUTE format('ALTER TABLE core.%I ADD CONSTRAINT %I CHECK (core.is_sound(%I))',
            c.tab, 'rule__DC-4__' || c.tab || '_' || c.col, c.col);
    END LOOP;
    FOR c IN
        SELECT k.table_name AS tab FROM information_schema.columns k
        WHERE k.table_schema = 'core' AND k.column_name = 'origin'
    LOOP
        EXECUTE format('ALTER TABLE core.%I ADD CONSTRAINT %I CHECK (origin IN (''live'', ''sample'', ''legacy''))',
            c.tab, 'ck_' || c.tab || '_origin');
    END LOOP;
END
$$;

-- The states of schemas/machines/; a test holds the two together.
ALTER TABLE core.device ADD CONSTRAINT ck_device_state CHECK (state IN
    ('registered', 'reviewed', 'published', 'active', 'maintenance', 'blocked', 'discontinued', 'retired'));
ALTER TABLE core.patrol_area ADD CONSTRAINT ck_patrol_area_state CHECK (state IN
    ('draft', 'checked', 'approved', 'published', 'effective', 'suspended', 'retired'));
ALTER TABLE core.patrol_route ADD CONSTRAINT ck_patrol_route_state CHECK (state IN
    ('draft', 'checked', 'approved', 'published', 'effective', 'suspended', 'retired'));
ALTER TABLE core.inspection_plan ADD CONSTRAINT ck_inspection_plan_state CHECK (state IN
    ('draft', 'checked', 'submitted', 'approved', 'returned', 'expired', 'cancelled'));
ALTER TABLE core.flight ADD CONSTRAINT ck_flight_state CHECK (state IN
    ('filed', 'precheck_failed', 'precheck_passed', 'airspace_pending', 'cleared', 'uploaded', 'airborne',
     'landed', 'ingested', 'closed', 'aborted', 'cancelled'));
ALTER TABLE core.detection ADD CONSTRAINT ck_detection_state CHECK (state IN
    ('new', 'assigned', 'confirmed', 'false_alarm', 'inconclusive', 'notified', 'rectifying', 'rectified',
     'transferred', 'closed'));

ALTER TABLE core.privacy_zone
    ADD CONSTRAINT ck_privacy_zone_buffer_m CHECK (buffer_m BETWEEN 0 AND 1000),
    ADD CONSTRAINT ck_privacy_zone_valid CHECK (valid_to > valid_from),
    ADD CONSTRAINT "rule__GD-15__displayed_shape_covers_the_exact_one" CHECK (ST_Covers(geom, exact_geom));
ALTER TABLE core.device
    ADD CONSTRAINT "rule__GD-14.6__secret_is_documented" CHECK (
        NOT secret OR coalesce(secret_document, '') <> '');
ALTER TABLE core.derivative
    ADD CONSTRAINT "rule__GD-43__no_pixel_of_a_zone_survives" CHECK (surviving_pixels = 0);
ALTER TABLE core.publication
    ADD CONSTRAINT ck_publication_lead_days CHECK (lead_days >= 0),
    ADD CONSTRAINT ck_publication_round_no CHECK (round_no > 0),
    -- No time zone is a full day away from UTC.
    ADD CONSTRAINT "rule__GD-14.2__date_is_that_of_the_receipt" CHECK (
        published_on - (published_at AT TIME ZONE 'UTC')::date BETWEEN -1 AND 1);

-- ---------------------------------------------------------------------------------------------
-- Two times: when a record was made is for the database alone to say
-- ---------------------------------------------------------------------------------------------

CREATE FUNCTION core.stamp() RETURNS trigger
    LANGUAGE plpgsql
    SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
    IF TG_OP = 'INSERT' THEN
        NEW.recorded_at := clock_timestamp();
    ELSIF (NEW.id, NEW.recorded_at, NEW.origin) IS DISTINCT FROM (OLD.id, OLD.recorded_at, OLD.origin) THEN
        RAISE EXCEPTION 'id, recorded_at and origin of % are fixed', TG_TABLE_NAME
            USING ERRCODE = 'check_violation', CONSTRAINT = 'rule__GD-20.2__record_is_fixed';
    END IF;
    RETURN NEW;
END
$$;

DO $$
DECLARE
    c record;
BEGIN
    FOR c IN
        SELECT k.table_name AS tab FROM information_schema.columns k
        WHERE k.table_schema = 'core' AND k.column_name = 'recorded_at'
    LOOP
        EXECUTE format('CREATE TRIGGER stamp BEFORE INSERT OR UPDATE ON core.%I
            FOR EACH ROW EXECUTE FUNCTION core.stamp()', c.tab);
    END LOOP;
END
$$;

-- ---------------------------------------------------------------------------------------------
-- The notice period (GD-14.2 to GD-14.4, GD-16.3)
-- ---------------------------------------------------------------------------------------------

-- The earliest lawful date of use, or null while too few channels show the latest round.
-- A live record counts from the day on which the database witnessed it, whatever its receipt says; a
-- live subject cannot lean on publications that an import asserted. Working days are never fewer than
-- calendar days, so the calendar count is a bound that holds for both.
CREATE FUNCTION core.earliest_use(
    p_kind text, p_subject uuid, p_place geometry, p_since date, p_live boolean, p_on date
) RETURNS date
    LANGUAGE sql STABLE SECURITY DEFINER
    SET search_path = pg_catalog, public, pg_temp
BEGIN ATOMIC
    WITH shown AS (
        SELECT
            p.channel = ANY (k.official_channels) AS official,
            min(CASE WHEN p.origin = 'live'
                THEN greatest(p.published_on, (p.recorded_at AT TIME ZONE k.timezone)::date)
                ELSE p.published_on END) AS day
        FROM core.publication p CROSS JOIN law.at(p_place, p_on) k
        WHERE p.subject_kind = p_kind AND p.subject_id = p_subject AND p.withdrawn_at IS NULL
          AND p.channel = ANY (k.official_channels || k.further_channels)
          AND (p_since IS NULL OR p.published_on >= p_since)
          AND (NOT p_live OR p.origin = 'live')
          AND p.round_no = (
              SELECT max(r.round_no) FROM core.publication r
              WHERE r.subject_kind = p_kind AND r.subject_id = p_subject)
        GROUP BY p.channel, k.official_channels
    ), ranked AS (
        SELECT s.official, s.day, row_number() OVER (PARTITION BY s.official ORDER BY s.day) AS nth FROM shown s
    )
    SELECT CASE
        WHEN count(*) FILTER (WHERE r.official) >= k.min_official_channels
         AND count(*) FILTER (WHERE NOT r.official) >= k.min_further_channels
        THEN max(r.day) FILTER (WHERE r.nth <=
                 CASE WHEN r.official THEN k.min_official_channels ELSE k.min_further_channels END)
             + k.lead_days + k.clear_days::integer
        END
    FROM law.at(p_place, p_on) k LEFT JOIN ranked r ON true
    WHERE k.id IS NOT NULL
    GROUP BY k.id, k.min_official_channels, k.min_further_channels, k.lead_days, k.clear_days;
END;

CREATE FUNCTION core.refuse(p_rule text, p_message text) RETURNS void
    LANGUAGE plpgsql
    SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
    RAISE EXCEPTION '%', p_message USING ERRCODE = 'check_violation', CONSTRAINT = p_rule;
END
$$;

-- What is used must have been shown for the notice period; `p_rule` names the article of the subject.
CREATE FUNCTION core.judge_use(
    p_kind text, p_subject uuid, p_place geometry, p_since date, p_origin text, p_on date
) RETURNS void
    LANGUAGE plpgsql
    SET search_path = pg_catalog, public, pg_temp
AS $$
DECLARE
    pack     law.pack;
    earliest date;
BEGIN
    IF p_on IS NULL THEN
        PERFORM core.refuse('rule__GD-14.2__date_of_use_is_missing', 'use without a date');
    END IF;
    pack := law.at(p_place, p_on);
    IF pack.id IS NULL THEN
        PERFORM core.refuse('rule__GD-02.1__no_rules_apply_there', 'no rule pack in force on ' || p_on);
    END IF;
    earliest := core.earliest_use(p_kind, p_subject, p_place, p_since, p_origin = 'live', p_on);
    IF earliest IS NULL THEN
        PERFORM core.refuse('rule__GD-14.3__too_few_channels', p_kind || ' is not shown on enough channels');
    END IF;
    IF p_on < earliest THEN
        PERFORM core.refuse('rule__GD-14.2__notice_period', p_kind || ' may be used from ' || earliest);
    END IF;
    IF p_origin = 'live' AND p_on > (clock_timestamp() AT TIME ZONE pack.timezone)::date THEN
        PERFORM core.refuse('rule__GD-14.2__date_of_use_lies_ahead', p_kind || ' cannot be in use from ' || p_on);
    END IF;
END
$$;

CREATE FUNCTION core.judge_device_use() RETURNS trigger
    LANGUAGE plpgsql
    SET search_path = pg_catalog, public, pg_temp
AS $$
BEGIN
    -- Maintenance and a short block need no new publication (GD-14.5); a documented secret needs none at all.
    IF NEW.state = 'active' AND NOT NEW.secret
       AND (TG_OP = 'INSERT' OR OLD.state NOT IN ('active', 'maintenance', 'blocked')) THEN
        PERFORM core.judge_use('device', NEW.id, s.geom, NEW.discontinued_on, NEW.origin, NEW.activated_on)
        FROM core.device_site s WHERE s.id = NEW.site_id;
    END IF;
    RETURN NULL;
END
$$;

CREATE FUNCTION core.judge_patrol_use() RETURNS trigger
    LANGUAGE plpgsql
    SET search_path = pg_catalog, public, pg_temp
AS $$
BEGIN
    IF NEW.state = 'effective' AND (TG_OP = 'INSERT' OR OLD.state <> 'effective') THEN
        PERFORM core.judge_use(
            TG_TABLE_NAME, NEW.id, NEW.geom, NEW.suspended_on, NEW.origin, NEW.effective_from);
    END IF;
    RETURN NULL;
END
$$;

-- At the end of the transaction, because an import may write a subject before its publications.
CREATE CONSTRAINT TRIGGER judge_use AFTER INSERT OR UPDATE OF state ON core.device
    DEFERRABLE INITIALLY DEFERRED FOR EACH ROW EXECUTE FUNCTION core.judge_device_use();
CREATE CONSTRAINT TRIGGER judge_use AFTER INSERT OR UPDATE OF state ON core.patrol_area
    DEFERRABLE INITIALLY DEFERRED FOR EACH ROW EXECUTE FUNCTION core.judge_patrol_use();
CREATE CONSTRAINT TRIGGER judge_use AFTER INSERT OR UPDATE OF state ON core.patrol_route
    DEFERRABLE INITIALLY DEFERRED FOR EACH ROW EXECUTE FUNCTION core.judge_patrol_use();

CREATE FUNCTION core.judge_publication() RETURNS trigger
    LANGUAGE plpgsql
    SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
    IF NEW.origin = 'sample' AND NOT EXISTS (SELECT FROM core.installation i WHERE i.key = 'sample_data') THEN
        PERFORM core.refuse('rule__GD-14.2__sample_publication_among_real_data',
            'this database holds no sample data');
    END IF;
    RETURN NULL;
END
$$;
CREATE CONSTRAINT TRIGGER judge_origin AFTER INSERT ON core.publication
    DEFERRABLE INITIALLY DEFERRED FOR EACH ROW EXECUTE FUNCTION core.judge_publication();

-- ---------------------------------------------------------------------------------------------
-- Private places (GD-15)
-- ---------------------------------------------------------------------------------------------

CREATE INDEX gist_privacy_zone_geography ON core.privacy_zone USING gist ((geom::geography));

CREATE FUNCTION core.judge_device_place() RETURNS trigger
    LANGUAGE plpgsql
    SET search_path = pg_catalog, public, pg_temp
AS $$
DECLARE
    site core.device_site;
    pack law.pack;
BEGIN
    IF NEW.state NOT IN ('reviewed', 'published', 'active') THEN
        RETURN NEW;
    END IF;
    SELECT * INTO site FROM core.device_site s WHERE s.id = NEW.site_id;
    pack := law.at(site.geom, coalesce(NEW.activated_on, (clock_timestamp() AT TIME ZONE 'UTC')::date));
    IF pack.id IS NULL THEN
        PERFORM core.refuse('rule__GD-02.1__no_rules_apply_there', 'no rule pack in force at this site');
    END IF;
    IF site.place_type = ANY (pack.prohibited_place_types) THEN
        PERFORM core.refuse('rule__GD-15__private_place', 'no device in a ' || site.place_type);
    END IF;
    -- The bound of 1000 m on buffers lets the index find the candidates.
    IF EXISTS (
        SELECT FROM core.privacy_zone z
        WHERE ST_DWithin(z.geom::geography, site.geom::geography, 1000 + pack.privacy_buffer_m)
          AND ST_DWithin(z.geom::geography, site.geom::geography, z.buffer_m + pack.privacy_buffer_m)
          AND z.valid_from <= clock_timestamp()
          AND (z.valid_to IS NULL OR z.valid_to > clock_timestamp())
    ) THEN
        PERFORM core.refuse('rule__GD-15__inside_privacy_zone', 'a privacy zone covers this site');
    END IF;
    RETURN NEW;
END
$$;
CREATE TRIGGER judge_place BEFORE INSERT OR UPDATE OF state, site_id ON core.device
    FOR EACH ROW EXECUTE FUNCTION core.judge_device_place();

CREATE FUNCTION core.judge_site_change() RETURNS trigger
    LANGUAGE plpgsql
    SET search_path = pg_catalog, public, pg_temp
AS $$
BEGIN
    IF EXISTS (SELECT FROM core.device d WHERE d.site_id = OLD.id AND d.state <> 'registered') THEN
        PERFORM core.refuse('rule__GD-14.5__a_moved_device_needs_a_new_site', 'this site has been reviewed');
    END IF;
    RETURN NEW;
END
$$;
CREATE TRIGGER judge_move BEFORE UPDATE ON core.device_site FOR EACH ROW
    WHEN (NOT ST_OrderingEquals(OLD.geom, NEW.geom) OR OLD.place_type <> NEW.place_type)
    EXECUTE FUNCTION core.judge_site_change();

-- ---------------------------------------------------------------------------------------------
-- Flights, originals, publications
-- ---------------------------------------------------------------------------------------------

ALTER TABLE core.flight
    ADD CONSTRAINT ck_flight_during CHECK (
        coalesce(isfinite(lower(during)) AND isfinite(upper(during)), false)),
    ADD CONSTRAINT "rule__DC-1__one_active_flight_per_aircraft" EXCLUDE USING gist
        (drone_id WITH =, during WITH &&) WHERE (state IN ('uploaded', 'airborne'));

CREATE FUNCTION core.refuse_change() RETURNS trigger
    LANGUAGE plpgsql
    SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
    PERFORM core.refuse(TG_ARGV[0], format('%s on %s is refused', TG_OP, TG_TABLE_NAME));
    RETURN NULL;
END
$$;

CREATE TRIGGER original_is_final BEFORE UPDATE ON core.scene FOR EACH ROW
    WHEN ((OLD.sha256, OLD.size_bytes, OLD.frame_hashes) IS DISTINCT FROM (NEW.sha256, NEW.size_bytes, NEW.frame_hashes))
    EXECUTE FUNCTION core.refuse_change('rule__GD-20.2__original_is_final');
CREATE TRIGGER original_is_kept BEFORE DELETE OR TRUNCATE ON core.scene
    FOR EACH STATEMENT EXECUTE FUNCTION core.refuse_change('rule__GD-20.2__original_is_kept');
CREATE TRIGGER original_is_final BEFORE UPDATE ON core.flight_frame FOR EACH ROW
    WHEN (OLD.* IS DISTINCT FROM NEW.*)
    EXECUTE FUNCTION core.refuse_change('rule__GD-20.2__original_is_final');
CREATE TRIGGER original_is_kept BEFORE DELETE OR TRUNCATE ON core.flight_frame
    FOR EACH STATEMENT EXECUTE FUNCTION core.refuse_change('rule__GD-20.2__original_is_kept');
CREATE TRIGGER copy_is_final BEFORE UPDATE ON core.derivative FOR EACH ROW
    WHEN (OLD.* IS DISTINCT FROM NEW.*)
    EXECUTE FUNCTION core.refuse_change('rule__GD-20.2__masked_copy_is_final');

-- A publication can be withdrawn, once; nothing else about it can change.
CREATE FUNCTION core.judge_publication_change() RETURNS trigger
    LANGUAGE plpgsql
    SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    -- A generated column has no value yet when a BEFORE trigger looks at the new row.
    may_differ CONSTANT text[] := '{withdrawn_at,earliest_activation}';
BEGIN
    IF OLD.withdrawn_at IS NOT NULL
       OR to_jsonb(OLD) - may_differ IS DISTINCT FROM to_jsonb(NEW) - may_differ THEN
        PERFORM core.refuse('rule__GD-14.2__publication_is_final', 'a publication can only be withdrawn, once');
    END IF;
    RETURN NEW;
END
$$;
CREATE TRIGGER publication_is_final BEFORE UPDATE ON core.publication
    FOR EACH ROW EXECUTE FUNCTION core.judge_publication_change();
CREATE TRIGGER publication_is_kept BEFORE DELETE OR TRUNCATE ON core.publication
    FOR EACH STATEMENT EXECUTE FUNCTION core.refuse_change('rule__GD-14.2__publication_is_kept');

-- ---------------------------------------------------------------------------------------------
-- Who may do what at all: records are never deleted, only sessions and login counters are
-- ---------------------------------------------------------------------------------------------

REVOKE ALL ON ALL FUNCTIONS IN SCHEMA core FROM PUBLIC;
GRANT USAGE ON SCHEMA core TO skywarden_app;
GRANT SELECT, INSERT, UPDATE ON ALL TABLES IN SCHEMA core TO skywarden_app;
GRANT DELETE ON core.web_session, core.login_attempt TO skywarden_app;
GRANT USAGE ON ALL SEQUENCES IN SCHEMA core TO skywarden_app;
GRANT EXECUTE ON ALL FUNCTIONS IN SCHEMA core TO skywarden_app;
REVOKE INSERT, UPDATE ON core.alembic_version FROM skywarden_app;
