-- What planners ask: how some ground is seen, what changes there would do, and where the next devices help most.

-- A study is a planner's own: a piece of ground, which devices are looked at, and the answer. It changes nothing of the
-- registry, is never public, and may be thrown away.
CREATE TABLE core.coverage_study (
    id uuid NOT NULL,
    public_id text NOT NULL,
    recorded_at timestamptz NOT NULL DEFAULT clock_timestamp(),
    origin varchar(6) NOT NULL,
    authority_id uuid NOT NULL,
    person_id uuid NOT NULL,
    based_on_id uuid,
    title text NOT NULL,
    ground geometry(MULTIPOLYGON, 4326) NOT NULL,
    question jsonb NOT NULL,
    stage text NOT NULL DEFAULT 'waiting',
    share double precision NOT NULL DEFAULT 0,
    beat_at timestamptz,
    ended_at timestamptz,
    result jsonb,
    CONSTRAINT pk_coverage_study PRIMARY KEY (id),
    CONSTRAINT uq_coverage_study_public_id UNIQUE (public_id),
    CONSTRAINT fk_coverage_study_authority_id_authority FOREIGN KEY (authority_id) REFERENCES core.authority (id),
    CONSTRAINT fk_coverage_study_person_id_person FOREIGN KEY (person_id) REFERENCES core.person (id),
    CONSTRAINT fk_coverage_study_based_on_id_coverage_study FOREIGN KEY (based_on_id)
        REFERENCES core.coverage_study (id) ON DELETE SET NULL,
    CONSTRAINT ck_coverage_study_origin CHECK (origin IN ('live', 'sample', 'legacy')),
    CONSTRAINT ck_coverage_study_title CHECK (btrim(title) <> '' AND length(title) <= 200),
    CONSTRAINT ck_coverage_study_question CHECK (jsonb_typeof(question) = 'object'),
    -- NaN is above every number.
    CONSTRAINT ck_coverage_study_share CHECK (share BETWEEN 0 AND 1),
    CONSTRAINT ck_coverage_study_stage CHECK (
        CASE stage
            WHEN 'waiting' THEN ended_at IS NULL
            WHEN 'working' THEN beat_at IS NOT NULL AND ended_at IS NULL
            WHEN 'done' THEN ended_at IS NOT NULL AND result IS NOT NULL
            WHEN 'failed' THEN ended_at IS NOT NULL AND result IS NOT NULL
            ELSE false
        END),
    CONSTRAINT ck_coverage_study_result CHECK (result IS NULL OR jsonb_typeof(result) = 'object'),
    CONSTRAINT "rule__DC-4__coverage_study_ground" CHECK (core.is_sound(ground))
);
CREATE INDEX ix_coverage_study_authority_id ON core.coverage_study (authority_id);
CREATE INDEX gist_coverage_study_ground ON core.coverage_study USING gist (ground);
CREATE TRIGGER stamp BEFORE INSERT OR UPDATE ON core.coverage_study FOR EACH ROW EXECUTE FUNCTION core.stamp();

-- Devices that a study adds (without `device_id` and `planned_site_id`), registered ones and sites of plans that it
-- moves, turns or raises, and such as it takes away (`gone`).
CREATE TABLE core.study_device (
    study_id uuid NOT NULL,
    ordinal integer NOT NULL,
    device_id uuid,
    planned_site_id uuid,
    gone boolean NOT NULL DEFAULT false,
    label text NOT NULL DEFAULT '',
    device_type text NOT NULL DEFAULT 'video',
    geom geometry(POINT, 4326) NOT NULL,
    sector_azimuth_deg double precision,
    hfov_deg double precision,
    range_m double precision NOT NULL,
    mast_m double precision NOT NULL,
    target_m double precision NOT NULL,
    CONSTRAINT pk_study_device PRIMARY KEY (study_id, ordinal),
    CONSTRAINT fk_study_device_study_id_coverage_study FOREIGN KEY (study_id)
        REFERENCES core.coverage_study (id) ON DELETE CASCADE,
    CONSTRAINT fk_study_device_device_id_device FOREIGN KEY (device_id) REFERENCES core.device (id),
    CONSTRAINT fk_study_device_planned_site_id_planned_site FOREIGN KEY (planned_site_id)
        REFERENCES core.planned_site (id),
    CONSTRAINT uq_study_device_study_id_device_id UNIQUE (study_id, device_id),
    CONSTRAINT uq_study_device_study_id_planned_site_id UNIQUE (study_id, planned_site_id),
    CONSTRAINT ck_study_device_one CHECK (device_id IS NULL OR planned_site_id IS NULL),
    CONSTRAINT ck_study_device_ordinal CHECK (ordinal > 0),
    CONSTRAINT ck_study_device_gone CHECK (NOT gone OR device_id IS NOT NULL OR planned_site_id IS NOT NULL),
    CONSTRAINT ck_study_device_label CHECK (length(label) <= 200),
    CONSTRAINT ck_study_device_numbers CHECK (
        range_m > 0 AND range_m < 'Infinity' AND mast_m >= 0 AND mast_m < 'Infinity'
        AND target_m >= 0 AND target_m < 'Infinity'
        AND (hfov_deg IS NULL OR (hfov_deg > 0 AND hfov_deg <= 360))
        AND (sector_azimuth_deg IS NULL OR (sector_azimuth_deg >= 0 AND sector_azimuth_deg < 360))),
    CONSTRAINT "rule__DC-4__study_device_geom" CHECK (core.is_sound(geom))
);
CREATE INDEX gist_study_device_geom ON core.study_device USING gist (geom);

-- The answer as shapes, cut small enough for tiles: what nobody sees, and what is seen so many times and more.
CREATE TABLE core.study_shape (
    study_id uuid NOT NULL,
    kind text NOT NULL,
    times integer NOT NULL,
    ordinal integer NOT NULL,
    area_m2 double precision NOT NULL,
    weight double precision NOT NULL,
    geom geometry(POLYGON, 4326) NOT NULL,
    geom_3857 geometry(POLYGON, 3857) GENERATED ALWAYS AS (ST_Transform(geom, 3857)) STORED,
    CONSTRAINT pk_study_shape PRIMARY KEY (study_id, kind, times, ordinal),
    CONSTRAINT fk_study_shape_study_id_coverage_study FOREIGN KEY (study_id)
        REFERENCES core.coverage_study (id) ON DELETE CASCADE,
    CONSTRAINT ck_study_shape_kind CHECK (
        CASE kind WHEN 'gap' THEN times = 0 WHEN 'seen' THEN times >= 1 ELSE false END),
    CONSTRAINT ck_study_shape_numbers CHECK (
        area_m2 >= 0 AND area_m2 < 'Infinity' AND weight >= 0 AND weight < 'Infinity')
);
CREATE INDEX gist_study_shape_geom_3857 ON core.study_shape USING gist (geom_3857);

-- A question of siting on the ground of a study, and what the solver found; the plan that was drafted from it.
CREATE TABLE core.siting_run (
    id uuid NOT NULL,
    public_id text NOT NULL,
    recorded_at timestamptz NOT NULL DEFAULT clock_timestamp(),
    origin varchar(6) NOT NULL,
    study_id uuid NOT NULL,
    person_id uuid NOT NULL,
    question jsonb NOT NULL,
    stage text NOT NULL DEFAULT 'waiting',
    share double precision NOT NULL DEFAULT 0,
    beat_at timestamptz,
    ended_at timestamptz,
    result jsonb,
    plan_id uuid,
    CONSTRAINT pk_siting_run PRIMARY KEY (id),
    CONSTRAINT uq_siting_run_public_id UNIQUE (public_id),
    CONSTRAINT fk_siting_run_study_id_coverage_study FOREIGN KEY (study_id)
        REFERENCES core.coverage_study (id) ON DELETE CASCADE,
    CONSTRAINT fk_siting_run_person_id_person FOREIGN KEY (person_id) REFERENCES core.person (id),
    CONSTRAINT fk_siting_run_plan_id_siting_plan FOREIGN KEY (plan_id) REFERENCES core.siting_plan (id),
    CONSTRAINT ck_siting_run_origin CHECK (origin IN ('live', 'sample', 'legacy')),
    CONSTRAINT ck_siting_run_question CHECK (jsonb_typeof(question) = 'object'),
    CONSTRAINT "rule__GD-13.1__siting_run_question" CHECK (NOT question::text ~* '"(revenue|fine|penalt)'),
    CONSTRAINT ck_siting_run_share CHECK (share BETWEEN 0 AND 1),
    CONSTRAINT ck_siting_run_stage CHECK (
        CASE stage
            WHEN 'waiting' THEN ended_at IS NULL
            WHEN 'working' THEN beat_at IS NOT NULL AND ended_at IS NULL
            WHEN 'done' THEN ended_at IS NOT NULL AND result IS NOT NULL
            WHEN 'failed' THEN ended_at IS NOT NULL AND result IS NOT NULL
            ELSE false
        END),
    CONSTRAINT ck_siting_run_result CHECK (result IS NULL OR jsonb_typeof(result) = 'object')
);
CREATE INDEX ix_siting_run_study_id ON core.siting_run (study_id);
CREATE TRIGGER stamp BEFORE INSERT OR UPDATE ON core.siting_run FOR EACH ROW EXECUTE FUNCTION core.stamp();
GRANT SELECT, INSERT, UPDATE, DELETE
    ON core.coverage_study, core.study_device, core.study_shape, core.siting_run TO skywarden_app;
