-- What was on record of a device when it was evaluated stays with the evaluation; its SHA-256 stands in the ledger beside
-- the outcome (GD-10.1). Evaluations of before have none.
ALTER TABLE core.evaluation ADD COLUMN evidence jsonb
    CONSTRAINT ck_evaluation_evidence CHECK (jsonb_typeof(evidence) = 'object');
