-- How many rows stand under a number is nothing that a plan made once can know: after one import of a hundred thousand
-- devices the statistics say that all changes are of one number, and each publication after it read them all, for 80 ms.
-- These statements are planned for the number in question, which takes a millisecond or two.
ALTER FUNCTION core.take_turn() SET plan_cache_mode = force_custom_plan;
ALTER FUNCTION core.keep_spans(bigint) SET plan_cache_mode = force_custom_plan;

-- The page of a device tells its past, and is asked for by the device's number.
CREATE INDEX ix_public_span_public_id ON core.public_span (public_id);
