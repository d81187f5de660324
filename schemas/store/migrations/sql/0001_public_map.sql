-- What the public sees: views with explicit columns, and a role that can read nothing else
-- (requirements.md 5.3). No bearings, serial numbers, secret devices, drafts, people or findings.
-- Each is a security barrier: a condition of the reader never sees a row that the view leaves out.

CREATE VIEW public_map.authorities WITH (security_barrier) AS
SELECT a.public_id, a.name_en, a.name_zh, a.level, a.authority_type, a.field,
       a.contact_address, a.contact_channel, a.origin, a.jurisdiction AS geom
FROM core.authority a;

CREATE VIEW public_map.devices WITH (security_barrier) AS
SELECT d.public_id, d.name, d.platform, d.category, d.device_type, d.purpose_en, d.purpose_zh,
       d.owner_type, d.is_measuring_instrument, d.calibration_valid_to AS calibrated_until,
       CASE d.state WHEN 'published' THEN 'in_notice_period' WHEN 'blocked' THEN 'out_of_use' ELSE d.state END AS status,
       d.activated_on, d.discontinued_on,
       (SELECT min(p.published_on) FROM core.publication p
         WHERE p.subject_kind = 'device' AND p.subject_id = d.id AND p.withdrawn_at IS NULL
           AND p.round_no = (SELECT max(r.round_no) FROM core.publication r
                             WHERE r.subject_kind = 'device' AND r.subject_id = d.id)) AS published_on,
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
WHERE NOT d.secret
  AND d.state IN ('published', 'active', 'maintenance', 'blocked', 'discontinued', 'retired')
  -- A device that was given up before its first publication never was a matter of the public.
  AND EXISTS (SELECT FROM core.publication p WHERE p.subject_kind = 'device' AND p.subject_id = d.id);

CREATE VIEW public_map.patrol_areas WITH (security_barrier) AS
SELECT p.public_id, p.code, p.name_en, p.name_zh, p.purpose_en, p.purpose_zh,
       CASE p.state WHEN 'published' THEN 'in_notice_period' ELSE p.state END AS status,
       p.alt_min_agl_m, p.alt_max_agl_m, p.effective_from, p.suspended_on,
       (SELECT min(q.published_on) FROM core.publication q
         WHERE q.subject_kind = 'patrol_area' AND q.subject_id = p.id AND q.withdrawn_at IS NULL
           AND q.round_no = (SELECT max(r.round_no) FROM core.publication r
                             WHERE r.subject_kind = 'patrol_area' AND r.subject_id = p.id)) AS published_on,
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
WHERE p.state IN ('published', 'effective', 'suspended', 'retired')
  AND EXISTS (SELECT FROM core.publication q WHERE q.subject_kind = 'patrol_area' AND q.subject_id = p.id);

-- The line is drawn without bends of less than 50 m (in web Mercator units), always in the same way, so that
-- asking often tells no more. Waypoints, speeds and the mission stay inside.
CREATE INDEX gist_patrol_route_generalised ON core.patrol_route USING gist (ST_Simplify(geom_3857, 50, true));

CREATE VIEW public_map.patrol_routes WITH (security_barrier) AS
SELECT p.public_id, p.code, p.name_en, p.name_zh,
       CASE p.state WHEN 'published' THEN 'in_notice_period' ELSE p.state END AS status,
       p.effective_from, p.suspended_on,
       (SELECT min(q.published_on) FROM core.publication q
         WHERE q.subject_kind = 'patrol_route' AND q.subject_id = p.id AND q.withdrawn_at IS NULL
           AND q.round_no = (SELECT max(r.round_no) FROM core.publication r
                             WHERE r.subject_kind = 'patrol_route' AND r.subject_id = p.id)) AS published_on,
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
WHERE p.state IN ('published', 'effective', 'suspended', 'retired')
  AND EXISTS (SELECT FROM core.publication q WHERE q.subject_kind = 'patrol_route' AND q.subject_id = p.id);

-- Every zone that holds or will hold, in the shape that is meant for display. A sensitive one says neither
-- what it protects nor who asked for it; that it is sensitive is not said either.
CREATE VIEW public_map.privacy_zones WITH (security_barrier) AS
SELECT z.public_id,
       CASE WHEN z.sensitive THEN 'other' ELSE z.kind END AS kind,
       CASE WHEN NOT z.sensitive THEN z.name_en END AS name_en,
       CASE WHEN NOT z.sensitive THEN z.name_zh END AS name_zh,
       CASE WHEN NOT z.sensitive THEN z.source END AS source,
       z.buffer_m, z.valid_from, z.valid_to, z.origin, z.geom, z.geom_3857
FROM core.privacy_zone z
WHERE z.valid_to IS NULL OR z.valid_to > now();

CREATE VIEW public_map.publications WITH (security_barrier) AS
SELECT p.public_id, p.subject_kind, s.public_id AS subject_id, p.round_no, p.channel, p.published_at, p.published_on,
       p.lead_days, p.earliest_activation, p.receipt_id, p.content_sha256, p.withdrawn_at, p.recorded_at, p.origin
FROM core.publication p
JOIN (
    SELECT 'device' AS kind, d.id, d.public_id FROM core.device d WHERE NOT d.secret
    UNION ALL SELECT 'patrol_area', f.id, f.public_id FROM core.patrol_area f
    UNION ALL SELECT 'patrol_route', r.id, r.public_id FROM core.patrol_route r
) s ON s.kind = p.subject_kind AND s.id = p.subject_id;

CREATE VIEW public_map.announcements WITH (security_barrier) AS
SELECT n.public_id, n.subject_kind, s.public_id AS subject_id, n.kind, n.announced_at, n.text_en, n.text_zh,
       n.recorded_at, n.origin
FROM core.announcement n
JOIN (
    SELECT 'device' AS kind, d.id, d.public_id FROM core.device d WHERE NOT d.secret
    UNION ALL SELECT 'patrol_area', f.id, f.public_id FROM core.patrol_area f
    UNION ALL SELECT 'patrol_route', r.id, r.public_id FROM core.patrol_route r
) s ON s.kind = n.subject_kind AND s.id = n.subject_id;

-- After the fact and rounded: the day, the duration to a quarter of an hour, and whether it stayed inside.
CREATE VIEW public_map.flight_log WITH (security_barrier) AS
SELECT f.public_id, r.public_id AS route_id, r.name_en AS route_en, r.name_zh AS route_zh,
       q.public_id AS area_id, q.name_en AS area_en, q.name_zh AS area_zh,
       a.name_en AS authority_en, a.name_zh AS authority_zh,
       (f.airborne_at AT TIME ZONE k.timezone)::date AS flown_on,
       (round(extract(epoch FROM f.landed_at - f.airborne_at) / 900) * 15)::integer AS duration_min,
       f.stayed_inside,
       CASE WHEN f.deviation_lateral_m > k.deviation_tolerance_m THEN 'deviating' ELSE 'as_published' END AS flown,
       f.origin
FROM core.flight f
JOIN core.patrol_route r ON r.id = f.route_id
JOIN core.patrol_area q ON q.id = r.area_id
JOIN core.authority a ON a.id = f.authority_id
JOIN LATERAL (
    SELECT p.timezone, p.deviation_tolerance_m, p.flight_log_delay FROM law.pack p
    WHERE ST_Covers(p.jurisdiction, r.geom)
      AND p.effective_from <= (f.airborne_at AT TIME ZONE p.timezone)::date
      AND (p.effective_to IS NULL OR p.effective_to > (f.airborne_at AT TIME ZONE p.timezone)::date)) k ON true
WHERE f.state = 'closed' AND f.landed_at + k.flight_log_delay <= now();

CREATE VIEW public_map.rule_packs WITH (security_barrier) AS
SELECT p.id, p.version, p.sha256, p.effective_from, p.effective_to, p.timezone,
       p.document -> 'title' AS title, p.document -> 'legal_basis' AS legal_basis,
       p.document -> 'values' AS "values", p.document -> 'sources' AS sources,
       p.document -> 'channels' AS channels, p.document -> 'needs_legal_review' AS needs_legal_review,
       (p.document -> 'jurisdiction' ->> 'coarse')::boolean AS coarse, p.jurisdiction AS geom
FROM law.pack p;

CREATE VIEW public_map.base_features WITH (security_barrier) AS
SELECT b.public_id, b.kind, b.rank, b.name_en, b.name_zh, b.origin, b.geom, b.geom_3857
FROM core.base_feature b;

CREATE VIEW public_map.installation WITH (security_barrier) AS
SELECT i.key, i.value FROM core.installation i WHERE i.key = 'sample_data';

-- Changes whenever anything was recorded, and with every day, because what is shown depends on the date.
-- It tells neither how much was recorded nor what.
CREATE VIEW public_map.revision WITH (security_barrier) AS
SELECT to_char(current_date, 'YYYYMMDD') || '-' || coalesce(
    (SELECT encode(substring(e.leaf FOR 8), 'hex') FROM ledger.event e ORDER BY e.id DESC LIMIT 1), '0') AS revision;

-- The last seal, for anyone who wants to be a witness of the ledger.
CREATE VIEW public_map.checkpoint WITH (security_barrier) AS
SELECT s.n || ':' || encode(s.digest, 'hex') AS checkpoint, s.sealed_at
FROM ledger.seal s ORDER BY s.n DESC LIMIT 1;

GRANT USAGE ON SCHEMA public_map TO skywarden_public, skywarden_app;
GRANT SELECT ON ALL TABLES IN SCHEMA public_map TO skywarden_public, skywarden_app;
-- It runs with the owner's rights and can be called through the views alone: the schema is closed.
GRANT EXECUTE ON FUNCTION core.earliest_use TO skywarden_public;
