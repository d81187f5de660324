-- Masked copies that hold a zone of a later day, how a pair of dates fitted, and whose ground a run looked at.

-- ---------------------------------------------------------------------------------------------
-- A copy takes the place of another one: what was hidden stays hidden
-- ---------------------------------------------------------------------------------------------

ALTER TABLE core.derivative
    ADD COLUMN zone_versions jsonb NOT NULL DEFAULT '{}',
    ADD COLUMN supersedes_id uuid,
    ADD CONSTRAINT fk_derivative_supersedes_id_derivative FOREIGN KEY (supersedes_id) REFERENCES core.derivative (id),
    -- One chain for each scene: its newest copy is the one that nothing supersedes.
    ADD CONSTRAINT uq_derivative_supersedes_id UNIQUE (supersedes_id),
    ADD CONSTRAINT ck_derivative_supersedes_id CHECK (supersedes_id <> id);

-- A zone had one version alone until now, and of several copies of a scene the newest was the one that counted.
ALTER TABLE core.derivative DISABLE TRIGGER copy_is_final;
UPDATE core.derivative d SET
    zone_versions = (SELECT coalesce(jsonb_object_agg(z, 1), '{}') FROM jsonb_array_elements_text(d.zone_ids) z),
    supersedes_id = (SELECT e.id FROM core.derivative e
        WHERE e.scene_id = d.scene_id AND (e.recorded_at, e.id) < (d.recorded_at, d.id)
        ORDER BY e.recorded_at DESC, e.id DESC LIMIT 1);
ALTER TABLE core.derivative ENABLE TRIGGER copy_is_final;
ALTER TABLE core.derivative
    ADD CONSTRAINT ck_derivative_zone_versions CHECK (jsonb_typeof(zone_versions) = 'object');

CREATE FUNCTION core.judge_copy() RETURNS trigger
    LANGUAGE plpgsql
    SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    old core.derivative%ROWTYPE;
BEGIN
    SELECT * INTO old FROM core.derivative d WHERE d.id = NEW.supersedes_id;
    IF old.scene_id IS DISTINCT FROM NEW.scene_id OR EXISTS (
        SELECT FROM jsonb_each_text(old.zone_versions) z
        WHERE coalesce((NEW.zone_versions ->> z.key)::integer, 0) < z.value::integer
    ) THEN
        PERFORM core.refuse('rule__GD-43__masked_copy_keeps_its_zones',
            'a masked copy hides what the copy that it supersedes hides');
    END IF;
    RETURN NEW;
END
$$;
REVOKE ALL ON FUNCTION core.judge_copy() FROM PUBLIC;
GRANT EXECUTE ON FUNCTION core.judge_copy() TO skywarden_app;
CREATE TRIGGER judge_copy BEFORE INSERT ON core.derivative FOR EACH ROW
    WHEN (NEW.supersedes_id IS NOT NULL) EXECUTE FUNCTION core.judge_copy();

-- ---------------------------------------------------------------------------------------------
-- Runs: how well the earlier date lay on the later one, what hid the ground, and how much of whose was looked at
-- ---------------------------------------------------------------------------------------------

ALTER TABLE core.segmentation_run
    ADD COLUMN coregistration jsonb,
    ADD COLUMN clouds jsonb,
    ADD COLUMN jurisdictions jsonb,
    ADD CONSTRAINT ck_segmentation_run_coregistration CHECK (jsonb_typeof(coregistration) = 'object'),
    ADD CONSTRAINT ck_segmentation_run_clouds CHECK (jsonb_typeof(clouds) = 'object'),
    ADD CONSTRAINT ck_segmentation_run_jurisdictions CHECK (jsonb_typeof(jurisdictions) = 'object');
