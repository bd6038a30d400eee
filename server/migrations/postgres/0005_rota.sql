-- Who is on duty: teams, their rotas by versions, what differs from the plan, what happened on duty, what it is worth.
CREATE TABLE team (
  id TEXT PRIMARY KEY, name TEXT NOT NULL UNIQUE, note TEXT NOT NULL, created_at BIGINT NOT NULL, archived_at BIGINT);
CREATE TABLE team_member (
  team_id TEXT NOT NULL REFERENCES team(id), account_id TEXT NOT NULL REFERENCES account(id), created_at BIGINT NOT NULL,
  PRIMARY KEY (team_id, account_id));
CREATE INDEX team_member_by_account ON team_member(account_id);
-- A whole customer, or one site.
CREATE TABLE team_serves (
  id TEXT PRIMARY KEY, team_id TEXT NOT NULL REFERENCES team(id), customer_id TEXT REFERENCES customer(id),
  site_id TEXT REFERENCES site(id));
CREATE INDEX team_serves_by_team ON team_serves(team_id);

CREATE TABLE rota (
  id TEXT PRIMARY KEY, team_id TEXT NOT NULL REFERENCES team(id), name TEXT NOT NULL UNIQUE, note TEXT NOT NULL,
  created_at BIGINT NOT NULL, archived_at BIGINT);
CREATE INDEX rota_by_team ON rota(team_id);
CREATE TABLE rota_version (
  rota_id TEXT NOT NULL REFERENCES rota(id), version BIGINT NOT NULL, from_at BIGINT NOT NULL, body TEXT NOT NULL,
  reason TEXT NOT NULL, account_id TEXT REFERENCES account(id), actor TEXT NOT NULL, created_at BIGINT NOT NULL,
  PRIMARY KEY (rota_id, version));
-- Both people asked for and agreed to; without other_from_at, one takes over the other's shift for nothing in return.
CREATE TABLE rota_swap (
  id TEXT PRIMARY KEY, rota_id TEXT NOT NULL REFERENCES rota(id), asker_id TEXT NOT NULL REFERENCES account(id),
  asker_layer BIGINT NOT NULL, asker_from_at BIGINT NOT NULL, asker_to_at BIGINT NOT NULL,
  other_id TEXT NOT NULL REFERENCES account(id), other_layer BIGINT, other_from_at BIGINT, other_to_at BIGINT,
  reason TEXT NOT NULL, state TEXT NOT NULL, asked_at BIGINT NOT NULL, answered_at BIGINT, answer TEXT NOT NULL);
CREATE INDEX rota_swap_by_rota ON rota_swap(rota_id, state);
-- out_id NULL adds somebody, by_id NULL lets somebody out. One that had begun when it was removed stood until then.
CREATE TABLE rota_override (
  id TEXT PRIMARY KEY, rota_id TEXT NOT NULL REFERENCES rota(id), layer BIGINT, out_id TEXT REFERENCES account(id),
  by_id TEXT REFERENCES account(id), from_at BIGINT NOT NULL, to_at BIGINT NOT NULL, reason TEXT NOT NULL,
  swap_id TEXT REFERENCES rota_swap(id), account_id TEXT REFERENCES account(id), actor TEXT NOT NULL,
  created_at BIGINT NOT NULL, removed_at BIGINT, removed_by TEXT);
CREATE INDEX rota_override_by_rota ON rota_override(rota_id, to_at);
-- A calendar program's secret address: one rota, or NULL for everything of the account's own.
CREATE TABLE rota_feed (
  token_hash TEXT PRIMARY KEY, account_id TEXT NOT NULL REFERENCES account(id), rota_id TEXT REFERENCES rota(id),
  created_at BIGINT NOT NULL);
CREATE INDEX rota_feed_by_account ON rota_feed(account_id);

-- The duty log; a correction is a new row that names the one it corrects.
CREATE TABLE duty_call (
  id TEXT PRIMARY KEY, account_id TEXT NOT NULL REFERENCES account(id), rota_id TEXT REFERENCES rota(id),
  caller TEXT NOT NULL, phone TEXT NOT NULL, site_id TEXT REFERENCES site(id), ticket_id TEXT REFERENCES ticket(id),
  matter TEXT NOT NULL, result TEXT NOT NULL, started_at BIGINT NOT NULL, length_s BIGINT NOT NULL,
  recorded_by TEXT NOT NULL REFERENCES account(id), recorded_at BIGINT NOT NULL, corrects_id TEXT);
CREATE INDEX duty_call_by_time ON duty_call(started_at);
CREATE INDEX duty_call_by_ticket ON duty_call(ticket_id);
CREATE INDEX duty_call_by_correction ON duty_call(corrects_id);
-- What counts against somebody: a complaint, an absence, a time when nobody could be reached; and overtime, with its end.
CREATE TABLE duty_fact (
  id TEXT PRIMARY KEY, account_id TEXT NOT NULL REFERENCES account(id), kind TEXT NOT NULL, from_at BIGINT NOT NULL,
  to_at BIGINT, ticket_id TEXT REFERENCES ticket(id), note TEXT NOT NULL, recorded_by TEXT NOT NULL REFERENCES account(id),
  recorded_at BIGINT NOT NULL, withdrawn_at BIGINT, withdrawn_by TEXT, withdrawn_why TEXT);
CREATE INDEX duty_fact_by_account ON duty_fact(account_id, from_at);
CREATE TABLE duty_handover (
  id TEXT PRIMARY KEY, rota_id TEXT NOT NULL REFERENCES rota(id), from_id TEXT NOT NULL REFERENCES account(id),
  to_id TEXT NOT NULL REFERENCES account(id), from_at BIGINT NOT NULL, to_at BIGINT NOT NULL, state TEXT NOT NULL,
  note TEXT NOT NULL, body TEXT NOT NULL, created_at BIGINT NOT NULL, handed_at BIGINT, accepted_at BIGINT,
  accept_note TEXT NOT NULL, UNIQUE (rota_id, from_id, from_at));
CREATE INDEX duty_handover_by_time ON duty_handover(to_at);
-- Amounts in fen, from a month on; account_id NULL is everybody without terms of their own.
CREATE TABLE duty_terms (
  id TEXT PRIMARY KEY, account_id TEXT REFERENCES account(id), from_month TEXT NOT NULL, body TEXT NOT NULL,
  created_by TEXT NOT NULL REFERENCES account(id), created_at BIGINT NOT NULL);
CREATE TABLE duty_statement (
  account_id TEXT NOT NULL REFERENCES account(id), month TEXT NOT NULL, body TEXT NOT NULL, closed_at BIGINT NOT NULL,
  closed_by TEXT NOT NULL REFERENCES account(id), PRIMARY KEY (account_id, month));
