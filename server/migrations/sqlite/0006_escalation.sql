-- Who is asked, one after the other. A plan is for a site, for a customer, or (neither) for all; body is its JSON.
CREATE TABLE escalation_plan (
  id TEXT PRIMARY KEY, name TEXT NOT NULL UNIQUE, site_id TEXT REFERENCES site(id), customer_id TEXT REFERENCES customer(id),
  position BIGINT NOT NULL, body TEXT NOT NULL, created_at BIGINT NOT NULL, changed_at BIGINT NOT NULL);
-- Managers, experts and the customer's contact persons: of a site, of a customer, or (neither) of all.
CREATE TABLE escalation_person (
  id TEXT PRIMARY KEY, kind TEXT NOT NULL, site_id TEXT REFERENCES site(id), customer_id TEXT REFERENCES customer(id),
  account_id TEXT NOT NULL REFERENCES account(id), created_at BIGINT NOT NULL);
CREATE INDEX escalation_person_by_account ON escalation_person(account_id);
-- Where a ticket's escalation stands. plan is the plan as it was when this escalation began ('' = the built-in one), serial how
-- many there have been, due_at NULL = nothing happens by time, next_who whom it would be now, in words.
CREATE TABLE escalation (
  ticket_id TEXT PRIMARY KEY REFERENCES ticket(id), serial BIGINT NOT NULL, plan_name TEXT NOT NULL, plan TEXT NOT NULL,
  phase TEXT NOT NULL, round BIGINT NOT NULL, next_step BIGINT NOT NULL, due_at BIGINT, held_since BIGINT, reached BIGINT NOT NULL,
  next_who TEXT NOT NULL, informed BIGINT NOT NULL, experts_until BIGINT, began_at BIGINT NOT NULL, changed_at BIGINT NOT NULL);
CREATE INDEX escalation_standing ON escalation(phase, due_at) WHERE phase <> 'over';
-- What stands when the release before this one was asking already goes on as it was.
INSERT INTO escalation (ticket_id, serial, plan_name, plan, phase, round, next_step, due_at, held_since, reached, next_who, informed,
  began_at, changed_at)
SELECT id, 1, '', '', CASE WHEN state = 'acked' THEN 'acked' ELSE 'rest' END, 0, 1, NULL, NULL, 1, '', 0, opened_at, changed_at
FROM ticket WHERE state <> 'closed' AND paged_severity IN ('critical', 'major');

-- What a person can do, with the certificate that says so, and where the person lives (degrees, in the datum).
CREATE TABLE account_skill (
  id TEXT PRIMARY KEY, account_id TEXT NOT NULL REFERENCES account(id), skill TEXT NOT NULL, certificate TEXT NOT NULL,
  expires_at BIGINT, created_at BIGINT NOT NULL, UNIQUE (account_id, skill));
CREATE INDEX account_skill_by_skill ON account_skill(skill);
CREATE TABLE account_home (
  account_id TEXT PRIMARY KEY REFERENCES account(id), lat DOUBLE PRECISION NOT NULL, lon DOUBLE PRECISION NOT NULL, datum TEXT NOT NULL);

-- What the audit of the pager has found and still finds.
CREATE TABLE pager_finding (
  kind TEXT NOT NULL, subject TEXT NOT NULL, label TEXT NOT NULL, detail TEXT NOT NULL, since BIGINT NOT NULL, seen_at BIGINT NOT NULL,
  PRIMARY KEY (kind, subject));
-- Where this server says every minute that its pager is well.
CREATE TABLE heartbeat (
  id TEXT PRIMARY KEY, name TEXT NOT NULL, address TEXT NOT NULL, method TEXT NOT NULL, created_at BIGINT NOT NULL, tried_at BIGINT,
  sent_at BIGINT, last_answer TEXT NOT NULL);
-- Other installations that say the same to this one; silent_since while they do not.
CREATE TABLE peer (
  id TEXT PRIMARY KEY, name TEXT NOT NULL, token_hash TEXT NOT NULL UNIQUE, site_id TEXT NOT NULL REFERENCES site(id),
  limit_s BIGINT NOT NULL, created_at BIGINT NOT NULL, heard_at BIGINT, silent_since BIGINT, ticket_id TEXT REFERENCES ticket(id));
