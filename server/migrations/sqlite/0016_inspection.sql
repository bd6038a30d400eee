-- The days that a contract's inspections at a site are counted from: commissioned, handed over. Days are text, 2026-01-31, in the
-- site's zone.
CREATE TABLE inspection_anchor (
  contract_id TEXT NOT NULL REFERENCES contract(id), site_id TEXT NOT NULL REFERENCES site(id), event TEXT NOT NULL, day TEXT NOT NULL,
  set_by TEXT NOT NULL, set_at BIGINT NOT NULL, PRIMARY KEY (contract_id, site_id, event));
-- Days on which a site is closed and nobody inspects it; until_day is the day after the last.
CREATE TABLE site_closure (
  id TEXT PRIMARY KEY, site_id TEXT NOT NULL REFERENCES site(id), from_day TEXT NOT NULL, until_day TEXT NOT NULL, reason TEXT NOT NULL,
  made_by TEXT NOT NULL, made_at BIGINT NOT NULL, revoked_at BIGINT);
CREATE INDEX site_closure_by_site ON site_closure(site_id);
-- When a contract's inspections at a site were planned last: seen = the contract's changed_at then, next_at = the next midnight there;
-- NULL = at once. waiting = the rules whose day is not known, JSON.
CREATE TABLE inspection_plan (
  contract_id TEXT NOT NULL REFERENCES contract(id), site_id TEXT NOT NULL REFERENCES site(id), seen BIGINT NOT NULL, next_at BIGINT,
  waiting TEXT NOT NULL, gaps TEXT NOT NULL, PRIMARY KEY (contract_id, site_id));
-- Inspections that are owed. One row for each n of a series (rule, and from what and how it is counted), whatever its day. planned = the
-- day that the plan alone gives; day = the one that stands; merged_id = the inspection whose visit does its work.
CREATE TABLE occurrence (
  id TEXT PRIMARY KEY, contract_id TEXT NOT NULL REFERENCES contract(id), site_id TEXT NOT NULL REFERENCES site(id), rule TEXT NOT NULL,
  series TEXT NOT NULL, n BIGINT NOT NULL, version BIGINT NOT NULL, way TEXT NOT NULL, kinds TEXT NOT NULL, checklist TEXT NOT NULL,
  window_from TEXT NOT NULL, window_until TEXT NOT NULL, planned TEXT NOT NULL, day TEXT NOT NULL, tell_by TEXT, provisional BIGINT NOT NULL,
  state TEXT NOT NULL, merged_id TEXT, ticket_id TEXT REFERENCES ticket(id), visit_id TEXT REFERENCES visit(id), done_on TEXT,
  changed_at BIGINT NOT NULL, UNIQUE (contract_id, site_id, rule, series, n));
CREATE INDEX occurrence_by_day ON occurrence(day);
CREATE INDEX occurrence_by_visit ON occurrence(visit_id) WHERE visit_id IS NOT NULL;
-- What became of it, append-only: who, when, why.
CREATE TABLE occurrence_event (
  occurrence_id TEXT NOT NULL REFERENCES occurrence(id), seq BIGINT NOT NULL, kind TEXT NOT NULL, at BIGINT NOT NULL, actor_id TEXT,
  actor TEXT NOT NULL, body TEXT NOT NULL, PRIMARY KEY (occurrence_id, seq));
-- Devices that somebody looked at in an inspection.
CREATE TABLE occurrence_device (
  occurrence_id TEXT NOT NULL REFERENCES occurrence(id), device_id TEXT NOT NULL REFERENCES device(id), day TEXT NOT NULL,
  PRIMARY KEY (occurrence_id, device_id));
CREATE INDEX occurrence_device_by_day ON occurrence_device(day);
