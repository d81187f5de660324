-- The ledger: append-only, written through one function, sealed in Merkle batches (design.md 4, idea 4).

CREATE TABLE ledger.event (
    id           bigint      NOT NULL CONSTRAINT pk_event PRIMARY KEY,
    xid          xid8        NOT NULL,
    recorded_at  timestamptz NOT NULL,
    effective_at timestamptz,
    origin       text        NOT NULL CONSTRAINT ck_event_origin CHECK (origin IN ('live', 'sample', 'legacy')),
    actor        text        NOT NULL CONSTRAINT ck_event_actor CHECK (actor <> ''),
    action       text        NOT NULL CONSTRAINT ck_event_action CHECK (action <> ''),
    subject_kind text        NOT NULL CONSTRAINT ck_event_subject_kind CHECK (subject_kind <> ''),
    subject_id   text        NOT NULL CONSTRAINT ck_event_subject_id CHECK (subject_id <> ''),
    pack         text,
    body         bytea       NOT NULL,
    leaf         bytea       NOT NULL CONSTRAINT ck_event_leaf CHECK (octet_length(leaf) = 32),
    CONSTRAINT ck_event_effective_at CHECK (isfinite(effective_at))
);
CREATE SEQUENCE ledger.event_id AS bigint OWNED BY ledger.event.id;
-- The order of sealing, see ledger.seal_batch().
CREATE UNIQUE INDEX uq_event_xid_id ON ledger.event (xid, id);
CREATE INDEX ix_event_subject ON ledger.event (subject_kind, subject_id, id);

CREATE TABLE ledger.seal (
    n         bigint      NOT NULL CONSTRAINT pk_seal PRIMARY KEY CONSTRAINT ck_seal_n CHECK (n > 0),
    first_id  bigint      NOT NULL CONSTRAINT fk_seal_first REFERENCES ledger.event (id),
    last_id   bigint      NOT NULL CONSTRAINT fk_seal_last REFERENCES ledger.event (id),
    last_xid  xid8        NOT NULL,
    count     bigint      NOT NULL CONSTRAINT ck_seal_count CHECK (count > 0),
    prev      bytea       NOT NULL CONSTRAINT ck_seal_prev CHECK (octet_length(prev) = 32),
    root      bytea       NOT NULL CONSTRAINT ck_seal_root CHECK (octet_length(root) = 32),
    sealed_at timestamptz NOT NULL,
    digest    bytea       NOT NULL CONSTRAINT ck_seal_digest CHECK (octet_length(digest) = 32)
);

-- The two functions below have no search path of their own and are not strict, so that they are planned as part of
-- the statement that uses them, once for each connection. Their names are bound when they are created.
CREATE FUNCTION ledger.instant(at timestamptz) RETURNS text
    LANGUAGE sql STABLE PARALLEL SAFE
RETURN to_char(at AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.US"Z"');
COMMENT ON FUNCTION ledger.instant IS 'How the ledger writes an instant: UTC with microseconds.';

-- JSON as RFC 8785 writes it: keys in order, no blanks. to_json escapes a text exactly as RFC 8785 asks.
-- `body` is such a text already. The id is a string because it may exceed 2^53.
CREATE FUNCTION ledger.line(e ledger.event) RETURNS text
    LANGUAGE sql STABLE
RETURN '{"action":' || to_json(e.action)
    || ',"actor":' || to_json(e.actor)
    || ',"body":' || convert_from(e.body, 'UTF8')
    || ',"effective_at":' || coalesce(to_json(ledger.instant(e.effective_at))::text, 'null')
    || ',"id":"' || e.id
    || '","origin":' || to_json(e.origin)
    || ',"pack":' || coalesce(to_json(e.pack)::text, 'null')
    || ',"recorded_at":' || to_json(ledger.instant(e.recorded_at))
    || ',"subject_id":' || to_json(e.subject_id)
    || ',"subject_kind":' || to_json(e.subject_kind)
    || '}';
COMMENT ON FUNCTION ledger.line IS 'The canonical text of an event: what is hashed, and what an export holds.';

CREATE FUNCTION ledger.append(
    p_actor text, p_action text, p_subject_kind text, p_subject_id text, p_body bytea,
    p_pack text, p_effective_at timestamptz, p_origin text
) RETURNS bigint
    LANGUAGE plpgsql VOLATILE SECURITY DEFINER
    SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    e ledger.event;
BEGIN
    IF json_typeof(convert_from(p_body, 'UTF8')::json) <> 'object' THEN
        RAISE EXCEPTION 'the body of a ledger event is a JSON object' USING ERRCODE = 'check_violation';
    END IF;
    e.id := nextval('ledger.event_id');
    e.xid := pg_current_xact_id();
    e.recorded_at := clock_timestamp();
    e.effective_at := p_effective_at;
    e.origin := p_origin;
    e.actor := p_actor;
    e.action := p_action;
    e.subject_kind := p_subject_kind;
    e.subject_id := p_subject_id;
    e.pack := p_pack;
    e.body := p_body;
    -- A database restored from a dump counts transactions anew; below the last seal nothing would be sealed.
    IF e.xid <= (SELECT s.last_xid FROM ledger.seal s ORDER BY s.n DESC LIMIT 1) THEN
        RAISE EXCEPTION 'transaction numbers have gone back behind the last seal: raise the epoch with pg_resetwal -e'
            USING ERRCODE = 'object_not_in_prerequisite_state';
    END IF;
    e.leaf := sha256('\x00'::bytea || convert_to(ledger.line(e), 'UTF8'));
    INSERT INTO ledger.event SELECT e.*;
    RETURN e.id;
END
$$;
COMMENT ON FUNCTION ledger.append IS 'The only way into the ledger; the database sets id, time and hash.';

CREATE FUNCTION ledger.merkle_root(leaves bytea[]) RETURNS bytea
    LANGUAGE plpgsql IMMUTABLE STRICT
    SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    level bytea[] := leaves;
BEGIN
    -- Pairing neighbours and moving an odd last one up gives the tree of RFC 9162 section 2.1.1.
    WHILE cardinality(level) > 1 LOOP
        SELECT array_agg(coalesce(sha256('\x01'::bytea || p.hash || p.right_hash), p.hash) ORDER BY p.i)
        INTO level
        FROM (
            SELECT u.hash, u.i, lead(u.hash) OVER (ORDER BY u.i) AS right_hash
            FROM unnest(level) WITH ORDINALITY AS u (hash, i)
        ) p
        WHERE p.i % 2 = 1;
    END LOOP;
    RETURN level[1];
END
$$;

CREATE FUNCTION ledger.seal_line(s ledger.seal) RETURNS text
    LANGUAGE sql STABLE STRICT
    SET search_path = pg_catalog, pg_temp
RETURN '{"count":"' || s.count
    || '","first":"' || s.first_id
    || '","last":"' || s.last_id
    || '","prev":"' || encode(s.prev, 'hex')
    || '","root":"' || encode(s.root, 'hex')
    || '","seal":"' || s.n
    || '","sealed_at":"' || ledger.instant(s.sealed_at)
    || '"}';
COMMENT ON FUNCTION ledger.seal_line IS 'The canonical text of a seal; its SHA-256 is the digest that the next seal names.';

CREATE FUNCTION ledger.seal_batch(p_max integer) RETURNS bigint
    LANGUAGE plpgsql VOLATILE SECURITY DEFINER
    SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    s      ledger.seal;
    before ledger.seal;
    leaves bytea[];
    ids    bigint[];
    xids   xid8[];
BEGIN
    -- One sealer at a time; the number is that of the table, so it is the same in every session.
    IF NOT pg_try_advisory_xact_lock('ledger.seal'::regclass::oid::bigint) THEN
        RETURN 0;
    END IF;
    SELECT * INTO before FROM ledger.seal ORDER BY n DESC LIMIT 1;
    -- Below the xmin horizon every transaction has ended, so no event can still appear among these: a sealer
    -- that went by id alone would pass by an event whose transaction commits late.
    SELECT array_agg(b.leaf ORDER BY b.xid, b.id), array_agg(b.id ORDER BY b.xid, b.id),
           array_agg(b.xid ORDER BY b.xid, b.id)
    INTO leaves, ids, xids
    FROM (
        SELECT e.leaf, e.xid, e.id FROM ledger.event e
        WHERE e.xid < pg_snapshot_xmin(pg_current_snapshot())
          AND (e.xid, e.id) > (coalesce(before.last_xid, '0'), coalesce(before.last_id, 0))
        ORDER BY e.xid, e.id
        LIMIT p_max
    ) b;
    IF leaves IS NULL THEN
        RETURN 0;
    END IF;
    s.n := coalesce(before.n, 0) + 1;
    s.count := cardinality(ids);
    s.first_id := ids[1];
    s.last_id := ids[s.count];
    s.last_xid := xids[s.count];
    s.prev := coalesce(before.digest, decode(repeat('00', 32), 'hex'));
    s.root := ledger.merkle_root(leaves);
    s.sealed_at := clock_timestamp();
    s.digest := sha256(convert_to(ledger.seal_line(s), 'UTF8'));
    INSERT INTO ledger.seal SELECT s.*;
    RETURN s.count;
END
$$;
COMMENT ON FUNCTION ledger.seal_batch IS 'Seals up to p_max settled events and returns how many; nothing about the seal can be chosen.';

CREATE FUNCTION ledger.refuse_change() RETURNS trigger
    LANGUAGE plpgsql
    SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
    RAISE EXCEPTION 'the ledger is append-only: % on % is refused', TG_OP, TG_TABLE_NAME
        USING ERRCODE = 'check_violation', CONSTRAINT = 'rule__GD-20.2__ledger_is_append_only';
END
$$;
CREATE TRIGGER append_only BEFORE UPDATE OR DELETE OR TRUNCATE ON ledger.event
    FOR EACH STATEMENT EXECUTE FUNCTION ledger.refuse_change();
CREATE TRIGGER append_only BEFORE UPDATE OR DELETE OR TRUNCATE ON ledger.seal
    FOR EACH STATEMENT EXECUTE FUNCTION ledger.refuse_change();

REVOKE ALL ON ALL FUNCTIONS IN SCHEMA ledger FROM PUBLIC;
GRANT USAGE ON SCHEMA ledger TO skywarden_app;
GRANT SELECT ON ledger.event, ledger.seal TO skywarden_app;
GRANT EXECUTE ON FUNCTION ledger.append, ledger.seal_batch TO skywarden_app;
