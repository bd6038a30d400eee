-- Hourly rollups leave the way of a report: a row for each device and UTC day instead of one for each metric and
-- hour, made from the blocks when an hour is over. Until then the hour is due.
CREATE TABLE rollup_due (
  gateway_id TEXT NOT NULL REFERENCES gateway(id), hour_at BIGINT NOT NULL, marked_at BIGINT NOT NULL,
  PRIMARY KEY (gateway_id, hour_at));
CREATE INDEX rollup_due_by_hour ON rollup_due(hour_at);
CREATE TABLE device_day (
  device_id TEXT NOT NULL REFERENCES device(id), day_at BIGINT NOT NULL, body BYTEA NOT NULL, PRIMARY KEY (device_id, day_at));
CREATE INDEX device_day_by_day ON device_day(day_at);
INSERT INTO rollup_due (gateway_id, hour_at, marked_at)
WITH RECURSIVE covered(gateway_id, hour_at, end_at) AS (
  SELECT gateway_id, start_at / 3600000 * 3600000, end_at FROM metric_block
  UNION SELECT gateway_id, hour_at + 3600000, end_at FROM covered WHERE hour_at + 3600000 <= end_at)
SELECT DISTINCT gateway_id, hour_at, 0 FROM covered;
DROP TABLE rollup;

-- A chart finds the blocks of its time without reading them; a rule finds what is too old without reading the rest.
DROP INDEX metric_block_by_time;
CREATE INDEX metric_block_by_time ON metric_block(gateway_id, end_at, start_at);
CREATE INDEX metric_block_by_age ON metric_block(end_at);
CREATE INDEX device_event_by_age ON device_event(received_at);
CREATE INDEX device_state_by_age ON device_state(at);
CREATE INDEX record_gap_by_age ON record_gap(received_at);
CREATE INDEX command_by_age ON command(expires_at);
CREATE INDEX login_session_by_age ON login_session(expires_at);
CREATE INDEX enrol_token_by_age ON enrol_token(expires_at);
