-- When an epoch's mark moved last: a history that is still coming in holds pages back, one that stalls does not.
ALTER TABLE gateway_epoch ADD COLUMN moved_at BIGINT;
-- What a gateway's own disk does not do, in the agent's word, and since when; NULL = it is well.
ALTER TABLE gateway ADD COLUMN disk_trouble TEXT;
ALTER TABLE gateway ADD COLUMN disk_wrong_at BIGINT;
