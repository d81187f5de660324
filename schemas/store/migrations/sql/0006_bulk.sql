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
CREATE INDEX gin_device_name_pairs ON core.device USING gin (core.pairs(name));
