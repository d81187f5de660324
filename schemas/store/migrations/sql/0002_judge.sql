-- What plain SQL could still do after 0001: change what is published, lend a device a secret for the moment of its
-- activation, write dates of use at will, fly one aircraft twice, and rewrite what was announced or found.

-- ---------------------------------------------------------------------------------------------
-- What a channel carries stays as it is for as long as the channel carries it (GD-14.2, GD-14.5, GD-16.3)
-- ---------------------------------------------------------------------------------------------

CREATE FUNCTION core.is_shown(p_kind text, p_subject uuid, p_since date) RETURNS boolean
    LANGUAGE sql STABLE
RETURN EXISTS (
    SELECT FROM core.publication p
    WHERE p.subject_kind = p_kind AND p.subject_id = p_subject AND p.withdrawn_at IS NULL
      AND (p_since IS NULL OR p.published_on >= p_since));
COMMENT ON FUNCTION core.is_shown IS 'Whether a channel carries the subject, since its last end of use if there was one.';

CREATE FUNCTION core.judge_content() RETURNS trigger
    LANGUAGE plpgsql
    SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    ended date := CASE TG_TABLE_NAME WHEN 'device' THEN to_jsonb(OLD) ->> 'discontinued_on'
                                     ELSE to_jsonb(OLD) ->> 'suspended_on' END;
BEGIN
    IF OLD.state IN ('published', 'active', 'maintenance', 'blocked', 'effective')
       OR core.is_shown(TG_TABLE_NAME, OLD.id, ended) THEN
        PERFORM core.refuse('rule__GD-14.2__published_content_is_final',
            format('%s %s is published as it is', TG_TABLE_NAME, OLD.public_id));
    END IF;
    RETURN NEW;
END
$$;
CREATE TRIGGER published_content_is_final BEFORE UPDATE ON core.device FOR EACH ROW
    WHEN ((OLD.public_id, OLD.site_id, OLD.platform, OLD.device_type, OLD.purpose_en, OLD.purpose_zh, OLD.item_id,
           OLD.authority_id)
        IS DISTINCT FROM
          (NEW.public_id, NEW.site_id, NEW.platform, NEW.device_type, NEW.purpose_en, NEW.purpose_zh, NEW.item_id,
           NEW.authority_id))
    EXECUTE FUNCTION core.judge_content();
CREATE TRIGGER published_content_is_final BEFORE UPDATE ON core.patrol_area FOR EACH ROW
    WHEN ((OLD.public_id, OLD.code, OLD.purpose_en, OLD.purpose_zh, OLD.item_id, OLD.authority_id, OLD.alt_min_agl_m,
           OLD.alt_max_agl_m)
        IS DISTINCT FROM
          (NEW.public_id, NEW.code, NEW.purpose_en, NEW.purpose_zh, NEW.item_id, NEW.authority_id, NEW.alt_min_agl_m,
           NEW.alt_max_agl_m)
        OR NOT ST_OrderingEquals(OLD.geom, NEW.geom))
    EXECUTE FUNCTION core.judge_content();
CREATE TRIGGER published_content_is_final BEFORE UPDATE ON core.patrol_route FOR EACH ROW
    WHEN ((OLD.public_id, OLD.code, OLD.area_id, OLD.authority_id, OLD.route_version, OLD.alt_agl_m,
           OLD.camera_hfov_deg, OLD.home_amsl_m, OLD.speed_m_s, OLD.trigger_distance_m, OLD.mission, OLD.mission_digest)
        IS DISTINCT FROM
          (NEW.public_id, NEW.code, NEW.area_id, NEW.authority_id, NEW.route_version, NEW.alt_agl_m,
           NEW.camera_hfov_deg, NEW.home_amsl_m, NEW.speed_m_s, NEW.trigger_distance_m, NEW.mission, NEW.mission_digest)
        OR NOT ST_OrderingEquals(OLD.geom, NEW.geom) OR NOT ST_OrderingEquals(OLD.home, NEW.home))
    EXECUTE FUNCTION core.judge_content();

-- 0001 holds the place of a reviewed site; this holds the words for it once a device there is published.
CREATE FUNCTION core.judge_site_words() RETURNS trigger
    LANGUAGE plpgsql
    SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
    IF EXISTS (
        SELECT FROM core.device d
        WHERE d.site_id = OLD.id
          AND (d.state IN ('published', 'active', 'maintenance', 'blocked')
               OR core.is_shown('device', d.id, d.discontinued_on))
    ) THEN
        PERFORM core.refuse('rule__GD-14.2__published_content_is_final', 'this site is published as it is');
    END IF;
    RETURN NEW;
END
$$;
CREATE TRIGGER published_content_is_final BEFORE UPDATE ON core.device_site FOR EACH ROW
    WHEN (OLD.place_text <> NEW.place_text)
    EXECUTE FUNCTION core.judge_site_words();

-- ---------------------------------------------------------------------------------------------
-- Use without notice: by way of a pause, a block or a secret (GD-14.2, GD-14.6)
-- ---------------------------------------------------------------------------------------------

CREATE OR REPLACE FUNCTION core.judge_device_use() RETURNS trigger
    LANGUAGE plpgsql
    SET search_path = pg_catalog, public, pg_temp
AS $$
DECLARE
    -- A device that is paused or blocked has been used, and comes back without a new publication (GD-14.5).
    used CONSTANT text[] := '{active,maintenance,blocked}';
BEGIN
    -- A documented secret needs no publication; once it is none, it needs what all others do.
    IF NEW.state = ANY (used) AND NOT NEW.secret
       AND (TG_OP = 'INSERT' OR OLD.secret OR OLD.state <> ALL (used)) THEN
        PERFORM core.judge_use('device', NEW.id, s.geom, NEW.discontinued_on, NEW.origin, NEW.activated_on)
        FROM core.device_site s WHERE s.id = NEW.site_id;
    END IF;
    RETURN NULL;
END
$$;
DROP TRIGGER judge_use ON core.device;
CREATE CONSTRAINT TRIGGER judge_use AFTER INSERT OR UPDATE OF state, secret ON core.device
    DEFERRABLE INITIALLY DEFERRED FOR EACH ROW EXECUTE FUNCTION core.judge_device_use();

-- ---------------------------------------------------------------------------------------------
-- Dates of use are written by the step that they date, and use ends after it began (GD-14.2, GD-14.4)
-- ---------------------------------------------------------------------------------------------

CREATE FUNCTION core.judge_device_dates() RETURNS trigger
    LANGUAGE plpgsql
    SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    begins CONSTANT boolean := NEW.state = 'active' AND OLD.state IN ('published', 'reviewed');
    ends   CONSTANT boolean := NEW.state = 'discontinued' AND OLD.state <> 'discontinued';
BEGIN
    IF NOT begins AND OLD.activated_on IS DISTINCT FROM NEW.activated_on THEN
        PERFORM core.refuse('rule__GD-14.2__date_of_use_is_final', 'activated_on is written when use begins');
    END IF;
    IF NOT ends AND OLD.discontinued_on IS DISTINCT FROM NEW.discontinued_on THEN
        PERFORM core.refuse('rule__GD-14.4__date_of_ending_is_final', 'discontinued_on is written when use ends');
    END IF;
    IF ends AND (NEW.discontinued_on IS NULL OR NEW.discontinued_on < OLD.activated_on) THEN
        PERFORM core.refuse('rule__GD-14.4__date_of_ending_is_missing', 'use ends on a day, after it began');
    END IF;
    RETURN NEW;
END
$$;
CREATE TRIGGER judge_dates BEFORE UPDATE ON core.device FOR EACH ROW
    WHEN (OLD.state <> NEW.state
        OR (OLD.activated_on, OLD.discontinued_on) IS DISTINCT FROM (NEW.activated_on, NEW.discontinued_on))
    EXECUTE FUNCTION core.judge_device_dates();

CREATE FUNCTION core.judge_patrol_dates() RETURNS trigger
    LANGUAGE plpgsql
    SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    begins CONSTANT boolean := NEW.state = 'effective' AND OLD.state <> 'effective';
    ends   CONSTANT boolean := NEW.state = 'suspended' AND OLD.state <> 'suspended';
BEGIN
    IF NOT begins AND OLD.effective_from IS DISTINCT FROM NEW.effective_from THEN
        PERFORM core.refuse('rule__GD-14.2__date_of_use_is_final', 'effective_from is written when use begins');
    END IF;
    IF NOT ends AND OLD.suspended_on IS DISTINCT FROM NEW.suspended_on
       AND NOT (begins AND NEW.suspended_on IS NULL) THEN
        PERFORM core.refuse('rule__GD-14.4__date_of_ending_is_final', 'suspended_on is written when use ends');
    END IF;
    IF ends AND (NEW.suspended_on IS NULL OR NEW.suspended_on < OLD.effective_from) THEN
        PERFORM core.refuse('rule__GD-14.4__date_of_ending_is_missing', 'use ends on a day, after it began');
    END IF;
    RETURN NEW;
END
$$;
CREATE OR REPLACE FUNCTION core.judge_patrol_use() RETURNS trigger
    LANGUAGE plpgsql
    SET search_path = pg_catalog, public, pg_temp
AS $$
BEGIN
    IF NEW.state = 'effective' AND (TG_OP = 'INSERT' OR OLD.state <> 'effective') THEN
        -- The step clears the day of the suspension, from which the new notice counts (GD-14.4).
        PERFORM core.judge_use(
            TG_TABLE_NAME, NEW.id, NEW.geom,
            CASE TG_OP WHEN 'UPDATE' THEN coalesce(NEW.suspended_on, OLD.suspended_on) ELSE NEW.suspended_on END,
            NEW.origin, NEW.effective_from);
    END IF;
    RETURN NULL;
END
$$;

DO $$
DECLARE
    tab text;
BEGIN
    FOREACH tab IN ARRAY ARRAY['patrol_area', 'patrol_route'] LOOP
        EXECUTE format('CREATE TRIGGER judge_dates BEFORE UPDATE ON core.%I FOR EACH ROW
            WHEN (OLD.state <> NEW.state
                OR (OLD.effective_from, OLD.suspended_on) IS DISTINCT FROM (NEW.effective_from, NEW.suspended_on))
            EXECUTE FUNCTION core.judge_patrol_dates()', tab);
    END LOOP;
END
$$;

-- ---------------------------------------------------------------------------------------------
-- Flights (DC-1, DC-2)
-- ---------------------------------------------------------------------------------------------

-- Whatever their windows say: an aircraft is in the air once. 0001 keeps windows of active flights apart.
ALTER TABLE core.flight
    ADD CONSTRAINT "rule__DC-1__one_flight_in_the_air_per_aircraft" EXCLUDE USING gist
        (drone_id WITH =) WHERE (state = 'airborne');

CREATE TRIGGER order_is_final BEFORE UPDATE ON core.flight FOR EACH ROW
    WHEN ((OLD.authority_id, OLD.inspection_plan_id, OLD.route_id, OLD.route_version, OLD.drone_id, OLD.pilot_id,
           OLD.mission_digest)
        IS DISTINCT FROM
          (NEW.authority_id, NEW.inspection_plan_id, NEW.route_id, NEW.route_version, NEW.drone_id, NEW.pilot_id,
           NEW.mission_digest))
    EXECUTE FUNCTION core.refuse_change('rule__DC-2__order_is_final');
-- A pilot may file again what failed the precheck; the window ends with the landing.
CREATE TRIGGER filed_plan_is_final BEFORE UPDATE ON core.flight FOR EACH ROW
    WHEN ((OLD.plan_name, OLD.plan_digest, OLD.plan_bytes) IS DISTINCT FROM (NEW.plan_name, NEW.plan_digest, NEW.plan_bytes)
        AND OLD.state NOT IN ('filed', 'precheck_failed'))
    EXECUTE FUNCTION core.refuse_change('rule__DC-2__filed_plan_is_final');
CREATE TRIGGER window_is_final BEFORE UPDATE ON core.flight FOR EACH ROW
    WHEN (OLD.during <> NEW.during AND NOT (OLD.state IN ('airborne', 'landed') AND NEW.state = 'landed'))
    EXECUTE FUNCTION core.refuse_change('rule__GD-16.1__window_is_final');

-- ---------------------------------------------------------------------------------------------
-- What was announced, reviewed, received or found stays as it was recorded (GD-14.4, GD-20.2)
-- ---------------------------------------------------------------------------------------------

DO $$
DECLARE
    tab text;
BEGIN
    FOREACH tab IN ARRAY ARRAY['announcement', 'device_review', 'signage', 'segmentation_run', 'telemetry_point'] LOOP
        EXECUTE format('CREATE TRIGGER record_is_final BEFORE UPDATE ON core.%I FOR EACH ROW
            WHEN (OLD.* IS DISTINCT FROM NEW.*)
            EXECUTE FUNCTION core.refuse_change(''rule__GD-20.2__record_is_fixed'')', tab);
    END LOOP;
END
$$;
CREATE TRIGGER record_is_final BEFORE UPDATE ON core.detection FOR EACH ROW
    WHEN ((OLD.run_id, OLD.ordinal, OLD.scene_id, OLD.kind, OLD.score, OLD.area_m2, OLD.rule_trace, OLD.context,
           OLD.provenance, OLD.formed_at)
        IS DISTINCT FROM
          (NEW.run_id, NEW.ordinal, NEW.scene_id, NEW.kind, NEW.score, NEW.area_m2, NEW.rule_trace, NEW.context,
           NEW.provenance, NEW.formed_at)
        OR NOT ST_OrderingEquals(OLD.geom, NEW.geom))
    EXECUTE FUNCTION core.refuse_change('rule__GD-20.2__record_is_fixed');
-- A zone can end; another shape is another zone.
CREATE TRIGGER record_is_final BEFORE UPDATE ON core.privacy_zone FOR EACH ROW
    WHEN ((OLD.public_id, OLD.kind, OLD.sensitive, OLD.buffer_m, OLD.source, OLD.valid_from)
        IS DISTINCT FROM (NEW.public_id, NEW.kind, NEW.sensitive, NEW.buffer_m, NEW.source, NEW.valid_from)
        OR NOT ST_OrderingEquals(OLD.geom, NEW.geom)
        OR (OLD.exact_geom IS NULL) <> (NEW.exact_geom IS NULL) OR NOT ST_OrderingEquals(OLD.exact_geom, NEW.exact_geom))
    EXECUTE FUNCTION core.refuse_change('rule__GD-15__zone_is_final');

-- ---------------------------------------------------------------------------------------------
-- A register of real authorities never turns into one of sample data, where anyone may act as anyone
-- ---------------------------------------------------------------------------------------------

CREATE FUNCTION core.judge_installation() RETURNS trigger
    LANGUAGE plpgsql
    SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
    IF TG_OP = 'UPDATE' OR EXISTS (SELECT FROM core.authority a WHERE a.origin <> 'sample') THEN
        PERFORM core.refuse('rule__GD-14.2__sample_data_among_real_data',
            'only an empty database can be marked as one of sample data');
    END IF;
    RETURN NEW;
END
$$;
CREATE TRIGGER judge_installation BEFORE INSERT ON core.installation
    FOR EACH ROW WHEN (NEW.key = 'sample_data') EXECUTE FUNCTION core.judge_installation();
CREATE TRIGGER judge_installation_change BEFORE UPDATE ON core.installation
    FOR EACH ROW WHEN (OLD.key = 'sample_data' OR NEW.key = 'sample_data') EXECUTE FUNCTION core.judge_installation();

-- ---------------------------------------------------------------------------------------------
-- The ledger stays readable: one event is one line, and its time is one that calendars can write
-- ---------------------------------------------------------------------------------------------

-- RFC 8785 knows no raw control character; a line end in a body would cut the export in two.
ALTER TABLE ledger.event
    ADD CONSTRAINT ck_event_body_is_one_line CHECK (convert_from(body, 'UTF8') !~ '[\x01-\x1f]') NOT VALID,
    ADD CONSTRAINT ck_event_effective_at_is_writable CHECK (
        effective_at BETWEEN '0001-01-02 00:00:00+00' AND '9999-12-30 00:00:00+00') NOT VALID;

REVOKE ALL ON ALL FUNCTIONS IN SCHEMA core FROM PUBLIC;
GRANT EXECUTE ON ALL FUNCTIONS IN SCHEMA core TO skywarden_app;
