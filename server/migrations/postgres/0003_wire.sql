-- What an operator sees of the wire. queue_oldest_at is by the server's clock; NULL = nothing waits on the gateway's disk.
ALTER TABLE gateway ADD COLUMN queue_oldest_at BIGINT;
ALTER TABLE gateway ADD COLUMN refused_packets BIGINT;
-- Since when a gateway's clock is further off than the limit; NULL = it is right.
ALTER TABLE gateway ADD COLUMN clock_wrong_at BIGINT;
CREATE INDEX record_gap_by_time ON record_gap(gateway_id, received_at);
CREATE INDEX page_by_creation ON page(created_at);
CREATE INDEX page_attempt_by_time ON page_attempt(at);
