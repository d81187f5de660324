-- What the unit head approved, and what was flown, stays as it was when it was approved or recorded.

-- Imagery is judged by the window and the times of its flight (GD-36.1), so only the landing itself moves the window.
DROP TRIGGER window_is_final ON core.flight;
CREATE TRIGGER window_is_final BEFORE UPDATE ON core.flight FOR EACH ROW
    WHEN (OLD.during <> NEW.during AND NOT (OLD.state = 'airborne' AND NEW.state = 'landed'))
    EXECUTE FUNCTION core.refuse_change('rule__GD-16.1__window_is_final');
CREATE TRIGGER times_are_final BEFORE UPDATE ON core.flight FOR EACH ROW
    WHEN ((OLD.airborne_at IS DISTINCT FROM NEW.airborne_at AND OLD.state NOT IN ('uploaded', 'airborne'))
        OR (OLD.landed_at IS DISTINCT FROM NEW.landed_at AND OLD.state <> 'airborne'))
    EXECUTE FUNCTION core.refuse_change('rule__GD-36.1__times_of_a_flight_are_final');
CREATE TRIGGER closed_flight_is_final BEFORE UPDATE ON core.flight FOR EACH ROW
    WHEN (OLD.state = 'closed' AND OLD.* IS DISTINCT FROM NEW.*)
    EXECUTE FUNCTION core.refuse_change('rule__GD-20.2__record_is_fixed');

CREATE TRIGGER approved_plan_is_final BEFORE UPDATE ON core.inspection_plan FOR EACH ROW
    WHEN (OLD.state IN ('approved', 'expired')
        AND (OLD.public_id, OLD.number, OLD.authority_id, OLD.item_id, OLD.area_ids, OLD.entity_ids, OLD.author_id,
             OLD.approver_id, OLD.approved_at, OLD.valid_from, OLD.valid_to)
        IS DISTINCT FROM
            (NEW.public_id, NEW.number, NEW.authority_id, NEW.item_id, NEW.area_ids, NEW.entity_ids, NEW.author_id,
             NEW.approver_id, NEW.approved_at, NEW.valid_from, NEW.valid_to))
    EXECUTE FUNCTION core.refuse_change('rule__GD-16.1__approved_plan_is_final');
