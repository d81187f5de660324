-- What became of everything that an engine saw, the same things seen again on later dates, and what a run looked with.

-- Every candidate of a run with what the law said of it, a lead or not: it is judged again when a rule is to change.
CREATE TABLE core.candidate (
    run_id uuid NOT NULL,
    ordinal integer NOT NULL,
    kind text NOT NULL,
    score double precision NOT NULL,
    area_m2 double precision NOT NULL,
    geom geometry(POLYGON, 4326) NOT NULL,
    measures jsonb NOT NULL,
    seen jsonb NOT NULL,
    verdict jsonb NOT NULL,
    is_lead boolean NOT NULL,
    violation text,
    CONSTRAINT pk_candidate PRIMARY KEY (run_id, ordinal),
    CONSTRAINT fk_candidate_run_id_segmentation_run FOREIGN KEY (run_id) REFERENCES core.segmentation_run (id),
    CONSTRAINT ck_candidate_ordinal CHECK (ordinal > 0),
    CONSTRAINT ck_candidate_kind CHECK (kind ~ '^[a-z][a-z0-9_]{0,39}$'),
    -- NaN is above every number.
    CONSTRAINT ck_candidate_numbers CHECK (score BETWEEN 0 AND 1 AND area_m2 > 0 AND area_m2 < 'Infinity'),
    CONSTRAINT ck_candidate_words CHECK (
        jsonb_typeof(measures) = 'object' AND jsonb_typeof(seen) = 'array' AND jsonb_typeof(verdict) = 'array'
        AND verdict <> '[]'),
    CONSTRAINT ck_candidate_lead CHECK (NOT is_lead OR violation IS NOT NULL)
);
CREATE TRIGGER record_is_final BEFORE UPDATE OR DELETE ON core.candidate FOR EACH ROW
    EXECUTE FUNCTION core.refuse_change('rule__GD-20.2__record_is_fixed');
CREATE TRIGGER record_is_kept BEFORE TRUNCATE ON core.candidate FOR EACH STATEMENT
    EXECUTE FUNCTION core.refuse_change('rule__GD-20.2__record_is_fixed');
GRANT SELECT, INSERT ON core.candidate TO skywarden_app;

-- A find and the one of an earlier date that is the same thing on the ground. Nothing is the same as two others.
CREATE TABLE core.sighting (
    id uuid NOT NULL,
    run_id uuid NOT NULL,
    detection_id uuid,
    earlier_id uuid,
    relation text NOT NULL,
    iou double precision,
    earlier_share double precision,
    later_share double precision,
    area_ratio double precision,
    analysed_share double precision,
    recorded_at timestamptz NOT NULL DEFAULT clock_timestamp(),
    CONSTRAINT pk_sighting PRIMARY KEY (id),
    CONSTRAINT fk_sighting_run_id_segmentation_run FOREIGN KEY (run_id) REFERENCES core.segmentation_run (id),
    CONSTRAINT fk_sighting_detection_id_detection FOREIGN KEY (detection_id) REFERENCES core.detection (id),
    CONSTRAINT fk_sighting_earlier_id_detection FOREIGN KEY (earlier_id) REFERENCES core.detection (id),
    CONSTRAINT uq_sighting_detection_id UNIQUE (detection_id),
    CONSTRAINT uq_sighting_run_id_earlier_id UNIQUE (run_id, earlier_id),
    CONSTRAINT ck_sighting_relation CHECK (relation IN ('new', 'grown', 'persists', 'remedied')),
    -- What is remedied has no later find; what grew or persists has both. What is new may have been remedied before.
    CONSTRAINT ck_sighting_sides CHECK (
        CASE relation
            WHEN 'remedied' THEN detection_id IS NULL AND earlier_id IS NOT NULL
            WHEN 'new' THEN detection_id IS NOT NULL
            ELSE detection_id IS NOT NULL AND earlier_id IS NOT NULL
        END
        AND detection_id IS DISTINCT FROM earlier_id),
    -- Figures of how two outlines overlap, wherever there are two.
    CONSTRAINT ck_sighting_overlap CHECK (
        CASE WHEN detection_id IS NULL OR earlier_id IS NULL THEN num_nonnulls(iou, earlier_share, later_share, area_ratio) = 0
             ELSE coalesce(iou BETWEEN 0 AND 1 AND earlier_share BETWEEN 0 AND 1 AND later_share BETWEEN 0 AND 1
                  AND area_ratio > 0 AND area_ratio < 'Infinity', false) END),
    -- Nothing is called remedied where not every pixel of it was looked at again.
    CONSTRAINT ck_sighting_looked_at CHECK (
        CASE relation WHEN 'remedied' THEN coalesce(analysed_share = 1, false) ELSE analysed_share IS NULL END)
);
CREATE INDEX ix_sighting_earlier_id ON core.sighting (earlier_id);
CREATE TRIGGER stamp BEFORE INSERT ON core.sighting FOR EACH ROW EXECUTE FUNCTION core.stamp();
CREATE TRIGGER record_is_final BEFORE UPDATE OR DELETE ON core.sighting FOR EACH ROW
    EXECUTE FUNCTION core.refuse_change('rule__GD-20.2__record_is_fixed');
CREATE TRIGGER record_is_kept BEFORE TRUNCATE ON core.sighting FOR EACH STATEMENT
    EXECUTE FUNCTION core.refuse_change('rule__GD-20.2__record_is_fixed');
GRANT SELECT, INSERT ON core.sighting TO skywarden_app;

-- What a run looked with: the yardsticks of the scene by which its tones were levelled, and the code of its features.
ALTER TABLE core.segmentation_run
    ADD COLUMN stretch_sha256 text,
    ADD COLUMN features_sha256 text,
    ADD CONSTRAINT ck_segmentation_run_looked_with CHECK (
        coalesce(stretch_sha256, repeat('0', 64)) ~ '^[0-9a-f]{64}$'
        AND coalesce(features_sha256, repeat('0', 64)) ~ '^[0-9a-f]{64}$');
