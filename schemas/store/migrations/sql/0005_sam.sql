-- ---------------------------------------------------------------------------------------------
-- Runs: the SAM model that drew outlines beside those of the engine. Weights of unknown licence are not used.
-- ---------------------------------------------------------------------------------------------

ALTER TABLE core.segmentation_run
    ADD COLUMN refinement jsonb,
    ADD CONSTRAINT ck_segmentation_run_refinement CHECK (
        refinement IS NULL
        OR (
            jsonb_typeof(refinement) = 'object'
            AND coalesce(refinement ->> 'checkpoint_sha256', '') ~ '^[0-9a-f]{64}$'
            AND coalesce(refinement ->> 'encoder_sha256', repeat('0', 64)) ~ '^[0-9a-f]{64}$'
            AND length(coalesce(refinement ->> 'licence', '')) > 0
        )
    );
