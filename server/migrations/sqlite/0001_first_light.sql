-- Times are Unix milliseconds UTC. Ids are made by the server. Flags are 0 or 1.
CREATE TABLE customer (
  id TEXT PRIMARY KEY, name TEXT NOT NULL, note TEXT NOT NULL, created_at BIGINT NOT NULL);
CREATE TABLE site (
  id TEXT PRIMARY KEY, customer_id TEXT NOT NULL REFERENCES customer(id), name TEXT NOT NULL, name_zh TEXT NOT NULL,
  address TEXT NOT NULL, zone TEXT NOT NULL, datum TEXT NOT NULL, lat DOUBLE PRECISION, lon DOUBLE PRECISION,
  contact_name TEXT NOT NULL, contact_phone TEXT NOT NULL, created_at BIGINT NOT NULL);
CREATE INDEX site_by_customer ON site(customer_id);

CREATE TABLE account (
  id TEXT PRIMARY KEY, login TEXT NOT NULL UNIQUE, name TEXT NOT NULL, role TEXT NOT NULL, customer_id TEXT REFERENCES customer(id),
  password_hash TEXT NOT NULL, must_change BIGINT NOT NULL, disabled BIGINT NOT NULL, language TEXT NOT NULL,
  created_at BIGINT NOT NULL, password_changed_at BIGINT);
CREATE TABLE login_session (
  token_hash TEXT PRIMARY KEY, account_id TEXT NOT NULL REFERENCES account(id), csrf TEXT NOT NULL, created_at BIGINT NOT NULL,
  seen_at BIGINT NOT NULL, expires_at BIGINT NOT NULL, client TEXT NOT NULL);
CREATE INDEX login_session_by_account ON login_session(account_id);
CREATE TABLE contact_method (
  id TEXT PRIMARY KEY, account_id TEXT NOT NULL REFERENCES account(id), channel TEXT NOT NULL, address TEXT NOT NULL,
  template TEXT NOT NULL, enabled BIGINT NOT NULL, created_at BIGINT NOT NULL, tested_at BIGINT, test_error TEXT);
CREATE INDEX contact_method_by_account ON contact_method(account_id);
CREATE TABLE duty (
  id TEXT PRIMARY KEY, site_id TEXT REFERENCES site(id), account_id TEXT NOT NULL REFERENCES account(id), created_at BIGINT NOT NULL);
CREATE TABLE audit (
  id TEXT PRIMARY KEY, at BIGINT NOT NULL, account_id TEXT, actor TEXT NOT NULL, action TEXT NOT NULL,
  subject_kind TEXT NOT NULL, subject_id TEXT NOT NULL, detail TEXT NOT NULL);
CREATE INDEX audit_by_time ON audit(at);

CREATE TABLE gateway (
  id TEXT PRIMARY KEY, site_id TEXT NOT NULL REFERENCES site(id), name TEXT NOT NULL, created_at BIGINT NOT NULL,
  enrolled_at BIGINT, revoked_at BIGINT, cert_serial TEXT, cert_not_after BIGINT, public_key BLOB,
  state TEXT NOT NULL, state_since BIGINT NOT NULL, last_heard_at BIGINT, session_id TEXT, session_started_at BIGINT,
  epoch TEXT, clock_offset_ms BIGINT, heartbeat_s BIGINT NOT NULL, agent_version TEXT, wire_version BIGINT,
  queue_records BIGINT, queue_bytes BIGINT, dropped_records BIGINT, replay_to BIGINT, replay_from_at BIGINT,
  config_version BIGINT NOT NULL, config_reported_version BIGINT NOT NULL, config_status TEXT NOT NULL, config_error TEXT NOT NULL);
CREATE INDEX gateway_by_site ON gateway(site_id);
CREATE TABLE gateway_epoch (
  gateway_id TEXT NOT NULL REFERENCES gateway(id), epoch TEXT NOT NULL, upto BIGINT NOT NULL, session_started_at BIGINT NOT NULL,
  first_seen_at BIGINT NOT NULL, PRIMARY KEY (gateway_id, epoch));
CREATE TABLE enrol_token (
  token_hash TEXT PRIMARY KEY, gateway_id TEXT NOT NULL REFERENCES gateway(id), created_at BIGINT NOT NULL,
  expires_at BIGINT NOT NULL, used_at BIGINT);
CREATE TABLE command (
  id TEXT PRIMARY KEY, gateway_id TEXT NOT NULL REFERENCES gateway(id), device_id TEXT, kind TEXT NOT NULL, body BLOB NOT NULL,
  issued_at BIGINT NOT NULL, expires_at BIGINT NOT NULL, state TEXT NOT NULL, sent_at BIGINT, done_at BIGINT,
  result TEXT NOT NULL, account_id TEXT);
CREATE INDEX command_by_gateway ON command(gateway_id, state);

CREATE TABLE device (
  id TEXT PRIMARY KEY, gateway_id TEXT NOT NULL REFERENCES gateway(id), site_id TEXT NOT NULL REFERENCES site(id),
  parent_id TEXT REFERENCES device(id), name TEXT NOT NULL, class TEXT NOT NULL, address TEXT NOT NULL, place TEXT NOT NULL,
  model TEXT NOT NULL, serial TEXT NOT NULL, firmware TEXT NOT NULL, checks BLOB NOT NULL, position BIGINT NOT NULL,
  check_list TEXT NOT NULL,
  enabled BIGINT NOT NULL, created_at BIGINT NOT NULL, removed_at BIGINT, state TEXT NOT NULL, state_since BIGINT NOT NULL, known_at BIGINT);
CREATE INDEX device_by_site ON device(site_id);
CREATE INDEX device_by_gateway ON device(gateway_id);
CREATE TABLE device_fault (
  device_id TEXT NOT NULL REFERENCES device(id), code TEXT NOT NULL, raised_at BIGINT NOT NULL, last_good_at BIGINT,
  first_bad_at BIGINT, check_name TEXT NOT NULL, evidence TEXT NOT NULL, flapping BIGINT NOT NULL, incident_id TEXT,
  PRIMARY KEY (device_id, code));
CREATE TABLE device_event (
  id TEXT PRIMARY KEY, device_id TEXT NOT NULL REFERENCES device(id), gateway_id TEXT NOT NULL, epoch TEXT NOT NULL, seq BIGINT NOT NULL,
  code TEXT NOT NULL, transition TEXT NOT NULL, at BIGINT NOT NULL, last_good_at BIGINT, first_bad_at BIGINT,
  received_at BIGINT NOT NULL, clock_offset_ms BIGINT NOT NULL, check_name TEXT NOT NULL, evidence TEXT NOT NULL,
  UNIQUE (gateway_id, epoch, seq));
CREATE INDEX device_event_by_device ON device_event(device_id, at);
CREATE TABLE device_state (
  id TEXT PRIMARY KEY, device_id TEXT NOT NULL REFERENCES device(id), at BIGINT NOT NULL, state TEXT NOT NULL, because TEXT NOT NULL);
CREATE INDEX device_state_by_device ON device_state(device_id, at);

CREATE TABLE metric_block (
  gateway_id TEXT NOT NULL REFERENCES gateway(id), epoch TEXT NOT NULL, seq BIGINT NOT NULL, start_at BIGINT NOT NULL,
  end_at BIGINT NOT NULL, shift_ms BIGINT NOT NULL, received_at BIGINT NOT NULL, samples BIGINT NOT NULL, body BLOB NOT NULL,
  PRIMARY KEY (gateway_id, epoch, seq));
CREATE INDEX metric_block_by_time ON metric_block(gateway_id, end_at);
CREATE TABLE rollup (
  device_id TEXT NOT NULL, check_name TEXT NOT NULL, metric TEXT NOT NULL, hour_at BIGINT NOT NULL, min DOUBLE PRECISION NOT NULL,
  max DOUBLE PRECISION NOT NULL, sum DOUBLE PRECISION NOT NULL, samples BIGINT NOT NULL, PRIMARY KEY (device_id, check_name, metric, hour_at));
CREATE TABLE record_gap (
  gateway_id TEXT NOT NULL REFERENCES gateway(id), epoch TEXT NOT NULL, from_seq BIGINT NOT NULL, to_seq BIGINT NOT NULL,
  reason TEXT NOT NULL, received_at BIGINT NOT NULL, PRIMARY KEY (gateway_id, epoch, from_seq));

CREATE TABLE incident (
  id TEXT PRIMARY KEY, site_id TEXT NOT NULL REFERENCES site(id), gateway_id TEXT NOT NULL REFERENCES gateway(id),
  device_id TEXT REFERENCES device(id), code TEXT NOT NULL, severity TEXT NOT NULL, opened_at BIGINT NOT NULL,
  last_good_at BIGINT, first_bad_at BIGINT, recorded_at BIGINT NOT NULL, closed_at BIGINT, evidence TEXT NOT NULL, ticket_id TEXT);
CREATE INDEX incident_open ON incident(closed_at, site_id);
CREATE INDEX incident_by_ticket ON incident(ticket_id);
CREATE UNIQUE INDEX incident_one_open ON incident(gateway_id, COALESCE(device_id, ''), code) WHERE closed_at IS NULL;

CREATE TABLE ticket (
  id TEXT PRIMARY KEY, number BIGINT NOT NULL UNIQUE, site_id TEXT NOT NULL REFERENCES site(id), device_id TEXT REFERENCES device(id),
  origin TEXT NOT NULL, code TEXT NOT NULL, title TEXT NOT NULL, severity TEXT NOT NULL, state TEXT NOT NULL, opened_at BIGINT NOT NULL,
  gateway_id TEXT REFERENCES gateway(id), paged_severity TEXT NOT NULL,
  acked_at BIGINT, acked_by TEXT, assignee_id TEXT REFERENCES account(id), closed_at BIGINT, changed_at BIGINT NOT NULL);
CREATE INDEX ticket_by_state ON ticket(state, opened_at);
CREATE INDEX ticket_by_device ON ticket(device_id);
CREATE TABLE ticket_event (
  ticket_id TEXT NOT NULL REFERENCES ticket(id), seq BIGINT NOT NULL, kind TEXT NOT NULL, occurred_at BIGINT NOT NULL,
  recorded_at BIGINT NOT NULL, device_at BIGINT, skew_ms BIGINT, actor_id TEXT, actor TEXT NOT NULL, source TEXT NOT NULL,
  body TEXT NOT NULL, supersedes BIGINT, PRIMARY KEY (ticket_id, seq));

CREATE TABLE page (
  id TEXT PRIMARY KEY, idem_key TEXT NOT NULL UNIQUE, ticket_id TEXT NOT NULL REFERENCES ticket(id), account_id TEXT NOT NULL REFERENCES account(id),
  channel TEXT NOT NULL, address TEXT NOT NULL, template TEXT NOT NULL, purpose TEXT NOT NULL, language TEXT NOT NULL, state TEXT NOT NULL,
  created_at BIGINT NOT NULL, due_at BIGINT NOT NULL, claimed_until BIGINT, attempts BIGINT NOT NULL, repeat BIGINT NOT NULL DEFAULT 0, sent_at BIGINT, last_answer TEXT NOT NULL);
CREATE INDEX page_due ON page(state, due_at);
CREATE INDEX page_by_ticket ON page(ticket_id);
CREATE TABLE page_attempt (
  page_id TEXT NOT NULL REFERENCES page(id), attempt BIGINT NOT NULL, at BIGINT NOT NULL, ok BIGINT NOT NULL, answer TEXT NOT NULL,
  PRIMARY KEY (page_id, attempt));
CREATE TABLE counter (name TEXT PRIMARY KEY, value BIGINT NOT NULL);
CREATE TABLE setting (name TEXT PRIMARY KEY, value TEXT NOT NULL);
