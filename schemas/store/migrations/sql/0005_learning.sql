-- Models of pixels and objects: what they learned from, how well they do, and who approved them.

-- ---------------------------------------------------------------------------------------------
-- What officers said: a click, a drawn area, a find accepted, rejected or redrawn
-- ---------------------------------------------------------------------------------------------

CREATE TABLE core.label (
    id uuid NOT NULL,
    public_id text NOT NULL,
    recorded_at timestamptz NOT NULL DEFAULT clock_timestamp(),
    origin varchar(6) NOT NULL,
    kind text NOT NULL,
    of_class text NOT NULL,
    geom geometry(GEOMETRY, 4326) NOT NULL,
    scene_id uuid NOT NULL,
    authority_id uuid NOT NULL,
    person_id uuid NOT NULL,
    detection_id uuid,
    reason text,
    CONSTRAINT pk_label PRIMARY KEY (id),
    CONSTRAINT uq_label_public_id UNIQUE (public_id),
    CONSTRAINT fk_label_scene_id_scene FOREIGN KEY (scene_id) REFERENCES core.scene (id),
    CONSTRAINT fk_label_authority_id_authority FOREIGN KEY (authority_id) REFERENCES core.authority (id),
    CONSTRAINT fk_label_person_id_person FOREIGN KEY (person_id) REFERENCES core.person (id),
    CONSTRAINT fk_label_detection_id_detection FOREIGN KEY (detection_id) REFERENCES core.detection (id),
    CONSTRAINT ck_label_origin CHECK (origin IN ('live', 'sample', 'legacy')),
    CONSTRAINT ck_label_kind CHECK (kind IN ('click', 'polygon', 'accept', 'reject', 'edit')),
    CONSTRAINT ck_label_of_class CHECK (of_class ~ '^[a-z][a-z0-9_]{0,39}$'),
    CONSTRAINT ck_label_shape CHECK (geometrytype(geom) = CASE kind WHEN 'click' THEN 'POINT' ELSE 'POLYGON' END),
    -- A decision is about a find and has a reason; what is rejected is nothing of interest.
    CONSTRAINT ck_label_decision CHECK (
        CASE WHEN kind IN ('click', 'polygon') THEN detection_id IS NULL
             ELSE detection_id IS NOT NULL AND coalesce(btrim(reason), '') <> '' END),
    CONSTRAINT ck_label_reject CHECK (kind <> 'reject' OR of_class = 'none'),
    CONSTRAINT "rule__DC-4__label_geom" CHECK (core.is_sound(geom))
);
CREATE INDEX ix_label_scene_id ON core.label (scene_id);
CREATE INDEX ix_label_detection_id ON core.label (detection_id);
CREATE INDEX gist_label_geom ON core.label USING gist (geom);
CREATE TRIGGER stamp BEFORE INSERT OR UPDATE ON core.label FOR EACH ROW EXECUTE FUNCTION core.stamp();
-- Whoever thinks otherwise later labels again; what a model learned from stays what it was.
CREATE TRIGGER record_is_final BEFORE UPDATE OR DELETE ON core.label FOR EACH ROW
    EXECUTE FUNCTION core.refuse_change('rule__GD-20.2__record_is_fixed');
CREATE TRIGGER record_is_kept BEFORE TRUNCATE ON core.label FOR EACH STATEMENT
    EXECUTE FUNCTION core.refuse_change('rule__GD-20.2__record_is_fixed');
GRANT SELECT, INSERT ON core.label TO skywarden_app;

-- ---------------------------------------------------------------------------------------------
-- Versions of models (GD-05.2): purpose, data and licence, metrics, approver, what they must not be used for
-- ---------------------------------------------------------------------------------------------

CREATE TABLE core.model_version (
    id uuid NOT NULL,
    public_id text NOT NULL,
    recorded_at timestamptz NOT NULL DEFAULT clock_timestamp(),
    origin varchar(6) NOT NULL,
    state text NOT NULL,
    version integer NOT NULL,
    kind text NOT NULL,
    authority_id uuid NOT NULL,
    author_id uuid,
    purpose text NOT NULL,
    licence text NOT NULL,
    sources jsonb NOT NULL,
    banned_uses jsonb NOT NULL,
    sha256 text NOT NULL,
    size_bytes bigint NOT NULL,
    classes jsonb NOT NULL,
    features jsonb NOT NULL,
    label_ids jsonb NOT NULL,
    scene_ids jsonb NOT NULL,
    metrics jsonb NOT NULL,
    approved_by uuid,
    approved_at timestamptz,
    closed_by uuid,
    closed_at timestamptz,
    reason text,
    CONSTRAINT pk_model_version PRIMARY KEY (id),
    CONSTRAINT uq_model_version_public_id UNIQUE (public_id),
    CONSTRAINT fk_model_version_authority_id_authority FOREIGN KEY (authority_id) REFERENCES core.authority (id),
    CONSTRAINT fk_model_version_author_id_person FOREIGN KEY (author_id) REFERENCES core.person (id),
    CONSTRAINT fk_model_version_approved_by_person FOREIGN KEY (approved_by) REFERENCES core.person (id),
    CONSTRAINT fk_model_version_closed_by_person FOREIGN KEY (closed_by) REFERENCES core.person (id),
    CONSTRAINT ck_model_version_origin CHECK (origin IN ('live', 'sample', 'legacy')),
    CONSTRAINT ck_model_version_state CHECK (state IN ('trained', 'approved', 'refused', 'withdrawn')),
    CONSTRAINT ck_model_version_kind CHECK (kind IN ('pixel', 'object')),
    CONSTRAINT ck_model_version_sha256 CHECK (sha256 ~ '^[0-9a-f]{64}$'),
    CONSTRAINT ck_model_version_size_bytes CHECK (size_bytes > 0),
    CONSTRAINT ck_model_version_closed CHECK (
        CASE WHEN state IN ('refused', 'withdrawn')
             THEN closed_by IS NOT NULL AND isfinite(closed_at) AND coalesce(btrim(reason), '') <> ''
             ELSE closed_by IS NULL AND closed_at IS NULL END),
    CONSTRAINT "rule__GD-05.2__model_is_documented" CHECK (
        btrim(purpose) <> '' AND btrim(licence) <> ''
        AND jsonb_typeof(sources) = 'array' AND jsonb_array_length(sources) > 0
        AND jsonb_typeof(banned_uses) = 'array' AND jsonb_array_length(banned_uses) > 0
        AND jsonb_typeof(label_ids) = 'array' AND jsonb_array_length(label_ids) > 0
        AND jsonb_typeof(metrics) = 'object' AND metrics <> '{}'),
    CONSTRAINT "rule__GD-05.2__model_approved_by_another_person" CHECK (
        CASE WHEN state IN ('approved', 'withdrawn')
             THEN coalesce(approved_by <> author_id AND isfinite(approved_at), false)
             ELSE approved_by IS NULL AND approved_at IS NULL END)
);
CREATE INDEX ix_model_version_authority_id ON core.model_version (authority_id);
CREATE TRIGGER stamp BEFORE INSERT OR UPDATE ON core.model_version FOR EACH ROW EXECUTE FUNCTION core.stamp();
CREATE TRIGGER record_is_final BEFORE UPDATE ON core.model_version FOR EACH ROW
    WHEN ((OLD.public_id, OLD.kind, OLD.authority_id, OLD.author_id, OLD.purpose, OLD.licence, OLD.sources,
           OLD.banned_uses, OLD.sha256, OLD.size_bytes, OLD.classes, OLD.features, OLD.label_ids, OLD.scene_ids,
           OLD.metrics)
        IS DISTINCT FROM
          (NEW.public_id, NEW.kind, NEW.authority_id, NEW.author_id, NEW.purpose, NEW.licence, NEW.sources,
           NEW.banned_uses, NEW.sha256, NEW.size_bytes, NEW.classes, NEW.features, NEW.label_ids, NEW.scene_ids,
           NEW.metrics)
        OR (OLD.approved_by IS NOT NULL
            AND (OLD.approved_by, OLD.approved_at) IS DISTINCT FROM (NEW.approved_by, NEW.approved_at)))
    EXECUTE FUNCTION core.refuse_change('rule__GD-20.2__record_is_fixed');
CREATE TRIGGER record_is_kept BEFORE DELETE OR TRUNCATE ON core.model_version FOR EACH STATEMENT
    EXECUTE FUNCTION core.refuse_change('rule__GD-20.2__record_is_fixed');
GRANT SELECT, INSERT, UPDATE ON core.model_version TO skywarden_app;

INSERT INTO law.step (subject, source, target) VALUES
    ('model_version', '', 'trained'),
    ('model_version', 'trained', 'approved'),
    ('model_version', 'trained', 'refused'),
    ('model_version', 'approved', 'withdrawn');
CREATE TRIGGER judge_first_step BEFORE INSERT ON core.model_version FOR EACH ROW
    WHEN (NEW.origin = 'live') EXECUTE FUNCTION core.judge_step();
CREATE TRIGGER judge_step BEFORE UPDATE OF state ON core.model_version FOR EACH ROW
    WHEN (OLD.state <> NEW.state) EXECUTE FUNCTION core.judge_step();

-- ---------------------------------------------------------------------------------------------
-- Work for the worker that somebody asked for: a model to train, or the places of a scene where a click teaches most
-- ---------------------------------------------------------------------------------------------

CREATE TABLE core.learning_job (
    id uuid NOT NULL,
    public_id text NOT NULL,
    recorded_at timestamptz NOT NULL DEFAULT clock_timestamp(),
    origin varchar(6) NOT NULL,
    kind text NOT NULL,
    authority_id uuid NOT NULL,
    person_id uuid NOT NULL,
    scene_id uuid,
    wish jsonb NOT NULL,
    stage text NOT NULL DEFAULT 'waiting',
    share double precision NOT NULL DEFAULT 0,
    beat_at timestamptz,
    ended_at timestamptz,
    model_id uuid,
    result jsonb,
    CONSTRAINT pk_learning_job PRIMARY KEY (id),
    CONSTRAINT uq_learning_job_public_id UNIQUE (public_id),
    CONSTRAINT fk_learning_job_authority_id_authority FOREIGN KEY (authority_id) REFERENCES core.authority (id),
    CONSTRAINT fk_learning_job_person_id_person FOREIGN KEY (person_id) REFERENCES core.person (id),
    CONSTRAINT fk_learning_job_scene_id_scene FOREIGN KEY (scene_id) REFERENCES core.scene (id),
    CONSTRAINT fk_learning_job_model_id_model_version FOREIGN KEY (model_id) REFERENCES core.model_version (id),
    CONSTRAINT ck_learning_job_origin CHECK (origin IN ('live', 'sample', 'legacy')),
    CONSTRAINT ck_learning_job_kind CHECK (kind IN ('pixel', 'object', 'questions')),
    CONSTRAINT ck_learning_job_scene CHECK ((kind = 'questions') = (scene_id IS NOT NULL)),
    CONSTRAINT ck_learning_job_wish CHECK (jsonb_typeof(wish) = 'object'),
    -- NaN is above every number.
    CONSTRAINT ck_learning_job_share CHECK (share BETWEEN 0 AND 1),
    CONSTRAINT ck_learning_job_stage CHECK (
        CASE stage
            WHEN 'waiting' THEN ended_at IS NULL AND model_id IS NULL AND result IS NULL
            WHEN 'working' THEN beat_at IS NOT NULL AND ended_at IS NULL AND model_id IS NULL AND result IS NULL
            WHEN 'done' THEN ended_at IS NOT NULL AND ((kind = 'questions') = (model_id IS NULL))
                AND ((kind = 'questions') = (result IS NOT NULL))
            WHEN 'failed' THEN ended_at IS NOT NULL AND model_id IS NULL AND result IS NOT NULL
            ELSE false
        END),
    CONSTRAINT ck_learning_job_result CHECK (result IS NULL OR jsonb_typeof(result) = 'object')
);
CREATE INDEX ix_learning_job_authority_id ON core.learning_job (authority_id);
CREATE TRIGGER stamp BEFORE INSERT OR UPDATE ON core.learning_job FOR EACH ROW EXECUTE FUNCTION core.stamp();
-- Who asked for what stays what it was.
CREATE TRIGGER wish_is_final BEFORE UPDATE ON core.learning_job FOR EACH ROW
    WHEN ((OLD.public_id, OLD.kind, OLD.authority_id, OLD.person_id, OLD.scene_id, OLD.wish)
        IS DISTINCT FROM (NEW.public_id, NEW.kind, NEW.authority_id, NEW.person_id, NEW.scene_id, NEW.wish))
    EXECUTE FUNCTION core.refuse_change('rule__GD-20.2__record_is_fixed');
GRANT SELECT, INSERT, UPDATE ON core.learning_job TO skywarden_app;

-- ---------------------------------------------------------------------------------------------
-- No model is used before an authorised person approved it, nor after it was withdrawn
-- ---------------------------------------------------------------------------------------------

ALTER TABLE core.segmentation_run
    ADD COLUMN pixel_model_id uuid
        CONSTRAINT fk_segmentation_run_pixel_model_id_model_version REFERENCES core.model_version (id),
    ADD COLUMN object_model_id uuid
        CONSTRAINT fk_segmentation_run_object_model_id_model_version REFERENCES core.model_version (id);

CREATE FUNCTION core.judge_models() RETURNS trigger
    LANGUAGE plpgsql
    SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    used record;
    found_state text;
BEGIN
    FOR used IN SELECT * FROM (VALUES (NEW.pixel_model_id, 'pixel'), (NEW.object_model_id, 'object')) m (id, kind)
        WHERE m.id IS NOT NULL
    LOOP
        -- The lock lets a withdrawal wait for this run, and this run for a withdrawal.
        SELECT m.state INTO found_state FROM core.model_version m
            WHERE m.id = used.id AND m.kind = used.kind FOR SHARE;
        IF found_state IS DISTINCT FROM 'approved' THEN
            PERFORM core.refuse('rule__GD-05.2__model_is_not_approved',
                format('the %s model of this run is not approved', used.kind));
        END IF;
    END LOOP;
    RETURN NEW;
END
$$;
REVOKE ALL ON FUNCTION core.judge_models() FROM PUBLIC;
CREATE TRIGGER judge_models BEFORE INSERT ON core.segmentation_run FOR EACH ROW
    WHEN (NEW.pixel_model_id IS NOT NULL OR NEW.object_model_id IS NOT NULL) EXECUTE FUNCTION core.judge_models();
