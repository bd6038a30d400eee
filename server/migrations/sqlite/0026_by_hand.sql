-- An inspection that somebody plans by hand, since no rule of the contract owes it: who planned it, who of the customer asked for it, how
-- that is proved, and why. Without made_by it is the plan's own.
ALTER TABLE occurrence ADD COLUMN made_by TEXT;
ALTER TABLE occurrence ADD COLUMN asked_by TEXT NOT NULL DEFAULT '';
ALTER TABLE occurrence ADD COLUMN asked_how TEXT NOT NULL DEFAULT '';
ALTER TABLE occurrence ADD COLUMN why TEXT NOT NULL DEFAULT '';
CREATE INDEX occurrence_by_hand ON occurrence(state, window_until) WHERE made_by IS NOT NULL;
