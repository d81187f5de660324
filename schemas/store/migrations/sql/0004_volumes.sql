-- The air that a cleared flight may use, in four dimensions; no two flights share it.

-- ---------------------------------------------------------------------------------------------
-- A battery change is a landing on the way: the aircraft takes off again, and the flight began when it first did
-- ---------------------------------------------------------------------------------------------

INSERT INTO law.step (subject, source, target) VALUES ('flight', 'airborne', 'uploaded');
DROP TRIGGER times_are_final ON core.flight;
CREATE TRIGGER times_are_final BEFORE UPDATE ON core.flight FOR EACH ROW
    WHEN ((OLD.airborne_at IS DISTINCT FROM NEW.airborne_at
            AND (OLD.airborne_at IS NOT NULL OR OLD.state NOT IN ('uploaded', 'airborne')))
        OR (OLD.landed_at IS DISTINCT FROM NEW.landed_at AND OLD.state <> 'airborne'))
    EXECUTE FUNCTION core.refuse_change('rule__GD-36.1__times_of_a_flight_are_final');
