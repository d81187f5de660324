-- Whom to ask for stands in the open data too, as it does on the page of a record (GD-41.1); nothing else changes.

DROP VIEW public_map.open_devices;
CREATE VIEW public_map.open_devices WITH (security_barrier) AS
SELECT d.public_id, d.name, d.platform, d.category, d.device_type, d.status, d.purpose_en, d.purpose_zh,
       d.owner_type, d.is_measuring_instrument, d.calibrated_until, d.published_on, d.earliest_activation,
       d.activated_on, d.discontinued_on, d.item_code, d.item_name_en, d.item_name_zh, d.basis_title_en,
       d.basis_title_zh, d.basis_article, d.authority_id, d.authority_en, d.authority_zh, d.contact_person,
       d.contact_address, d.contact_channel, d.sign_text, d.sign_checked_on, d.aircraft_mark, d.place_text,
       d.siting_approval_no, d.origin, d.recorded_on, d.geom
FROM public_map.devices d;

DROP VIEW public_map.open_deployment_points;
CREATE VIEW public_map.open_deployment_points WITH (security_barrier) AS
SELECT p.public_id, p.code, p.name_en, p.name_zh, p.status, p.purpose_en, p.purpose_zh, p.place_text, p.published_on,
       p.earliest_use, p.effective_from, p.suspended_on, p.item_code, p.item_name_en, p.item_name_zh,
       p.basis_title_en, p.basis_title_zh, p.basis_article, p.authority_id, p.authority_en, p.authority_zh,
       p.contact_person, p.contact_address, p.contact_channel, p.siting_approval_no, p.origin, p.recorded_on, p.geom
FROM public_map.deployment_points p;

DROP VIEW public_map.open_patrol_areas;
CREATE VIEW public_map.open_patrol_areas WITH (security_barrier) AS
SELECT p.public_id, p.code, p.name_en, p.name_zh, p.status, p.purpose_en, p.purpose_zh, p.alt_min_agl_m,
       p.alt_max_agl_m, p.published_on, p.earliest_use, p.effective_from, p.suspended_on, p.item_code,
       p.item_name_en, p.item_name_zh, p.basis_title_en, p.basis_title_zh, p.basis_article, p.authority_id,
       p.authority_en, p.authority_zh, p.contact_person, p.contact_address, p.contact_channel, p.siting_approval_no,
       p.origin, p.recorded_on, p.geom
FROM public_map.patrol_areas p;

DROP VIEW public_map.open_patrol_routes;
CREATE VIEW public_map.open_patrol_routes WITH (security_barrier) AS
SELECT p.public_id, p.code, p.name_en, p.name_zh, p.status, p.purpose_en, p.purpose_zh, p.area_id, p.area_en,
       p.area_zh, p.alt_min_agl_m, p.alt_max_agl_m, p.published_on, p.earliest_use, p.effective_from, p.suspended_on,
       p.authority_id, p.authority_en, p.authority_zh, p.contact_person, p.contact_address, p.contact_channel,
       p.mission_digest, p.origin, p.recorded_on, p.geom::geometry(LineString, 4326) AS geom
FROM public_map.patrol_routes p;

DROP VIEW public_map.open_authorities;
CREATE VIEW public_map.open_authorities WITH (security_barrier) AS
SELECT a.public_id, a.name_en, a.name_zh, a.level, a.authority_type, a.field, a.contact_person, a.contact_address,
       a.contact_channel, a.origin, a.geom
FROM public_map.authorities a;

GRANT SELECT ON public_map.open_devices, public_map.open_deployment_points, public_map.open_patrol_areas,
    public_map.open_patrol_routes, public_map.open_authorities TO skywarden_public, skywarden_app;
