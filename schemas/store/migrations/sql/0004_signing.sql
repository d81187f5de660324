-- Fingerprints of the keys that sign the links of aircraft; the keys themselves are never in the database.

CREATE TABLE core.aircraft_signing (
    drone_id uuid PRIMARY KEY REFERENCES core.drone (device_id),
    fingerprint text NOT NULL CONSTRAINT ck_aircraft_signing_fingerprint CHECK (fingerprint ~ '^[0-9a-f]{16}$'),
    required boolean NOT NULL DEFAULT false,
    issued_at timestamptz NOT NULL DEFAULT clock_timestamp(),
    issued_by uuid REFERENCES core.person (id),
    provisioned_at timestamptz,
    CONSTRAINT ck_aircraft_signing_provisioned_after_issue CHECK (provisioned_at >= issued_at)
);

GRANT SELECT, INSERT, UPDATE ON core.aircraft_signing TO skywarden_app;
