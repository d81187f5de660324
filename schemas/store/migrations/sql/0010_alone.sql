-- Readers and writers may be at work. Whoever holds one table that is changed below and asks for the next one would stand
-- in a ring with this transaction: all of them are taken at once, and let go where that does not succeed soon, before the
-- server would break the ring itself. Nobody is sent away, and nobody waits long.
DO $$
BEGIN
    LOOP
        BEGIN
            SET LOCAL lock_timeout = '300ms';
            LOCK TABLE core.evaluation, core.learning_job, core.siting_run, core.coverage_study, core.public_span, core.shown
                IN ACCESS EXCLUSIVE MODE;
            SET LOCAL lock_timeout TO DEFAULT;
            EXIT;
        EXCEPTION WHEN lock_not_available OR deadlock_detected THEN
            PERFORM pg_sleep(0.1);
        END;
    END LOOP;
END
$$;
