-- What a run remembers of its bands, and the coverage that they add up to.

-- One row for every band of a manifest, that is of everything that decides what is in its file: what became of it the
-- last time that somebody worked on it. A file is believed only when its hash is the one that stands here.
CREATE TABLE core.segmentation_band (
    manifest_sha256 text NOT NULL,
    number integer NOT NULL,
    derivative_id uuid NOT NULL,
    state text NOT NULL,
    attempts integer NOT NULL,
    sha256 text,
    counters jsonb NOT NULL DEFAULT '{}',
    reason text,
    recorded_at timestamptz NOT NULL DEFAULT clock_timestamp(),
    CONSTRAINT pk_segmentation_band PRIMARY KEY (manifest_sha256, number),
    CONSTRAINT fk_segmentation_band_derivative_id_derivative FOREIGN KEY (derivative_id) REFERENCES core.derivative (id),
    CONSTRAINT ck_segmentation_band_manifest_sha256 CHECK (manifest_sha256 ~ '^[0-9a-f]{64}$'),
    CONSTRAINT ck_segmentation_band_number CHECK (number >= 0 AND attempts > 0),
    -- What is done has a file; what failed has a reason and no file.
    CONSTRAINT ck_segmentation_band_state CHECK (
        CASE state
            WHEN 'done' THEN coalesce(sha256 ~ '^[0-9a-f]{64}$', false) AND reason IS NULL
            WHEN 'failed' THEN sha256 IS NULL AND reason IS NOT NULL
            ELSE false
        END)
);
CREATE INDEX ix_segmentation_band_derivative_id ON core.segmentation_band (derivative_id);
CREATE FUNCTION core.stamp_band() RETURNS trigger
    LANGUAGE plpgsql
    SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
    NEW.recorded_at := clock_timestamp();
    RETURN NEW;
END
$$;
CREATE TRIGGER stamp BEFORE INSERT OR UPDATE ON core.segmentation_band
    FOR EACH ROW EXECUTE FUNCTION core.stamp_band();
REVOKE ALL ON FUNCTION core.stamp_band() FROM PUBLIC;
GRANT EXECUTE ON FUNCTION core.stamp_band() TO skywarden_app;
GRANT SELECT, INSERT, UPDATE ON core.segmentation_band TO skywarden_app;

-- Runs from before this kept neither raster; their coverage is in square kilometres alone.
ALTER TABLE core.segmentation_run
    ADD COLUMN manifest_sha256 text,
    ADD COLUMN coverage_sha256 text,
    ADD COLUMN labels_file_sha256 text,
    ADD COLUMN bands integer NOT NULL DEFAULT 1,
    ADD COLUMN bands_failed integer NOT NULL DEFAULT 0,
    ADD CONSTRAINT ck_segmentation_run_files CHECK (
        coalesce(manifest_sha256, repeat('0', 64)) ~ '^[0-9a-f]{64}$'
        AND coalesce(coverage_sha256, repeat('0', 64)) ~ '^[0-9a-f]{64}$'
        AND coalesce(labels_file_sha256, repeat('0', 64)) ~ '^[0-9a-f]{64}$'
        AND (coverage_sha256 IS NULL) = (labels_file_sha256 IS NULL)),
    ADD CONSTRAINT ck_segmentation_run_bands CHECK (bands > 0 AND bands_failed BETWEEN 0 AND bands);
