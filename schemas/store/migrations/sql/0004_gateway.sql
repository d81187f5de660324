-- Orders to the gateways, which run outside the web process, and what they tell of a flight.

CREATE TABLE core.gateway (
    id uuid PRIMARY KEY,
    flight_id uuid NOT NULL REFERENCES core.flight (id),
    link_url text NOT NULL,
    process text NOT NULL,
    started_at timestamptz NOT NULL DEFAULT clock_timestamp(),
    beat_at timestamptz NOT NULL DEFAULT clock_timestamp(),
    ended_at timestamptz
);
CREATE INDEX ix_gateway_flight_id ON core.gateway (flight_id);

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
    detail jsonb NOT NULL DEFAULT '{}'
);
CREATE INDEX ix_flight_order_flight_id ON core.flight_order (flight_id);

CREATE TABLE core.flight_event (
    id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    flight_id uuid NOT NULL REFERENCES core.flight (id),
    at timestamptz NOT NULL DEFAULT clock_timestamp(),
    kind text NOT NULL,
    body jsonb NOT NULL DEFAULT '{}'
);
CREATE INDEX ix_flight_event_flight_id ON core.flight_event (flight_id, id);

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
    ADD COLUMN item integer;

GRANT SELECT, INSERT, UPDATE ON core.gateway, core.flight_order, core.flight_event TO skywarden_app;
GRANT USAGE ON ALL SEQUENCES IN SCHEMA core TO skywarden_app;
