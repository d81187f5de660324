-- The papers of a device: evaluations, calibrations, maintenance and repairs, incidents, dispatches to channels.

ALTER TABLE core.device
    ADD COLUMN code text,
    ADD CONSTRAINT uq_device_code UNIQUE (code),
    ADD COLUMN device_version integer NOT NULL DEFAULT 1,
    ADD COLUMN author_id uuid,
    ADD COLUMN secret_authority text,
    ADD COLUMN secret_level text,
    ADD COLUMN secret_until date,
    ADD CONSTRAINT fk_device_author_id_person FOREIGN KEY (author_id) REFERENCES core.person (id),
    ADD CONSTRAINT ck_device_device_version CHECK (device_version > 0);

-- Lists of an authority, its instruments and mobile units, instruments whose calibration lapses, and the sites that
-- lean on a plan.
CREATE INDEX ix_device_instrument ON core.device (authority_id) WHERE is_measuring_instrument;
CREATE INDEX ix_device_mobile ON core.device (authority_id) WHERE category = 'mobile';
CREATE INDEX ix_device_authority_id_state ON core.device (authority_id, state);
CREATE INDEX ix_device_calibration_valid_to ON core.device (calibration_valid_to)
    WHERE is_measuring_instrument AND state = 'active';
CREATE INDEX ix_device_site_siting_plan_id ON core.device_site (siting_plan_id);
CREATE INDEX ix_device_site_planned_site_id ON core.device_site (planned_site_id);

-- One device in the lists of several departments: it is registered once, and each of the others uses it too.
CREATE TABLE core.device_share (
    device_id uuid NOT NULL,
    authority_id uuid NOT NULL,
    name text NOT NULL,
    import_id uuid,
    id uuid NOT NULL,
    public_id text NOT NULL,
    recorded_at timestamptz NOT NULL DEFAULT clock_timestamp(),
    origin varchar(6) NOT NULL,
    CONSTRAINT pk_device_share PRIMARY KEY (id),
    CONSTRAINT uq_device_share_public_id UNIQUE (public_id),
    CONSTRAINT uq_device_share_device_id_authority_id UNIQUE (device_id, authority_id),
    CONSTRAINT fk_device_share_device_id_device FOREIGN KEY (device_id) REFERENCES core.device (id),
    CONSTRAINT fk_device_share_authority_id_authority FOREIGN KEY (authority_id) REFERENCES core.authority (id),
    CONSTRAINT fk_device_share_import_id_import_batch FOREIGN KEY (import_id) REFERENCES core.import_batch (id)
);

CREATE TABLE core.evaluation (
    device_id uuid NOT NULL,
    outcome text NOT NULL,
    text text NOT NULL,
    evaluated_on date NOT NULL,
    evaluated_by uuid,
    id uuid NOT NULL,
    public_id text NOT NULL,
    recorded_at timestamptz NOT NULL DEFAULT clock_timestamp(),
    origin varchar(6) NOT NULL,
    CONSTRAINT pk_evaluation PRIMARY KEY (id),
    CONSTRAINT uq_evaluation_public_id UNIQUE (public_id),
    CONSTRAINT fk_evaluation_device_id_device FOREIGN KEY (device_id) REFERENCES core.device (id),
    CONSTRAINT fk_evaluation_evaluated_by_person FOREIGN KEY (evaluated_by) REFERENCES core.person (id),
    CONSTRAINT ck_evaluation_outcome CHECK (outcome IN ('keep', 'adjust_signage', 'cancel_site'))
);
CREATE INDEX ix_evaluation_device_id ON core.evaluation (device_id);

CREATE TABLE core.calibration (
    device_id uuid NOT NULL,
    kind text NOT NULL,
    agency text NOT NULL,
    certificate_no text NOT NULL,
    passed boolean NOT NULL,
    tested_on date NOT NULL,
    valid_to date,
    recorded_by uuid,
    id uuid NOT NULL,
    public_id text NOT NULL,
    recorded_at timestamptz NOT NULL DEFAULT clock_timestamp(),
    origin varchar(6) NOT NULL,
    CONSTRAINT pk_calibration PRIMARY KEY (id),
    CONSTRAINT uq_calibration_public_id UNIQUE (public_id),
    CONSTRAINT fk_calibration_device_id_device FOREIGN KEY (device_id) REFERENCES core.device (id),
    CONSTRAINT fk_calibration_recorded_by_person FOREIGN KEY (recorded_by) REFERENCES core.person (id),
    CONSTRAINT ck_calibration_kind CHECK (kind IN ('verification', 'calibration')),
    CONSTRAINT ck_calibration_valid_to CHECK (
        CASE WHEN passed THEN coalesce(isfinite(valid_to) AND valid_to >= tested_on, false) ELSE valid_to IS NULL END)
);
CREATE INDEX ix_calibration_device_id ON core.calibration (device_id);

-- A repair names the stop that it ends, by the moment at which it began.
CREATE TABLE core.upkeep (
    device_id uuid NOT NULL,
    kind text NOT NULL,
    done_on date NOT NULL,
    done_by text NOT NULL,
    text text NOT NULL,
    stopped_since timestamptz,
    recorded_by uuid,
    id uuid NOT NULL,
    public_id text NOT NULL,
    recorded_at timestamptz NOT NULL DEFAULT clock_timestamp(),
    origin varchar(6) NOT NULL,
    CONSTRAINT pk_upkeep PRIMARY KEY (id),
    CONSTRAINT uq_upkeep_public_id UNIQUE (public_id),
    CONSTRAINT fk_upkeep_device_id_device FOREIGN KEY (device_id) REFERENCES core.device (id),
    CONSTRAINT fk_upkeep_recorded_by_person FOREIGN KEY (recorded_by) REFERENCES core.person (id),
    CONSTRAINT ck_upkeep_kind CHECK (kind IN ('maintenance', 'repair')),
    CONSTRAINT ck_upkeep_stopped_since CHECK (kind = 'repair' OR stopped_since IS NULL)
);
CREATE INDEX ix_upkeep_device_id ON core.upkeep (device_id);

CREATE TABLE core.incident (
    device_id uuid NOT NULL,
    kind text NOT NULL,
    observed_at timestamptz NOT NULL,
    shift_m double precision,
    text text NOT NULL,
    reported_by uuid,
    id uuid NOT NULL,
    public_id text NOT NULL,
    recorded_at timestamptz NOT NULL DEFAULT clock_timestamp(),
    origin varchar(6) NOT NULL,
    CONSTRAINT pk_incident PRIMARY KEY (id),
    CONSTRAINT uq_incident_public_id UNIQUE (public_id),
    CONSTRAINT fk_incident_device_id_device FOREIGN KEY (device_id) REFERENCES core.device (id),
    CONSTRAINT fk_incident_reported_by_person FOREIGN KEY (reported_by) REFERENCES core.person (id),
    CONSTRAINT ck_incident_kind CHECK (kind IN ('tamper', 'moved', 'damaged', 'jammed', 'offline')),
    CONSTRAINT ck_incident_shift_m CHECK (shift_m >= 0 AND shift_m < 'Infinity')
);
CREATE INDEX ix_incident_device_id ON core.incident (device_id);

-- What somebody found who looked at an incident; each is answered once.
CREATE TABLE core.incident_answer (
    incident_id uuid NOT NULL,
    answered_at timestamptz NOT NULL,
    text text NOT NULL,
    answered_by uuid,
    id uuid NOT NULL,
    public_id text NOT NULL,
    recorded_at timestamptz NOT NULL DEFAULT clock_timestamp(),
    origin varchar(6) NOT NULL,
    CONSTRAINT pk_incident_answer PRIMARY KEY (id),
    CONSTRAINT uq_incident_answer_public_id UNIQUE (public_id),
    CONSTRAINT uq_incident_answer_incident_id UNIQUE (incident_id),
    CONSTRAINT fk_incident_answer_incident_id_incident FOREIGN KEY (incident_id) REFERENCES core.incident (id),
    CONSTRAINT fk_incident_answer_answered_by_person FOREIGN KEY (answered_by) REFERENCES core.person (id),
    CONSTRAINT ck_incident_answer_answered_at CHECK (isfinite(answered_at)),
    CONSTRAINT ck_incident_answer_text CHECK (text <> '')
);

-- What was handed to a channel that answers later, and what it answered. A dispatch is answered once.
CREATE TABLE core.dispatch (
    subject_kind text NOT NULL,
    subject_id uuid NOT NULL,
    channel text NOT NULL,
    content_sha256 text NOT NULL,
    document text NOT NULL,
    sent_at timestamptz NOT NULL,
    answered_at timestamptz,
    publication_id uuid,
    rejected_because text,
    id uuid NOT NULL,
    public_id text NOT NULL,
    recorded_at timestamptz NOT NULL DEFAULT clock_timestamp(),
    origin varchar(6) NOT NULL,
    CONSTRAINT pk_dispatch PRIMARY KEY (id),
    CONSTRAINT uq_dispatch_public_id UNIQUE (public_id),
    CONSTRAINT fk_dispatch_publication_id_publication FOREIGN KEY (publication_id) REFERENCES core.publication (id),
    CONSTRAINT ck_dispatch_answer CHECK (
        CASE WHEN answered_at IS NULL THEN num_nonnulls(publication_id, rejected_because) = 0
             ELSE num_nonnulls(publication_id, rejected_because) = 1 END)
);
CREATE INDEX ix_dispatch_subject ON core.dispatch (subject_kind, subject_id);
CREATE TRIGGER dispatch_is_final BEFORE UPDATE ON core.dispatch FOR EACH ROW
    WHEN (OLD.answered_at IS NOT NULL
        OR (OLD.subject_kind, OLD.subject_id, OLD.channel, OLD.content_sha256, OLD.document, OLD.sent_at)
        IS DISTINCT FROM
           (NEW.subject_kind, NEW.subject_id, NEW.channel, NEW.content_sha256, NEW.document, NEW.sent_at))
    EXECUTE FUNCTION core.refuse_change('rule__GD-14.2__dispatch_is_final');
GRANT SELECT, INSERT, UPDATE ON core.dispatch TO skywarden_app;

DO $$
DECLARE
    tab text;
BEGIN
    FOREACH tab IN ARRAY ARRAY['evaluation', 'calibration', 'upkeep', 'incident', 'incident_answer', 'dispatch',
                               'device_share'] LOOP
        EXECUTE format('ALTER TABLE core.%I ADD CONSTRAINT %I CHECK (origin IN (''live'', ''sample'', ''legacy''))',
            tab, 'ck_' || tab || '_origin');
    END LOOP;
    FOREACH tab IN ARRAY ARRAY['evaluation', 'calibration', 'upkeep', 'incident', 'incident_answer', 'attachment',
                               'overlay_switch', 'device_share'] LOOP
        EXECUTE format('CREATE TRIGGER record_is_final BEFORE UPDATE OR DELETE ON core.%I FOR EACH ROW
            EXECUTE FUNCTION core.refuse_change(''rule__GD-20.2__record_is_fixed'')', tab);
        EXECUTE format('CREATE TRIGGER record_is_kept BEFORE TRUNCATE ON core.%I FOR EACH STATEMENT
            EXECUTE FUNCTION core.refuse_change(''rule__GD-20.2__record_is_fixed'')', tab);
        EXECUTE format('GRANT SELECT, INSERT ON core.%I TO skywarden_app', tab);
    END LOOP;
    FOREACH tab IN ARRAY ARRAY['evaluation', 'calibration', 'upkeep', 'incident', 'incident_answer', 'attachment',
                               'overlay_switch', 'dispatch', 'planned_site', 'device_share'] LOOP
        EXECUTE format('CREATE TRIGGER stamp BEFORE INSERT OR UPDATE ON core.%I
            FOR EACH ROW EXECUTE FUNCTION core.stamp()', tab);
    END LOOP;
END
$$;

-- The first day on which a device was ever used: what is reported once, as new, however often it is used again (GD-13.3).
ALTER TABLE core.device ADD COLUMN first_used_on date;
UPDATE core.device SET first_used_on = activated_on;
CREATE FUNCTION core.keep_first_use() RETURNS trigger
    LANGUAGE plpgsql
    SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
    NEW.first_used_on := coalesce(CASE TG_OP WHEN 'UPDATE' THEN OLD.first_used_on END, NEW.activated_on);
    RETURN NEW;
END
$$;
REVOKE ALL ON FUNCTION core.keep_first_use() FROM PUBLIC;
GRANT EXECUTE ON FUNCTION core.keep_first_use() TO skywarden_app;
CREATE TRIGGER keep_first_use BEFORE INSERT OR UPDATE OF activated_on, first_used_on ON core.device
    FOR EACH ROW EXECUTE FUNCTION core.keep_first_use();
