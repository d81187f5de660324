-- Nothing runs unseen: a channel takes only what was reviewed or approved, the own map shows what it is said to carry from
-- that moment on, what is in use stays published, and what was ever shown is no secret any more (GD-14).

-- ---------------------------------------------------------------------------------------------
-- No channel before the reviews of a device, or the approval of an area, a point or a route (GD-14.2, GD-16.3)
-- ---------------------------------------------------------------------------------------------

CREATE FUNCTION core.judge_channel() RETURNS trigger
    LANGUAGE plpgsql
    SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    subject record;
BEGIN
    SELECT * INTO subject FROM (
        SELECT d.state, d.secret FROM core.device d WHERE NEW.subject_kind = 'device' AND d.id = NEW.subject_id
        UNION ALL
        SELECT a.state, false FROM core.patrol_area a WHERE NEW.subject_kind = 'patrol_area' AND a.id = NEW.subject_id
        UNION ALL
        SELECT r.state, false FROM core.patrol_route r WHERE NEW.subject_kind = 'patrol_route' AND r.id = NEW.subject_id
        UNION ALL
        SELECT o.state, false FROM core.deployment_point o
        WHERE NEW.subject_kind = 'deployment_point' AND o.id = NEW.subject_id
    ) AS s;
    IF subject.secret THEN
        PERFORM core.refuse('rule__GD-14.6__secret_is_never_shown', 'a secret is on no channel');
    END IF;
    IF coalesce(subject.state, 'draft') IN ('registered', 'draft', 'checked', 'retired') THEN
        PERFORM core.refuse('rule__GD-14.2__shown_before_it_is_approved',
            format('no channel takes what is %s', coalesce(subject.state, 'not there')));
    END IF;
    RETURN NULL;
END
$$;
-- At the end of the transaction, because an import may write a subject after its publications. What sample data assert is
-- a story that is told, which nobody takes for real.
CREATE CONSTRAINT TRIGGER judge_channel AFTER INSERT ON core.publication
    DEFERRABLE INITIALLY DEFERRED FOR EACH ROW WHEN (NEW.origin <> 'sample') EXECUTE FUNCTION core.judge_channel();

CREATE FUNCTION core.judge_return_to_review() RETURNS trigger
    LANGUAGE plpgsql
    SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
    IF core.is_shown('device', OLD.id, NULL) THEN
        PERFORM core.refuse('rule__GD-14.2__published_content_is_final',
            format('device %s is published as it is', OLD.public_id));
    END IF;
    RETURN NEW;
END
$$;
CREATE TRIGGER shown_is_not_registered_anew BEFORE UPDATE OF state ON core.device FOR EACH ROW
    WHEN (OLD.state = 'reviewed' AND NEW.state = 'registered') EXECUTE FUNCTION core.judge_return_to_review();

-- ---------------------------------------------------------------------------------------------
-- What is in use stays published (GD-14.2, GD-14.4)
-- ---------------------------------------------------------------------------------------------

CREATE FUNCTION core.judge_taking_down() RETURNS trigger
    LANGUAGE plpgsql
    SET search_path = pg_catalog, public, pg_temp
AS $$
DECLARE
    used record;
BEGIN
    SELECT * INTO used FROM (
        SELECT s.geom, d.discontinued_on AS since, d.origin FROM core.device d JOIN core.device_site s ON s.id = d.site_id
        WHERE NEW.subject_kind = 'device' AND d.id = NEW.subject_id AND NOT d.secret
          AND d.state IN ('active', 'maintenance', 'blocked')
        UNION ALL
        SELECT a.geom, a.suspended_on, a.origin FROM core.patrol_area a
        WHERE NEW.subject_kind = 'patrol_area' AND a.id = NEW.subject_id AND a.state = 'effective'
        UNION ALL
        SELECT r.geom, r.suspended_on, r.origin FROM core.patrol_route r
        WHERE NEW.subject_kind = 'patrol_route' AND r.id = NEW.subject_id AND r.state = 'effective'
        UNION ALL
        SELECT o.geom, o.suspended_on, o.origin FROM core.deployment_point o
        WHERE NEW.subject_kind = 'deployment_point' AND o.id = NEW.subject_id AND o.state = 'effective'
    ) AS s;
    IF FOUND AND core.earliest_use(NEW.subject_kind, NEW.subject_id, used.geom, used.since, used.origin = 'live',
                                   current_date) IS NULL THEN
        PERFORM core.refuse('rule__GD-14.2__in_use_stays_published', NEW.subject_kind || ' is in use');
    END IF;
    RETURN NULL;
END
$$;
-- At the end of the transaction, because one content takes the place of another on a channel.
CREATE CONSTRAINT TRIGGER judge_taking_down AFTER UPDATE OF withdrawn_at ON core.publication
    DEFERRABLE INITIALLY DEFERRED FOR EACH ROW WHEN (OLD.withdrawn_at IS NULL AND NEW.withdrawn_at IS NOT NULL)
    EXECUTE FUNCTION core.judge_taking_down();

-- Where a device looks to is as final as where it stands, once a channel carries it (GD-14.5).
DROP TRIGGER published_content_is_final ON core.device;
CREATE TRIGGER published_content_is_final BEFORE UPDATE ON core.device FOR EACH ROW
    WHEN ((OLD.public_id, OLD.site_id, OLD.platform, OLD.device_type, OLD.purpose_en, OLD.purpose_zh, OLD.item_id,
           OLD.authority_id, OLD.sector_azimuth_deg, OLD.hfov_deg, OLD.range_m)
        IS DISTINCT FROM
          (NEW.public_id, NEW.site_id, NEW.platform, NEW.device_type, NEW.purpose_en, NEW.purpose_zh, NEW.item_id,
           NEW.authority_id, NEW.sector_azimuth_deg, NEW.hfov_deg, NEW.range_m))
    EXECUTE FUNCTION core.judge_content();

-- ---------------------------------------------------------------------------------------------
-- State secrets (GD-14.6)
-- ---------------------------------------------------------------------------------------------

CREATE FUNCTION core.judge_secret() RETURNS trigger
    LANGUAGE plpgsql
    SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
    -- What was recorded while a document was enough meets the whole rule when it is next changed.
    IF coalesce(btrim(NEW.secret_document), '') = '' OR coalesce(btrim(NEW.secret_authority), '') = ''
       OR coalesce(btrim(NEW.secret_level), '') = '' OR NOT coalesce(isfinite(NEW.secret_until), false) THEN
        PERFORM core.refuse('rule__GD-14.6__secret_is_documented', 'a secret names its document, authority, level and end');
    END IF;
    IF NEW.state = 'published' THEN
        PERFORM core.refuse('rule__GD-14.6__secret_is_never_shown', 'a secret is not published');
    END IF;
    IF TG_OP = 'UPDATE' THEN
        IF OLD.state = 'published' OR (NOT OLD.secret AND EXISTS (
            SELECT FROM core.publication p WHERE p.subject_kind = 'device' AND p.subject_id = NEW.id
        )) THEN
            PERFORM core.refuse('rule__GD-14.6__shown_is_no_secret', 'the public was told of it');
        END IF;
        IF NOT OLD.secret AND OLD.state NOT IN ('registered', 'reviewed') THEN
            PERFORM core.refuse('rule__GD-14.6__shown_is_no_secret', 'it was in use as no secret');
        END IF;
        IF NEW.origin = 'live' AND NEW.state = 'active' AND OLD.state <> 'active'
           AND NEW.secret_until < (clock_timestamp() AT TIME ZONE 'UTC')::date THEN
            PERFORM core.refuse('rule__GD-14.6__secret_is_over', 'secret until ' || NEW.secret_until);
        END IF;
    END IF;
    RETURN NEW;
END
$$;
CREATE TRIGGER judge_first_secret BEFORE INSERT ON core.device FOR EACH ROW
    WHEN (NEW.secret) EXECUTE FUNCTION core.judge_secret();
CREATE TRIGGER judge_secret BEFORE UPDATE ON core.device FOR EACH ROW
    WHEN (NEW.secret) EXECUTE FUNCTION core.judge_secret();

-- ---------------------------------------------------------------------------------------------
-- What a device looks at, and what a route passes, is no private place (GD-15, GD-16.5)
-- ---------------------------------------------------------------------------------------------

-- The sector that a fixed camera looks at, or the disc where it turns all the way, as geo/footprint.py draws it: chords
-- of the arc reach a little beyond the range, so that they hide nothing. Null where nobody said.
CREATE FUNCTION core.view_of(
    p_place geometry, p_azimuth_deg double precision, p_hfov_deg double precision, p_range_m double precision
) RETURNS geometry
    LANGUAGE plpgsql IMMUTABLE PARALLEL SAFE
    SET search_path = pg_catalog, public, pg_temp
AS $$
DECLARE
    count   integer;
    reach_m double precision;
    arc     geometry[];
BEGIN
    IF p_azimuth_deg IS NULL OR coalesce(p_hfov_deg, 0) <= 0 OR coalesce(p_range_m, 0) <= 0 THEN
        RETURN NULL;
    END IF;
    count := greatest(floor(p_hfov_deg / 5)::integer + 2, 3);
    reach_m := p_range_m / cos(radians(least(p_hfov_deg, 360) / (count - 1) / 2));
    SELECT array_agg(
        ST_Project(p_place::geography, reach_m,
            radians(p_azimuth_deg - p_hfov_deg / 2 + p_hfov_deg * i / (count - 1)))::geometry ORDER BY i)
    INTO arc FROM generate_series(0, count - 1) AS i;
    IF p_hfov_deg >= 360 THEN
        RETURN ST_MakePolygon(ST_MakeLine(arc || arc[1]));
    END IF;
    RETURN ST_MakePolygon(ST_MakeLine(p_place || arc || p_place));
END
$$;
COMMENT ON FUNCTION core.view_of IS 'What a fixed camera looks at; the azimuth clockwise from north, EPSG:4326.';

-- Whether a zone in force comes nearer to a shape than its buffer and so much more. The bound of 1000 m on buffers lets
-- the index find the candidates.
CREATE FUNCTION core.meets_zone(p_shape geometry, p_extra_m double precision) RETURNS boolean
    LANGUAGE sql STABLE
    SET search_path = pg_catalog, public, pg_temp
RETURN EXISTS (
    SELECT FROM core.privacy_zone z
    WHERE ST_DWithin(z.geom::geography, p_shape::geography, 1000 + p_extra_m)
      AND ST_DWithin(z.geom::geography, p_shape::geography, z.buffer_m + p_extra_m)
      AND z.valid_from <= clock_timestamp()
      AND (z.valid_to IS NULL OR z.valid_to > clock_timestamp()));

CREATE FUNCTION core.judge_view(
    p_place geometry, p_azimuth_deg double precision, p_hfov_deg double precision, p_range_m double precision, p_on date
) RETURNS void
    LANGUAGE plpgsql
    SET search_path = pg_catalog, public, pg_temp
AS $$
DECLARE
    seen geometry := core.view_of(p_place, p_azimuth_deg, p_hfov_deg, p_range_m);
BEGIN
    IF seen IS NOT NULL AND core.meets_zone(seen, coalesce((law.at(p_place, p_on)).privacy_buffer_m, 0)) THEN
        PERFORM core.refuse('rule__GD-15__sees_a_privacy_zone', 'it looks into a privacy zone');
    END IF;
END
$$;

CREATE FUNCTION core.judge_device_view() RETURNS trigger
    LANGUAGE plpgsql
    SET search_path = pg_catalog, public, pg_temp
AS $$
BEGIN
    PERFORM core.judge_view(s.geom, NEW.sector_azimuth_deg, NEW.hfov_deg, NEW.range_m,
        coalesce(NEW.activated_on, (clock_timestamp() AT TIME ZONE 'UTC')::date))
    FROM core.device_site s WHERE s.id = NEW.site_id;
    RETURN NEW;
END
$$;
CREATE TRIGGER judge_view BEFORE INSERT OR UPDATE OF state, site_id, sector_azimuth_deg, hfov_deg, range_m ON core.device
    FOR EACH ROW WHEN (NEW.state IN ('reviewed', 'published', 'active') AND NEW.sector_azimuth_deg IS NOT NULL)
    EXECUTE FUNCTION core.judge_device_view();

CREATE FUNCTION core.judge_planned_view() RETURNS trigger
    LANGUAGE plpgsql
    SET search_path = pg_catalog, public, pg_temp
AS $$
BEGIN
    PERFORM core.judge_view(NEW.geom, NEW.sector_azimuth_deg, NEW.hfov_deg, NEW.range_m,
        (clock_timestamp() AT TIME ZONE 'UTC')::date);
    RETURN NEW;
END
$$;
CREATE TRIGGER judge_view BEFORE INSERT OR UPDATE OF decision ON core.planned_site FOR EACH ROW
    WHEN (NEW.decision = 'approved' AND NEW.sector_azimuth_deg IS NOT NULL) EXECUTE FUNCTION core.judge_planned_view();

-- The way from the launch point along the line and back, with what the camera sees to both sides.
CREATE FUNCTION core.judge_route_zones() RETURNS trigger
    LANGUAGE plpgsql
    SET search_path = pg_catalog, public, pg_temp
AS $$
DECLARE
    pack law.pack := law.at(NEW.geom, coalesce(NEW.effective_from, (clock_timestamp() AT TIME ZONE 'UTC')::date));
BEGIN
    IF core.meets_zone(
        ST_MakeLine(ARRAY[NEW.home, NEW.geom, NEW.home]),
        coalesce(pack.privacy_buffer_m, 0) + NEW.alt_agl_m * tan(radians(least(NEW.camera_hfov_deg, 178) / 2))
    ) THEN
        PERFORM core.refuse('rule__GD-16.5__route_meets_a_privacy_zone', 'a privacy zone lies on its way');
    END IF;
    RETURN NEW;
END
$$;
CREATE TRIGGER judge_zones BEFORE UPDATE OF state ON core.patrol_route FOR EACH ROW
    WHEN (NEW.state = 'effective' AND OLD.state <> 'effective') EXECUTE FUNCTION core.judge_route_zones();
-- Sample data tell of a route that a later zone came to lie on, so that what stops its flights can be seen.
CREATE TRIGGER judge_first_zones BEFORE INSERT ON core.patrol_route FOR EACH ROW
    WHEN (NEW.state = 'effective' AND NEW.origin <> 'sample') EXECUTE FUNCTION core.judge_route_zones();

-- A zone that ends, ends from now on: no captures of yesterday become lawful by it.
CREATE TRIGGER past_of_a_zone_is_final BEFORE UPDATE OF valid_to ON core.privacy_zone FOR EACH ROW
    WHEN (NEW.origin = 'live' AND OLD.valid_to IS DISTINCT FROM NEW.valid_to
        AND (NEW.valid_to < clock_timestamp() - interval '10 minutes'
             OR OLD.valid_to < clock_timestamp() - interval '10 minutes'))
    EXECUTE FUNCTION core.refuse_change('rule__GD-15__past_of_a_zone_is_final');

-- ---------------------------------------------------------------------------------------------
-- The public map: from when it shows what, and which day it calls the day of publication
-- ---------------------------------------------------------------------------------------------

-- The day from which the notice counts; while channels are missing, the first on which one was seen to carry it. Never
-- the day that a receipt asserts where the platform saw it only later.
CREATE FUNCTION core.announced_on(
    p_kind text, p_subject uuid, p_place geometry, p_since date, p_live boolean, p_on date
) RETURNS date
    LANGUAGE sql STABLE SECURITY DEFINER
    SET search_path = pg_catalog, public, pg_temp
RETURN coalesce(
    core.earliest_use(p_kind, p_subject, p_place, p_since, p_live, p_on)
        - (SELECT k.lead_days + k.clear_days::integer FROM law.at(p_place, p_on) k),
    (SELECT min(CASE WHEN p.origin = 'live'
                     THEN greatest(p.published_on, (p.recorded_at AT TIME ZONE coalesce(k.timezone, 'UTC'))::date)
                     ELSE p.published_on END)
     FROM core.publication p LEFT JOIN law.at(p_place, p_on) k ON true
     WHERE p.subject_kind = p_kind AND p.subject_id = p_subject AND p.withdrawn_at IS NULL
       AND p.round_no = (SELECT max(r.round_no) FROM core.publication r
                         WHERE r.subject_kind = p_kind AND r.subject_id = p_subject)));

-- Whether the own map carries, after an end of use, that it shall be used again (GD-14.4).
CREATE FUNCTION core.announced_anew(p_kind text, p_subject uuid) RETURNS boolean
    LANGUAGE sql STABLE SECURITY DEFINER
    SET search_path = pg_catalog, pg_temp
RETURN EXISTS (
    SELECT FROM core.publication p
    WHERE p.subject_kind = p_kind AND p.subject_id = p_subject AND p.channel = 'platform_map' AND p.withdrawn_at IS NULL
      AND p.round_no > (SELECT count(*) FROM core.announcement n
                        WHERE n.subject_kind = p_kind AND n.subject_id = p_subject
                          AND n.kind IN ('discontinued', 'suspended'))
      AND EXISTS (SELECT FROM core.announcement n
                  WHERE n.subject_kind = p_kind AND n.subject_id = p_subject
                    AND n.kind IN ('discontinued', 'suspended')));

-- The own map shows what waits for its notice from the moment at which it is said to carry it until that is withdrawn,
-- what was announced elsewhere alone, and the history of what was used.
CREATE OR REPLACE VIEW public_map.devices WITH (security_barrier) AS
SELECT d.public_id, d.name, d.platform, d.category, d.device_type, d.purpose_en, d.purpose_zh,
       d.owner_type, d.is_measuring_instrument, d.calibration_valid_to AS calibrated_until,
       CASE WHEN d.state IN ('reviewed', 'published') THEN 'in_notice_period'
            WHEN d.state = 'discontinued' AND core.announced_anew('device', d.id) THEN 'in_notice_period'
            WHEN d.state = 'blocked' THEN 'out_of_use' ELSE d.state END AS status,
       d.activated_on, d.discontinued_on,
       core.announced_on('device', d.id, s.geom, d.discontinued_on, d.origin = 'live', current_date) AS published_on,
       core.earliest_use('device', d.id, s.geom, d.discontinued_on, d.origin = 'live', current_date) AS earliest_activation,
       i.code AS item_code, i.name_en AS item_name_en, i.name_zh AS item_name_zh,
       b.title_en AS basis_title_en, b.title_zh AS basis_title_zh, b.article AS basis_article,
       a.public_id AS authority_id, a.name_en AS authority_en, a.name_zh AS authority_zh,
       a.contact_address, a.contact_channel,
       m.text AS sign_text, m.verified_on AS sign_checked_on, r.registration_no AS aircraft_mark,
       s.place_text, l.approval_no AS siting_approval_no,
       d.origin, (d.recorded_at AT TIME ZONE 'UTC')::date AS recorded_on,
       s.geom, s.geom_3857
FROM core.device d
JOIN core.device_site s ON s.id = d.site_id
JOIN core.authority a ON a.id = d.authority_id
LEFT JOIN core.supervision_item i ON i.id = d.item_id
LEFT JOIN core.legal_basis b ON b.id = i.legal_basis_id
LEFT JOIN core.siting_plan l ON l.id = s.siting_plan_id
LEFT JOIN core.drone r ON r.device_id = d.id
LEFT JOIN LATERAL (
    SELECT g.text, g.verified_on FROM core.signage g WHERE g.device_id = d.id
    ORDER BY g.verified_on DESC, g.recorded_at DESC LIMIT 1) m ON true
WHERE NOT d.secret AND d.state <> 'registered'
  AND EXISTS (
      SELECT FROM core.publication q
      WHERE q.subject_kind = 'device' AND q.subject_id = d.id
        AND (d.state NOT IN ('reviewed', 'published')
             OR (q.channel = 'platform_map' AND q.withdrawn_at IS NULL)
             OR (d.state = 'published' AND NOT EXISTS (
                 SELECT FROM core.publication o
                 WHERE o.subject_kind = 'device' AND o.subject_id = d.id AND o.channel = 'platform_map'))));

CREATE OR REPLACE VIEW public_map.patrol_areas WITH (security_barrier) AS
SELECT p.public_id, p.code, p.name_en, p.name_zh, p.purpose_en, p.purpose_zh,
       CASE WHEN p.state IN ('approved', 'published') THEN 'in_notice_period'
            WHEN p.state = 'suspended' AND core.announced_anew('patrol_area', p.id) THEN 'in_notice_period'
            ELSE p.state END AS status,
       p.alt_min_agl_m, p.alt_max_agl_m, p.effective_from, p.suspended_on,
       core.announced_on('patrol_area', p.id, p.geom, p.suspended_on, p.origin = 'live', current_date) AS published_on,
       core.earliest_use('patrol_area', p.id, p.geom, p.suspended_on, p.origin = 'live', current_date) AS earliest_use,
       i.code AS item_code, i.name_en AS item_name_en, i.name_zh AS item_name_zh,
       b.title_en AS basis_title_en, b.title_zh AS basis_title_zh, b.article AS basis_article,
       a.public_id AS authority_id, a.name_en AS authority_en, a.name_zh AS authority_zh,
       a.contact_address, a.contact_channel,
       l.approval_no AS siting_approval_no, p.origin, (p.recorded_at AT TIME ZONE 'UTC')::date AS recorded_on,
       p.geom, p.geom_3857
FROM core.patrol_area p
JOIN core.authority a ON a.id = p.authority_id
LEFT JOIN core.supervision_item i ON i.id = p.item_id
LEFT JOIN core.legal_basis b ON b.id = i.legal_basis_id
LEFT JOIN core.siting_plan l ON l.id = p.siting_plan_id
WHERE p.state NOT IN ('draft', 'checked')
  AND EXISTS (
      SELECT FROM core.publication q
      WHERE q.subject_kind = 'patrol_area' AND q.subject_id = p.id
        AND (p.state NOT IN ('approved', 'published')
             OR (q.channel = 'platform_map' AND q.withdrawn_at IS NULL)
             OR (p.state = 'published' AND NOT EXISTS (
                 SELECT FROM core.publication o
                 WHERE o.subject_kind = 'patrol_area' AND o.subject_id = p.id AND o.channel = 'platform_map'))));

CREATE OR REPLACE VIEW public_map.patrol_routes WITH (security_barrier) AS
SELECT p.public_id, p.code, p.name_en, p.name_zh,
       CASE WHEN p.state IN ('approved', 'published') THEN 'in_notice_period'
            WHEN p.state = 'suspended' AND core.announced_anew('patrol_route', p.id) THEN 'in_notice_period'
            ELSE p.state END AS status,
       p.effective_from, p.suspended_on,
       core.announced_on('patrol_route', p.id, p.geom, p.suspended_on, p.origin = 'live', current_date) AS published_on,
       core.earliest_use('patrol_route', p.id, p.geom, p.suspended_on, p.origin = 'live', current_date) AS earliest_use,
       f.public_id AS area_id, f.name_en AS area_en, f.name_zh AS area_zh, f.purpose_en, f.purpose_zh,
       f.alt_min_agl_m, f.alt_max_agl_m,
       a.public_id AS authority_id, a.name_en AS authority_en, a.name_zh AS authority_zh,
       a.contact_address, a.contact_channel, p.mission_digest,
       p.origin, (p.recorded_at AT TIME ZONE 'UTC')::date AS recorded_on,
       ST_Transform(ST_Simplify(p.geom_3857, 50, true), 4326) AS geom,
       ST_Simplify(p.geom_3857, 50, true) AS geom_3857
FROM core.patrol_route p
JOIN core.patrol_area f ON f.id = p.area_id
JOIN core.authority a ON a.id = p.authority_id
WHERE p.state NOT IN ('draft', 'checked')
  AND EXISTS (
      SELECT FROM core.publication q
      WHERE q.subject_kind = 'patrol_route' AND q.subject_id = p.id
        AND (p.state NOT IN ('approved', 'published')
             OR (q.channel = 'platform_map' AND q.withdrawn_at IS NULL)
             OR (p.state = 'published' AND NOT EXISTS (
                 SELECT FROM core.publication o
                 WHERE o.subject_kind = 'patrol_route' AND o.subject_id = p.id AND o.channel = 'platform_map'))));

CREATE OR REPLACE VIEW public_map.deployment_points WITH (security_barrier) AS
SELECT p.public_id, p.code, p.name_en, p.name_zh, p.purpose_en, p.purpose_zh, p.place_text,
       CASE WHEN p.state IN ('approved', 'published') THEN 'in_notice_period'
            WHEN p.state = 'suspended' AND core.announced_anew('deployment_point', p.id) THEN 'in_notice_period'
            ELSE p.state END AS status,
       p.effective_from, p.suspended_on,
       core.announced_on('deployment_point', p.id, p.geom, p.suspended_on, p.origin = 'live', current_date)
           AS published_on,
       core.earliest_use('deployment_point', p.id, p.geom, p.suspended_on, p.origin = 'live', current_date)
           AS earliest_use,
       i.code AS item_code, i.name_en AS item_name_en, i.name_zh AS item_name_zh,
       b.title_en AS basis_title_en, b.title_zh AS basis_title_zh, b.article AS basis_article,
       a.public_id AS authority_id, a.name_en AS authority_en, a.name_zh AS authority_zh,
       a.contact_address, a.contact_channel, l.approval_no AS siting_approval_no,
       p.origin, (p.recorded_at AT TIME ZONE 'UTC')::date AS recorded_on, p.geom, p.geom_3857
FROM core.deployment_point p
JOIN core.authority a ON a.id = p.authority_id
LEFT JOIN core.supervision_item i ON i.id = p.item_id
LEFT JOIN core.legal_basis b ON b.id = i.legal_basis_id
LEFT JOIN core.siting_plan l ON l.id = p.siting_plan_id
WHERE p.state NOT IN ('draft', 'checked')
  AND EXISTS (
      SELECT FROM core.publication q
      WHERE q.subject_kind = 'deployment_point' AND q.subject_id = p.id
        AND (p.state NOT IN ('approved', 'published')
             OR (q.channel = 'platform_map' AND q.withdrawn_at IS NULL)
             OR (p.state = 'published' AND NOT EXISTS (
                 SELECT FROM core.publication o
                 WHERE o.subject_kind = 'deployment_point' AND o.subject_id = p.id AND o.channel = 'platform_map'))));

REVOKE ALL ON FUNCTION core.judge_channel, core.judge_return_to_review, core.judge_taking_down, core.judge_secret,
    core.view_of, core.meets_zone, core.judge_view, core.judge_device_view, core.judge_planned_view,
    core.judge_route_zones, core.announced_on, core.announced_anew FROM PUBLIC;
GRANT EXECUTE ON FUNCTION core.judge_channel, core.judge_return_to_review, core.judge_taking_down, core.judge_secret,
    core.view_of, core.meets_zone, core.judge_view, core.judge_device_view, core.judge_planned_view,
    core.judge_route_zones, core.announced_on, core.announced_anew TO skywarden_app;
-- They run with the owner's rights and can be called through the views alone: the schema is closed.
GRANT EXECUTE ON FUNCTION core.announced_on, core.announced_anew TO skywarden_public;
