-- Orders to the gateways, which run outside the web process, and what they tell of a flight.

CREATE TABLE core.gateway (
    id uuid PRIMARY KEY,
    drone_id uuid NOT NULL REFERENCES core.drone (device_id),
    flight_id uuid REFERENCES core.flight (id),
    link_url text NOT NULL,
    process text NOT NULL,
    started_at timestamptz NOT NULL DEFAULT clock_timestamp(),
    beat_at timestamptz NOT NULL DEFAULT clock_timestamp(),
    ended_at timestamptz,
    CONSTRAINT "rule__DC-4__gateway_times" CHECK (isfinite(started_at) AND isfinite(beat_at) AND isfinite(ended_at))
);
CREATE INDEX ix_gateway_flight_id ON core.gateway (flight_id);
-- One gateway leads an aircraft, and one leads a flight; whoever died is ended by the one that follows it.
CREATE UNIQUE INDEX "rule__DC-1__one_gateway_per_aircraft" ON core.gateway (drone_id) WHERE ended_at IS NULL;
CREATE UNIQUE INDEX "rule__DC-1__one_gateway_per_flight" ON core.gateway (flight_id) WHERE ended_at IS NULL;

CREATE TABLE core.flight_order (
    id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    flight_id uuid NOT NULL REFERENCES core.flight (id),
    kind text NOT NULL,
    params jsonb NOT NULL DEFAULT '{}',
    ordered_by uuid REFERENCES core.person (id),
    ordered_at timestamptz NOT NULL DEFAULT clock_timestamp(),
    taken_at timestamptz,
    done_at timestamptz,
    outcome text,
    detail jsonb NOT NULL DEFAULT '{}',
    CONSTRAINT ck_flight_order_kind CHECK (kind IN ('fly', 'pause', 'continue', 'return', 'land', 'abort')),
    CONSTRAINT ck_flight_order_outcome CHECK (outcome IN ('done', 'refused', 'expired', 'unreachable', 'lost')),
    CONSTRAINT ck_flight_order_answer CHECK ((done_at IS NULL) = (outcome IS NULL)),
    CONSTRAINT "rule__DC-4__flight_order_times" CHECK (isfinite(ordered_at) AND isfinite(taken_at) AND isfinite(done_at))
);
CREATE INDEX ix_flight_order_flight_id ON core.flight_order (flight_id);
CREATE TRIGGER record_is_final BEFORE UPDATE ON core.flight_order FOR EACH ROW
    WHEN ((OLD.flight_id, OLD.kind, OLD.params, OLD.ordered_by, OLD.ordered_at)
        IS DISTINCT FROM (NEW.flight_id, NEW.kind, NEW.params, NEW.ordered_by, NEW.ordered_at)
        OR (OLD.done_at IS NOT NULL AND OLD.* IS DISTINCT FROM NEW.*))
    EXECUTE FUNCTION core.refuse_change('rule__GD-20.2__record_is_fixed');

CREATE TABLE core.flight_event (
    id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    flight_id uuid NOT NULL REFERENCES core.flight (id),
    at timestamptz NOT NULL DEFAULT clock_timestamp(),
    kind text NOT NULL,
    body jsonb NOT NULL DEFAULT '{}',
    CONSTRAINT ck_flight_event_kind CHECK (kind IN ('step', 'position', 'conformance', 'gap', 'order', 'ack', 'text',
        'link', 'override', 'remote_id', 'photo')),
    CONSTRAINT "rule__DC-4__flight_event_at" CHECK (isfinite(at))
);
CREATE INDEX ix_flight_event_flight_id ON core.flight_event (flight_id, id);
CREATE TRIGGER record_is_final BEFORE UPDATE ON core.flight_event FOR EACH ROW
    WHEN (OLD.* IS DISTINCT FROM NEW.*)
    EXECUTE FUNCTION core.refuse_change('rule__GD-20.2__record_is_fixed');

-- Who waits for an order or follows a flight is told at once: the payload is the flight's public id and the kind.
CREATE FUNCTION core.tell_flight() RETURNS trigger LANGUAGE plpgsql SET search_path = core, public AS $$
BEGIN
    PERFORM pg_notify(TG_ARGV[0], (SELECT f.public_id FROM core.flight f WHERE f.id = NEW.flight_id) || ' ' || NEW.kind);
    RETURN NULL;
END $$;
CREATE TRIGGER order_is_told AFTER INSERT ON core.flight_order FOR EACH ROW
    EXECUTE FUNCTION core.tell_flight('skywarden_order');
CREATE TRIGGER event_is_told AFTER INSERT ON core.flight_event FOR EACH ROW
    EXECUTE FUNCTION core.tell_flight('skywarden_flight');

-- What a position was judged to be, when it came; null on rows older than this.
ALTER TABLE core.telemetry_point
    ADD COLUMN alt_agl_m double precision,
    ADD COLUMN along_m double precision,
    ADD COLUMN cross_track_m double precision,
    ADD COLUMN conformance text,
    ADD COLUMN item integer,
    ADD CONSTRAINT "rule__DC-4__telemetry_point_judgement" CHECK (
        abs(alt_agl_m) < 'Infinity' AND abs(along_m) < 'Infinity' AND abs(cross_track_m) < 'Infinity' AND item >= 0);

GRANT SELECT, INSERT, UPDATE (flight_id, beat_at, ended_at) ON core.gateway TO skywarden_app;
GRANT SELECT, INSERT, UPDATE (taken_at, done_at, outcome, detail) ON core.flight_order TO skywarden_app;
GRANT SELECT, INSERT ON core.flight_event TO skywarden_app;
GRANT USAGE ON ALL SEQUENCES IN SCHEMA core TO skywarden_app;
