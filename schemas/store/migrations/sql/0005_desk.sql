-- The review desk: who decided what of a find and why, what was cut, joined and taken back, and the place in the queue.

-- ---------------------------------------------------------------------------------------------
-- States that only an officer's decision leads to
-- ---------------------------------------------------------------------------------------------

ALTER TABLE core.detection DROP CONSTRAINT ck_detection_state;
ALTER TABLE core.detection ADD CONSTRAINT ck_detection_state CHECK (state IN
    ('new', 'assigned', 'confirmed', 'false_alarm', 'inconclusive', 'notified', 'rectifying', 'rectified',
     'transferred', 'closed', 'split', 'merged', 'withdrawn'));
INSERT INTO law.step (subject, source, target) VALUES
    ('detection', '', 'assigned'),
    ('detection', 'assigned', 'split'),
    ('detection', 'assigned', 'merged'),
    ('detection', 'assigned', 'withdrawn'),
    ('detection', 'confirmed', 'assigned'),
    ('detection', 'false_alarm', 'assigned'),
    ('detection', 'split', 'assigned'),
    ('detection', 'merged', 'assigned');

-- ---------------------------------------------------------------------------------------------
-- Decisions: one row for each find that one decision is about; `act` is the same for all of them
-- ---------------------------------------------------------------------------------------------

CREATE TABLE core.decision (
    id uuid NOT NULL,
    public_id text NOT NULL,
    recorded_at timestamptz NOT NULL DEFAULT clock_timestamp(),
    origin varchar(6) NOT NULL,
    act uuid NOT NULL,
    detection_id uuid NOT NULL,
    kind text NOT NULL,
    source text NOT NULL,
    target text NOT NULL,
    version integer NOT NULL,
    person_id uuid NOT NULL,
    decided_at timestamptz NOT NULL,
    code text NOT NULL,
    reason text NOT NULL,
    label_id uuid,
    undoes_id uuid,
    details jsonb NOT NULL,
    CONSTRAINT pk_decision PRIMARY KEY (id),
    CONSTRAINT uq_decision_public_id UNIQUE (public_id),
    CONSTRAINT uq_decision_detection_id_version UNIQUE (detection_id, version),
    CONSTRAINT uq_decision_undoes_id UNIQUE (undoes_id),
    CONSTRAINT fk_decision_detection_id_detection FOREIGN KEY (detection_id) REFERENCES core.detection (id),
    CONSTRAINT fk_decision_person_id_person FOREIGN KEY (person_id) REFERENCES core.person (id),
    CONSTRAINT fk_decision_label_id_label FOREIGN KEY (label_id) REFERENCES core.label (id),
    CONSTRAINT fk_decision_undoes_id_decision FOREIGN KEY (undoes_id) REFERENCES core.decision (id),
    CONSTRAINT ck_decision_origin CHECK (origin IN ('live', 'sample', 'legacy')),
    CONSTRAINT ck_decision_step CHECK (
        CASE kind
            WHEN 'confirm' THEN source = 'assigned' AND target = 'confirmed'
            WHEN 'reject' THEN source = 'assigned' AND target = 'false_alarm'
            WHEN 'leave_open' THEN source = 'assigned' AND target = 'inconclusive'
            WHEN 'redraw' THEN source = target AND source IN ('assigned', 'confirmed')
            WHEN 'split' THEN source = 'assigned' AND target = 'split'
            WHEN 'merge' THEN source = 'assigned' AND target = 'merged'
            WHEN 'undo' THEN true
            ELSE false
        END),
    CONSTRAINT ck_decision_undoes CHECK ((kind = 'undo') = (undoes_id IS NOT NULL)),
    CONSTRAINT ck_decision_words CHECK (
        btrim(reason) <> '' AND code ~ '^[a-z][a-z0-9_]{0,39}$' AND version > 1 AND isfinite(decided_at)
        AND jsonb_typeof(details) = 'object')
);
CREATE INDEX ix_decision_act ON core.decision (act);
CREATE INDEX ix_decision_label_id ON core.decision (label_id);
CREATE TRIGGER stamp BEFORE INSERT OR UPDATE ON core.decision FOR EACH ROW EXECUTE FUNCTION core.stamp();

-- Which finds a part was cut from, or a whole was joined from.
CREATE TABLE core.derivation (
    detection_id uuid NOT NULL,
    source_id uuid NOT NULL,
    decision_id uuid NOT NULL,
    CONSTRAINT pk_derivation PRIMARY KEY (detection_id, source_id),
    CONSTRAINT fk_derivation_detection_id_detection FOREIGN KEY (detection_id) REFERENCES core.detection (id),
    CONSTRAINT fk_derivation_source_id_detection FOREIGN KEY (source_id) REFERENCES core.detection (id),
    CONSTRAINT fk_derivation_decision_id_decision FOREIGN KEY (decision_id) REFERENCES core.decision (id),
    CONSTRAINT ck_derivation_source_id CHECK (source_id <> detection_id)
);
CREATE INDEX ix_derivation_source_id ON core.derivation (source_id);
CREATE INDEX ix_derivation_decision_id ON core.derivation (decision_id);

-- A label that an undone decision had left: it teaches nothing any more, and stays on record.
CREATE TABLE core.label_withdrawal (
    label_id uuid NOT NULL,
    decision_id uuid NOT NULL,
    CONSTRAINT pk_label_withdrawal PRIMARY KEY (label_id),
    CONSTRAINT fk_label_withdrawal_label_id_label FOREIGN KEY (label_id) REFERENCES core.label (id),
    CONSTRAINT fk_label_withdrawal_decision_id_decision FOREIGN KEY (decision_id) REFERENCES core.decision (id)
);

DO $$
DECLARE
    tab text;
BEGIN
    FOREACH tab IN ARRAY ARRAY['decision', 'derivation', 'label_withdrawal'] LOOP
        EXECUTE format('CREATE TRIGGER record_is_final BEFORE UPDATE OR DELETE ON core.%I FOR EACH ROW
            EXECUTE FUNCTION core.refuse_change(''rule__GD-20.2__record_is_fixed'')', tab);
        EXECUTE format('CREATE TRIGGER record_is_kept BEFORE TRUNCATE ON core.%I FOR EACH STATEMENT
            EXECUTE FUNCTION core.refuse_change(''rule__GD-20.2__record_is_fixed'')', tab);
        EXECUTE format('GRANT SELECT, INSERT ON core.%I TO skywarden_app', tab);
    END LOOP;
END
$$;

-- What was decided before there were rows for it.
INSERT INTO core.decision (id, public_id, origin, act, detection_id, kind, source, target, version, person_id,
                           decided_at, code, reason, label_id, details)
SELECT gen_random_uuid(), 'DD-' || substr(d.public_id, 4), d.origin, gen_random_uuid(), d.id,
       CASE d.state WHEN 'confirmed' THEN 'confirm' WHEN 'false_alarm' THEN 'reject' ELSE 'leave_open' END,
       'assigned', d.state, d.version, d.decided_by, d.decided_at, 'other', d.reason, NULL, '{}'
FROM core.detection d
WHERE d.state IN ('confirmed', 'false_alarm', 'inconclusive') AND d.version > 1 AND d.decided_by IS NOT NULL
  AND isfinite(d.decided_at) AND btrim(d.reason) <> '';

-- ---------------------------------------------------------------------------------------------
-- The judge: asked at the end of a transaction, when everything that belongs together is there
-- ---------------------------------------------------------------------------------------------

-- The outline that counts: the last one that an officer drew and did not take back, else the engine's.
CREATE FUNCTION core.outline(p_detection uuid) RETURNS geometry
    LANGUAGE sql STABLE
    SET search_path = pg_catalog, public, pg_temp
BEGIN ATOMIC
    SELECT coalesce(
        (SELECT l.geom FROM core.label l
         WHERE l.detection_id = d.id AND l.kind = 'edit'
           AND NOT EXISTS (SELECT FROM core.label_withdrawal w WHERE w.label_id = l.id)
         ORDER BY l.recorded_at DESC LIMIT 1),
        d.geom)
    FROM core.detection d WHERE d.id = p_detection;
END;

-- A share of the area that rounding of corners may cost.
CREATE FUNCTION core.same_area(a geometry, b geometry) RETURNS boolean
    LANGUAGE sql IMMUTABLE
    SET search_path = pg_catalog, public, pg_temp
RETURN ST_Area(ST_SymDifference(a, b)) <= 1e-6 * ST_Area(b);

CREATE FUNCTION core.judge_decision() RETURNS trigger
    LANGUAGE plpgsql
    SET search_path = pg_catalog, public, pg_temp
AS $$
DECLARE
    d core.detection%ROWTYPE;
    u core.decision%ROWTYPE;
    day date := (NEW.decided_at AT TIME ZONE 'UTC')::date;
BEGIN
    SELECT * INTO d FROM core.detection WHERE id = NEW.detection_id;
    IF (d.version, d.state) IS DISTINCT FROM (NEW.version, NEW.target) THEN
        PERFORM core.refuse('rule__GD-30.1__decision_is_missing', 'a decision and the state of its find go together');
    END IF;
    -- No time zone is a full day away from UTC.
    IF NOT EXISTS (
        SELECT FROM core.qualification q JOIN core.authority a ON a.id = q.authority_id AND a.field = q.field
        WHERE q.person_id = NEW.person_id AND q.kind = 'enforcement' AND q.authority_id = d.authority_id
          AND day BETWEEN q.valid_from - 1 AND q.valid_to + 1
    ) THEN
        PERFORM core.refuse('rule__GD-30.1__decided_by_a_qualified_officer',
            'whoever decides holds a valid certificate of the authority');
    END IF;
    IF NEW.kind = 'undo' THEN
        SELECT * INTO u FROM core.decision WHERE id = NEW.undoes_id;
        IF (u.detection_id, u.person_id, u.target, u.source, u.version + 1)
                IS DISTINCT FROM (NEW.detection_id, NEW.person_id, NEW.source, NEW.target, NEW.version)
            OR u.kind = 'undo'
            OR EXISTS (SELECT FROM core.derivation v JOIN core.detection p ON p.id = v.detection_id
                       WHERE v.decision_id = u.id AND (p.state <> 'withdrawn'
                             OR EXISTS (SELECT FROM core.sighting g WHERE g.earlier_id = p.id)))
            OR (u.label_id IS NOT NULL AND NOT EXISTS (
                SELECT FROM core.label_withdrawal w WHERE w.label_id = u.label_id AND w.decision_id = NEW.id))
        THEN
            PERFORM core.refuse('rule__GD-30.1__undone_by_who_decided',
                'only the last decision is undone, whole, and by who made it');
        END IF;
    END IF;
    RETURN NULL;
END
$$;
CREATE CONSTRAINT TRIGGER judge_decision AFTER INSERT ON core.decision
    DEFERRABLE INITIALLY DEFERRED FOR EACH ROW EXECUTE FUNCTION core.judge_decision();

CREATE FUNCTION core.judge_withdrawal() RETURNS trigger
    LANGUAGE plpgsql
    SET search_path = pg_catalog, public, pg_temp
AS $$
BEGIN
    IF NOT EXISTS (
        SELECT FROM core.decision r JOIN core.decision u ON u.id = r.undoes_id
        WHERE r.id = NEW.decision_id AND u.label_id = NEW.label_id
    ) THEN
        PERFORM core.refuse('rule__GD-30.1__undone_by_who_decided', 'a label goes with the decision that left it');
    END IF;
    RETURN NULL;
END
$$;
CREATE CONSTRAINT TRIGGER judge_withdrawal AFTER INSERT ON core.label_withdrawal
    DEFERRABLE INITIALLY DEFERRED FOR EACH ROW EXECUTE FUNCTION core.judge_withdrawal();

CREATE FUNCTION core.judge_derivation() RETURNS trigger
    LANGUAGE plpgsql
    SET search_path = pg_catalog, public, pg_temp
AS $$
DECLARE
    made core.detection%ROWTYPE;
    src core.detection%ROWTYPE;
    r core.decision%ROWTYPE;
BEGIN
    SELECT * INTO made FROM core.detection WHERE id = NEW.detection_id;
    SELECT * INTO src FROM core.detection WHERE id = NEW.source_id;
    SELECT * INTO r FROM core.decision WHERE id = NEW.decision_id;
    IF r.kind NOT IN ('split', 'merge') OR r.detection_id <> NEW.source_id
        OR (r.version, r.target) IS DISTINCT FROM (src.version, src.state)
        OR (made.state, made.version) IS DISTINCT FROM ('assigned', 1)
        OR (made.scene_id, made.authority_id, made.kind) IS DISTINCT FROM (src.scene_id, src.authority_id, src.kind)
    THEN
        PERFORM core.refuse('rule__GD-30.1__cut_or_joined_exactly', 'a part or a whole comes of one decision');
    END IF;
    RETURN NULL;
END
$$;
CREATE CONSTRAINT TRIGGER judge_derivation AFTER INSERT ON core.derivation
    DEFERRABLE INITIALLY DEFERRED FOR EACH ROW EXECUTE FUNCTION core.judge_derivation();

CREATE FUNCTION core.judge_find() RETURNS trigger
    LANGUAGE plpgsql
    SET search_path = pg_catalog, public, pg_temp
AS $$
DECLARE
    r core.decision%ROWTYPE;
BEGIN
    IF TG_OP = 'INSERT' THEN
        -- An engine proposes; what an officer made comes of finds that were there.
        IF NOT EXISTS (SELECT FROM core.derivation v WHERE v.detection_id = NEW.id) THEN
            PERFORM core.refuse('rule__GD-30.1__cut_or_joined_exactly', 'a find that nobody proposed comes of another');
        END IF;
        RETURN NULL;
    END IF;
    IF NEW.state = 'withdrawn' THEN
        IF NEW.version <> 2
            OR NOT EXISTS (SELECT FROM core.derivation v WHERE v.detection_id = NEW.id)
            OR EXISTS (SELECT FROM core.derivation v WHERE v.detection_id = NEW.id
                       AND NOT EXISTS (SELECT FROM core.decision x WHERE x.undoes_id = v.decision_id))
        THEN
            PERFORM core.refuse('rule__GD-30.1__undone_by_who_decided', 'a part goes when its cut is undone');
        END IF;
        RETURN NULL;
    END IF;
    SELECT * INTO r FROM core.decision x WHERE x.detection_id = NEW.id AND x.version = NEW.version;
    IF r.id IS NULL OR NEW.version <> OLD.version + 1
        OR (r.source, r.target, r.person_id IS NOT NULL) IS DISTINCT FROM (OLD.state, NEW.state, true)
    THEN
        PERFORM core.refuse('rule__GD-30.1__decision_is_missing', 'this step is an officer''s decision, on record');
    END IF;
    IF NEW.state = 'split' AND (
        SELECT count(*) < 2 OR NOT core.same_area(ST_Union(p.geom), core.outline(NEW.id))
            OR sum(ST_Area(p.geom)) > (1 + 1e-6) * ST_Area(core.outline(NEW.id))
        FROM core.derivation v JOIN core.detection p ON p.id = v.detection_id WHERE v.decision_id = r.id)
    THEN
        PERFORM core.refuse('rule__GD-30.1__cut_or_joined_exactly', 'the parts are the whole');
    END IF;
    IF NEW.state = 'merged' AND (
        SELECT count(*) <> 1 OR NOT bool_and(
            core.same_area(ST_Intersection(w.geom, core.outline(NEW.id)), core.outline(NEW.id))
            AND (SELECT count(*) FROM core.derivation o WHERE o.detection_id = w.id) > 1)
        FROM core.derivation v JOIN core.detection w ON w.id = v.detection_id WHERE v.decision_id = r.id)
    THEN
        PERFORM core.refuse('rule__GD-30.1__cut_or_joined_exactly', 'the whole covers what it was joined from');
    END IF;
    RETURN NULL;
END
$$;
CREATE CONSTRAINT TRIGGER judge_birth AFTER INSERT ON core.detection
    DEFERRABLE INITIALLY DEFERRED FOR EACH ROW
    WHEN (NEW.origin = 'live' AND NEW.state = 'assigned') EXECUTE FUNCTION core.judge_find();
-- Whoever takes a find on or passes it on decides nothing about it; a find left undecided may simply be taken on again.
CREATE CONSTRAINT TRIGGER judge_find AFTER UPDATE OF state ON core.detection
    DEFERRABLE INITIALLY DEFERRED FOR EACH ROW
    WHEN (OLD.state <> NEW.state
        AND (NEW.state IN ('confirmed', 'false_alarm', 'inconclusive', 'split', 'merged', 'withdrawn')
             OR (NEW.state = 'assigned' AND OLD.state IN ('confirmed', 'false_alarm', 'split', 'merged'))))
    EXECUTE FUNCTION core.judge_find();
-- A version is never seen twice, so that an old decision cannot stand for a new one.
CREATE TRIGGER version_counts_up BEFORE UPDATE ON core.detection FOR EACH ROW
    WHEN (NEW.version NOT IN (OLD.version, OLD.version + 1))
    EXECUTE FUNCTION core.refuse_change('rule__GD-20.2__record_is_fixed');
REVOKE ALL ON FUNCTION core.outline, core.same_area, core.judge_decision, core.judge_withdrawal,
    core.judge_derivation, core.judge_find FROM PUBLIC;
GRANT EXECUTE ON FUNCTION core.outline, core.same_area, core.judge_decision, core.judge_withdrawal,
    core.judge_derivation, core.judge_find TO skywarden_app;

-- ---------------------------------------------------------------------------------------------
-- The place in the queue: fixed when a find is formed, so that a page that was left is found again
-- ---------------------------------------------------------------------------------------------

-- `turn` is the last day less a day for so many points of risk (sensing/risk.py): the smaller, the sooner.
ALTER TABLE core.detection
    ADD COLUMN risk smallint NOT NULL DEFAULT 0,
    ADD COLUMN risk_trace jsonb NOT NULL DEFAULT '[]',
    ADD COLUMN due date,
    ADD COLUMN turn date NOT NULL DEFAULT CURRENT_DATE,
    -- Within one turn the riskier comes first; it counts down, so that one index goes one way.
    ADD COLUMN risk_short_of_most smallint GENERATED ALWAYS AS (100 - risk) STORED;
UPDATE core.detection d SET turn = (d.formed_at AT TIME ZONE 'UTC')::date;
ALTER TABLE core.detection
    ADD CONSTRAINT ck_detection_risk CHECK (risk BETWEEN 0 AND 100 AND jsonb_typeof(risk_trace) = 'array'),
    ADD CONSTRAINT ck_detection_turn CHECK (isfinite(turn) AND isfinite(due) AND turn <= due);

CREATE FUNCTION core.place_in_queue() RETURNS trigger
    LANGUAGE plpgsql
    SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
    -- Of what nobody rated, the risk and the last day are not known: its turn is when it was formed.
    IF NEW.due IS NULL THEN
        NEW.turn := (NEW.formed_at AT TIME ZONE 'UTC')::date;
    END IF;
    RETURN NEW;
END
$$;
REVOKE ALL ON FUNCTION core.place_in_queue() FROM PUBLIC;
GRANT EXECUTE ON FUNCTION core.place_in_queue() TO skywarden_app;
CREATE TRIGGER place_in_queue BEFORE INSERT ON core.detection FOR EACH ROW EXECUTE FUNCTION core.place_in_queue();
CREATE TRIGGER place_is_final BEFORE UPDATE ON core.detection FOR EACH ROW
    WHEN ((OLD.risk, OLD.risk_trace, OLD.due, OLD.turn) IS DISTINCT FROM (NEW.risk, NEW.risk_trace, NEW.due, NEW.turn))
    EXECUTE FUNCTION core.refuse_change('rule__GD-20.2__record_is_fixed');
CREATE INDEX ix_detection_waiting ON core.detection (authority_id, turn, risk_short_of_most, public_id)
    WHERE state IN ('new', 'assigned');
CREATE INDEX ix_detection_waiting_of_kind ON core.detection (authority_id, kind, turn, risk_short_of_most, public_id)
    WHERE state IN ('new', 'assigned');
CREATE INDEX ix_detection_waiting_for ON core.detection (assigned_to, turn, risk_short_of_most, public_id)
    WHERE state = 'assigned';
