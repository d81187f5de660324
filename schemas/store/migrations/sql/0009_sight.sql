-- What devices see over the elevation model, kept under a hash of everything that it depends on: a study that is asked
-- again, or of which one device was moved, follows no line of sight twice. Nothing is lost with it.
CREATE TABLE core.kept_view (
    key bytea NOT NULL,
    view bytea NOT NULL,
    used_on date NOT NULL DEFAULT current_date,
    CONSTRAINT pk_kept_view PRIMARY KEY (key),
    CONSTRAINT ck_kept_view_key CHECK (octet_length(key) = 32)
);
CREATE INDEX ix_kept_view_used_on ON core.kept_view (used_on);
GRANT SELECT, INSERT, UPDATE, DELETE ON core.kept_view TO skywarden_app;
