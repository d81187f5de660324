-- Sources of findings: images that wait for a place on the ground, proposals of change, smoke and flames.

-- An image of which nobody knows where it lies is kept as it came, and never used: it has no CRS, and perhaps nobody
-- says who took it. Whatever is used has both.
ALTER TABLE core.scene ALTER COLUMN crs DROP NOT NULL;
ALTER TABLE core.scene
    ADD CONSTRAINT ck_scene_place_known CHECK (
        coalesce(jsonb_typeof(quarantine) = 'array', false) OR (crs IS NOT NULL AND sensor <> 'unknown'));

-- Where two dates of a scene differ strongly and nothing that the engine knows explains it, people are asked. A
-- proposal is no finding, in no queue of findings and never public; its answer is a label.
CREATE TABLE core.change_proposal (
    id uuid NOT NULL,
    public_id text NOT NULL,
    recorded_at timestamptz NOT NULL DEFAULT clock_timestamp(),
    origin varchar(6) NOT NULL,
    run_id uuid NOT NULL,
    ordinal integer NOT NULL,
    scene_id uuid NOT NULL,
    authority_id uuid NOT NULL,
    geom geometry(POLYGON, 4326) NOT NULL,
    area_m2 double precision NOT NULL,
    times double precision NOT NULL,
    weight double precision NOT NULL,
    answer text,
    answered_by uuid,
    answered_at timestamptz,
    label_id uuid,
    CONSTRAINT pk_change_proposal PRIMARY KEY (id),
    CONSTRAINT uq_change_proposal_public_id UNIQUE (public_id),
    CONSTRAINT uq_change_proposal_run_id_ordinal UNIQUE (run_id, ordinal),
    CONSTRAINT fk_change_proposal_run_id_segmentation_run FOREIGN KEY (run_id) REFERENCES core.segmentation_run (id),
    CONSTRAINT fk_change_proposal_scene_id_scene FOREIGN KEY (scene_id) REFERENCES core.scene (id),
    CONSTRAINT fk_change_proposal_authority_id_authority FOREIGN KEY (authority_id) REFERENCES core.authority (id),
    CONSTRAINT fk_change_proposal_answered_by_person FOREIGN KEY (answered_by) REFERENCES core.person (id),
    CONSTRAINT fk_change_proposal_label_id_label FOREIGN KEY (label_id) REFERENCES core.label (id),
    CONSTRAINT ck_change_proposal_origin CHECK (origin IN ('live', 'sample', 'legacy')),
    CONSTRAINT ck_change_proposal_ordinal CHECK (ordinal > 0),
    -- NaN is above every number.
    CONSTRAINT ck_change_proposal_numbers CHECK (
        area_m2 > 0 AND area_m2 < 'Infinity' AND times >= 1 AND times < 'Infinity'
        AND weight >= 0 AND weight < 'Infinity'),
    CONSTRAINT ck_change_proposal_answer CHECK (answer ~ '^[a-z][a-z0-9_]{0,39}$'),
    CONSTRAINT ck_change_proposal_answered CHECK (
        (answer IS NULL) = (answered_by IS NULL) AND (answer IS NULL) = (answered_at IS NULL)
        AND (label_id IS NOT NULL) = coalesce(answer <> 'skip', false)),
    CONSTRAINT "rule__DC-4__change_proposal_geom" CHECK (core.is_sound(geom))
);
CREATE INDEX ix_change_proposal_scene_id ON core.change_proposal (scene_id);
CREATE INDEX gist_change_proposal_geom ON core.change_proposal USING gist (geom);
CREATE TRIGGER stamp BEFORE INSERT OR UPDATE ON core.change_proposal FOR EACH ROW EXECUTE FUNCTION core.stamp();
-- What was asked stays what it was, and so does what was answered.
CREATE TRIGGER question_is_final BEFORE UPDATE ON core.change_proposal FOR EACH ROW
    WHEN (OLD.answer IS NOT NULL OR (OLD.public_id, OLD.run_id, OLD.ordinal, OLD.scene_id, OLD.authority_id, OLD.geom,
            OLD.area_m2, OLD.times, OLD.weight)
        IS DISTINCT FROM (NEW.public_id, NEW.run_id, NEW.ordinal, NEW.scene_id, NEW.authority_id, NEW.geom,
            NEW.area_m2, NEW.times, NEW.weight))
    EXECUTE FUNCTION core.refuse_change('rule__GD-20.2__record_is_fixed');
CREATE TRIGGER question_is_kept BEFORE DELETE OR TRUNCATE ON core.change_proposal FOR EACH STATEMENT
    EXECUTE FUNCTION core.refuse_change('rule__GD-20.2__record_is_fixed');
GRANT SELECT, INSERT, UPDATE ON core.change_proposal TO skywarden_app;

-- Whether all bands of two dates were compared in a run: only then is there an answer to what changed. Earlier runs do
-- not say.
ALTER TABLE core.segmentation_run ADD COLUMN compared boolean;
