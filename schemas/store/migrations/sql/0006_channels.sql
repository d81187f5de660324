-- How a dispatch gets to its channel: who asked for it, how often it was tried, when next, and what went wrong.
ALTER TABLE core.dispatch
    ADD COLUMN sent_by uuid,
    ADD COLUMN tries integer NOT NULL DEFAULT 0,
    ADD COLUMN tried_at timestamptz,
    ADD COLUMN next_try_at timestamptz,
    ADD COLUMN handed_over_at timestamptz,
    ADD COLUMN failure text,
    ADD CONSTRAINT fk_dispatch_sent_by_person FOREIGN KEY (sent_by) REFERENCES core.person (id),
    ADD CONSTRAINT ck_dispatch_tries CHECK (tries >= 0);
-- The worker asks every second what is to be tried now.
CREATE INDEX ix_dispatch_next_try_at ON core.dispatch (next_try_at) WHERE answered_at IS NULL;

-- The report of a year's new devices as it was submitted, and the receipt of the government that it went to (GD-13.3).
-- Until it is submitted it is a draft, computed from the devices themselves. What begins to be used after part 1 was
-- submitted is reported by supplements, parts 2 and on.
CREATE TABLE core.annual_report (
    authority_id uuid NOT NULL,
    year integer NOT NULL,
    part integer NOT NULL,
    addressee text NOT NULL,
    due_on date NOT NULL,
    document text NOT NULL,
    content_sha256 text NOT NULL,
    submitted_on date NOT NULL,
    submitted_by uuid,
    received_on date,
    receipt_no text,
    id uuid NOT NULL,
    public_id text NOT NULL,
    recorded_at timestamptz NOT NULL DEFAULT clock_timestamp(),
    origin varchar(6) NOT NULL,
    CONSTRAINT pk_annual_report PRIMARY KEY (id),
    CONSTRAINT uq_annual_report_public_id UNIQUE (public_id),
    CONSTRAINT uq_annual_report_authority_id_year_part UNIQUE (authority_id, year, part),
    CONSTRAINT fk_annual_report_authority_id_authority FOREIGN KEY (authority_id) REFERENCES core.authority (id),
    CONSTRAINT fk_annual_report_submitted_by_person FOREIGN KEY (submitted_by) REFERENCES core.person (id),
    CONSTRAINT ck_annual_report_origin CHECK (origin IN ('live', 'sample', 'legacy')),
    CONSTRAINT ck_annual_report_year CHECK (year BETWEEN 2000 AND 9999),
    CONSTRAINT ck_annual_report_part CHECK (part >= 1),
    CONSTRAINT ck_annual_report_receipt CHECK (
        num_nonnulls(received_on, receipt_no) IN (0, 2) AND (received_on IS NULL OR received_on >= submitted_on))
);
CREATE TRIGGER report_is_final BEFORE UPDATE ON core.annual_report FOR EACH ROW
    WHEN (OLD.received_on IS NOT NULL
        OR (OLD.authority_id, OLD.year, OLD.part, OLD.addressee, OLD.due_on, OLD.document, OLD.content_sha256, OLD.submitted_on,
            OLD.submitted_by)
        IS DISTINCT FROM
           (NEW.authority_id, NEW.year, NEW.part, NEW.addressee, NEW.due_on, NEW.document, NEW.content_sha256, NEW.submitted_on,
            NEW.submitted_by))
    EXECUTE FUNCTION core.refuse_change('rule__GD-13.3__report_is_final');
CREATE TRIGGER report_is_kept BEFORE DELETE ON core.annual_report FOR EACH ROW
    EXECUTE FUNCTION core.refuse_change('rule__GD-13.3__report_is_final');
CREATE TRIGGER reports_are_kept BEFORE TRUNCATE ON core.annual_report FOR EACH STATEMENT
    EXECUTE FUNCTION core.refuse_change('rule__GD-13.3__report_is_final');
CREATE TRIGGER stamp BEFORE INSERT OR UPDATE ON core.annual_report FOR EACH ROW EXECUTE FUNCTION core.stamp();
GRANT SELECT, INSERT, UPDATE ON core.annual_report TO skywarden_app;
-- What an authority put into use within a year; a device that was never in use costs nothing here.
CREATE INDEX ix_device_first_used_on ON core.device (authority_id, first_used_on) WHERE first_used_on IS NOT NULL;
