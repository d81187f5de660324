-- Zones that somebody asked for: who asked and why stays inside, what was decided is told (GD-15, G-36); and what a new
-- zone touched.

-- `geom` is the place that is asked for; a request that hides it becomes a zone of which a larger shape is shown.
CREATE TABLE core.zone_request (
    authority_id uuid NOT NULL,
    geom geometry(POLYGON, 4326) NOT NULL,
    sensitive boolean NOT NULL,
    kind text NOT NULL,
    place_text text NOT NULL,
    reason text NOT NULL,
    asked_by_id uuid,
    asked_by text NOT NULL,
    contact text NOT NULL,
    asked_at timestamptz NOT NULL,
    due_on date NOT NULL,
    decided_by_id uuid,
    decided_at timestamptz,
    reasons text,
    reasons_en text,
    reasons_zh text,
    zone_id uuid,
    state text NOT NULL,
    version integer NOT NULL,
    id uuid NOT NULL,
    public_id text NOT NULL,
    recorded_at timestamptz NOT NULL DEFAULT clock_timestamp(),
    origin varchar(6) NOT NULL,
    CONSTRAINT pk_zone_request PRIMARY KEY (id),
    CONSTRAINT uq_zone_request_public_id UNIQUE (public_id),
    CONSTRAINT fk_zone_request_authority_id_authority FOREIGN KEY (authority_id) REFERENCES core.authority (id),
    CONSTRAINT fk_zone_request_asked_by_id_person FOREIGN KEY (asked_by_id) REFERENCES core.person (id),
    CONSTRAINT fk_zone_request_decided_by_id_person FOREIGN KEY (decided_by_id) REFERENCES core.person (id),
    CONSTRAINT fk_zone_request_zone_id_privacy_zone FOREIGN KEY (zone_id) REFERENCES core.privacy_zone (id),
    CONSTRAINT ck_zone_request_origin CHECK (origin IN ('live', 'sample', 'legacy')),
    CONSTRAINT ck_zone_request_state CHECK (state IN ('asked', 'granted', 'refused')),
    CONSTRAINT ck_zone_request_asked CHECK (
        isfinite(asked_at) AND isfinite(due_on) AND reason <> '' AND asked_by <> '' AND contact <> ''),
    CONSTRAINT "rule__DC-4__zone_request_geom" CHECK (core.is_sound(geom)),
    CONSTRAINT "rule__GD-15__zone_request_is_decided_with_reasons" CHECK (
        state = 'asked' OR (isfinite(decided_at) AND coalesce(reasons, '') <> '' AND coalesce(reasons_en, '') <> ''
                            AND coalesce(reasons_zh, '') <> '')),
    CONSTRAINT "rule__GD-15__zone_request_becomes_a_zone" CHECK ((state = 'granted') = (zone_id IS NOT NULL)),
    CONSTRAINT "rule__GD-15__zone_request_is_decided_by_another" CHECK (decided_by_id <> asked_by_id)
);
CREATE INDEX ix_zone_request_authority_id_state ON core.zone_request (authority_id, state);
CREATE INDEX ix_zone_request_zone_id ON core.zone_request (zone_id);
CREATE INDEX gist_zone_request_geom ON core.zone_request USING gist (geom);

INSERT INTO law.step (subject, source, target) VALUES
    ('zone_request', '', 'asked'),
    ('zone_request', 'asked', 'granted'),
    ('zone_request', 'asked', 'refused');
CREATE TRIGGER stamp BEFORE INSERT OR UPDATE ON core.zone_request FOR EACH ROW EXECUTE FUNCTION core.stamp();
CREATE TRIGGER judge_first_step BEFORE INSERT ON core.zone_request FOR EACH ROW
    WHEN (NEW.origin = 'live') EXECUTE FUNCTION core.judge_step();
CREATE TRIGGER judge_step BEFORE UPDATE OF state ON core.zone_request FOR EACH ROW
    WHEN (OLD.state <> NEW.state) EXECUTE FUNCTION core.judge_step();
-- What was asked is never rewritten, except that a place may still be hidden; what was decided is final.
CREATE TRIGGER request_is_final BEFORE UPDATE ON core.zone_request FOR EACH ROW
    WHEN ((OLD.authority_id, OLD.kind, OLD.place_text, OLD.reason, OLD.asked_by_id, OLD.asked_by, OLD.contact,
           OLD.asked_at, OLD.due_on)
        IS DISTINCT FROM
          (NEW.authority_id, NEW.kind, NEW.place_text, NEW.reason, NEW.asked_by_id, NEW.asked_by, NEW.contact,
           NEW.asked_at, NEW.due_on)
        OR NOT ST_OrderingEquals(OLD.geom, NEW.geom) OR (OLD.sensitive AND NOT NEW.sensitive) OR OLD.state <> 'asked')
    EXECUTE FUNCTION core.refuse_change('rule__GD-15__zone_request_is_final');

-- What a zone reached when it was added: stopped by it, or to be looked at. Restricted: a list of what lies around a
-- hidden place would tell where it is.
CREATE TABLE core.zone_touch (
    zone_id uuid NOT NULL,
    subject_kind text NOT NULL,
    subject_id uuid NOT NULL,
    outcome text NOT NULL,
    id uuid NOT NULL,
    public_id text NOT NULL,
    recorded_at timestamptz NOT NULL DEFAULT clock_timestamp(),
    origin varchar(6) NOT NULL,
    CONSTRAINT pk_zone_touch PRIMARY KEY (id),
    CONSTRAINT uq_zone_touch_public_id UNIQUE (public_id),
    CONSTRAINT uq_zone_touch_zone_id_subject_kind_subject_id UNIQUE (zone_id, subject_kind, subject_id),
    CONSTRAINT fk_zone_touch_zone_id_privacy_zone FOREIGN KEY (zone_id) REFERENCES core.privacy_zone (id),
    CONSTRAINT ck_zone_touch_origin CHECK (origin IN ('live', 'sample', 'legacy')),
    CONSTRAINT ck_zone_touch_outcome CHECK (outcome IN ('blocked', 'flagged'))
);
CREATE INDEX ix_zone_touch_subject_kind_subject_id ON core.zone_touch (subject_kind, subject_id);
CREATE TRIGGER stamp BEFORE INSERT OR UPDATE ON core.zone_touch FOR EACH ROW EXECUTE FUNCTION core.stamp();
CREATE TRIGGER record_is_final BEFORE UPDATE OR DELETE ON core.zone_touch FOR EACH ROW
    EXECUTE FUNCTION core.refuse_change('rule__GD-20.2__record_is_fixed');
CREATE TRIGGER record_is_kept BEFORE TRUNCATE ON core.zone_touch FOR EACH STATEMENT
    EXECUTE FUNCTION core.refuse_change('rule__GD-20.2__record_is_fixed');

GRANT SELECT, INSERT, UPDATE ON core.zone_request TO skywarden_app;
GRANT SELECT, INSERT ON core.zone_touch TO skywarden_app;

-- The register of requests: that one was made to an authority, when, and with what result and reasons. No place, no
-- kind, no name, no zone. Of a hidden one not even the result: together with the day on which a zone appears it would
-- tell that somebody asked for that zone. That it was decided is told only after the month in which it was.
CREATE VIEW public_map.zone_requests WITH (security_barrier) AS
SELECT r.public_id, a.public_id AS authority_id, a.name_en AS authority_en, a.name_zh AS authority_zh,
       to_char(r.asked_at AT TIME ZONE 'UTC', 'YYYY-MM') AS asked_in,
       CASE WHEN NOT r.sensitive OR r.state = 'asked' THEN r.state
            WHEN to_char(r.decided_at AT TIME ZONE 'UTC', 'YYYY-MM') < to_char(now() AT TIME ZONE 'UTC', 'YYYY-MM')
            THEN 'decided' ELSE 'asked' END AS state,
       CASE WHEN NOT r.sensitive THEN to_char(r.decided_at AT TIME ZONE 'UTC', 'YYYY-MM') END AS decided_in,
       CASE WHEN NOT r.sensitive THEN r.reasons_en END AS reasons_en,
       CASE WHEN NOT r.sensitive THEN r.reasons_zh END AS reasons_zh,
       r.origin
FROM core.zone_request r
JOIN core.authority a ON a.id = r.authority_id;
GRANT SELECT ON public_map.zone_requests TO skywarden_public, skywarden_app;
