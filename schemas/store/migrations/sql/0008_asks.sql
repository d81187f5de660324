-- What citizens say: complaints, questions and reports of errors, their answers, and what was corrected (GD-45.1).

-- The text and how to reach whoever asks are restricted, and untrusted; the ledger holds ids and a hash alone. Nobody's
-- name is asked for. The secret word of the receipt is made from a key outside the database, so it stands nowhere here.
CREATE TABLE core.complaint (
    authority_id uuid NOT NULL,
    kind text NOT NULL,
    about_kind text,
    about_id text,
    said text NOT NULL,
    contact text,
    lang text NOT NULL,
    once uuid NOT NULL,
    received_at timestamptz NOT NULL,
    due_on date NOT NULL,
    handled_by_id uuid,
    handled_at timestamptz,
    outcome text,
    note text,
    replied_by_id uuid,
    replied_at timestamptz,
    reply text,
    state text NOT NULL,
    version integer NOT NULL,
    id uuid NOT NULL,
    public_id text NOT NULL,
    recorded_at timestamptz NOT NULL DEFAULT clock_timestamp(),
    origin varchar(6) NOT NULL,
    CONSTRAINT pk_complaint PRIMARY KEY (id),
    CONSTRAINT uq_complaint_public_id UNIQUE (public_id),
    -- A form that is sent twice is one complaint.
    CONSTRAINT uq_complaint_once UNIQUE (once),
    CONSTRAINT fk_complaint_authority_id_authority FOREIGN KEY (authority_id) REFERENCES core.authority (id),
    CONSTRAINT fk_complaint_handled_by_id_person FOREIGN KEY (handled_by_id) REFERENCES core.person (id),
    CONSTRAINT fk_complaint_replied_by_id_person FOREIGN KEY (replied_by_id) REFERENCES core.person (id),
    CONSTRAINT ck_complaint_origin CHECK (origin IN ('live', 'sample', 'legacy')),
    CONSTRAINT ck_complaint_state CHECK (state IN ('received', 'handled', 'replied')),
    CONSTRAINT ck_complaint_kind CHECK (kind IN ('complaint', 'question', 'error')),
    CONSTRAINT ck_complaint_about CHECK (
        about_kind IN ('device', 'patrol_area', 'deployment_point', 'patrol_route', 'privacy_zone', 'flight')
        AND (about_kind IS NULL) = (about_id IS NULL)),
    CONSTRAINT ck_complaint_said CHECK (said <> '' AND length(said) <= 4000 AND length(contact) BETWEEN 1 AND 300),
    CONSTRAINT ck_complaint_lang CHECK (lang IN ('en', 'zh')),
    CONSTRAINT ck_complaint_received CHECK (isfinite(received_at) AND isfinite(due_on)),
    CONSTRAINT ck_complaint_outcome CHECK (outcome IN ('justified', 'unjustified', 'answered')),
    CONSTRAINT "rule__GD-45.1__complaint_is_handled_with_an_outcome" CHECK (
        state = 'received'
        OR (isfinite(handled_at) AND outcome IS NOT NULL AND coalesce(note, '') <> '' AND handled_by_id IS NOT NULL)),
    CONSTRAINT "rule__GD-45.1__complaint_is_replied_in_words" CHECK (
        state <> 'replied' OR (isfinite(replied_at) AND coalesce(reply, '') <> '' AND replied_by_id IS NOT NULL))
);
CREATE INDEX ix_complaint_authority_id_state ON core.complaint (authority_id, state);
CREATE INDEX ix_complaint_about_id ON core.complaint (about_id);

INSERT INTO law.step (subject, source, target) VALUES
    ('complaint', '', 'received'),
    ('complaint', 'received', 'handled'),
    ('complaint', 'handled', 'replied');
CREATE TRIGGER stamp BEFORE INSERT OR UPDATE ON core.complaint FOR EACH ROW EXECUTE FUNCTION core.stamp();
CREATE TRIGGER judge_first_step BEFORE INSERT ON core.complaint FOR EACH ROW
    WHEN (NEW.origin = 'live') EXECUTE FUNCTION core.judge_step();
CREATE TRIGGER judge_step BEFORE UPDATE OF state ON core.complaint FOR EACH ROW
    WHEN (OLD.state <> NEW.state) EXECUTE FUNCTION core.judge_step();
-- What was said is never rewritten, and of what was replied to nothing changes but that the way to reach somebody is
-- forgotten.
CREATE TRIGGER complaint_is_final BEFORE UPDATE ON core.complaint FOR EACH ROW
    WHEN ((OLD.authority_id, OLD.kind, OLD.about_kind, OLD.about_id, OLD.said, OLD.lang, OLD.once, OLD.received_at,
           OLD.due_on)
        IS DISTINCT FROM
          (NEW.authority_id, NEW.kind, NEW.about_kind, NEW.about_id, NEW.said, NEW.lang, NEW.once, NEW.received_at,
           NEW.due_on)
        OR (OLD.contact IS DISTINCT FROM NEW.contact AND NOT (OLD.state = 'replied' AND NEW.contact IS NULL))
        OR (OLD.state = 'replied' AND (OLD.reply, OLD.outcome, OLD.note, OLD.replied_at, OLD.handled_at)
            IS DISTINCT FROM (NEW.reply, NEW.outcome, NEW.note, NEW.replied_at, NEW.handled_at)))
    EXECUTE FUNCTION core.refuse_change('rule__GD-45.1__complaint_is_final');
CREATE TRIGGER complaint_is_kept BEFORE DELETE OR TRUNCATE ON core.complaint FOR EACH STATEMENT
    EXECUTE FUNCTION core.refuse_change('rule__GD-45.1__complaint_is_kept');

-- What an authority has put right, after a complaint or on its own motion; public.
CREATE TABLE core.correction (
    authority_id uuid NOT NULL,
    complaint_id uuid,
    about_kind text,
    about_id text,
    corrected_at timestamptz NOT NULL,
    corrected_by_id uuid NOT NULL,
    text_en text NOT NULL,
    text_zh text NOT NULL,
    id uuid NOT NULL,
    public_id text NOT NULL,
    recorded_at timestamptz NOT NULL DEFAULT clock_timestamp(),
    origin varchar(6) NOT NULL,
    CONSTRAINT pk_correction PRIMARY KEY (id),
    CONSTRAINT uq_correction_public_id UNIQUE (public_id),
    CONSTRAINT uq_correction_complaint_id UNIQUE (complaint_id),
    CONSTRAINT fk_correction_authority_id_authority FOREIGN KEY (authority_id) REFERENCES core.authority (id),
    CONSTRAINT fk_correction_complaint_id_complaint FOREIGN KEY (complaint_id) REFERENCES core.complaint (id),
    CONSTRAINT fk_correction_corrected_by_id_person FOREIGN KEY (corrected_by_id) REFERENCES core.person (id),
    CONSTRAINT ck_correction_origin CHECK (origin IN ('live', 'sample', 'legacy')),
    CONSTRAINT ck_correction_about CHECK (
        about_kind IN ('device', 'patrol_area', 'deployment_point', 'patrol_route', 'privacy_zone', 'flight')
        AND (about_kind IS NULL) = (about_id IS NULL)),
    CONSTRAINT ck_correction_text CHECK (isfinite(corrected_at) AND text_en <> '' AND text_zh <> '')
);
CREATE INDEX ix_correction_authority_id ON core.correction (authority_id);
CREATE TRIGGER stamp BEFORE INSERT OR UPDATE ON core.correction FOR EACH ROW EXECUTE FUNCTION core.stamp();
CREATE TRIGGER record_is_final BEFORE UPDATE OR DELETE ON core.correction FOR EACH ROW
    EXECUTE FUNCTION core.refuse_change('rule__GD-20.2__record_is_fixed');
CREATE TRIGGER record_is_kept BEFORE TRUNCATE ON core.correction FOR EACH STATEMENT
    EXECUTE FUNCTION core.refuse_change('rule__GD-20.2__record_is_fixed');

GRANT SELECT, INSERT, UPDATE ON core.complaint TO skywarden_app;
GRANT SELECT, INSERT ON core.correction TO skywarden_app;

-- How many people spoke, month by month, and how many of them have their answer: no text, no subject. Fewer than five
-- are told as none in particular, since then somebody could be meant.
CREATE VIEW public_map.complaints WITH (security_barrier) AS
SELECT a.public_id AS authority_id, a.name_en AS authority_en, a.name_zh AS authority_zh, c.received_in, c.kind,
       CASE WHEN c.received >= 5 THEN c.received END AS received,
       CASE WHEN c.received >= 5 THEN c.replied END AS replied,
       CASE WHEN c.received >= 5 THEN c.late END AS late
FROM (
    SELECT authority_id, to_char(received_at AT TIME ZONE 'UTC', 'YYYY-MM') AS received_in, kind,
           count(*)::int AS received, count(*) FILTER (WHERE state = 'replied')::int AS replied,
           count(*) FILTER (WHERE coalesce((replied_at AT TIME ZONE 'UTC')::date, (now() AT TIME ZONE 'UTC')::date)
                                  > due_on)::int AS late
    FROM core.complaint GROUP BY 1, 2, 3
) c
JOIN core.authority a ON a.id = c.authority_id;

-- A device that became secret takes along what was said of it.
CREATE VIEW public_map.corrections WITH (security_barrier) AS
SELECT c.public_id, a.public_id AS authority_id, a.name_en AS authority_en, a.name_zh AS authority_zh, c.about_kind,
       c.about_id, (c.corrected_at AT TIME ZONE 'UTC')::date AS corrected_on, c.text_en, c.text_zh, c.origin
FROM core.correction c
JOIN core.authority a ON a.id = c.authority_id
WHERE c.about_kind IS DISTINCT FROM 'device'
   OR EXISTS (SELECT FROM core.device d WHERE d.public_id = c.about_id AND NOT d.secret);
GRANT SELECT ON public_map.complaints, public_map.corrections TO skywarden_public, skywarden_app;
