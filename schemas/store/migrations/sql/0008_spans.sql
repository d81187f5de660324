-- What was shown from when until when, for the question what was here on a day.

-- One status and place of one subject, from its first day to the day on which another begins. `asserted` is what an
-- import or a sample says and nobody witnessed.
CREATE TABLE core.public_span (
    kind text NOT NULL,
    subject_id uuid NOT NULL,
    valid_from date NOT NULL,
    valid_to date,
    status text NOT NULL,
    public_id text NOT NULL,
    look text,
    title_en text,
    title_zh text,
    authority_id uuid,
    asserted boolean NOT NULL,
    geom geometry(GEOMETRY, 4326) NOT NULL,
    geom_3857 geometry(GEOMETRY, 3857) NOT NULL,
    CONSTRAINT pk_public_span PRIMARY KEY (kind, subject_id, valid_from),
    CONSTRAINT ck_public_span_days CHECK (isfinite(valid_from) AND isfinite(valid_to) AND valid_to > valid_from),
    CONSTRAINT ex_public_span_one_state_a_day EXCLUDE USING gist
        (kind WITH =, subject_id WITH =, daterange(valid_from, valid_to) WITH &&)
);
CREATE INDEX gist_public_span_geom_3857 ON core.public_span USING gist (geom_3857);
CREATE INDEX ix_public_span_valid_from ON core.public_span (valid_from);
GRANT SELECT ON core.public_span TO skywarden_app;

-- What rows and papers tell of the past of a subject that was not shown before: announced in a round, in use from a
-- day, stopped by an announcement, and how it stands now. Of an earlier round that was stopped later nobody wrote down
-- when its use began, so the first lawful day stands for it.
CREATE FUNCTION core.past_of(p core.showable) RETURNS TABLE (change text, status text, on_day date)
    LANGUAGE plpgsql STABLE
    SET search_path = pg_catalog, public, pg_temp
AS $$
#variable_conflict use_column
BEGIN
    RETURN QUERY
    WITH rounds AS (
        SELECT r.day, r.earliest, lead(r.day) OVER (ORDER BY r.round_no) AS next_day FROM (
            SELECT q.round_no, max(q.earliest_activation) AS earliest,
                   min(CASE WHEN q.origin = 'live' THEN greatest(q.published_on, (q.recorded_at AT TIME ZONE p.timezone)::date)
                            ELSE q.published_on END) AS day
            FROM core.publication q WHERE q.subject_kind = p.kind AND q.subject_id = p.subject_id
            GROUP BY q.round_no
        ) AS r
    ), stops AS (
        SELECT (n.announced_at AT TIME ZONE p.timezone)::date AS day FROM core.announcement n
        WHERE n.subject_kind = p.kind AND n.subject_id = p.subject_id AND n.kind IN ('discontinued', 'suspended')
        UNION SELECT p.ended_on WHERE p.ended_on IS NOT NULL
    ), words AS (
        SELECT CASE p.kind WHEN 'device' THEN 'active' ELSE 'effective' END AS used,
               CASE p.kind WHEN 'device' THEN 'discontinued' ELSE 'suspended' END AS stopped,
               core.day_of_change(core.change_of(NULL, p.status), p, NULL) AS last_day
    ), told AS (
        SELECT r.day, 1 AS rank, 'in_notice_period' AS status FROM rounds r
        UNION ALL
        SELECT r.earliest, 2, w.used FROM rounds r CROSS JOIN words w
        WHERE EXISTS (SELECT FROM stops s WHERE s.day > r.earliest AND s.day <= r.next_day)
          AND coalesce(p.begun_on NOT BETWEEN r.day AND r.next_day, true)
        UNION ALL
        SELECT p.begun_on, 2, w.used FROM words w WHERE p.begun_on IS NOT NULL
        UNION ALL
        SELECT s.day, 3, w.stopped FROM stops s CROSS JOIN words w
        UNION ALL
        SELECT w.last_day, 4, p.status FROM words w
    ), days AS (
        SELECT DISTINCT ON (t.day) t.day, t.status FROM told t CROSS JOIN words w
        WHERE t.day <= w.last_day
        ORDER BY t.day, t.rank DESC
    ), steps AS (
        SELECT d.day, d.status, lag(d.status) OVER (ORDER BY d.day) AS before FROM days d
    )
    SELECT core.change_of(s.before, s.status), s.status, s.day FROM steps s
    WHERE s.before IS DISTINCT FROM s.status
    ORDER BY s.day;
END
$$;

-- Takes what changed under a number into the spans. A day belongs to what stood at its end, and a day that names itself
-- too late for what is written already begins there.
CREATE FUNCTION core.keep_spans(p_seq bigint) RETURNS void
    LANGUAGE plpgsql
    SET search_path = pg_catalog, public, pg_temp
    SET plan_cache_mode = force_generic_plan
AS $$
BEGIN
    WITH news AS (
        SELECT c.*, greatest(c.on_day, (
            SELECT max(coalesce(e.valid_to, e.valid_from)) FROM core.public_span e
            WHERE e.kind = c.kind AND e.subject_id = c.subject_id)) AS day
        FROM core.public_change c
        WHERE c.seq = p_seq AND c.subject_id IS NOT NULL AND c.change <> 'word' AND c.kind <> 'privacy_zone'
    ), last AS (
        SELECT DISTINCT ON (n.kind, n.subject_id, n.day) n.* FROM news n ORDER BY n.kind, n.subject_id, n.day, n.id DESC
    ), first AS MATERIALIZED (
        SELECT l.kind, l.subject_id, min(l.day) AS day FROM last l GROUP BY l.kind, l.subject_id
    ), replaced AS (
        DELETE FROM core.public_span e USING first f
        WHERE e.kind = f.kind AND e.subject_id = f.subject_id AND e.valid_to IS NULL AND e.valid_from >= f.day
        RETURNING 1
    ), ended AS (
        UPDATE core.public_span e SET valid_to = f.day FROM first f
        WHERE e.kind = f.kind AND e.subject_id = f.subject_id AND e.valid_to IS NULL AND e.valid_from < f.day
        RETURNING 1
    ), kept AS (
        SELECT l.*, lead(l.day) OVER (PARTITION BY l.kind, l.subject_id ORDER BY l.day) AS until FROM last l
    )
    INSERT INTO core.public_span (kind, subject_id, valid_from, valid_to, status, public_id, look, title_en, title_zh,
        authority_id, asserted, geom, geom_3857)
    SELECT k.kind, k.subject_id, k.day, k.until, k.status, k.public_id, k.look, k.title_en, k.title_zh,
           k.authority_id, k.origin <> 'live', k.geom, k.geom_3857
    FROM kept k
    -- What ends has ended before something else begins.
    WHERE k.change <> 'withdrawn' AND (SELECT count(*) FROM replaced) + (SELECT count(*) FROM ended) >= 0;

    UPDATE core.public_span e
    SET (public_id, look, title_en, title_zh, authority_id)
        = (c.public_id, c.look, c.title_en, c.title_zh, c.authority_id)
    FROM core.public_change c
    WHERE c.seq = p_seq AND c.change = 'word' AND e.kind = c.kind AND e.subject_id = c.subject_id AND e.valid_to IS NULL;

    -- The days of a zone are its own, and one that ends says when.
    INSERT INTO core.public_span AS e (kind, subject_id, valid_from, valid_to, status, public_id, look, title_en,
        title_zh, authority_id, asserted, geom, geom_3857)
    SELECT s.kind, s.subject_id, s.begun_on, s.ended_on, s.status, s.public_id, s.look, s.title_en, s.title_zh,
           s.authority_id, s.origin <> 'live', s.geom, s.geom_3857
    FROM core.shown s
    WHERE s.kind = 'privacy_zone' AND coalesce(s.ended_on > s.begun_on, true)
      AND s.subject_id IN (SELECT c.subject_id FROM core.public_change c WHERE c.seq = p_seq AND c.kind = 'privacy_zone')
    ON CONFLICT (kind, subject_id, valid_from) DO UPDATE SET
        (valid_to, look, title_en, title_zh) = (excluded.valid_to, excluded.look, excluded.title_en, excluded.title_zh);
END
$$;

-- A secret has no past, and a hidden zone that ended has none either. There are few secrets, and they are found by an index.
CREATE INDEX ix_device_secret ON core.device (id) WHERE secret;
CREATE VIEW public_map.history WITH (security_barrier) AS
SELECT e.kind || 's' AS layer, e.public_id, e.look AS kind, e.status, e.title_en, e.title_zh,
       a.public_id AS authority_id, e.valid_from, e.valid_to, e.asserted, e.geom, e.geom_3857
FROM core.public_span e
LEFT JOIN core.authority a ON a.id = e.authority_id
WHERE NOT EXISTS (SELECT FROM core.device d WHERE e.kind = 'device' AND d.id = e.subject_id AND d.secret)
  AND (e.kind <> 'privacy_zone' OR EXISTS (
      SELECT FROM core.privacy_zone z
      WHERE z.id = e.subject_id AND (NOT z.sensitive OR z.valid_to IS NULL OR z.valid_to > now())));
GRANT SELECT ON public_map.history TO skywarden_public, skywarden_app;

REVOKE ALL ON FUNCTION core.past_of, core.keep_spans FROM PUBLIC;

-- What was shown before all this was kept: as it is now, with the past that rows and papers tell.
SELECT count(core.touch_public(s.kind, s.id)) FROM (
    SELECT 'device' AS kind, d.id FROM core.device d WHERE d.state <> 'registered' AND NOT d.secret
    UNION ALL SELECT 'patrol_area', a.id FROM core.patrol_area a WHERE a.state NOT IN ('draft', 'checked')
    UNION ALL SELECT 'patrol_route', r.id FROM core.patrol_route r WHERE r.state NOT IN ('draft', 'checked')
    UNION ALL SELECT 'deployment_point', o.id FROM core.deployment_point o WHERE o.state NOT IN ('draft', 'checked')
    UNION ALL SELECT 'privacy_zone', z.id FROM core.privacy_zone z
) AS s;
SET CONSTRAINTS core.take_turn IMMEDIATE;
SET CONSTRAINTS core.take_turn DEFERRED;
