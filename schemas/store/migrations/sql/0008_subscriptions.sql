-- Whoever wants to know what changes in a place is told by e-mail. An address and a place are all that is kept, for as
-- long as they are wanted: ending a subscription deletes both, and so does not confirming it.
CREATE TABLE core.subscription (
    address text NOT NULL,
    geom geometry(POLYGON, 4326) NOT NULL,
    place_text text NOT NULL,
    lang text NOT NULL,
    asked_at timestamptz NOT NULL,
    confirmed_at timestamptz,
    told_seq bigint NOT NULL,
    told_at timestamptz,
    id uuid NOT NULL,
    public_id text NOT NULL,
    recorded_at timestamptz NOT NULL DEFAULT clock_timestamp(),
    origin varchar(6) NOT NULL,
    CONSTRAINT pk_subscription PRIMARY KEY (id),
    CONSTRAINT uq_subscription_public_id UNIQUE (public_id),
    CONSTRAINT ck_subscription_origin CHECK (origin IN ('live', 'sample', 'legacy')),
    CONSTRAINT ck_subscription_address CHECK (address ~ '^[!-?A-~]+@[!-?A-~]+$' AND length(address) <= 254),
    CONSTRAINT ck_subscription_lang CHECK (lang IN ('en', 'zh')),
    CONSTRAINT ck_subscription_times CHECK (
        isfinite(asked_at) AND isfinite(confirmed_at) AND isfinite(told_at) AND told_seq >= 0),
    CONSTRAINT "rule__DC-4__subscription_geom" CHECK (core.is_sound(geom))
);
CREATE INDEX ix_subscription_address ON core.subscription (address);
CREATE INDEX gist_subscription_geom ON core.subscription USING gist (geom);
CREATE TRIGGER stamp BEFORE INSERT OR UPDATE ON core.subscription FOR EACH ROW EXECUTE FUNCTION core.stamp();

-- What goes out: a question whether somebody wants it, or the changes after one number of the sequence up to another.
-- The ranges of a subscription follow each other, so that each change is in one mail. No text is kept here.
CREATE TABLE core.mail (
    id uuid NOT NULL,
    subscription_id uuid NOT NULL,
    kind text NOT NULL,
    after_seq bigint NOT NULL,
    up_to_seq bigint NOT NULL,
    tries integer NOT NULL DEFAULT 0,
    next_try_at timestamptz,
    sent_at timestamptz,
    failure text,
    CONSTRAINT pk_mail PRIMARY KEY (id),
    CONSTRAINT uq_mail_subscription_id_kind_up_to_seq UNIQUE (subscription_id, kind, up_to_seq),
    CONSTRAINT fk_mail_subscription_id_subscription FOREIGN KEY (subscription_id)
        REFERENCES core.subscription (id) ON DELETE CASCADE,
    CONSTRAINT ck_mail_kind CHECK (kind IN ('confirm', 'changes')),
    CONSTRAINT ck_mail_range CHECK (after_seq <= up_to_seq AND tries >= 0),
    CONSTRAINT ck_mail_times CHECK (isfinite(next_try_at) AND isfinite(sent_at) AND (sent_at IS NULL OR next_try_at IS NULL)),
    CONSTRAINT ex_mail_each_change_once EXCLUDE USING gist (
        subscription_id WITH =, kind WITH =, int8range(after_seq, up_to_seq, '(]') WITH &&)
);
CREATE INDEX ix_mail_next_try_at ON core.mail (next_try_at) WHERE next_try_at IS NOT NULL;

GRANT SELECT, INSERT, UPDATE, DELETE ON core.subscription, core.mail TO skywarden_app;
