-- What may be done from afar before anyone travels: per site, per class of device. No row = nothing.
CREATE TABLE remedy_site (
  site_id TEXT PRIMARY KEY REFERENCES site(id), enabled BIGINT NOT NULL, consent TEXT NOT NULL, from_minute BIGINT NOT NULL,
  to_minute BIGINT NOT NULL, changed_at BIGINT NOT NULL, changed_by TEXT NOT NULL);
CREATE TABLE remedy_rule (
  site_id TEXT NOT NULL REFERENCES site(id), class TEXT NOT NULL, kind TEXT NOT NULL, automatic BIGINT NOT NULL, codes TEXT NOT NULL,
  daily_limit BIGINT NOT NULL, wait_s BIGINT NOT NULL, days_limit BIGINT NOT NULL, PRIMARY KEY (site_id, class, kind));
-- Who said yes, when, in which words, until when. A standing consent holds for the site, another one for one remedy.
CREATE TABLE remedy_consent (
  id TEXT PRIMARY KEY, site_id TEXT NOT NULL REFERENCES site(id), standing BIGINT NOT NULL, given_by TEXT NOT NULL, words TEXT NOT NULL,
  given_at BIGINT NOT NULL, until_at BIGINT, recorded_by TEXT NOT NULL, revoked_at BIGINT, revoked_by TEXT NOT NULL);
CREATE INDEX remedy_consent_by_site ON remedy_consent(site_id, given_at);
CREATE TABLE remedy (
  id TEXT PRIMARY KEY, site_id TEXT NOT NULL REFERENCES site(id), device_id TEXT NOT NULL REFERENCES device(id), kind TEXT NOT NULL,
  target TEXT NOT NULL, ticket_id TEXT REFERENCES ticket(id), code TEXT NOT NULL, automatic BIGINT NOT NULL, actor TEXT NOT NULL,
  consent_id TEXT REFERENCES remedy_consent(id), command_id TEXT, state TEXT NOT NULL, reason TEXT NOT NULL, asked_at BIGINT NOT NULL,
  begun_at BIGINT, done_at BIGINT, ended_at BIGINT, until_at BIGINT NOT NULL, result TEXT NOT NULL);
CREATE INDEX remedy_open ON remedy(site_id) WHERE ended_at IS NULL;
CREATE INDEX remedy_by_device ON remedy(device_id, asked_at);
CREATE INDEX remedy_by_ticket ON remedy(ticket_id);
-- On which port a device hangs, as switches have shown it; the newest row counts, the others are where it hung before.
CREATE TABLE port_seen (
  device_id TEXT NOT NULL REFERENCES device(id), switch_id TEXT NOT NULL REFERENCES device(id), if_index BIGINT NOT NULL, name TEXT NOT NULL,
  poe_group BIGINT NOT NULL, poe_port BIGINT NOT NULL, mac TEXT NOT NULL, macs BIGINT NOT NULL, trunk BIGINT NOT NULL,
  first_seen_at BIGINT NOT NULL, seen_at BIGINT NOT NULL, PRIMARY KEY (device_id, switch_id, if_index));
CREATE INDEX port_seen_by_switch ON port_seen(switch_id);
-- The same as a person has recorded it.
CREATE TABLE port_recorded (
  device_id TEXT PRIMARY KEY REFERENCES device(id), switch_id TEXT NOT NULL REFERENCES device(id), name TEXT NOT NULL, poe_group BIGINT NOT NULL,
  poe_port BIGINT NOT NULL, recorded_at BIGINT NOT NULL, recorded_by TEXT NOT NULL);
-- What each switch has shown last.
CREATE TABLE switch_view (switch_id TEXT PRIMARY KEY REFERENCES device(id), seen_at BIGINT NOT NULL, body BYTEA NOT NULL);
-- A parent that the switches show and that is not recorded.
CREATE TABLE parent_proposal (
  id TEXT PRIMARY KEY, device_id TEXT NOT NULL REFERENCES device(id), switch_id TEXT NOT NULL REFERENCES device(id), port TEXT NOT NULL,
  state TEXT NOT NULL, created_at BIGINT NOT NULL, seen_at BIGINT NOT NULL, decided_at BIGINT, decided_by TEXT NOT NULL,
  UNIQUE (device_id, switch_id));
CREATE INDEX parent_proposal_open ON parent_proposal(state, created_at);
