-- Visits. A visit's life is its events; the columns of visit are their latest reading. The ids of visits and of events are
-- made by whoever writes them, so that a phone may repeat what it is not sure to have sent. reason belongs to the state
-- (why it waits, is unsigned, was cancelled); level is the strongest evidence of the arrival, or 'claimed' or 'stated'.
CREATE TABLE visit (
  id TEXT PRIMARY KEY, ticket_id TEXT NOT NULL REFERENCES ticket(id), site_id TEXT NOT NULL REFERENCES site(id), number BIGINT NOT NULL,
  follows_id TEXT, purpose TEXT NOT NULL, planned_at BIGINT, state TEXT NOT NULL, reason TEXT NOT NULL,
  level TEXT NOT NULL, arrived_at BIGINT, form TEXT NOT NULL, created_by TEXT NOT NULL, created_at BIGINT NOT NULL,
  changed_at BIGINT NOT NULL, asked TEXT NOT NULL, UNIQUE (ticket_id, number));
CREATE INDEX visit_by_state ON visit(state, changed_at);
-- Who goes.
CREATE TABLE visit_member (
  visit_id TEXT NOT NULL REFERENCES visit(id), account_id TEXT NOT NULL REFERENCES account(id), PRIMARY KEY (visit_id, account_id));
CREATE INDEX visit_member_by_account ON visit_member(account_id);
-- What happened, append-only. occurred_at = as corrected by how far the device's clock was ahead (skew_ms); asked = the
-- request as it was sent, by which a repetition is known; body = what was made of it, evidence and its verdicts included.
CREATE TABLE visit_event (
  id TEXT PRIMARY KEY, visit_id TEXT NOT NULL REFERENCES visit(id), seq BIGINT NOT NULL, kind TEXT NOT NULL, occurred_at BIGINT NOT NULL,
  recorded_at BIGINT NOT NULL, device_at BIGINT, skew_ms BIGINT, actor_id TEXT, actor TEXT NOT NULL, source TEXT NOT NULL,
  body TEXT NOT NULL, asked TEXT NOT NULL, UNIQUE (visit_id, seq));
CREATE INDEX visit_event_by_actor ON visit_event(actor_id, recorded_at);
-- Which rotating codes proved an arrival: each counts once for a person, and for no other visit.
CREATE TABLE visit_code (
  gateway_id TEXT NOT NULL REFERENCES gateway(id), step BIGINT NOT NULL, visit_id TEXT NOT NULL REFERENCES visit(id),
  account_id TEXT NOT NULL, used_at BIGINT NOT NULL, PRIMARY KEY (gateway_id, step, visit_id, account_id));
-- Tags (QR, NFC) that hang at a site.
CREATE TABLE site_tag (
  id TEXT PRIMARY KEY, site_id TEXT NOT NULL REFERENCES site(id), code TEXT NOT NULL UNIQUE, place TEXT NOT NULL,
  made_by TEXT NOT NULL, made_at BIGINT NOT NULL, revoked_at BIGINT);
CREATE INDEX site_tag_by_site ON site_tag(site_id);
