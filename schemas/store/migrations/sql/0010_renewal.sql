-- What a publication costs: the days of a notice and the past of a subject are asked for in the statement that makes what
-- is shown, and no longer by functions that each begin anew for every row. What is shown is the same.

-- ---------------------------------------------------------------------------------------------
-- The rules of a place and the days of a notice, planned as part of the statement that asks for them: without a search
-- path of their own, their names bound when they are created
-- ---------------------------------------------------------------------------------------------

CREATE FUNCTION law.packs_at(place geometry, on_date date) RETURNS SETOF law.pack
    LANGUAGE sql STABLE ROWS 1
BEGIN ATOMIC
    SELECT p.* FROM law.pack p
    WHERE ST_Covers(p.jurisdiction, place)
      AND p.effective_from <= on_date AND (p.effective_to IS NULL OR on_date < p.effective_to)
    ORDER BY p.id, p.version DESC
    LIMIT 1;
END;
COMMENT ON FUNCTION law.packs_at IS 'The rule pack in force at a place on a local date, as one row or none (GD-02.1).';
REVOKE ALL ON FUNCTION law.packs_at FROM PUBLIC;
GRANT EXECUTE ON FUNCTION law.packs_at TO skywarden_app;

CREATE OR REPLACE FUNCTION law.at(place geometry, on_date date) RETURNS law.pack
    LANGUAGE sql STABLE
    SET search_path = pg_catalog, public, pg_temp
BEGIN ATOMIC
    SELECT p FROM law.packs_at(place, on_date) p;
END;

-- The day from which the notice counts, the earliest lawful date of use, or null while too few channels show the latest
-- round, and the time zone of the place: see core.earliest_use in 0001 and core.announced_on in 0006, which now ask here.
CREATE FUNCTION core.notice_on(
    p_kind text, p_subject uuid, p_place geometry, p_since date, p_live boolean, p_on date
) RETURNS TABLE (published_on date, earliest_on date, timezone text)
    LANGUAGE sql STABLE ROWS 1
BEGIN ATOMIC
    SELECT coalesce(e.earliest_on - e.lead_days, e.first_on), e.earliest_on, e.timezone
    FROM (
        SELECT coalesce(k.timezone, 'UTC') AS timezone, k.lead_days + k.clear_days::integer AS lead_days, c.first_on,
               CASE WHEN cardinality(c.official) >= k.min_official_channels
                     AND cardinality(c.further) >= k.min_further_channels
                    THEN greatest(c.official[k.min_official_channels], c.further[k.min_further_channels])
                         + k.lead_days + k.clear_days::integer
               END AS earliest_on
        FROM (SELECT) AS once
        LEFT JOIN law.packs_at(p_place, p_on) k ON true
        CROSS JOIN LATERAL (
            SELECT min(o.first_on) AS first_on,
                   coalesce(array_agg(o.day ORDER BY o.day) FILTER (WHERE o.is_official AND o.day IS NOT NULL), '{}')
                       AS official,
                   coalesce(array_agg(o.day ORDER BY o.day) FILTER (WHERE NOT o.is_official AND o.day IS NOT NULL), '{}')
                       AS further
            FROM (
                SELECT q.channel = ANY (k.official_channels) AS is_official, min(d.seen_on) AS first_on,
                       min(d.seen_on) FILTER (
                           WHERE q.channel = ANY (k.official_channels || k.further_channels)
                             AND (p_since IS NULL OR q.published_on >= p_since)
                             AND (NOT p_live OR q.origin = 'live')) AS day
                FROM core.publication q
                CROSS JOIN LATERAL (SELECT CASE
                    WHEN q.origin = 'live' THEN
                        greatest(q.published_on, (q.recorded_at AT TIME ZONE coalesce(k.timezone, 'UTC'))::date)
                    ELSE q.published_on END AS seen_on) d
                WHERE q.subject_kind = p_kind AND q.subject_id = p_subject AND q.withdrawn_at IS NULL
                  AND q.round_no = (SELECT max(r.round_no) FROM core.publication r
                                    WHERE r.subject_kind = p_kind AND r.subject_id = p_subject)
                GROUP BY q.channel
            ) AS o
        ) AS c
        OFFSET 0
    ) AS e;
END;

CREATE OR REPLACE FUNCTION core.notice_of(p_kind text, p_subject uuid, p_place geometry, p_since date, p_live boolean)
    RETURNS TABLE (published_on date, earliest_on date, timezone text)
    LANGUAGE sql STABLE
BEGIN ATOMIC
    SELECT n.published_on, n.earliest_on, n.timezone
    FROM core.notice_on(p_kind, p_subject, p_place, p_since, p_live, current_date) n;
END;

CREATE OR REPLACE FUNCTION core.earliest_use(
    p_kind text, p_subject uuid, p_place geometry, p_since date, p_live boolean, p_on date
) RETURNS date
    LANGUAGE sql STABLE SECURITY DEFINER
    SET search_path = pg_catalog, public, pg_temp
RETURN (SELECT n.earliest_on FROM core.notice_on(p_kind, p_subject, p_place, p_since, p_live, p_on) n);

CREATE OR REPLACE FUNCTION core.announced_on(
    p_kind text, p_subject uuid, p_place geometry, p_since date, p_live boolean, p_on date
) RETURNS date
    LANGUAGE sql STABLE SECURITY DEFINER
    SET search_path = pg_catalog, public, pg_temp
RETURN (SELECT n.published_on FROM core.notice_on(p_kind, p_subject, p_place, p_since, p_live, p_on) n);

REVOKE ALL ON FUNCTION core.notice_on FROM PUBLIC;

-- ---------------------------------------------------------------------------------------------
-- The past of what is seen for the first time, as in 0008, in a form that is planned with the statement around it
-- ---------------------------------------------------------------------------------------------

CREATE OR REPLACE FUNCTION core.past_of(p core.showable) RETURNS TABLE (change text, status text, on_day date)
    LANGUAGE sql STABLE ROWS 2
BEGIN ATOMIC
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
END;

-- ---------------------------------------------------------------------------------------------
-- Made anew where something was touched
-- ---------------------------------------------------------------------------------------------

-- What the public shall see of some subjects of a kind; each kind is planned when it is first asked for.
CREATE FUNCTION core.showable_of(p_kind text, p_ids uuid[]) RETURNS SETOF core.showable
    LANGUAGE plpgsql STABLE
    SET search_path = pg_catalog, public, pg_temp
    SET plan_cache_mode = force_generic_plan
AS $$
BEGIN
    CASE p_kind
        WHEN 'device' THEN
            RETURN QUERY SELECT v.* FROM core.showable_device v WHERE v.subject_id = ANY (p_ids);
        WHEN 'patrol_area' THEN
            RETURN QUERY SELECT v.* FROM core.showable_patrol_area v WHERE v.subject_id = ANY (p_ids);
        WHEN 'patrol_route' THEN
            RETURN QUERY SELECT v.* FROM core.showable_patrol_route v WHERE v.subject_id = ANY (p_ids);
        WHEN 'deployment_point' THEN
            RETURN QUERY SELECT v.* FROM core.showable_deployment_point v WHERE v.subject_id = ANY (p_ids);
        WHEN 'privacy_zone' THEN
            RETURN QUERY SELECT v.* FROM core.showable_privacy_zone v WHERE v.subject_id = ANY (p_ids);
    END CASE;
END
$$;
REVOKE ALL ON FUNCTION core.showable_of FROM PUBLIC;

-- Brings some subjects of a kind up to date, and writes under the number `p_seq` what the public sees change by that.
-- It is planned once for each connection: that takes longer than all that it does for one device.
CREATE OR REPLACE FUNCTION core.renew_shown(p_seq bigint, p_kind text, p_ids uuid[]) RETURNS void
    LANGUAGE plpgsql
    SET search_path = pg_catalog, public, pg_temp
    SET plan_cache_mode = force_generic_plan
AS $$
BEGIN
    WITH fresh AS MATERIALIZED (
        SELECT v AS one, v.subject_id, v.told, (SELECT core.rules_hold_until()) AS good_until
        FROM core.showable_of(p_kind, p_ids) v
    ), stale AS MATERIALIZED (
        SELECT o.* FROM unnest(p_ids) AS i (id) CROSS JOIN LATERAL (
            SELECT s AS one, s.subject_id, s.told, s.ctid AS row FROM core.shown s
            WHERE s.kind = p_kind AND s.subject_id = i.id LIMIT 1) o
    ), gone AS (
        -- By their place on the disk: whoever writes here has waited for its turn.
        DELETE FROM core.shown s
        WHERE s.ctid = ANY (ARRAY(
            SELECT o.row FROM stale o WHERE o.subject_id NOT IN (SELECT f.subject_id FROM fresh f)))
    ), written AS (
        INSERT INTO core.shown AS s (kind, subject_id, public_id, look, status, title_en, title_zh, authority_id,
            published_on, earliest_on, begun_on, ended_on, good_until, origin, told, geom, geom_3857)
        SELECT (f.one).kind, f.subject_id, (f.one).public_id, (f.one).look, (f.one).status, (f.one).title_en,
               (f.one).title_zh, (f.one).authority_id, (f.one).published_on, (f.one).earliest_on, (f.one).begun_on,
               (f.one).ended_on, f.good_until, (f.one).origin, f.told, (f.one).geom, (f.one).geom_3857
        FROM fresh f
        ON CONFLICT (kind, subject_id) DO UPDATE SET
            (public_id, look, status, title_en, title_zh, authority_id, published_on, earliest_on, begun_on, ended_on,
             good_until, told, geom, geom_3857)
            = (excluded.public_id, excluded.look, excluded.status, excluded.title_en, excluded.title_zh,
               excluded.authority_id, excluded.published_on, excluded.earliest_on, excluded.begun_on, excluded.ended_on,
               excluded.good_until, excluded.told, excluded.geom, excluded.geom_3857)
        WHERE (s.told, s.good_until) IS DISTINCT FROM (excluded.told, excluded.good_until)
    ), differ AS (
        SELECT coalesce(f.subject_id, s.subject_id) AS subject_id, f.one AS is, s.one AS was,
               f.subject_id IS NOT NULL AS stands, s.subject_id IS NOT NULL AS stood,
               k.known IS NOT NULL AS known
        FROM fresh f FULL JOIN stale s ON s.subject_id = f.subject_id
        LEFT JOIN LATERAL (SELECT true AS known FROM core.public_span e
                           WHERE e.kind = p_kind AND e.subject_id = coalesce(f.subject_id, s.subject_id) LIMIT 1) k ON true
        WHERE f.told IS DISTINCT FROM s.told
    ), said AS (
        SELECT d.subject_id, d.is, d.was, c.change, (d.is).status, core.day_of_change(c.change, d.is, d.was) AS on_day
        FROM differ d CROSS JOIN LATERAL (SELECT CASE
            WHEN NOT d.stands THEN 'withdrawn'
            WHEN p_kind = 'privacy_zone' THEN CASE
                WHEN NOT d.stood THEN 'zone_added'
                WHEN (d.is).ended_on <> coalesce((d.was).ended_on, 'infinity') THEN 'zone_ended' ELSE 'word' END
            WHEN (d.was).status IS DISTINCT FROM (d.is).status THEN core.change_of((d.was).status, (d.is).status)
            WHEN NOT ST_OrderingEquals((d.was).geom_3857, (d.is).geom_3857) THEN 'moved'
            ELSE 'word' END AS change) c
        WHERE d.stood OR d.known OR p_kind = 'privacy_zone'
        UNION ALL
        -- A zone whose end is known from the beginning.
        SELECT d.subject_id, d.is, d.was, 'zone_ended', (d.is).status, (d.is).ended_on
        FROM differ d WHERE p_kind = 'privacy_zone' AND NOT d.stood AND (d.is).ended_on IS NOT NULL
        UNION ALL
        -- Seen for the first time, it may have a past.
        SELECT d.subject_id, d.is, d.was, p.change, p.status, p.on_day
        FROM differ d CROSS JOIN LATERAL core.past_of(d.is) AS p
        WHERE NOT d.stood AND NOT d.known AND p_kind <> 'privacy_zone'
    )
    INSERT INTO core.public_change (seq, kind, subject_id, change, on_day, status, public_id, look, title_en, title_zh,
        authority_id, origin, geom, geom_3857, was_geom_3857)
    SELECT p_seq, p_kind, o.subject_id, o.change, o.on_day, coalesce(o.status, (o.was).status),
           coalesce((o.is).public_id, (o.was).public_id), coalesce((o.is).look, (o.was).look),
           coalesce((o.is).title_en, (o.was).title_en), coalesce((o.is).title_zh, (o.was).title_zh),
           coalesce((o.is).authority_id, (o.was).authority_id), coalesce((o.is).origin, (o.was).origin),
           coalesce((o.is).geom, (o.was).geom), coalesce((o.is).geom_3857, (o.was).geom_3857), (o.was).geom_3857
    FROM said o
    ORDER BY o.on_day, o.subject_id;
END
$$;

REVOKE ALL ON FUNCTION core.past_of FROM PUBLIC;

-- Takes what changed under a number into the spans. A day belongs to what stood at its end, and a day that names itself
-- too late for what is written already begins there. Only what there is something to do for is planned, see 0009.
CREATE OR REPLACE FUNCTION core.keep_spans(p_seq bigint) RETURNS void
    LANGUAGE plpgsql
    SET search_path = pg_catalog, public, pg_temp
    SET plan_cache_mode = force_custom_plan
AS $$
DECLARE
    said record;
BEGIN
    SELECT bool_or(c.change = 'word') AS words, bool_or(c.change <> 'word' AND c.kind <> 'privacy_zone') AS states,
           bool_or(c.kind = 'privacy_zone') AS zones
    INTO said FROM core.public_change c WHERE c.seq = p_seq AND c.subject_id IS NOT NULL;

    IF said.states THEN
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
    END IF;

    IF said.words THEN
        UPDATE core.public_span e
        SET (public_id, look, title_en, title_zh, authority_id)
            = (c.public_id, c.look, c.title_en, c.title_zh, c.authority_id)
        FROM core.public_change c
        WHERE c.seq = p_seq AND c.change = 'word' AND e.kind = c.kind AND e.subject_id = c.subject_id AND e.valid_to IS NULL;
    END IF;

    -- The days of a zone are its own, and one that ends says when.
    IF said.zones THEN
        INSERT INTO core.public_span AS e (kind, subject_id, valid_from, valid_to, status, public_id, look, title_en,
            title_zh, authority_id, asserted, geom, geom_3857)
        SELECT s.kind, s.subject_id, s.begun_on, s.ended_on, s.status, s.public_id, s.look, s.title_en, s.title_zh,
               s.authority_id, s.origin <> 'live', s.geom, s.geom_3857
        FROM core.shown s
        WHERE s.kind = 'privacy_zone' AND coalesce(s.ended_on > s.begun_on, true)
          AND s.subject_id IN (SELECT c.subject_id FROM core.public_change c WHERE c.seq = p_seq AND c.kind = 'privacy_zone')
        ON CONFLICT (kind, subject_id, valid_from) DO UPDATE SET
            (valid_to, look, title_en, title_zh) = (excluded.valid_to, excluded.look, excluded.title_en, excluded.title_zh);
    END IF;
END
$$;

-- Asked once for each turn; a function in SQL is planned anew each time.
CREATE OR REPLACE FUNCTION core.rules_hold_until() RETURNS date
    LANGUAGE plpgsql STABLE
    SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
    RETURN (SELECT min(b.day) FROM law.pack p CROSS JOIN LATERAL (VALUES (p.effective_from), (p.effective_to)) AS b (day)
            WHERE b.day > current_date);
END
$$;

-- Tables grow within the one transaction that makes a plan and uses it: everything is found by its key, however many rows
-- there were when the plan was made. That also holds for the number of a change, so that a plan made once is good.
ALTER FUNCTION core.take_turn() SET plan_cache_mode = force_generic_plan;
ALTER FUNCTION core.reach_cells() SET plan_cache_mode = force_generic_plan;
ALTER FUNCTION core.take_turn() SET enable_seqscan = off;
ALTER FUNCTION core.renew_shown(bigint, text, uuid[]) SET enable_seqscan = off;
ALTER FUNCTION core.showable_of(text, uuid[]) SET enable_seqscan = off;

-- An index tells subjects apart sooner than kinds, of which there are five.
ALTER TABLE core.public_span
    DROP CONSTRAINT ex_public_span_one_state_a_day,
    ADD CONSTRAINT ex_public_span_one_state_a_day EXCLUDE USING gist
        (subject_id WITH =, kind WITH =, daterange(valid_from, valid_to) WITH &&);
