-- How often a job was taken on. Whoever works on it ends it under the number of that taking alone: a worker that fell
-- silent and comes back cannot end what another has taken up since.
ALTER TABLE core.coverage_study ADD COLUMN attempt integer NOT NULL DEFAULT 0
    CONSTRAINT ck_coverage_study_attempt CHECK (attempt >= 0);
ALTER TABLE core.siting_run ADD COLUMN attempt integer NOT NULL DEFAULT 0
    CONSTRAINT ck_siting_run_attempt CHECK (attempt >= 0);
ALTER TABLE core.learning_job ADD COLUMN attempt integer NOT NULL DEFAULT 0
    CONSTRAINT ck_learning_job_attempt CHECK (attempt >= 0);
