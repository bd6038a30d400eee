-- Why a ticket is not paged for the moment. Its pages wait until no hold is left; until_at NULL = until it is released.
CREATE TABLE ticket_hold (
  ticket_id TEXT NOT NULL REFERENCES ticket(id), reason TEXT NOT NULL, since BIGINT NOT NULL, until_at BIGINT, detail TEXT NOT NULL,
  PRIMARY KEY (ticket_id, reason));
CREATE INDEX ticket_hold_by_end ON ticket_hold(until_at);
-- What is looked for every second is found without reading what is over.
CREATE INDEX ticket_unpaged ON ticket(number) WHERE state <> 'closed' AND paged_severity <> severity;
CREATE INDEX ticket_standing ON ticket(state, number) WHERE state <> 'closed';

-- What a device or a gateway hangs off. Of a group (group_name not empty) one that works is enough; source says who knows it.
CREATE TABLE device_parent (
  device_id TEXT NOT NULL REFERENCES device(id), parent_id TEXT NOT NULL REFERENCES device(id), kind TEXT NOT NULL,
  group_name TEXT NOT NULL, source TEXT NOT NULL, PRIMARY KEY (device_id, parent_id, kind));
CREATE INDEX device_parent_by_parent ON device_parent(parent_id);
CREATE TABLE gateway_parent (
  gateway_id TEXT NOT NULL REFERENCES gateway(id), parent_id TEXT NOT NULL REFERENCES device(id), kind TEXT NOT NULL,
  group_name TEXT NOT NULL, source TEXT NOT NULL, PRIMARY KEY (gateway_id, parent_id, kind));
CREATE INDEX gateway_parent_by_parent ON gateway_parent(parent_id);
INSERT INTO device_parent (device_id, parent_id, kind, group_name, source)
SELECT id, parent_id, 'reach', '', 'recorded' FROM device WHERE parent_id IS NOT NULL;
-- How long a check of the device takes at most to confirm or clear a fault.
ALTER TABLE device ADD COLUMN confirm_ms BIGINT NOT NULL DEFAULT 120000;

-- A symptom names the incident that causes it. settle_at = when the cause is to be judged (again); NULL = it is settled.
ALTER TABLE incident ADD COLUMN cause_id TEXT;
ALTER TABLE incident ADD COLUMN settle_at BIGINT;
CREATE INDEX incident_unsettled ON incident(settle_at) WHERE settle_at IS NOT NULL;
CREATE INDEX incident_by_cause ON incident(cause_id) WHERE cause_id IS NOT NULL;
CREATE INDEX incident_by_gateway ON incident(gateway_id, opened_at);

-- Windows in which pages wait. kind: fixed, flexible (opened by a fault) or visit (opened by an arrival), the latter two within
-- starts_at..ends_at and for length_ms. code '' = any fault. next_at = when the window changes by itself next; NULL = never.
CREATE TABLE maintenance (
  id TEXT PRIMARY KEY, site_id TEXT NOT NULL REFERENCES site(id), gateway_id TEXT REFERENCES gateway(id), device_id TEXT REFERENCES device(id),
  code TEXT NOT NULL, kind TEXT NOT NULL, state TEXT NOT NULL, starts_at BIGINT NOT NULL, ends_at BIGINT NOT NULL, length_ms BIGINT,
  began_at BIGINT, ended_at BIGINT, next_at BIGINT, reason TEXT NOT NULL, created_by TEXT NOT NULL, creator TEXT NOT NULL,
  created_at BIGINT NOT NULL, ended_by TEXT NOT NULL);
CREATE INDEX maintenance_due ON maintenance(next_at) WHERE next_at IS NOT NULL;
CREATE INDEX maintenance_by_site ON maintenance(site_id, state);
CREATE INDEX maintenance_by_end ON maintenance(ends_at);
ALTER TABLE device ADD COLUMN in_maintenance BIGINT NOT NULL DEFAULT 0;
