-- The list of all devices in the order of their names, 25 at a time: kept in order, not put in order for each reader.

-- DV2 comes before DV10: the number that a name ends with counts as a number. What is over comes last. A name may be of
-- any length, and what stands in an index may not: of long ones the beginning is put in order.
CREATE INDEX ix_shown_device_order ON core.shown (
    (status IN ('retired', 'discontinued')), left(regexp_replace(title_en, '\d+$', ''), 200),
    length(substring(title_en FROM '\d+$')), left(substring(title_en FROM '\d+$'), 200), public_id
) WHERE kind = 'device';

-- A page is taken from the front of this view, which walks the index; the words of the order are columns, so that whoever
-- asks for the same order has it.
CREATE VIEW public_map.device_names WITH (security_barrier) AS
SELECT s.public_id, s.look AS kind, s.status AS state, s.title_en AS title, a.public_id AS authority_id,
       s.status IN ('retired', 'discontinued') AS is_over,
       left(regexp_replace(s.title_en, '\d+$', ''), 200) AS stem, length(substring(s.title_en FROM '\d+$')) AS digits,
       left(substring(s.title_en FROM '\d+$'), 200) AS number
FROM core.shown s
JOIN core.authority a ON a.id = s.authority_id
WHERE s.kind = 'device'
ORDER BY s.status IN ('retired', 'discontinued'), left(regexp_replace(s.title_en, '\d+$', ''), 200),
         length(substring(s.title_en FROM '\d+$')), left(substring(s.title_en FROM '\d+$'), 200), s.public_id;

GRANT SELECT ON public_map.device_names TO skywarden_public, skywarden_app;

-- What is announced and not yet in use, the earliest first. The day is that of the last look at its notice, which is
-- made anew when other rules count it; the page of the subject tells it exactly.
CREATE INDEX ix_shown_beginning ON core.shown (earliest_on, public_id) WHERE status = 'in_notice_period';
CREATE VIEW public_map.beginning WITH (security_barrier) AS
SELECT s.kind || 's' AS layer, s.public_id, s.earliest_on AS earliest
FROM core.shown s
WHERE s.status = 'in_notice_period' AND s.kind <> 'privacy_zone'
ORDER BY s.earliest_on, s.public_id;

GRANT SELECT ON public_map.beginning TO skywarden_public, skywarden_app;
