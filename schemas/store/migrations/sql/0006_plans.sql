-- Siting plans from the first draft to their revocation, the sites that they name, and the files that prove things.

-- A file by its content; the bytes lie in the data directory under this hash.
CREATE TABLE core.attachment (
    sha256 text NOT NULL,
    size_bytes bigint NOT NULL,
    media_type text NOT NULL,
    file_name text NOT NULL,
    subject_kind text NOT NULL,
    subject_id uuid NOT NULL,
    purpose text NOT NULL,
    given_by uuid,
    id uuid NOT NULL,
    public_id text NOT NULL,
    recorded_at timestamptz NOT NULL DEFAULT clock_timestamp(),
    origin varchar(6) NOT NULL,
    CONSTRAINT pk_attachment PRIMARY KEY (id),
    CONSTRAINT uq_attachment_public_id UNIQUE (public_id),
    CONSTRAINT uq_attachment_subject_kind_subject_id_purpose_sha256 UNIQUE (subject_kind, subject_id, purpose, sha256),
    CONSTRAINT fk_attachment_given_by_person FOREIGN KEY (given_by) REFERENCES core.person (id),
    CONSTRAINT ck_attachment_origin CHECK (origin IN ('live', 'sample', 'legacy')),
    CONSTRAINT ck_attachment_file CHECK (sha256 ~ '^[0-9a-f]{64}$' AND size_bytes > 0)
);
GRANT SELECT, INSERT ON core.attachment TO skywarden_app;

-- What an approval was given before plans had a life of their own stands as it was given.
ALTER TABLE core.siting_plan
    ADD COLUMN title_en text,
    ADD COLUMN title_zh text,
    ADD COLUMN author_id uuid,
    ADD COLUMN item_id uuid,
    ADD COLUMN justification jsonb NOT NULL DEFAULT '{}',
    ADD COLUMN need jsonb NOT NULL DEFAULT '{}',
    ADD COLUMN duplicates_answer text,
    ADD COLUMN legal_reviewer_id uuid,
    ADD COLUMN technical_reviewer_id uuid,
    ADD COLUMN previous_id uuid,
    ADD COLUMN decided_by uuid,
    ADD COLUMN state_reason text,
    ADD COLUMN state text,
    ADD COLUMN version integer NOT NULL DEFAULT 1,
    ADD CONSTRAINT fk_siting_plan_author_id_person FOREIGN KEY (author_id) REFERENCES core.person (id),
    ADD CONSTRAINT fk_siting_plan_item_id_supervision_item FOREIGN KEY (item_id) REFERENCES core.supervision_item (id),
    ADD CONSTRAINT fk_siting_plan_legal_reviewer_id_person FOREIGN KEY (legal_reviewer_id) REFERENCES core.person (id),
    ADD CONSTRAINT fk_siting_plan_technical_reviewer_id_person
        FOREIGN KEY (technical_reviewer_id) REFERENCES core.person (id),
    ADD CONSTRAINT fk_siting_plan_previous_id_siting_plan FOREIGN KEY (previous_id) REFERENCES core.siting_plan (id),
    ADD CONSTRAINT fk_siting_plan_decided_by_person FOREIGN KEY (decided_by) REFERENCES core.person (id);
UPDATE core.siting_plan SET state = CASE
    WHEN revoked_on IS NOT NULL THEN 'revoked' WHEN approved_on IS NOT NULL THEN 'approved' ELSE 'draft' END;
ALTER TABLE core.siting_plan
    ALTER COLUMN state SET NOT NULL,
    ADD CONSTRAINT ck_siting_plan_plan_version CHECK (plan_version > 0),
    ADD CONSTRAINT ck_siting_plan_words CHECK (
        jsonb_typeof(justification) = 'object' AND jsonb_typeof(need) = 'object'),
    ADD CONSTRAINT ck_siting_plan_state CHECK (state IN
        ('draft', 'justified', 'in_review', 'submitted', 'approved', 'returned', 'rejected', 'amended', 'revoked')),
    -- Author, legal reviewer, technical reviewer and approver are four persons.
    ADD CONSTRAINT "rule__GD-11.1__plan_is_reviewed_by_others" CHECK (
        legal_reviewer_id <> technical_reviewer_id AND legal_reviewer_id <> author_id
        AND technical_reviewer_id <> author_id AND decided_by <> author_id
        AND decided_by <> legal_reviewer_id AND decided_by <> technical_reviewer_id);

-- A place that a plan asks for. Another place is another row: what was reviewed and approved is never redrawn.
CREATE TABLE core.planned_site (
    plan_id uuid NOT NULL,
    ordinal integer NOT NULL,
    geom geometry(POINT, 4326) NOT NULL,
    place_text text NOT NULL,
    place_type text NOT NULL,
    indoor boolean NOT NULL,
    platform text NOT NULL,
    device_type text NOT NULL,
    purpose_en text NOT NULL,
    purpose_zh text NOT NULL,
    sector_azimuth_deg double precision,
    hfov_deg double precision,
    range_m double precision,
    carried_from_id uuid,
    dropped_in integer,
    decision text,
    decision_text text,
    id uuid NOT NULL,
    public_id text NOT NULL,
    recorded_at timestamptz NOT NULL DEFAULT clock_timestamp(),
    origin varchar(6) NOT NULL,
    CONSTRAINT pk_planned_site PRIMARY KEY (id),
    CONSTRAINT uq_planned_site_public_id UNIQUE (public_id),
    CONSTRAINT uq_planned_site_plan_id_ordinal UNIQUE (plan_id, ordinal),
    CONSTRAINT fk_planned_site_plan_id_siting_plan FOREIGN KEY (plan_id) REFERENCES core.siting_plan (id),
    CONSTRAINT fk_planned_site_carried_from_id_planned_site
        FOREIGN KEY (carried_from_id) REFERENCES core.planned_site (id),
    CONSTRAINT ck_planned_site_origin CHECK (origin IN ('live', 'sample', 'legacy')),
    CONSTRAINT ck_planned_site_ordinal CHECK (ordinal > 0),
    CONSTRAINT ck_planned_site_decision CHECK (
        decision IN ('approved', 'rejected') AND (decision = 'approved' OR coalesce(decision_text, '') <> '')),
    CONSTRAINT "rule__DC-4__planned_site_geom" CHECK (core.is_sound(geom)),
    CONSTRAINT "rule__DC-4__planned_site_sector" CHECK (
        sector_azimuth_deg BETWEEN 0 AND 360 AND hfov_deg > 0 AND hfov_deg <= 360
        AND range_m > 0 AND range_m <= 1000000)
);
CREATE INDEX gist_planned_site_geom ON core.planned_site USING gist (geom);
CREATE TRIGGER site_is_final BEFORE UPDATE ON core.planned_site FOR EACH ROW
    WHEN ((OLD.plan_id, OLD.ordinal, OLD.place_text, OLD.place_type, OLD.indoor, OLD.platform, OLD.device_type,
           OLD.purpose_en, OLD.purpose_zh, OLD.sector_azimuth_deg, OLD.hfov_deg, OLD.range_m, OLD.carried_from_id)
        IS DISTINCT FROM
          (NEW.plan_id, NEW.ordinal, NEW.place_text, NEW.place_type, NEW.indoor, NEW.platform, NEW.device_type,
           NEW.purpose_en, NEW.purpose_zh, NEW.sector_azimuth_deg, NEW.hfov_deg, NEW.range_m, NEW.carried_from_id)
        OR NOT ST_OrderingEquals(OLD.geom, NEW.geom)
        OR (OLD.decision IS NOT NULL
            AND (OLD.decision, OLD.decision_text) IS DISTINCT FROM (NEW.decision, NEW.decision_text))
        OR (OLD.dropped_in IS NOT NULL AND OLD.dropped_in IS DISTINCT FROM NEW.dropped_in))
    EXECUTE FUNCTION core.refuse_change('rule__GD-09.2__planned_site_is_final');
GRANT SELECT, INSERT, UPDATE ON core.planned_site TO skywarden_app;

ALTER TABLE core.device_site
    ADD COLUMN planned_site_id uuid,
    ADD CONSTRAINT fk_device_site_planned_site_id_planned_site
        FOREIGN KEY (planned_site_id) REFERENCES core.planned_site (id);

-- A review is of one version of a device, or of one site of a plan.
ALTER TABLE core.device_review
    ALTER COLUMN device_id DROP NOT NULL,
    ADD COLUMN planned_site_id uuid,
    ADD COLUMN device_version integer NOT NULL DEFAULT 1,
    ADD COLUMN sole_basis_id uuid,
    ADD COLUMN corroboration_required boolean NOT NULL DEFAULT true,
    ADD COLUMN institution text,
    ADD COLUMN qualification_no text,
    ADD COLUMN qualification_valid_to date,
    ADD COLUMN standards jsonb NOT NULL DEFAULT '[]',
    ADD CONSTRAINT fk_device_review_planned_site_id_planned_site
        FOREIGN KEY (planned_site_id) REFERENCES core.planned_site (id),
    ADD CONSTRAINT fk_device_review_sole_basis_id_legal_basis
        FOREIGN KEY (sole_basis_id) REFERENCES core.legal_basis (id),
    ADD CONSTRAINT ck_device_review_subject CHECK (num_nonnulls(device_id, planned_site_id) = 1),
    ADD CONSTRAINT ck_device_review_device_version CHECK (device_version > 0),
    ADD CONSTRAINT ck_device_review_corroboration CHECK (corroboration_required OR sole_basis_id IS NOT NULL);
CREATE INDEX ix_device_review_planned_site_id ON core.device_review (planned_site_id);

-- What several authorities of one country add to their rules, each by its own decision (G-42); the latest word counts.
CREATE TABLE core.overlay_switch (
    authority_id uuid NOT NULL,
    overlay text NOT NULL,
    is_on boolean NOT NULL,
    reason text NOT NULL,
    decided_by uuid,
    id uuid NOT NULL,
    public_id text NOT NULL,
    recorded_at timestamptz NOT NULL DEFAULT clock_timestamp(),
    origin varchar(6) NOT NULL,
    CONSTRAINT pk_overlay_switch PRIMARY KEY (id),
    CONSTRAINT uq_overlay_switch_public_id UNIQUE (public_id),
    CONSTRAINT fk_overlay_switch_authority_id_authority FOREIGN KEY (authority_id) REFERENCES core.authority (id),
    CONSTRAINT fk_overlay_switch_decided_by_person FOREIGN KEY (decided_by) REFERENCES core.person (id),
    CONSTRAINT ck_overlay_switch_origin CHECK (origin IN ('live', 'sample', 'legacy'))
);
CREATE INDEX ix_overlay_switch_authority_id ON core.overlay_switch (authority_id);
GRANT SELECT, INSERT ON core.overlay_switch TO skywarden_app;
