-- No state is skipped, whoever writes it: the steps of schemas/machines/ as the database judges by them. A test
-- holds the two together. '' stands for a record that is new.

CREATE TABLE law.step (
    subject text NOT NULL,
    source  text NOT NULL,
    target  text NOT NULL,
    CONSTRAINT pk_step PRIMARY KEY (subject, source, target)
);
INSERT INTO law.step (subject, source, target) VALUES
    ('detection', '', 'new'),
    ('detection', 'new', 'assigned'),
    ('detection', 'new', 'transferred'),
    ('detection', 'assigned', 'confirmed'),
    ('detection', 'assigned', 'false_alarm'),
    ('detection', 'assigned', 'inconclusive'),
    ('detection', 'assigned', 'transferred'),
    ('detection', 'confirmed', 'notified'),
    ('detection', 'confirmed', 'rectifying'),
    ('detection', 'confirmed', 'transferred'),
    ('detection', 'confirmed', 'closed'),
    ('detection', 'false_alarm', 'closed'),
    ('detection', 'inconclusive', 'assigned'),
    ('detection', 'inconclusive', 'closed'),
    ('detection', 'notified', 'rectifying'),
    ('detection', 'notified', 'transferred'),
    ('detection', 'notified', 'closed'),
    ('detection', 'rectifying', 'rectified'),
    ('detection', 'rectifying', 'transferred'),
    ('detection', 'rectified', 'closed'),
    ('detection', 'transferred', 'assigned'),
    ('device', '', 'registered'),
    ('device', 'registered', 'reviewed'),
    ('device', 'registered', 'retired'),
    ('device', 'reviewed', 'published'),
    ('device', 'reviewed', 'active'),
    ('device', 'reviewed', 'discontinued'),
    ('device', 'reviewed', 'retired'),
    ('device', 'published', 'active'),
    ('device', 'published', 'discontinued'),
    ('device', 'published', 'retired'),
    ('device', 'active', 'maintenance'),
    ('device', 'active', 'blocked'),
    ('device', 'active', 'discontinued'),
    ('device', 'active', 'retired'),
    ('device', 'maintenance', 'active'),
    ('device', 'maintenance', 'discontinued'),
    ('device', 'maintenance', 'retired'),
    ('device', 'blocked', 'active'),
    ('device', 'blocked', 'discontinued'),
    ('device', 'blocked', 'retired'),
    ('device', 'discontinued', 'published'),
    ('device', 'discontinued', 'retired'),
    ('flight', '', 'filed'),
    ('flight', 'filed', 'precheck_failed'),
    ('flight', 'filed', 'precheck_passed'),
    ('flight', 'filed', 'cancelled'),
    ('flight', 'precheck_failed', 'filed'),
    ('flight', 'precheck_failed', 'cancelled'),
    ('flight', 'precheck_passed', 'airspace_pending'),
    ('flight', 'precheck_passed', 'cleared'),
    ('flight', 'precheck_passed', 'cancelled'),
    ('flight', 'airspace_pending', 'cleared'),
    ('flight', 'airspace_pending', 'cancelled'),
    ('flight', 'cleared', 'uploaded'),
    ('flight', 'cleared', 'cancelled'),
    ('flight', 'uploaded', 'airborne'),
    ('flight', 'uploaded', 'aborted'),
    ('flight', 'airborne', 'landed'),
    ('flight', 'airborne', 'aborted'),
    ('flight', 'landed', 'ingested'),
    ('flight', 'ingested', 'closed'),
    ('inspection_plan', '', 'draft'),
    ('inspection_plan', 'draft', 'checked'),
    ('inspection_plan', 'draft', 'cancelled'),
    ('inspection_plan', 'checked', 'submitted'),
    ('inspection_plan', 'checked', 'cancelled'),
    ('inspection_plan', 'submitted', 'approved'),
    ('inspection_plan', 'submitted', 'returned'),
    ('inspection_plan', 'submitted', 'cancelled'),
    ('inspection_plan', 'approved', 'expired'),
    ('inspection_plan', 'approved', 'cancelled'),
    ('inspection_plan', 'returned', 'checked'),
    ('inspection_plan', 'returned', 'cancelled'),
    ('patrol_area', '', 'draft'),
    ('patrol_area', 'draft', 'checked'),
    ('patrol_area', 'draft', 'retired'),
    ('patrol_area', 'checked', 'approved'),
    ('patrol_area', 'checked', 'retired'),
    ('patrol_area', 'approved', 'published'),
    ('patrol_area', 'approved', 'retired'),
    ('patrol_area', 'published', 'effective'),
    ('patrol_area', 'published', 'retired'),
    ('patrol_area', 'effective', 'suspended'),
    ('patrol_area', 'effective', 'retired'),
    ('patrol_area', 'suspended', 'published'),
    ('patrol_area', 'suspended', 'retired'),
    ('patrol_route', '', 'draft'),
    ('patrol_route', 'draft', 'checked'),
    ('patrol_route', 'draft', 'retired'),
    ('patrol_route', 'checked', 'approved'),
    ('patrol_route', 'checked', 'retired'),
    ('patrol_route', 'approved', 'published'),
    ('patrol_route', 'approved', 'retired'),
    ('patrol_route', 'published', 'effective'),
    ('patrol_route', 'published', 'retired'),
    ('patrol_route', 'effective', 'suspended'),
    ('patrol_route', 'effective', 'retired'),
    ('patrol_route', 'suspended', 'published'),
    ('patrol_route', 'suspended', 'retired');
GRANT SELECT ON law.step TO skywarden_app;

CREATE FUNCTION core.judge_step() RETURNS trigger
    LANGUAGE plpgsql
    SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    before text := CASE TG_OP WHEN 'INSERT' THEN '' ELSE OLD.state END;
BEGIN
    IF NOT EXISTS (
        SELECT FROM law.step s WHERE s.subject = TG_TABLE_NAME AND s.source = before AND s.target = NEW.state
    ) THEN
        PERFORM core.refuse('rule__state.machine__no_step_leads_there',
            format('no step of %s leads from "%s" to "%s"', TG_TABLE_NAME, before, NEW.state));
    END IF;
    RETURN NEW;
END
$$;

DO $$
DECLARE
    c record;
BEGIN
    FOR c IN SELECT DISTINCT s.subject FROM law.step s LOOP
        -- What an import asserts may be in any state; what the platform witnesses begins at the beginning.
        EXECUTE format('CREATE TRIGGER judge_first_step BEFORE INSERT ON core.%I FOR EACH ROW
            WHEN (NEW.origin = ''live'') EXECUTE FUNCTION core.judge_step()', c.subject);
        EXECUTE format('CREATE TRIGGER judge_step BEFORE UPDATE OF state ON core.%I FOR EACH ROW
            WHEN (OLD.state <> NEW.state) EXECUTE FUNCTION core.judge_step()', c.subject);
    END LOOP;
END
$$;
