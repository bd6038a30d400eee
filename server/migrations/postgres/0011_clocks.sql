-- Contracts. A version is never changed: what was promised at an instant is the version in force then. A contract
-- governs from the first valid_from of its versions, once it is in service, until ended_at.
CREATE TABLE contract (
  id TEXT PRIMARY KEY, customer_id TEXT NOT NULL REFERENCES customer(id), name TEXT NOT NULL, state TEXT NOT NULL,
  created_at BIGINT NOT NULL, changed_at BIGINT NOT NULL, service_at BIGINT, ended_at BIGINT);
CREATE INDEX contract_by_customer ON contract(customer_id);
CREATE TABLE contract_version (
  contract_id TEXT NOT NULL REFERENCES contract(id), number BIGINT NOT NULL, document TEXT NOT NULL, valid_from BIGINT NOT NULL,
  author TEXT NOT NULL, note TEXT NOT NULL, created_at BIGINT NOT NULL, PRIMARY KEY (contract_id, number));
-- Which sites a contract covers; zone is the contract's own key for where the site lies ('' = none).
CREATE TABLE contract_site (
  contract_id TEXT NOT NULL REFERENCES contract(id), site_id TEXT NOT NULL REFERENCES site(id), zone TEXT NOT NULL,
  PRIMARY KEY (contract_id, site_id));
CREATE INDEX contract_site_by_site ON contract_site(site_id);

-- Since when a ticket's clocks are to be told anew; NULL = they say what its record says.
ALTER TABLE ticket ADD COLUMN recount_at BIGINT;
CREATE INDEX ticket_recount ON ticket(recount_at) WHERE recount_at IS NOT NULL;
-- The clocks of a ticket as they stood at counted_at, told from its record, the contract and the calendar; everything can be made
-- anew from these. next_at = when something changes by time alone (a share of the budget is used, a pause has lasted as long as
-- it may); share = the last share that was reached, per cent.
CREATE TABLE clock (
  ticket_id TEXT NOT NULL REFERENCES ticket(id), name TEXT NOT NULL, run BIGINT NOT NULL, site_id TEXT NOT NULL REFERENCES site(id),
  contract_id TEXT NOT NULL REFERENCES contract(id), version BIGINT NOT NULL, title TEXT NOT NULL, state TEXT NOT NULL,
  reason TEXT NOT NULL, approver TEXT NOT NULL, supplier BIGINT NOT NULL, repeat BIGINT NOT NULL, counts BIGINT NOT NULL,
  started_at BIGINT, stopped_at BIGINT, due_at BIGINT, breached_at BIGINT, provisional BIGINT NOT NULL, budget_s BIGINT NOT NULL,
  used_s BIGINT NOT NULL, paused_s BIGINT NOT NULL, share BIGINT NOT NULL, next_at BIGINT, counted_at BIGINT NOT NULL,
  PRIMARY KEY (ticket_id, name, run));
CREATE INDEX clock_due ON clock(next_at) WHERE next_at IS NOT NULL;
CREATE INDEX clock_board ON clock(due_at, ticket_id, name, run) WHERE state IN ('running', 'paused', 'breached_running');
-- What was told of a clock: turn 1 = the share was reached, 2 = it turned out that it was not, 3 = it was reached after all, ….
-- told_at NULL = people are still to hear of it; outcome says how they did, or why they do not.
CREATE TABLE clock_notice (
  ticket_id TEXT NOT NULL REFERENCES ticket(id), name TEXT NOT NULL, run BIGINT NOT NULL, share BIGINT NOT NULL, turn BIGINT NOT NULL,
  contract_id TEXT NOT NULL, version BIGINT NOT NULL, at BIGINT NOT NULL, known_at BIGINT NOT NULL, told_at BIGINT, outcome TEXT NOT NULL,
  PRIMARY KEY (ticket_id, name, run, share, turn));
CREATE INDEX clock_notice_untold ON clock_notice(known_at) WHERE told_at IS NULL;
-- What a page is about besides its ticket: the clock, as a JSON object ('' = none).
ALTER TABLE page ADD COLUMN about TEXT NOT NULL DEFAULT '';
