-- Deployment points with a notice period of their own, and small changes of patrol areas that need no new one (GD-16.3).

CREATE TABLE core.deployment_point (
    code text NOT NULL,
    name_en text NOT NULL,
    name_zh text NOT NULL,
    purpose_en text NOT NULL,
    purpose_zh text NOT NULL,
    authority_id uuid NOT NULL,
    author_id uuid,
    item_id uuid,
    siting_plan_id uuid,
    geom geometry(POINT, 4326) NOT NULL,
    geom_3857 geometry(POINT, 3857) GENERATED ALWAYS AS (ST_Transform(geom, 3857)) STORED,
    place_text text NOT NULL,
    effective_from date,
    suspended_on date,
    state text NOT NULL,
    version integer NOT NULL,
    id uuid NOT NULL,
    public_id text NOT NULL,
    recorded_at timestamptz NOT NULL DEFAULT clock_timestamp(),
    origin varchar(6) NOT NULL,
    CONSTRAINT pk_deployment_point PRIMARY KEY (id),
    CONSTRAINT uq_deployment_point_public_id UNIQUE (public_id),
    CONSTRAINT uq_deployment_point_code UNIQUE (code),
    CONSTRAINT fk_deployment_point_authority_id_authority FOREIGN KEY (authority_id) REFERENCES core.authority (id),
    CONSTRAINT fk_deployment_point_author_id_person FOREIGN KEY (author_id) REFERENCES core.person (id),
    CONSTRAINT fk_deployment_point_item_id_supervision_item
        FOREIGN KEY (item_id) REFERENCES core.supervision_item (id),
    CONSTRAINT fk_deployment_point_siting_plan_id_siting_plan
        FOREIGN KEY (siting_plan_id) REFERENCES core.siting_plan (id),
    CONSTRAINT ck_deployment_point_origin CHECK (origin IN ('live', 'sample', 'legacy')),
    CONSTRAINT ck_deployment_point_state CHECK (state IN
        ('draft', 'checked', 'approved', 'published', 'effective', 'suspended', 'retired')),
    CONSTRAINT "rule__DC-4__deployment_point_geom" CHECK (core.is_sound(geom))
);
CREATE INDEX gist_deployment_point_geom ON core.deployment_point USING gist (geom);
CREATE INDEX gist_deployment_point_geom_3857 ON core.deployment_point USING gist (geom_3857);
GRANT SELECT, INSERT, UPDATE ON core.deployment_point TO skywarden_app;
CREATE TRIGGER stamp BEFORE INSERT OR UPDATE ON core.deployment_point FOR EACH ROW EXECUTE FUNCTION core.stamp();
CREATE TRIGGER judge_dates BEFORE UPDATE ON core.deployment_point FOR EACH ROW
    WHEN (OLD.state <> NEW.state
        OR (OLD.effective_from, OLD.suspended_on) IS DISTINCT FROM (NEW.effective_from, NEW.suspended_on))
    EXECUTE FUNCTION core.judge_patrol_dates();
CREATE CONSTRAINT TRIGGER judge_use AFTER INSERT OR UPDATE OF state ON core.deployment_point
    DEFERRABLE INITIALLY DEFERRED FOR EACH ROW EXECUTE FUNCTION core.judge_patrol_use();
CREATE TRIGGER published_content_is_final BEFORE UPDATE ON core.deployment_point FOR EACH ROW
    WHEN ((OLD.public_id, OLD.code, OLD.purpose_en, OLD.purpose_zh, OLD.item_id, OLD.authority_id, OLD.place_text)
        IS DISTINCT FROM
          (NEW.public_id, NEW.code, NEW.purpose_en, NEW.purpose_zh, NEW.item_id, NEW.authority_id, NEW.place_text)
        OR NOT ST_OrderingEquals(OLD.geom, NEW.geom))
    EXECUTE FUNCTION core.judge_content();

CREATE VIEW public_map.deployment_points WITH (security_barrier) AS
SELECT p.public_id, p.code, p.name_en, p.name_zh, p.purpose_en, p.purpose_zh, p.place_text,
       CASE p.state WHEN 'published' THEN 'in_notice_period' ELSE p.state END AS status,
       p.effective_from, p.suspended_on,
       (SELECT min(q.published_on) FROM core.publication q
         WHERE q.subject_kind = 'deployment_point' AND q.subject_id = p.id AND q.withdrawn_at IS NULL
           AND q.round_no = (SELECT max(r.round_no) FROM core.publication r
                             WHERE r.subject_kind = 'deployment_point' AND r.subject_id = p.id)) AS published_on,
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
WHERE p.state IN ('published', 'effective', 'suspended', 'retired')
  AND EXISTS (SELECT FROM core.publication q WHERE q.subject_kind = 'deployment_point' AND q.subject_id = p.id);
GRANT SELECT ON public_map.deployment_points TO skywarden_public, skywarden_app;

CREATE OR REPLACE VIEW public_map.publications WITH (security_barrier) AS
SELECT p.public_id, p.subject_kind, s.public_id AS subject_id, p.round_no, p.channel, p.published_at, p.published_on,
       p.lead_days, p.earliest_activation, p.receipt_id, p.content_sha256, p.withdrawn_at, p.recorded_at, p.origin
FROM core.publication p
JOIN (
    SELECT 'device' AS kind, d.id, d.public_id FROM core.device d WHERE NOT d.secret
    UNION ALL SELECT 'patrol_area', f.id, f.public_id FROM core.patrol_area f
    UNION ALL SELECT 'patrol_route', r.id, r.public_id FROM core.patrol_route r
    UNION ALL SELECT 'deployment_point', o.id, o.public_id FROM core.deployment_point o
) s ON s.kind = p.subject_kind AND s.id = p.subject_id;

CREATE OR REPLACE VIEW public_map.announcements WITH (security_barrier) AS
SELECT n.public_id, n.subject_kind, s.public_id AS subject_id, n.kind, n.announced_at, n.text_en, n.text_zh,
       n.recorded_at, n.origin
FROM core.announcement n
JOIN (
    SELECT 'device' AS kind, d.id, d.public_id FROM core.device d WHERE NOT d.secret
    UNION ALL SELECT 'patrol_area', f.id, f.public_id FROM core.patrol_area f
    UNION ALL SELECT 'patrol_route', r.id, r.public_id FROM core.patrol_route r
    UNION ALL SELECT 'deployment_point', o.id, o.public_id FROM core.deployment_point o
) s ON s.kind = n.subject_kind AND s.id = n.subject_id;

-- A change of an area in force: drawn by one, approved by another, shown, and then put in the place of the old shape.
ALTER TABLE core.patrol_area ADD COLUMN area_version integer NOT NULL DEFAULT 1,
    ADD CONSTRAINT ck_patrol_area_area_version CHECK (area_version > 0);
CREATE TABLE core.area_change (
    area_id uuid NOT NULL,
    area_version integer NOT NULL,
    geom geometry(POLYGON, 4326) NOT NULL,
    earlier_geom geometry(POLYGON, 4326) NOT NULL,
    iou double precision NOT NULL,
    reason text NOT NULL,
    author_id uuid NOT NULL,
    approver_id uuid,
    approved_on date,
    applied_on date,
    id uuid NOT NULL,
    public_id text NOT NULL,
    recorded_at timestamptz NOT NULL DEFAULT clock_timestamp(),
    origin varchar(6) NOT NULL,
    CONSTRAINT pk_area_change PRIMARY KEY (id),
    CONSTRAINT uq_area_change_public_id UNIQUE (public_id),
    CONSTRAINT uq_area_change_area_id_area_version UNIQUE (area_id, area_version),
    CONSTRAINT fk_area_change_area_id_patrol_area FOREIGN KEY (area_id) REFERENCES core.patrol_area (id),
    CONSTRAINT fk_area_change_author_id_person FOREIGN KEY (author_id) REFERENCES core.person (id),
    CONSTRAINT fk_area_change_approver_id_person FOREIGN KEY (approver_id) REFERENCES core.person (id),
    CONSTRAINT ck_area_change_origin CHECK (origin IN ('live', 'sample', 'legacy')),
    CONSTRAINT ck_area_change_area_version CHECK (area_version > 1),
    CONSTRAINT ck_area_change_iou CHECK (iou BETWEEN 0 AND 1),
    CONSTRAINT ck_area_change_approval CHECK ((approver_id IS NULL) = (approved_on IS NULL)),
    CONSTRAINT "rule__GD-16.1__change_is_approved_by_another" CHECK (approver_id <> author_id),
    CONSTRAINT "rule__DC-4__area_change_geom" CHECK (core.is_sound(geom)),
    CONSTRAINT "rule__DC-4__area_change_earlier_geom" CHECK (core.is_sound(earlier_geom))
);
CREATE INDEX gist_area_change_geom ON core.area_change USING gist (geom);
CREATE INDEX gist_area_change_earlier_geom ON core.area_change USING gist (earlier_geom);
CREATE TRIGGER stamp BEFORE INSERT OR UPDATE ON core.area_change FOR EACH ROW EXECUTE FUNCTION core.stamp();
CREATE TRIGGER change_is_final BEFORE UPDATE ON core.area_change FOR EACH ROW
    WHEN ((OLD.area_id, OLD.area_version, OLD.iou, OLD.reason, OLD.author_id)
        IS DISTINCT FROM (NEW.area_id, NEW.area_version, NEW.iou, NEW.reason, NEW.author_id)
        OR NOT ST_OrderingEquals(OLD.geom, NEW.geom) OR NOT ST_OrderingEquals(OLD.earlier_geom, NEW.earlier_geom)
        OR (OLD.approver_id IS NOT NULL
            AND (OLD.approver_id, OLD.approved_on) IS DISTINCT FROM (NEW.approver_id, NEW.approved_on))
        OR (OLD.applied_on IS NOT NULL AND OLD.applied_on IS DISTINCT FROM NEW.applied_on))
    EXECUTE FUNCTION core.refuse_change('rule__GD-20.2__record_is_fixed');
GRANT SELECT, INSERT, UPDATE ON core.area_change TO skywarden_app;
