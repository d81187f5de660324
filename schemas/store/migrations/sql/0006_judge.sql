-- What plain SQL cannot do to the registry: use an instrument whose calibration lapsed (GD-22.2), fly a route outside an
-- area in force or redraw that area at will (GD-16.3), and set points or plan sites where nobody may be watched (GD-15).

INSERT INTO law.step (subject, source, target) VALUES
    ('device', 'reviewed', 'registered'),
    ('device', 'discontinued', 'registered'),
    ('siting_plan', '', 'draft'),
    ('siting_plan', 'draft', 'justified'),
    ('siting_plan', 'justified', 'in_review'),
    ('siting_plan', 'justified', 'draft'),
    ('siting_plan', 'in_review', 'submitted'),
    ('siting_plan', 'in_review', 'returned'),
    ('siting_plan', 'submitted', 'approved'),
    ('siting_plan', 'submitted', 'returned'),
    ('siting_plan', 'submitted', 'rejected'),
    ('siting_plan', 'returned', 'draft'),
    ('siting_plan', 'approved', 'amended'),
    ('siting_plan', 'approved', 'revoked'),
    ('deployment_point', '', 'draft'),
    ('deployment_point', 'draft', 'checked'),
    ('deployment_point', 'draft', 'retired'),
    ('deployment_point', 'checked', 'approved'),
    ('deployment_point', 'checked', 'retired'),
    ('deployment_point', 'approved', 'published'),
    ('deployment_point', 'approved', 'retired'),
    ('deployment_point', 'published', 'effective'),
    ('deployment_point', 'published', 'retired'),
    ('deployment_point', 'effective', 'suspended'),
    ('deployment_point', 'effective', 'retired'),
    ('deployment_point', 'suspended', 'published'),
    ('deployment_point', 'suspended', 'retired');

DO $$
DECLARE
    tab text;
BEGIN
    FOREACH tab IN ARRAY ARRAY['siting_plan', 'deployment_point'] LOOP
        EXECUTE format('CREATE TRIGGER judge_first_step BEFORE INSERT ON core.%I FOR EACH ROW
            WHEN (NEW.origin = ''live'') EXECUTE FUNCTION core.judge_step()', tab);
        EXECUTE format('CREATE TRIGGER judge_step BEFORE UPDATE OF state ON core.%I FOR EACH ROW
            WHEN (OLD.state <> NEW.state) EXECUTE FUNCTION core.judge_step()', tab);
    END LOOP;
END
$$;

-- ---------------------------------------------------------------------------------------------
-- Measuring instruments (GD-22.2)
-- ---------------------------------------------------------------------------------------------

-- What the platform witnesses is judged by the database's own day; what an import asserts, by the day of use that
-- it asserts.
CREATE FUNCTION core.judge_calibration() RETURNS trigger
    LANGUAGE plpgsql
    SET search_path = pg_catalog, public, pg_temp
AS $$
DECLARE
    zone text;
    day  date := NEW.activated_on;
BEGIN
    IF NEW.origin = 'live' THEN
        SELECT (law.at(s.geom, (clock_timestamp() AT TIME ZONE 'UTC')::date)).timezone INTO zone
        FROM core.device_site s WHERE s.id = NEW.site_id;
        day := (clock_timestamp() AT TIME ZONE coalesce(zone, 'UTC'))::date;
    END IF;
    IF NEW.calibration_valid_to IS NULL OR NEW.calibration_valid_to < day THEN
        PERFORM core.refuse('rule__GD-22.2__calibration_lapsed', 'calibrated until ' || coalesce(NEW.calibration_valid_to::text, 'never'));
    END IF;
    RETURN NEW;
END
$$;
CREATE TRIGGER judge_first_calibration BEFORE INSERT ON core.device FOR EACH ROW
    WHEN (NEW.state = 'active' AND NEW.is_measuring_instrument) EXECUTE FUNCTION core.judge_calibration();
CREATE TRIGGER judge_calibration BEFORE UPDATE ON core.device FOR EACH ROW
    WHEN (NEW.state = 'active' AND NEW.is_measuring_instrument
        AND (OLD.state <> 'active' OR NOT OLD.is_measuring_instrument))
    EXECUTE FUNCTION core.judge_calibration();

-- Until when an instrument is calibrated is said by a test that it passed and by nothing else; what is one stays one
-- while it is in use.
CREATE FUNCTION core.judge_calibration_date() RETURNS trigger
    LANGUAGE plpgsql
    SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
    IF NEW.calibration_valid_to IS NOT NULL AND NOT EXISTS (
        SELECT FROM core.calibration c
        WHERE c.device_id = NEW.id AND c.passed AND c.valid_to = NEW.calibration_valid_to
    ) THEN
        PERFORM core.refuse('rule__GD-22.2__calibration_is_on_record', 'no passed test says so');
    END IF;
    RETURN NEW;
END
$$;
CREATE TRIGGER judge_calibration_date BEFORE UPDATE ON core.device FOR EACH ROW
    WHEN (NEW.origin = 'live' AND OLD.calibration_valid_to IS DISTINCT FROM NEW.calibration_valid_to)
    EXECUTE FUNCTION core.judge_calibration_date();
CREATE TRIGGER instrument_stays_one BEFORE UPDATE ON core.device FOR EACH ROW
    WHEN (OLD.is_measuring_instrument AND NOT NEW.is_measuring_instrument
        AND OLD.state IN ('active', 'maintenance', 'blocked'))
    EXECUTE FUNCTION core.refuse_change('rule__GD-22.2__instrument_stays_one');

-- ---------------------------------------------------------------------------------------------
-- Relatively fixed and published (GD-16.3)
-- ---------------------------------------------------------------------------------------------

CREATE FUNCTION core.judge_route_area() RETURNS trigger
    LANGUAGE plpgsql
    SET search_path = pg_catalog, public, pg_temp
AS $$
DECLARE
    area core.patrol_area;
BEGIN
    SELECT * INTO area FROM core.patrol_area a WHERE a.id = NEW.area_id;
    IF area.state <> 'effective' THEN
        PERFORM core.refuse('rule__GD-16.3__area_not_in_force', 'its area is ' || area.state);
    END IF;
    IF NOT ST_Covers(area.geom, NEW.geom) OR NOT ST_Covers(area.geom, NEW.home) THEN
        PERFORM core.refuse('rule__GD-16.3__route_outside_its_area', 'it leaves its area');
    END IF;
    RETURN NULL;
END
$$;
CREATE CONSTRAINT TRIGGER judge_area AFTER UPDATE OF state ON core.patrol_route
    DEFERRABLE INITIALLY DEFERRED FOR EACH ROW WHEN (NEW.state = 'effective' AND OLD.state <> 'effective')
    EXECUTE FUNCTION core.judge_route_area();
CREATE CONSTRAINT TRIGGER judge_first_area AFTER INSERT ON core.patrol_route
    DEFERRABLE INITIALLY DEFERRED FOR EACH ROW WHEN (NEW.state = 'effective')
    EXECUTE FUNCTION core.judge_route_area();

-- Another shape of an area in force: small enough, not too often, approved, and shown on its channels since.
CREATE FUNCTION core.judge_area_change() RETURNS trigger
    LANGUAGE plpgsql
    SET search_path = pg_catalog, public, pg_temp
AS $$
DECLARE
    change core.area_change;
    pack   law.pack;
    today  date;
BEGIN
    SELECT * INTO change FROM core.area_change c
    WHERE c.area_id = NEW.id AND c.area_version = NEW.area_version AND ST_OrderingEquals(c.geom, NEW.geom);
    IF OLD.state <> 'effective' OR NEW.state <> 'effective' OR NEW.area_version <= OLD.area_version
       OR change.approver_id IS NULL OR NOT ST_OrderingEquals(change.earlier_geom, OLD.geom) THEN
        RETURN core.judge_content_of(OLD.state, TG_TABLE_NAME, OLD.id, OLD.public_id, OLD.suspended_on, NEW);
    END IF;
    pack := law.at(NEW.geom, change.approved_on);
    IF ST_Area(ST_Intersection(OLD.geom, NEW.geom)::geography) <
       (pack.document -> 'values' ->> 'uav.area_iou_min')::double precision
       * ST_Area(ST_Union(OLD.geom, NEW.geom)::geography) THEN
        PERFORM core.refuse('rule__GD-16.3__change_is_a_new_area', 'the overlap is too small');
    END IF;
    -- What the platform witnesses is counted from the database's own day, what an import asserts from its approval.
    today := CASE WHEN NEW.origin = 'live' THEN (clock_timestamp() AT TIME ZONE pack.timezone)::date
                  ELSE change.approved_on END;
    IF (SELECT count(*) FROM core.area_change c WHERE c.area_id = NEW.id AND c.applied_on > today - 365)
       >= (pack.document -> 'values' ->> 'uav.max_changes_per_year')::integer THEN
        PERFORM core.refuse('rule__GD-16.3__changed_too_often', 'too many changes within a year');
    END IF;
    IF (SELECT count(DISTINCT p.channel) FILTER (WHERE p.channel = ANY (pack.official_channels))
               < pack.min_official_channels
            OR count(DISTINCT p.channel) FILTER (WHERE p.channel = ANY (pack.further_channels))
               < pack.min_further_channels
        FROM core.publication p
        WHERE p.subject_kind = 'patrol_area' AND p.subject_id = NEW.id AND p.withdrawn_at IS NULL
          AND p.published_on >= change.approved_on) THEN
        PERFORM core.refuse('rule__GD-14.3__too_few_channels', 'the change is not shown on enough channels');
    END IF;
    RETURN NEW;
END
$$;
CREATE FUNCTION core.judge_content_of(
    p_state text, p_kind text, p_subject uuid, p_public_id text, p_ended date, p_row core.patrol_area
) RETURNS core.patrol_area
    LANGUAGE plpgsql
    SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
    IF p_state IN ('published', 'effective') OR core.is_shown(p_kind, p_subject, p_ended) THEN
        PERFORM core.refuse('rule__GD-14.2__published_content_is_final',
            format('%s %s is published as it is', p_kind, p_public_id));
    END IF;
    RETURN p_row;
END
$$;
DROP TRIGGER published_content_is_final ON core.patrol_area;
CREATE TRIGGER published_content_is_final BEFORE UPDATE ON core.patrol_area FOR EACH ROW
    WHEN ((OLD.public_id, OLD.code, OLD.purpose_en, OLD.purpose_zh, OLD.item_id, OLD.authority_id, OLD.alt_min_agl_m,
           OLD.alt_max_agl_m)
        IS DISTINCT FROM
          (NEW.public_id, NEW.code, NEW.purpose_en, NEW.purpose_zh, NEW.item_id, NEW.authority_id, NEW.alt_min_agl_m,
           NEW.alt_max_agl_m))
    EXECUTE FUNCTION core.judge_content();
CREATE TRIGGER published_shape_is_final BEFORE UPDATE ON core.patrol_area FOR EACH ROW
    WHEN (NOT ST_OrderingEquals(OLD.geom, NEW.geom) OR OLD.area_version <> NEW.area_version)
    EXECUTE FUNCTION core.judge_area_change();

-- ---------------------------------------------------------------------------------------------
-- Private places, for points of deployment and for sites that a plan is granted (GD-15)
-- ---------------------------------------------------------------------------------------------

CREATE FUNCTION core.judge_point(p_geom geometry, p_place_type text, p_on date) RETURNS void
    LANGUAGE plpgsql
    SET search_path = pg_catalog, public, pg_temp
AS $$
DECLARE
    pack law.pack := law.at(p_geom, p_on);
BEGIN
    IF pack.id IS NULL THEN
        PERFORM core.refuse('rule__GD-02.1__no_rules_apply_there', 'no rule pack in force at this place');
    END IF;
    IF p_place_type = ANY (pack.prohibited_place_types) THEN
        PERFORM core.refuse('rule__GD-15__private_place', 'nothing in a ' || p_place_type);
    END IF;
    IF EXISTS (
        SELECT FROM core.privacy_zone z
        WHERE ST_DWithin(z.geom::geography, p_geom::geography, 1000 + pack.privacy_buffer_m)
          AND ST_DWithin(z.geom::geography, p_geom::geography, z.buffer_m + pack.privacy_buffer_m)
          AND z.valid_from <= clock_timestamp()
          AND (z.valid_to IS NULL OR z.valid_to > clock_timestamp())
    ) THEN
        PERFORM core.refuse('rule__GD-15__inside_privacy_zone', 'a privacy zone covers this place');
    END IF;
END
$$;
CREATE FUNCTION core.judge_deployment_place() RETURNS trigger
    LANGUAGE plpgsql
    SET search_path = pg_catalog, public, pg_temp
AS $$
BEGIN
    PERFORM core.judge_point(
        NEW.geom, NULL, coalesce(NEW.effective_from, (clock_timestamp() AT TIME ZONE 'UTC')::date));
    RETURN NEW;
END
$$;
CREATE TRIGGER judge_place BEFORE INSERT OR UPDATE OF state, geom ON core.deployment_point FOR EACH ROW
    WHEN (NEW.state IN ('approved', 'published', 'effective')) EXECUTE FUNCTION core.judge_deployment_place();
CREATE FUNCTION core.judge_planned_place() RETURNS trigger
    LANGUAGE plpgsql
    SET search_path = pg_catalog, public, pg_temp
AS $$
BEGIN
    PERFORM core.judge_point(NEW.geom, NEW.place_type, (clock_timestamp() AT TIME ZONE 'UTC')::date);
    RETURN NEW;
END
$$;
CREATE TRIGGER judge_place BEFORE INSERT OR UPDATE OF decision ON core.planned_site FOR EACH ROW
    WHEN (NEW.decision = 'approved') EXECUTE FUNCTION core.judge_planned_place();

-- What every authority was held to before overlays could be switched, it is held to still, until it decides otherwise.
INSERT INTO core.overlay_switch (authority_id, overlay, is_on, reason, id, public_id, origin)
SELECT a.id, o.name, true, 'in force before overlays could be switched', gen_random_uuid(),
       'OS-' || upper(substr(md5(a.id::text || o.name), 1, 12)), a.origin
FROM core.authority a CROSS JOIN unnest(ARRAY['lf-2024', 'lx-2024', 'ir-2023', 'jn-2024']) AS o (name);

REVOKE ALL ON FUNCTION core.judge_calibration, core.judge_calibration_date, core.judge_route_area, core.judge_area_change,
    core.judge_content_of, core.judge_point, core.judge_deployment_place, core.judge_planned_place FROM PUBLIC;
GRANT EXECUTE ON FUNCTION core.judge_calibration, core.judge_calibration_date, core.judge_route_area,
    core.judge_area_change, core.judge_content_of, core.judge_point, core.judge_deployment_place,
    core.judge_planned_place TO skywarden_app;
