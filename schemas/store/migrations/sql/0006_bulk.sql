-- Many at once: the list of a register of a million devices, and the events of many subjects in one transaction.

-- Two letters at a time, so that any part of a name is found by an index, in any script; a trigram has no use for the two
-- characters that make a word in Chinese.
CREATE FUNCTION core.pairs(p_text text) RETURNS text[]
    LANGUAGE sql IMMUTABLE PARALLEL SAFE
RETURN (SELECT coalesce(array_agg(DISTINCT substr(lower(p_text), i, 2)), '{}')
        FROM generate_series(1, length(p_text) - 1) AS i);
COMMENT ON FUNCTION core.pairs IS 'Every two neighbouring characters of a text, in small letters.';
REVOKE ALL ON FUNCTION core.pairs FROM PUBLIC;
GRANT EXECUTE ON FUNCTION core.pairs TO skywarden_app;

-- Secret devices stand on no list. One page is read from where the last one ended, in the order of names.
CREATE INDEX ix_device_listed ON core.device (name, public_id) WHERE NOT secret;
CREATE INDEX ix_device_listed_authority ON core.device (authority_id, name, public_id) WHERE NOT secret;
-- How far any device sees: so far around a zone they are looked for.
CREATE INDEX ix_device_range_m ON core.device (range_m) WHERE range_m IS NOT NULL;
CREATE INDEX gin_device_name_pairs ON core.device USING gin (core.pairs(name));

-- Many events of one actor in one statement; each is set, timed and hashed as ledger.append does with one. They come as
-- a JSON array of [action, kind, subject, body, pack], the body as the text that is kept, and are numbered in its order.
CREATE FUNCTION ledger.append_many(p_actor text, p_events text, p_effective_at timestamptz, p_origin text) RETURNS bigint
    LANGUAGE plpgsql VOLATILE SECURITY DEFINER
    SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    this_xid xid8 := pg_current_xact_id();
    appended bigint;
BEGIN
    IF this_xid <= (SELECT s.last_xid FROM ledger.seal s ORDER BY s.n DESC LIMIT 1) THEN
        RAISE EXCEPTION 'transaction numbers have gone back behind the last seal: raise the epoch with pg_resetwal -e'
            USING ERRCODE = 'object_not_in_prerequisite_state';
    END IF;
    -- What is drawn and timed once for each event is kept before it is hashed: a clock that is read twice says two times.
    WITH given AS (
        SELECT g.event ->> 0 AS action, g.event ->> 1 AS kind, g.event ->> 2 AS subject, g.event ->> 3 AS body,
               g.event ->> 4 AS pack
        FROM json_array_elements(p_events::json) WITH ORDINALITY AS g (event, place)
        ORDER BY g.place
    ), made AS MATERIALIZED (
        SELECT nextval('ledger.event_id') AS id, clock_timestamp() AS at, g.* FROM given g
    ), whole AS MATERIALIZED (
        SELECT ROW(m.id, this_xid, m.at, p_effective_at, p_origin, p_actor, m.action, m.kind, m.subject, m.pack,
                   convert_to(m.body, 'UTF8'), NULL)::ledger.event AS e
        FROM made m
    )
    INSERT INTO ledger.event
    SELECT (w.e).id, (w.e).xid, (w.e).recorded_at, (w.e).effective_at, (w.e).origin, (w.e).actor, (w.e).action,
           (w.e).subject_kind, (w.e).subject_id, (w.e).pack, (w.e).body,
           CASE WHEN json_typeof(convert_from((w.e).body, 'UTF8')::json) = 'object'
                THEN sha256('\x00'::bytea || convert_to(ledger.line(w.e), 'UTF8')) END
    FROM whole w;
    GET DIAGNOSTICS appended = ROW_COUNT;
    RETURN appended;
END
$$;
COMMENT ON FUNCTION ledger.append_many IS 'Many events of one actor at once; the database sets ids, times and hashes.';
REVOKE ALL ON FUNCTION ledger.append_many FROM PUBLIC;
GRANT EXECUTE ON FUNCTION ledger.append_many TO skywarden_app;

-- The rows that an import left out on purpose, so that the same file again can tell which ones they were.
ALTER TABLE core.import_batch
    ADD COLUMN refused_rows jsonb NOT NULL DEFAULT '[]',
    ADD CONSTRAINT ck_import_batch_refused_rows CHECK (jsonb_typeof(refused_rows) = 'array');
