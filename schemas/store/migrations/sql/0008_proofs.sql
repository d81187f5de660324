-- Proofs that a publication stood in the ledger, and the checkpoints that the proofs lead to.
--
-- An event of the ledger names its actor, a lasting word for a person that the public must not read. So the system
-- itself writes down, in the same ledger, what was published and what is in use: one event for many statements, which
-- holds the root of a Merkle tree over them. A proof leads from a statement to its event, to the seal, to a checkpoint.

-- One event of the ledger that holds the root over some statements; its place under the seal once it is sealed.
CREATE TABLE core.witnessing (
    id uuid NOT NULL,
    statements integer NOT NULL,
    recorded_at timestamptz NOT NULL DEFAULT clock_timestamp(),
    event_line text,
    leaf_index integer,
    leaf_count integer,
    leaf_path bytea,
    seal_n bigint,
    seal_line text,
    CONSTRAINT pk_witnessing PRIMARY KEY (id),
    CONSTRAINT ck_witnessing_statements CHECK (statements > 0),
    CONSTRAINT ck_witnessing_sealed CHECK (
        num_nonnulls(event_line, leaf_index, leaf_count, leaf_path, seal_n, seal_line) IN (0, 6)),
    CONSTRAINT ck_witnessing_leaf CHECK (leaf_index >= 0 AND leaf_index < leaf_count),
    CONSTRAINT ck_witnessing_leaf_path CHECK (octet_length(leaf_path) % 32 = 0),
    CONSTRAINT ck_witnessing_seal_n CHECK (seal_n > 0)
);
CREATE INDEX ix_witnessing_seal_n ON core.witnessing (seal_n);

-- What was written down about one publication, or about the day on which a subject came into use.
CREATE TABLE core.witnessed (
    id uuid NOT NULL,
    witnessing_id uuid NOT NULL,
    position integer NOT NULL,
    path bytea NOT NULL,
    statement text NOT NULL,
    subject_kind text NOT NULL,
    subject_id uuid NOT NULL,
    round_no integer NOT NULL,
    publication_id uuid,
    began_on date,
    content text,
    recorded_at timestamptz NOT NULL DEFAULT clock_timestamp(),
    CONSTRAINT pk_witnessed PRIMARY KEY (id),
    CONSTRAINT fk_witnessed_witnessing_id_witnessing FOREIGN KEY (witnessing_id) REFERENCES core.witnessing (id),
    CONSTRAINT fk_witnessed_publication_id_publication FOREIGN KEY (publication_id) REFERENCES core.publication (id),
    CONSTRAINT uq_witnessed_publication_id UNIQUE (publication_id),
    CONSTRAINT uq_witnessed_subject_kind_subject_id_began_on UNIQUE (subject_kind, subject_id, began_on),
    CONSTRAINT ck_witnessed_what CHECK (num_nonnulls(publication_id, began_on) = 1),
    CONSTRAINT ck_witnessed_position CHECK (position >= 0),
    CONSTRAINT ck_witnessed_path CHECK (octet_length(path) % 32 = 0),
    CONSTRAINT ck_witnessed_round_no CHECK (round_no > 0)
);
CREATE INDEX ix_witnessed_subject ON core.witnessed (subject_kind, subject_id);
CREATE INDEX ix_witnessed_witnessing_id ON core.witnessed (witnessing_id);

-- A seal as the platform signed it: a note after C2SP, for whoever wants to remember it. What is shown is what the key
-- of today signed; one that is replaced signs what was proven before once more.
CREATE TABLE core.checkpoint (
    n bigint NOT NULL,
    signer text NOT NULL,
    note text NOT NULL,
    signed_at timestamptz NOT NULL DEFAULT clock_timestamp(),
    CONSTRAINT pk_checkpoint PRIMARY KEY (n, signer),
    CONSTRAINT ck_checkpoint_n CHECK (n > 0)
);
CREATE INDEX ix_checkpoint_signed_at ON core.checkpoint (signed_at);

CREATE TRIGGER witnessing_is_final BEFORE UPDATE ON core.witnessing FOR EACH ROW
    WHEN (OLD.seal_n IS NOT NULL OR (OLD.id, OLD.statements, OLD.recorded_at) IS DISTINCT FROM (NEW.id, NEW.statements, NEW.recorded_at))
    EXECUTE FUNCTION core.refuse_change('rule__GD-20.2__record_is_fixed');
CREATE TRIGGER stamp BEFORE INSERT ON core.witnessing FOR EACH ROW EXECUTE FUNCTION core.stamp();
CREATE TRIGGER stamp BEFORE INSERT ON core.witnessed FOR EACH ROW EXECUTE FUNCTION core.stamp();
DO $$
DECLARE
    tab text;
BEGIN
    FOREACH tab IN ARRAY ARRAY['witnessed', 'checkpoint'] LOOP
        EXECUTE format('CREATE TRIGGER record_is_final BEFORE UPDATE ON core.%I FOR EACH ROW
            EXECUTE FUNCTION core.refuse_change(''rule__GD-20.2__record_is_fixed'')', tab);
    END LOOP;
    FOREACH tab IN ARRAY ARRAY['witnessing', 'witnessed', 'checkpoint'] LOOP
        EXECUTE format('CREATE TRIGGER record_is_kept BEFORE DELETE OR TRUNCATE ON core.%I FOR EACH STATEMENT
            EXECUTE FUNCTION core.refuse_change(''rule__GD-20.2__record_is_fixed'')', tab);
    END LOOP;
END
$$;
GRANT SELECT, INSERT, UPDATE ON core.witnessing TO skywarden_app;
GRANT SELECT, INSERT ON core.witnessed, core.checkpoint TO skywarden_app;

-- What stands to be written down: every publication and every beginning of use that the public sees, in no order. The
-- rules of the place say how many channels the notice needs and in which zone its days are counted.
CREATE VIEW core.to_witness AS
WITH subject AS (
    SELECT 'device' AS kind, d.id, d.public_id, s.geom, d.activated_on AS began_on, d.origin
    FROM core.device d JOIN core.device_site s ON s.id = d.site_id WHERE NOT d.secret
    UNION ALL SELECT 'patrol_area', a.id, a.public_id, a.geom, a.effective_from, a.origin FROM core.patrol_area a
    UNION ALL SELECT 'patrol_route', r.id, r.public_id, r.geom, r.effective_from, r.origin FROM core.patrol_route r
    UNION ALL SELECT 'deployment_point', p.id, p.public_id, p.geom, p.effective_from, p.origin
    FROM core.deployment_point p
)
SELECT s.kind AS subject_kind, s.id AS subject_id, s.public_id AS subject, p.id AS publication_id,
       NULL::date AS began_on, p.round_no, p.channel, p.published_on, p.receipt_id, p.content_sha256, p.origin,
       (p.recorded_at AT TIME ZONE coalesce(k.timezone, 'UTC'))::date AS recorded_on,
       coalesce(p.channel = ANY (k.official_channels), false) AS official,
       coalesce(k.min_official_channels, 1) AS needs_official, coalesce(k.min_further_channels, 1) AS needs_further,
       (extract(epoch FROM (now() AT TIME ZONE coalesce(k.timezone, 'UTC')) - (now() AT TIME ZONE 'UTC')) / 60)::integer
           AS utc_offset_min
FROM core.publication p
JOIN subject s ON s.kind = p.subject_kind AND s.id = p.subject_id
LEFT JOIN LATERAL law.at(s.geom, p.published_on) k ON true
WHERE p.withdrawn_at IS NULL AND NOT EXISTS (SELECT FROM core.witnessed w WHERE w.publication_id = p.id)
UNION ALL
SELECT s.kind, s.id, s.public_id, NULL, s.began_on, r.round_no, NULL, NULL, NULL, NULL, s.origin,
       NULL, NULL, NULL, NULL,
       (extract(epoch FROM (now() AT TIME ZONE coalesce(k.timezone, 'UTC')) - (now() AT TIME ZONE 'UTC')) / 60)::integer
FROM subject s
JOIN LATERAL (
    SELECT max(p.round_no) AS round_no FROM core.publication p
    WHERE p.subject_kind = s.kind AND p.subject_id = s.id) r ON r.round_no IS NOT NULL
LEFT JOIN LATERAL law.at(s.geom, s.began_on) k ON true
WHERE s.began_on IS NOT NULL AND NOT EXISTS (
    SELECT FROM core.witnessed w
    WHERE w.subject_kind = s.kind AND w.subject_id = s.id AND w.began_on = s.began_on);
GRANT SELECT ON core.to_witness TO skywarden_app;

-- What proves the present round of a subject that the public sees.
CREATE VIEW public_map.proofs WITH (security_barrier) AS
SELECT s.kind AS subject_kind, s.public_id AS subject_id, w.round_no, w.began_on, w.statement, w.position,
       b.statements, w.path, b.event_line, b.leaf_index, b.leaf_count, b.leaf_path, b.seal_n, b.seal_line,
       c.note AS checkpoint,
       c.signer, w.content
FROM core.witnessed w
JOIN core.witnessing b ON b.id = w.witnessing_id
JOIN core.checkpoint c ON c.n = b.seal_n
    AND c.signer = (SELECT k.signer FROM core.checkpoint k ORDER BY k.signed_at DESC, k.n DESC LIMIT 1)
JOIN (
    SELECT 'device' AS kind, d.id, d.public_id FROM core.device d WHERE NOT d.secret
    UNION ALL SELECT 'patrol_area', f.id, f.public_id FROM core.patrol_area f
    UNION ALL SELECT 'patrol_route', r.id, r.public_id FROM core.patrol_route r
    UNION ALL SELECT 'deployment_point', o.id, o.public_id FROM core.deployment_point o
) s ON s.kind = w.subject_kind AND s.id = w.subject_id
LEFT JOIN core.publication p ON p.id = w.publication_id
WHERE p.withdrawn_at IS NULL
  AND w.round_no = (SELECT max(q.round_no) FROM core.publication q
                    WHERE q.subject_kind = w.subject_kind AND q.subject_id = w.subject_id);

-- The chain of seals, and the seals that the platform signed. How much is recorded is public, what is recorded is not.
CREATE VIEW public_map.seals WITH (security_barrier) AS
SELECT s.n, '{"count":"' || s.count || '","first":"' || s.first_id || '","last":"' || s.last_id
    || '","prev":"' || encode(s.prev, 'hex') || '","root":"' || encode(s.root, 'hex') || '","seal":"' || s.n
    || '","sealed_at":"' || to_char(s.sealed_at AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.US"Z"') || '"}' AS line
FROM ledger.seal s;
CREATE VIEW public_map.checkpoints WITH (security_barrier) AS
SELECT c.n, encode(s.digest, 'hex') AS digest, s.sealed_at, c.signer, c.note
FROM core.checkpoint c JOIN ledger.seal s ON s.n = c.n
WHERE c.signer = (SELECT k.signer FROM core.checkpoint k ORDER BY k.signed_at DESC, k.n DESC LIMIT 1);
GRANT SELECT ON public_map.proofs, public_map.seals, public_map.checkpoints TO skywarden_public, skywarden_app;
