-- What one authority lets another see of a device: for which items and purpose, on which legal basis, and until when
-- (GD-18.1, LF-7, S01, S03).

CREATE TABLE core.device_grant (
    device_id uuid NOT NULL,
    authority_id uuid NOT NULL,
    item_id uuid NOT NULL,
    legal_basis_id uuid NOT NULL,
    fields jsonb NOT NULL,
    purpose_en text NOT NULL,
    purpose_zh text NOT NULL,
    valid_from date NOT NULL,
    valid_to date NOT NULL,
    asked_by_id uuid,
    asked_at timestamptz NOT NULL,
    decided_by_id uuid,
    decided_at timestamptz,
    state_reason text,
    state text NOT NULL,
    version integer NOT NULL,
    id uuid NOT NULL,
    public_id text NOT NULL,
    recorded_at timestamptz NOT NULL DEFAULT clock_timestamp(),
    origin varchar(6) NOT NULL,
    CONSTRAINT pk_device_grant PRIMARY KEY (id),
    CONSTRAINT uq_device_grant_public_id UNIQUE (public_id),
    CONSTRAINT fk_device_grant_device_id_device FOREIGN KEY (device_id) REFERENCES core.device (id),
    CONSTRAINT fk_device_grant_authority_id_authority FOREIGN KEY (authority_id) REFERENCES core.authority (id),
    CONSTRAINT fk_device_grant_item_id_supervision_item FOREIGN KEY (item_id) REFERENCES core.supervision_item (id),
    CONSTRAINT fk_device_grant_legal_basis_id_legal_basis
        FOREIGN KEY (legal_basis_id) REFERENCES core.legal_basis (id),
    CONSTRAINT fk_device_grant_asked_by_id_person FOREIGN KEY (asked_by_id) REFERENCES core.person (id),
    CONSTRAINT fk_device_grant_decided_by_id_person FOREIGN KEY (decided_by_id) REFERENCES core.person (id),
    CONSTRAINT ck_device_grant_origin CHECK (origin IN ('live', 'sample', 'legacy')),
    CONSTRAINT ck_device_grant_state CHECK (state IN ('requested', 'granted', 'refused', 'expired', 'revoked')),
    CONSTRAINT ck_device_grant_fields CHECK (
        jsonb_typeof(fields) = 'array' AND jsonb_array_length(fields) BETWEEN 1 AND 3
        AND fields <@ '["live", "records", "readings"]'),
    CONSTRAINT ck_device_grant_purpose CHECK (purpose_en <> '' AND purpose_zh <> ''),
    CONSTRAINT "rule__GD-18.1__grant_has_a_period" CHECK (
        isfinite(valid_from) AND isfinite(valid_to) AND valid_to >= valid_from),
    CONSTRAINT "rule__GD-18.1__grant_is_decided_by_another" CHECK (decided_by_id <> asked_by_id)
);
CREATE INDEX ix_device_grant_device_id_state ON core.device_grant (device_id, state);
CREATE INDEX ix_device_grant_authority_id_state ON core.device_grant (authority_id, state);
CREATE INDEX ix_device_grant_valid_to ON core.device_grant (valid_to) WHERE state = 'granted';

INSERT INTO law.step (subject, source, target) VALUES
    ('device_grant', '', 'requested'),
    ('device_grant', 'requested', 'granted'),
    ('device_grant', 'requested', 'refused'),
    ('device_grant', 'granted', 'revoked'),
    ('device_grant', 'granted', 'expired');
CREATE TRIGGER stamp BEFORE INSERT OR UPDATE ON core.device_grant FOR EACH ROW EXECUTE FUNCTION core.stamp();
CREATE TRIGGER judge_first_step BEFORE INSERT ON core.device_grant FOR EACH ROW
    WHEN (NEW.origin = 'live') EXECUTE FUNCTION core.judge_step();
CREATE TRIGGER judge_step BEFORE UPDATE OF state ON core.device_grant FOR EACH ROW
    WHEN (OLD.state <> NEW.state) EXECUTE FUNCTION core.judge_step();
-- Another device, purpose, item, field or period is another grant.
CREATE TRIGGER grant_is_final BEFORE UPDATE ON core.device_grant FOR EACH ROW
    WHEN ((OLD.device_id, OLD.authority_id, OLD.item_id, OLD.legal_basis_id, OLD.fields, OLD.purpose_en, OLD.purpose_zh,
           OLD.valid_from, OLD.valid_to, OLD.asked_by_id, OLD.asked_at)
        IS DISTINCT FROM
          (NEW.device_id, NEW.authority_id, NEW.item_id, NEW.legal_basis_id, NEW.fields, NEW.purpose_en, NEW.purpose_zh,
           NEW.valid_from, NEW.valid_to, NEW.asked_by_id, NEW.asked_at))
    EXECUTE FUNCTION core.refuse_change('rule__GD-18.1__grant_is_final');
GRANT SELECT, INSERT, UPDATE ON core.device_grant TO skywarden_app;

-- Who else uses a device that the public sees, for what, and until when.
CREATE VIEW public_map.device_grants WITH (security_barrier) AS
SELECT g.public_id, d.public_id AS device_id, a.public_id AS authority_id, a.name_en AS authority_en,
       a.name_zh AS authority_zh, i.code AS item_code, i.name_en AS item_name_en, i.name_zh AS item_name_zh,
       b.title_en AS basis_title_en, b.title_zh AS basis_title_zh, b.article AS basis_article,
       g.purpose_en, g.purpose_zh, g.valid_from, g.valid_to, g.origin
FROM core.device_grant g
JOIN core.device d ON d.id = g.device_id
JOIN core.authority a ON a.id = g.authority_id
JOIN core.supervision_item i ON i.id = g.item_id
JOIN core.legal_basis b ON b.id = g.legal_basis_id
WHERE g.state = 'granted' AND g.valid_to >= current_date AND NOT d.secret
  AND d.state IN ('published', 'active', 'maintenance', 'blocked')
  AND EXISTS (SELECT FROM core.publication p WHERE p.subject_kind = 'device' AND p.subject_id = d.id);
GRANT SELECT ON public_map.device_grants TO skywarden_public, skywarden_app;
