-- Findings whose ground became private after their image was taken, released by a legal reviewer (GD-43).

CREATE TABLE core.release (
    id uuid NOT NULL,
    public_id text NOT NULL,
    recorded_at timestamptz NOT NULL DEFAULT clock_timestamp(),
    origin varchar(6) NOT NULL,
    state text NOT NULL,
    version integer NOT NULL,
    detection_id uuid NOT NULL,
    authority_id uuid NOT NULL,
    reviewer_id uuid NOT NULL,
    granted_at timestamptz NOT NULL,
    reason text NOT NULL,
    withdrawn_by uuid,
    withdrawn_at timestamptz,
    withdrawn_reason text,
    CONSTRAINT pk_release PRIMARY KEY (id),
    CONSTRAINT uq_release_public_id UNIQUE (public_id),
    CONSTRAINT fk_release_detection_id_detection FOREIGN KEY (detection_id) REFERENCES core.detection (id),
    CONSTRAINT fk_release_authority_id_authority FOREIGN KEY (authority_id) REFERENCES core.authority (id),
    CONSTRAINT fk_release_reviewer_id_person FOREIGN KEY (reviewer_id) REFERENCES core.person (id),
    CONSTRAINT fk_release_withdrawn_by_person FOREIGN KEY (withdrawn_by) REFERENCES core.person (id),
    CONSTRAINT ck_release_origin CHECK (origin IN ('live', 'sample', 'legacy')),
    CONSTRAINT ck_release_granted CHECK (btrim(reason) <> '' AND isfinite(granted_at)),
    CONSTRAINT ck_release_state CHECK (state IN ('granted', 'withdrawn')),
    CONSTRAINT ck_release_withdrawn CHECK (
        CASE WHEN state = 'withdrawn' THEN withdrawn_by IS NOT NULL AND isfinite(withdrawn_at)
                AND withdrawn_at >= granted_at AND coalesce(btrim(withdrawn_reason), '') <> ''
             ELSE num_nonnulls(withdrawn_by, withdrawn_at, withdrawn_reason) = 0 END)
);
CREATE INDEX ix_release_detection_id ON core.release (detection_id);
CREATE INDEX ix_release_authority_id ON core.release (authority_id);
CREATE TRIGGER stamp BEFORE INSERT OR UPDATE ON core.release FOR EACH ROW EXECUTE FUNCTION core.stamp();
CREATE TRIGGER record_is_final BEFORE UPDATE ON core.release FOR EACH ROW
    WHEN ((OLD.public_id, OLD.detection_id, OLD.authority_id, OLD.reviewer_id, OLD.granted_at, OLD.reason)
        IS DISTINCT FROM
          (NEW.public_id, NEW.detection_id, NEW.authority_id, NEW.reviewer_id, NEW.granted_at, NEW.reason)
        OR OLD.state = 'withdrawn')
    EXECUTE FUNCTION core.refuse_change('rule__GD-20.2__record_is_fixed');
CREATE TRIGGER record_is_kept BEFORE DELETE OR TRUNCATE ON core.release FOR EACH STATEMENT
    EXECUTE FUNCTION core.refuse_change('rule__GD-20.2__record_is_fixed');
GRANT SELECT, INSERT, UPDATE ON core.release TO skywarden_app;
INSERT INTO law.step (subject, source, target) VALUES
    ('release', '', 'granted'),
    ('release', 'granted', 'withdrawn');
CREATE TRIGGER judge_first_step BEFORE INSERT ON core.release FOR EACH ROW
    WHEN (NEW.origin = 'live') EXECUTE FUNCTION core.judge_step();
CREATE TRIGGER judge_step BEFORE UPDATE OF state ON core.release FOR EACH ROW
    WHEN (OLD.state <> NEW.state) EXECUTE FUNCTION core.judge_step();

-- The zones that a release is about, as they stood: one that changed since, or came into force anew, shuts again.
CREATE TABLE core.release_zone (
    release_id uuid NOT NULL,
    zone_id uuid NOT NULL,
    zone_version integer NOT NULL,
    valid_to timestamptz,
    CONSTRAINT pk_release_zone PRIMARY KEY (release_id, zone_id),
    CONSTRAINT fk_release_zone_release_id_release FOREIGN KEY (release_id) REFERENCES core.release (id),
    CONSTRAINT fk_release_zone_zone_id_privacy_zone FOREIGN KEY (zone_id) REFERENCES core.privacy_zone (id)
);
CREATE INDEX ix_release_zone_zone_id ON core.release_zone (zone_id);

-- The findings that it opens: the one that it was granted for, and what officers made of that one.
CREATE TABLE core.release_find (
    detection_id uuid NOT NULL,
    release_id uuid NOT NULL,
    CONSTRAINT pk_release_find PRIMARY KEY (detection_id, release_id),
    CONSTRAINT fk_release_find_detection_id_detection FOREIGN KEY (detection_id) REFERENCES core.detection (id),
    CONSTRAINT fk_release_find_release_id_release FOREIGN KEY (release_id) REFERENCES core.release (id)
);
CREATE INDEX ix_release_find_release_id ON core.release_find (release_id);

DO $$
DECLARE
    tab text;
BEGIN
    FOREACH tab IN ARRAY ARRAY['release_zone', 'release_find'] LOOP
        EXECUTE format('CREATE TRIGGER record_is_final BEFORE UPDATE OR DELETE ON core.%I FOR EACH ROW
            EXECUTE FUNCTION core.refuse_change(''rule__GD-20.2__record_is_fixed'')', tab);
        EXECUTE format('CREATE TRIGGER record_is_kept BEFORE TRUNCATE ON core.%I FOR EACH STATEMENT
            EXECUTE FUNCTION core.refuse_change(''rule__GD-20.2__record_is_fixed'')', tab);
        EXECUTE format('GRANT SELECT, INSERT ON core.%I TO skywarden_app', tab);
    END LOOP;
END
$$;

-- Asked at the end of a transaction: who released, and what may be released at all.
CREATE FUNCTION core.judge_release() RETURNS trigger
    LANGUAGE plpgsql
    SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    d core.detection%ROWTYPE;
    -- No time zone is a full day away from UTC.
    day date := (NEW.granted_at AT TIME ZONE 'UTC')::date;
BEGIN
    SELECT * INTO d FROM core.detection WHERE id = NEW.detection_id;
    IF d.authority_id <> NEW.authority_id OR NOT EXISTS (
        SELECT FROM core.role_assignment a
        WHERE a.person_id = NEW.reviewer_id AND a.role = 'legal_reviewer' AND a.authority_id = d.authority_id
          AND day BETWEEN a.valid_from - 1 AND coalesce(a.valid_to + 1, 'infinity'))
    THEN
        PERFORM core.refuse('rule__GD-43__released_by_a_legal_reviewer', 'a legal reviewer of the authority releases');
    END IF;
    IF d.assigned_to = NEW.reviewer_id
        OR EXISTS (SELECT FROM core.decision c WHERE c.detection_id = d.id AND c.person_id = NEW.reviewer_id)
    THEN
        PERFORM core.refuse('rule__GD-43__released_by_another_person', 'whoever reviews a finding does not release it');
    END IF;
    IF NOT EXISTS (SELECT FROM core.release_find f WHERE f.release_id = NEW.id AND f.detection_id = d.id)
        OR NOT EXISTS (SELECT FROM core.release_zone z WHERE z.release_id = NEW.id)
        OR EXISTS (
            SELECT FROM core.release_zone r
            JOIN core.privacy_zone z ON z.id = r.zone_id
            JOIN core.scene s ON s.id = d.scene_id
            WHERE r.release_id = NEW.id AND (
                z.sensitive OR (r.zone_version, r.valid_to) IS DISTINCT FROM (z.zone_version, z.valid_to)
                -- A zone that counted when the image was taken makes it unlawful; nobody knows where no time is.
                OR coalesce(z.valid_from <= coalesce(s.captured_until, s.captured_at), true)))
    THEN
        PERFORM core.refuse('rule__GD-43__released_only_from_later_zones', 'only what became private later is released');
    END IF;
    RETURN NULL;
END
$$;
CREATE CONSTRAINT TRIGGER judge_release AFTER INSERT ON core.release
    DEFERRABLE INITIALLY DEFERRED FOR EACH ROW EXECUTE FUNCTION core.judge_release();

CREATE FUNCTION core.judge_release_find() RETURNS trigger
    LANGUAGE plpgsql
    SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
    IF NOT EXISTS (SELECT FROM core.release r WHERE r.id = NEW.release_id AND r.detection_id = NEW.detection_id)
        AND NOT EXISTS (
            SELECT FROM core.derivation v JOIN core.release_find f ON f.detection_id = v.source_id
            WHERE v.detection_id = NEW.detection_id AND f.release_id = NEW.release_id)
    THEN
        PERFORM core.refuse('rule__GD-43__released_only_from_later_zones', 'a release opens what comes of its finding');
    END IF;
    RETURN NULL;
END
$$;
CREATE CONSTRAINT TRIGGER judge_release_find AFTER INSERT ON core.release_find
    DEFERRABLE INITIALLY DEFERRED FOR EACH ROW EXECUTE FUNCTION core.judge_release_find();

-- And the other way round: whoever released a finding decides nothing about it.
CREATE FUNCTION core.judge_decider() RETURNS trigger
    LANGUAGE plpgsql
    SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
    IF EXISTS (
        SELECT FROM core.release_find f JOIN core.release r ON r.id = f.release_id
        WHERE f.detection_id = NEW.detection_id AND r.reviewer_id = NEW.person_id)
    THEN
        PERFORM core.refuse('rule__GD-43__released_by_another_person', 'whoever released a finding does not decide it');
    END IF;
    RETURN NULL;
END
$$;
CREATE CONSTRAINT TRIGGER judge_decider AFTER INSERT ON core.decision
    DEFERRABLE INITIALLY DEFERRED FOR EACH ROW EXECUTE FUNCTION core.judge_decider();
REVOKE ALL ON FUNCTION core.judge_release, core.judge_release_find, core.judge_decider FROM PUBLIC;
GRANT EXECUTE ON FUNCTION core.judge_release, core.judge_release_find, core.judge_decider TO skywarden_app;
