-- What the public views tell of a device, an area, a point or a route, computed once and not for every reader.

-- An office or a name that the authority itself gives to whoever has a question (GD-41.1).
ALTER TABLE core.authority
    ADD COLUMN contact_person text,
    ADD CONSTRAINT ck_authority_contact_person CHECK (btrim(contact_person) <> '');
CREATE OR REPLACE VIEW public_map.authorities WITH (security_barrier) AS
SELECT a.public_id, a.name_en, a.name_zh, a.level, a.authority_type, a.field,
       a.contact_address, a.contact_channel, a.origin, a.jurisdiction AS geom, a.contact_person
FROM core.authority a;

-- The days of a notice, and the time zone of the place: the dearest thing that the views ever told. Without a search path
-- of its own it is planned as part of the statement that uses it; its names are bound when it is created.
CREATE FUNCTION core.notice_of(p_kind text, p_subject uuid, p_place geometry, p_since date, p_live boolean)
    RETURNS TABLE (published_on date, earliest_on date, timezone text)
    LANGUAGE sql STABLE
BEGIN ATOMIC
    SELECT coalesce(e.earliest_on - e.lead_days,
               core.announced_on(p_kind, p_subject, p_place, p_since, p_live, current_date)),
           e.earliest_on, e.timezone
    FROM (
        SELECT core.earliest_use(p_kind, p_subject, p_place, p_since, p_live, current_date) AS earliest_on,
               k.lead_days + k.clear_days::integer AS lead_days, coalesce(k.timezone, 'UTC') AS timezone
        FROM law.at(p_place, current_date) k
        OFFSET 0
    ) AS e;
END;

-- From here on the views below tell what was announced and is used, as those of 0006 did: `told` stands for all words
-- and dates that the public sees of one subject, so that a change of any of them is noticed.
CREATE VIEW core.showable_device AS
SELECT 'device'::text AS kind, d.id AS subject_id, d.public_id,
       CASE WHEN d.platform = 'uav' THEN 'drone' ELSE d.device_type END AS look, d.status,
       d.name AS title_en, d.name AS title_zh, d.authority_id, t.published_on, t.earliest_on,
       d.activated_on AS begun_on, d.discontinued_on AS ended_on,
       (d.state_since AT TIME ZONE t.timezone)::date AS since_on, t.timezone, d.origin,
       md5(ROW(d.public_id, d.name, d.platform, d.category, d.device_type, d.purpose_en, d.purpose_zh, d.owner_type,
               d.is_measuring_instrument, d.calibration_valid_to, d.status, d.activated_on, d.discontinued_on,
               t.published_on, t.earliest_on, d.item_id, d.authority_id, m.text, m.verified_on, r.registration_no,
               s.place_text, l.approval_no, s.geom)::text) AS told,
       s.geom, s.geom_3857
FROM (
    SELECT v.*,
           CASE WHEN v.state IN ('reviewed', 'published') THEN 'in_notice_period'
                WHEN v.state = 'discontinued' AND core.announced_anew('device', v.id) THEN 'in_notice_period'
                WHEN v.state = 'blocked' THEN 'out_of_use' ELSE v.state END AS status
    FROM core.device v
) AS d
JOIN core.device_site s ON s.id = d.site_id
LEFT JOIN core.siting_plan l ON l.id = s.siting_plan_id
LEFT JOIN core.drone r ON r.device_id = d.id
LEFT JOIN LATERAL (
    SELECT g.text, g.verified_on FROM core.signage g WHERE g.device_id = d.id
    ORDER BY g.verified_on DESC, g.recorded_at DESC LIMIT 1) m ON true
LEFT JOIN LATERAL core.notice_of('device', d.id, s.geom, d.discontinued_on, d.origin = 'live') t ON true
WHERE NOT d.secret AND d.state <> 'registered'
  AND EXISTS (
      SELECT FROM core.publication q
      WHERE q.subject_kind = 'device' AND q.subject_id = d.id
        AND (d.state NOT IN ('reviewed', 'published')
             OR (q.channel = 'platform_map' AND q.withdrawn_at IS NULL)
             OR (d.state = 'published' AND NOT EXISTS (
                 SELECT FROM core.publication o
                 WHERE o.subject_kind = 'device' AND o.subject_id = d.id AND o.channel = 'platform_map'))));

CREATE VIEW core.showable_patrol_area AS
SELECT 'patrol_area'::text AS kind, p.id AS subject_id, p.public_id, NULL::text AS look, p.status,
       p.name_en AS title_en, p.name_zh AS title_zh, p.authority_id, t.published_on, t.earliest_on,
       p.effective_from AS begun_on, p.suspended_on AS ended_on, NULL::date AS since_on, t.timezone, p.origin,
       md5(ROW(p.public_id, p.code, p.name_en, p.name_zh, p.purpose_en, p.purpose_zh, p.status, p.alt_min_agl_m,
               p.alt_max_agl_m, p.effective_from, p.suspended_on, t.published_on, t.earliest_on, p.item_id,
               p.authority_id, l.approval_no, p.geom)::text) AS told,
       p.geom, p.geom_3857
FROM (
    SELECT v.*,
           CASE WHEN v.state IN ('approved', 'published') THEN 'in_notice_period'
                WHEN v.state = 'suspended' AND core.announced_anew('patrol_area', v.id) THEN 'in_notice_period'
                ELSE v.state END AS status
    FROM core.patrol_area v
) AS p
LEFT JOIN core.siting_plan l ON l.id = p.siting_plan_id
LEFT JOIN LATERAL core.notice_of('patrol_area', p.id, p.geom, p.suspended_on, p.origin = 'live') t ON true
WHERE p.state NOT IN ('draft', 'checked')
  AND EXISTS (
      SELECT FROM core.publication q
      WHERE q.subject_kind = 'patrol_area' AND q.subject_id = p.id
        AND (p.state NOT IN ('approved', 'published')
             OR (q.channel = 'platform_map' AND q.withdrawn_at IS NULL)
             OR (p.state = 'published' AND NOT EXISTS (
                 SELECT FROM core.publication o
                 WHERE o.subject_kind = 'patrol_area' AND o.subject_id = p.id AND o.channel = 'platform_map'))));

-- The line for display, see 0001.
CREATE VIEW core.showable_patrol_route AS
SELECT 'patrol_route'::text AS kind, p.id AS subject_id, p.public_id, NULL::text AS look, p.status,
       p.name_en AS title_en, p.name_zh AS title_zh, p.authority_id, t.published_on, t.earliest_on,
       p.effective_from AS begun_on, p.suspended_on AS ended_on, NULL::date AS since_on, t.timezone, p.origin,
       md5(ROW(p.public_id, p.code, p.name_en, p.name_zh, p.status, p.effective_from, p.suspended_on, t.published_on,
               t.earliest_on, f.public_id, f.name_en, f.name_zh, f.purpose_en, f.purpose_zh, f.alt_min_agl_m,
               f.alt_max_agl_m, p.authority_id, p.mission_digest, ST_Simplify(p.geom_3857, 50, true))::text) AS told,
       ST_Transform(ST_Simplify(p.geom_3857, 50, true), 4326) AS geom,
       ST_Simplify(p.geom_3857, 50, true) AS geom_3857
FROM (
    SELECT v.*,
           CASE WHEN v.state IN ('approved', 'published') THEN 'in_notice_period'
                WHEN v.state = 'suspended' AND core.announced_anew('patrol_route', v.id) THEN 'in_notice_period'
                ELSE v.state END AS status
    FROM core.patrol_route v
) AS p
JOIN core.patrol_area f ON f.id = p.area_id
LEFT JOIN LATERAL core.notice_of('patrol_route', p.id, p.geom, p.suspended_on, p.origin = 'live') t ON true
WHERE p.state NOT IN ('draft', 'checked')
  AND EXISTS (
      SELECT FROM core.publication q
      WHERE q.subject_kind = 'patrol_route' AND q.subject_id = p.id
        AND (p.state NOT IN ('approved', 'published')
             OR (q.channel = 'platform_map' AND q.withdrawn_at IS NULL)
             OR (p.state = 'published' AND NOT EXISTS (
                 SELECT FROM core.publication o
                 WHERE o.subject_kind = 'patrol_route' AND o.subject_id = p.id AND o.channel = 'platform_map'))));

CREATE VIEW core.showable_deployment_point AS
SELECT 'deployment_point'::text AS kind, p.id AS subject_id, p.public_id, 'deployment_point'::text AS look, p.status,
       p.name_en AS title_en, p.name_zh AS title_zh, p.authority_id, t.published_on, t.earliest_on,
       p.effective_from AS begun_on, p.suspended_on AS ended_on, NULL::date AS since_on, t.timezone, p.origin,
       md5(ROW(p.public_id, p.code, p.name_en, p.name_zh, p.purpose_en, p.purpose_zh, p.place_text, p.status,
               p.effective_from, p.suspended_on, t.published_on, t.earliest_on, p.item_id, p.authority_id,
               l.approval_no, p.geom)::text) AS told,
       p.geom, p.geom_3857
FROM (
    SELECT v.*,
           CASE WHEN v.state IN ('approved', 'published') THEN 'in_notice_period'
                WHEN v.state = 'suspended' AND core.announced_anew('deployment_point', v.id) THEN 'in_notice_period'
                ELSE v.state END AS status
    FROM core.deployment_point v
) AS p
LEFT JOIN core.siting_plan l ON l.id = p.siting_plan_id
LEFT JOIN LATERAL core.notice_of('deployment_point', p.id, p.geom, p.suspended_on, p.origin = 'live') t ON true
WHERE p.state NOT IN ('draft', 'checked')
  AND EXISTS (
      SELECT FROM core.publication q
      WHERE q.subject_kind = 'deployment_point' AND q.subject_id = p.id
        AND (p.state NOT IN ('approved', 'published')
             OR (q.channel = 'platform_map' AND q.withdrawn_at IS NULL)
             OR (p.state = 'published' AND NOT EXISTS (
                 SELECT FROM core.publication o
                 WHERE o.subject_kind = 'deployment_point' AND o.subject_id = p.id AND o.channel = 'platform_map'))));

-- A zone counts from its hour to its hour: whoever reads asks the clock. Its last day is the day in which it ends. Of a
-- sensitive one the kind and the names are nobody's.
CREATE VIEW core.showable_privacy_zone AS
SELECT 'privacy_zone'::text AS kind, z.id AS subject_id, z.public_id,
       CASE WHEN z.sensitive THEN 'other' ELSE z.kind END AS look, 'effective'::text AS status,
       CASE WHEN NOT z.sensitive THEN z.name_en END AS title_en,
       CASE WHEN NOT z.sensitive THEN z.name_zh END AS title_zh,
       NULL::uuid AS authority_id, NULL::date AS published_on, NULL::date AS earliest_on,
       (CASE WHEN isfinite(z.valid_from) THEN z.valid_from ELSE z.recorded_at END AT TIME ZONE k.timezone)::date
           AS begun_on,
       CASE WHEN isfinite(z.valid_to)
            THEN ((z.valid_to - interval '1 microsecond') AT TIME ZONE k.timezone)::date + 1 END AS ended_on,
       NULL::date AS since_on, k.timezone, z.origin,
       md5(ROW(z.public_id, z.sensitive, z.kind, z.name_en, z.name_zh, z.source, z.buffer_m, z.valid_from, z.valid_to,
               z.floor_agl_m, z.ceiling_agl_m, z.schedule, z.geom)::text) AS told,
       z.geom, z.geom_3857
FROM core.privacy_zone z
CROSS JOIN LATERAL (SELECT coalesce((law.at(z.geom, current_date)).timezone, 'UTC') AS timezone) k;

CREATE VIEW core.showable AS
SELECT * FROM core.showable_device
UNION ALL SELECT * FROM core.showable_patrol_area
UNION ALL SELECT * FROM core.showable_patrol_route
UNION ALL SELECT * FROM core.showable_deployment_point
UNION ALL SELECT * FROM core.showable_privacy_zone;

-- One row of core.showable as it was when its subject last changed; `n` is its number as a feature of tiles. Days of the
-- notice hold until the day on which other rules begin.
CREATE TABLE core.shown (
    n bigint GENERATED BY DEFAULT AS IDENTITY,
    kind text NOT NULL,
    subject_id uuid NOT NULL,
    public_id text NOT NULL,
    look text,
    status text NOT NULL,
    title_en text,
    title_zh text,
    authority_id uuid,
    published_on date,
    earliest_on date,
    begun_on date,
    ended_on date,
    good_until date,
    origin varchar(6) NOT NULL,
    told text NOT NULL,
    geom geometry(GEOMETRY, 4326) NOT NULL,
    geom_3857 geometry(GEOMETRY, 3857) NOT NULL,
    CONSTRAINT pk_shown PRIMARY KEY (kind, subject_id),
    CONSTRAINT uq_shown_n UNIQUE (n)
);
CREATE INDEX ix_shown_public_id ON core.shown (public_id);
CREATE INDEX ix_shown_good_until ON core.shown (good_until) WHERE good_until IS NOT NULL;
CREATE INDEX gist_shown_device_3857 ON core.shown USING gist (geom_3857) WHERE kind = 'device';
GRANT SELECT ON core.shown TO skywarden_app;

-- ---------------------------------------------------------------------------------------------
-- Made anew where something was touched
-- ---------------------------------------------------------------------------------------------

-- The day on which other rules begin or these end; until then a notice counts as it does today.
CREATE FUNCTION core.rules_hold_until() RETURNS date
    LANGUAGE sql STABLE
    SET search_path = pg_catalog, pg_temp
RETURN (SELECT min(b.day) FROM law.pack p CROSS JOIN LATERAL (VALUES (p.effective_from), (p.effective_to)) AS b (day)
        WHERE b.day > current_date);

-- The word for what became of a subject whose status was one and is another.
CREATE FUNCTION core.change_of(p_was text, p_is text) RETURNS text
    LANGUAGE sql IMMUTABLE PARALLEL SAFE
RETURN CASE
    WHEN p_is IS NULL THEN 'withdrawn'
    WHEN p_is = 'in_notice_period' THEN 'announced'
    WHEN p_is IN ('active', 'effective') THEN CASE WHEN p_was IN ('maintenance', 'out_of_use') THEN 'resumed' ELSE 'in_use' END
    WHEN p_is IN ('maintenance', 'out_of_use') THEN 'paused'
    WHEN p_is = 'retired' THEN 'given_up'
    ELSE 'stopped' END;

-- The day that law or the row itself names for a change; else today, where the place is.
CREATE FUNCTION core.day_of_change(p_change text, p_is core.showable, p_was core.shown) RETURNS date
    LANGUAGE plpgsql STABLE
    SET search_path = pg_catalog, public, pg_temp
AS $$
DECLARE
    zone CONSTANT text := coalesce(p_is.timezone, (law.at(p_was.geom, current_date)).timezone, 'UTC');
    day  date;
BEGIN
    day := CASE p_change
        WHEN 'announced' THEN p_is.published_on
        WHEN 'in_use' THEN p_is.begun_on
        WHEN 'stopped' THEN p_is.ended_on
        WHEN 'zone_added' THEN p_is.begun_on
        WHEN 'zone_ended' THEN p_is.ended_on
        WHEN 'paused' THEN p_is.since_on
        WHEN 'resumed' THEN p_is.since_on
    END;
    IF p_change = 'given_up' THEN
        SELECT max((n.announced_at AT TIME ZONE zone)::date) INTO day FROM core.announcement n
        WHERE n.subject_kind = p_is.kind AND n.subject_id = p_is.subject_id AND n.kind = 'retired';
        day := coalesce(day, p_is.since_on);
    ELSIF p_change = 'moved' AND p_is.kind = 'patrol_area' THEN
        SELECT max(c.applied_on) INTO day FROM core.area_change c WHERE c.area_id = p_is.subject_id;
    ELSIF p_change = 'withdrawn' THEN
        SELECT max((q.withdrawn_at AT TIME ZONE zone)::date) INTO day FROM core.publication q
        WHERE q.subject_kind = p_was.kind AND q.subject_id = p_was.subject_id;
    END IF;
    RETURN coalesce(day, (clock_timestamp() AT TIME ZONE zone)::date);
END
$$;

-- Brings some subjects of a kind up to date, and writes under the number `p_seq` what the public sees change by that.
-- It is planned once for each connection: that takes longer than all that it does for one device.
CREATE FUNCTION core.renew_shown(p_seq bigint, p_kind text, p_ids uuid[]) RETURNS void
    LANGUAGE plpgsql
    SET search_path = pg_catalog, public, pg_temp
    SET plan_cache_mode = force_generic_plan
AS $$
BEGIN
    WITH fresh AS MATERIALIZED (
        SELECT v AS one, v.subject_id, v.told, (SELECT core.rules_hold_until()) AS good_until FROM core.showable v
        WHERE v.kind = p_kind AND v.subject_id = ANY (p_ids)
    ), stale AS MATERIALIZED (
        SELECT s AS one, s.subject_id, s.told FROM core.shown s WHERE s.kind = p_kind AND s.subject_id = ANY (p_ids)
    ), gone AS (
        DELETE FROM core.shown s
        WHERE s.kind = p_kind AND s.subject_id = ANY (p_ids)
          AND NOT EXISTS (SELECT FROM fresh f WHERE f.subject_id = s.subject_id)
    ), written AS (
        INSERT INTO core.shown AS s (kind, subject_id, public_id, look, status, title_en, title_zh, authority_id,
            published_on, earliest_on, begun_on, ended_on, good_until, origin, told, geom, geom_3857)
        SELECT (f.one).kind, f.subject_id, (f.one).public_id, (f.one).look, (f.one).status, (f.one).title_en,
               (f.one).title_zh, (f.one).authority_id, (f.one).published_on, (f.one).earliest_on, (f.one).begun_on,
               (f.one).ended_on, f.good_until, (f.one).origin, f.told, (f.one).geom, (f.one).geom_3857
        FROM fresh f
        ON CONFLICT (kind, subject_id) DO UPDATE SET
            (public_id, look, status, title_en, title_zh, authority_id, published_on, earliest_on, begun_on, ended_on,
             good_until, told, geom, geom_3857)
            = (excluded.public_id, excluded.look, excluded.status, excluded.title_en, excluded.title_zh,
               excluded.authority_id, excluded.published_on, excluded.earliest_on, excluded.begun_on, excluded.ended_on,
               excluded.good_until, excluded.told, excluded.geom, excluded.geom_3857)
        WHERE (s.told, s.good_until) IS DISTINCT FROM (excluded.told, excluded.good_until)
    ), differ AS (
        SELECT coalesce(f.subject_id, s.subject_id) AS subject_id, f.one AS is, s.one AS was,
               f.subject_id IS NOT NULL AS stands, s.subject_id IS NOT NULL AS stood,
               EXISTS (SELECT FROM core.public_span e
                       WHERE e.kind = p_kind AND e.subject_id = coalesce(f.subject_id, s.subject_id)) AS known
        FROM fresh f FULL JOIN stale s ON s.subject_id = f.subject_id
        WHERE f.told IS DISTINCT FROM s.told
    ), said AS (
        SELECT d.subject_id, d.is, d.was, c.change, (d.is).status, core.day_of_change(c.change, d.is, d.was) AS on_day
        FROM differ d CROSS JOIN LATERAL (SELECT CASE
            WHEN NOT d.stands THEN 'withdrawn'
            WHEN p_kind = 'privacy_zone' THEN CASE
                WHEN NOT d.stood THEN 'zone_added'
                WHEN (d.is).ended_on <> coalesce((d.was).ended_on, 'infinity') THEN 'zone_ended' ELSE 'word' END
            WHEN (d.was).status IS DISTINCT FROM (d.is).status THEN core.change_of((d.was).status, (d.is).status)
            WHEN NOT ST_OrderingEquals((d.was).geom_3857, (d.is).geom_3857) THEN 'moved'
            ELSE 'word' END AS change) c
        WHERE d.stood OR d.known OR p_kind = 'privacy_zone'
        UNION ALL
        -- A zone whose end is known from the beginning.
        SELECT d.subject_id, d.is, d.was, 'zone_ended', (d.is).status, (d.is).ended_on
        FROM differ d WHERE p_kind = 'privacy_zone' AND NOT d.stood AND (d.is).ended_on IS NOT NULL
        UNION ALL
        -- Seen for the first time, it may have a past.
        SELECT d.subject_id, d.is, d.was, p.change, p.status, p.on_day
        FROM differ d CROSS JOIN LATERAL core.past_of(d.is) AS p
        WHERE NOT d.stood AND NOT d.known AND p_kind <> 'privacy_zone'
    )
    INSERT INTO core.public_change (seq, kind, subject_id, change, on_day, status, public_id, look, title_en, title_zh,
        authority_id, origin, geom, geom_3857, was_geom_3857)
    SELECT p_seq, p_kind, o.subject_id, o.change, o.on_day, coalesce(o.status, (o.was).status),
           coalesce((o.is).public_id, (o.was).public_id), coalesce((o.is).look, (o.was).look),
           coalesce((o.is).title_en, (o.was).title_en), coalesce((o.is).title_zh, (o.was).title_zh),
           coalesce((o.is).authority_id, (o.was).authority_id), coalesce((o.is).origin, (o.was).origin),
           coalesce((o.is).geom, (o.was).geom), coalesce((o.is).geom_3857, (o.was).geom_3857), (o.was).geom_3857
    FROM said o
    ORDER BY o.on_day, o.subject_id;
END
$$;

-- Rules of which nobody wrote anew begin on their day. The views do not wait for that, but it makes them slow.
CREATE FUNCTION core.renew_where_due() RETURNS bigint
    LANGUAGE sql VOLATILE SECURITY DEFINER
    SET search_path = pg_catalog, pg_temp
BEGIN ATOMIC
    SELECT count(core.touch_public(s.kind, s.subject_id)) FROM core.shown s WHERE s.good_until <= current_date;
END;
COMMENT ON FUNCTION core.renew_where_due IS 'Has what other rules judge since today counted anew; returns of how many subjects.';

REVOKE ALL ON FUNCTION core.notice_of, core.rules_hold_until, core.change_of, core.day_of_change, core.renew_shown,
    core.renew_where_due FROM PUBLIC;
GRANT EXECUTE ON FUNCTION core.renew_where_due TO skywarden_app;

-- ---------------------------------------------------------------------------------------------
-- The public views, over what was made
-- ---------------------------------------------------------------------------------------------

CREATE OR REPLACE VIEW public_map.devices WITH (security_barrier) AS
SELECT d.public_id, d.name, d.platform, d.category, d.device_type, d.purpose_en, d.purpose_zh,
       d.owner_type, d.is_measuring_instrument, d.calibration_valid_to AS calibrated_until, w.status,
       d.activated_on, d.discontinued_on,
       CASE WHEN current_date < coalesce(w.good_until, 'infinity') THEN w.published_on
            ELSE core.announced_on('device', d.id, s.geom, d.discontinued_on, d.origin = 'live', current_date)
       END AS published_on,
       CASE WHEN current_date < coalesce(w.good_until, 'infinity') THEN w.earliest_on
            ELSE core.earliest_use('device', d.id, s.geom, d.discontinued_on, d.origin = 'live', current_date)
       END AS earliest_activation,
       i.code AS item_code, i.name_en AS item_name_en, i.name_zh AS item_name_zh,
       b.title_en AS basis_title_en, b.title_zh AS basis_title_zh, b.article AS basis_article,
       a.public_id AS authority_id, a.name_en AS authority_en, a.name_zh AS authority_zh,
       a.contact_address, a.contact_channel,
       m.text AS sign_text, m.verified_on AS sign_checked_on, r.registration_no AS aircraft_mark,
       s.place_text, l.approval_no AS siting_approval_no,
       d.origin, (d.recorded_at AT TIME ZONE 'UTC')::date AS recorded_on,
       s.geom, s.geom_3857, w.n, a.contact_person
FROM core.shown w
JOIN core.device d ON d.id = w.subject_id
JOIN core.device_site s ON s.id = d.site_id
JOIN core.authority a ON a.id = d.authority_id
LEFT JOIN core.supervision_item i ON i.id = d.item_id
LEFT JOIN core.legal_basis b ON b.id = i.legal_basis_id
LEFT JOIN core.siting_plan l ON l.id = s.siting_plan_id
LEFT JOIN core.drone r ON r.device_id = d.id
LEFT JOIN LATERAL (
    SELECT g.text, g.verified_on FROM core.signage g WHERE g.device_id = d.id
    ORDER BY g.verified_on DESC, g.recorded_at DESC LIMIT 1) m ON true
WHERE w.kind = 'device' AND NOT d.secret;

CREATE OR REPLACE VIEW public_map.patrol_areas WITH (security_barrier) AS
SELECT p.public_id, p.code, p.name_en, p.name_zh, p.purpose_en, p.purpose_zh, w.status,
       p.alt_min_agl_m, p.alt_max_agl_m, p.effective_from, p.suspended_on,
       CASE WHEN current_date < coalesce(w.good_until, 'infinity') THEN w.published_on
            ELSE core.announced_on('patrol_area', p.id, p.geom, p.suspended_on, p.origin = 'live', current_date)
       END AS published_on,
       CASE WHEN current_date < coalesce(w.good_until, 'infinity') THEN w.earliest_on
            ELSE core.earliest_use('patrol_area', p.id, p.geom, p.suspended_on, p.origin = 'live', current_date)
       END AS earliest_use,
       i.code AS item_code, i.name_en AS item_name_en, i.name_zh AS item_name_zh,
       b.title_en AS basis_title_en, b.title_zh AS basis_title_zh, b.article AS basis_article,
       a.public_id AS authority_id, a.name_en AS authority_en, a.name_zh AS authority_zh,
       a.contact_address, a.contact_channel,
       l.approval_no AS siting_approval_no, p.origin, (p.recorded_at AT TIME ZONE 'UTC')::date AS recorded_on,
       p.geom, p.geom_3857, w.n, a.contact_person
FROM core.shown w
JOIN core.patrol_area p ON p.id = w.subject_id
JOIN core.authority a ON a.id = p.authority_id
LEFT JOIN core.supervision_item i ON i.id = p.item_id
LEFT JOIN core.legal_basis b ON b.id = i.legal_basis_id
LEFT JOIN core.siting_plan l ON l.id = p.siting_plan_id
WHERE w.kind = 'patrol_area';

CREATE OR REPLACE VIEW public_map.patrol_routes WITH (security_barrier) AS
SELECT p.public_id, p.code, p.name_en, p.name_zh, w.status, p.effective_from, p.suspended_on,
       CASE WHEN current_date < coalesce(w.good_until, 'infinity') THEN w.published_on
            ELSE core.announced_on('patrol_route', p.id, p.geom, p.suspended_on, p.origin = 'live', current_date)
       END AS published_on,
       CASE WHEN current_date < coalesce(w.good_until, 'infinity') THEN w.earliest_on
            ELSE core.earliest_use('patrol_route', p.id, p.geom, p.suspended_on, p.origin = 'live', current_date)
       END AS earliest_use,
       f.public_id AS area_id, f.name_en AS area_en, f.name_zh AS area_zh, f.purpose_en, f.purpose_zh,
       f.alt_min_agl_m, f.alt_max_agl_m,
       a.public_id AS authority_id, a.name_en AS authority_en, a.name_zh AS authority_zh,
       a.contact_address, a.contact_channel, p.mission_digest,
       p.origin, (p.recorded_at AT TIME ZONE 'UTC')::date AS recorded_on,
       ST_Transform(ST_Simplify(p.geom_3857, 50, true), 4326) AS geom,
       ST_Simplify(p.geom_3857, 50, true) AS geom_3857, w.n, a.contact_person
FROM core.shown w
JOIN core.patrol_route p ON p.id = w.subject_id
JOIN core.patrol_area f ON f.id = p.area_id
JOIN core.authority a ON a.id = p.authority_id
WHERE w.kind = 'patrol_route';

CREATE OR REPLACE VIEW public_map.deployment_points WITH (security_barrier) AS
SELECT p.public_id, p.code, p.name_en, p.name_zh, p.purpose_en, p.purpose_zh, p.place_text, w.status,
       p.effective_from, p.suspended_on,
       CASE WHEN current_date < coalesce(w.good_until, 'infinity') THEN w.published_on
            ELSE core.announced_on('deployment_point', p.id, p.geom, p.suspended_on, p.origin = 'live', current_date)
       END AS published_on,
       CASE WHEN current_date < coalesce(w.good_until, 'infinity') THEN w.earliest_on
            ELSE core.earliest_use('deployment_point', p.id, p.geom, p.suspended_on, p.origin = 'live', current_date)
       END AS earliest_use,
       i.code AS item_code, i.name_en AS item_name_en, i.name_zh AS item_name_zh,
       b.title_en AS basis_title_en, b.title_zh AS basis_title_zh, b.article AS basis_article,
       a.public_id AS authority_id, a.name_en AS authority_en, a.name_zh AS authority_zh,
       a.contact_address, a.contact_channel, l.approval_no AS siting_approval_no,
       p.origin, (p.recorded_at AT TIME ZONE 'UTC')::date AS recorded_on, p.geom, p.geom_3857, w.n, a.contact_person
FROM core.shown w
JOIN core.deployment_point p ON p.id = w.subject_id
JOIN core.authority a ON a.id = p.authority_id
LEFT JOIN core.supervision_item i ON i.id = p.item_id
LEFT JOIN core.legal_basis b ON b.id = i.legal_basis_id
LEFT JOIN core.siting_plan l ON l.id = p.siting_plan_id
WHERE w.kind = 'deployment_point';

CREATE OR REPLACE VIEW public_map.privacy_zones WITH (security_barrier) AS
SELECT z.public_id,
       CASE WHEN z.sensitive THEN 'other' ELSE z.kind END AS kind,
       CASE WHEN NOT z.sensitive THEN z.name_en END AS name_en,
       CASE WHEN NOT z.sensitive THEN z.name_zh END AS name_zh,
       CASE WHEN NOT z.sensitive THEN z.source END AS source,
       z.buffer_m, z.valid_from, z.valid_to, z.origin, z.geom, z.geom_3857,
       z.floor_agl_m, z.ceiling_agl_m, z.schedule, w.n
FROM core.privacy_zone z
JOIN core.shown w ON w.kind = 'privacy_zone' AND w.subject_id = z.id
WHERE z.valid_to IS NULL OR z.valid_to > now();
