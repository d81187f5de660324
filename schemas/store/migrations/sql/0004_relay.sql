-- Credentials of relays, which forward raw frames between an aircraft and the gateway and can do nothing else.
-- The certificate's fingerprint is kept; its key has never been here but for the moment in which it was issued.

CREATE TABLE core.relay_credential (
    id uuid PRIMARY KEY,
    public_id text NOT NULL CONSTRAINT uq_relay_credential_public_id UNIQUE,
    drone_id uuid NOT NULL REFERENCES core.drone (device_id),
    certificate_sha256 text NOT NULL CONSTRAINT uq_relay_credential_certificate_sha256 UNIQUE
        CONSTRAINT ck_relay_credential_certificate_sha256 CHECK (certificate_sha256 ~ '^[0-9a-f]{64}$'),
    issued_at timestamptz NOT NULL DEFAULT clock_timestamp(),
    expires_at timestamptz NOT NULL,
    revoked_at timestamptz,
    last_seen_at timestamptz,
    CONSTRAINT ck_relay_credential_expires_after_issue CHECK (expires_at > issued_at)
);
CREATE INDEX ix_relay_credential_drone_id ON core.relay_credential (drone_id);

-- What was issued stays what it was; it can be revoked once, and nobody takes that back.
CREATE TRIGGER credential_is_final BEFORE UPDATE ON core.relay_credential FOR EACH ROW
    WHEN ((OLD.id, OLD.public_id, OLD.drone_id, OLD.certificate_sha256, OLD.issued_at, OLD.expires_at)
        IS DISTINCT FROM
          (NEW.id, NEW.public_id, NEW.drone_id, NEW.certificate_sha256, NEW.issued_at, NEW.expires_at)
        OR (OLD.revoked_at IS NOT NULL AND NEW.revoked_at IS DISTINCT FROM OLD.revoked_at))
    EXECUTE FUNCTION core.refuse_change('rule__DC-1__credential_is_final');

GRANT SELECT, INSERT, UPDATE ON core.relay_credential TO skywarden_app;
