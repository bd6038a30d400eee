-- Ways out. What an administrator has set for a channel, sealed as a whole.
CREATE TABLE provider (channel TEXT PRIMARY KEY, sealed BYTEA NOT NULL, changed_at BIGINT NOT NULL);
-- A person's own limit on a channel (limit_pages in limit_minutes, 0 pages = none), quiet hours in minutes of the day
-- in the zone of the person (NULL = none), and what the provider last said of the address.
ALTER TABLE contact_method ADD COLUMN limit_pages BIGINT NOT NULL DEFAULT 0;
ALTER TABLE contact_method ADD COLUMN limit_minutes BIGINT NOT NULL DEFAULT 10;
ALTER TABLE contact_method ADD COLUMN quiet_from BIGINT;
ALTER TABLE contact_method ADD COLUMN quiet_to BIGINT;
ALTER TABLE contact_method ADD COLUMN zone TEXT NOT NULL DEFAULT '';
ALTER TABLE contact_method ADD COLUMN test_answer TEXT;
ALTER TABLE contact_method ADD COLUMN gone_at BIGINT;
ALTER TABLE contact_method ADD COLUMN gone_why TEXT;
UPDATE contact_method SET limit_pages = 10 WHERE channel = 'email';
-- Why a page waits ('' = it does not, limit, quiet), with which page it went in one message, how often it was refused for
-- good; told is the fault code of a page that a gateway sent by itself, told_open 1 while its end has not been told.
ALTER TABLE page ADD COLUMN held TEXT NOT NULL DEFAULT '';
ALTER TABLE page ADD COLUMN bundle_id TEXT;
ALTER TABLE page ADD COLUMN refused BIGINT NOT NULL DEFAULT 0;
ALTER TABLE page ADD COLUMN told TEXT;
ALTER TABLE page ADD COLUMN told_open BIGINT NOT NULL DEFAULT 0;
CREATE INDEX page_by_person ON page(account_id, channel, sent_at);
CREATE INDEX page_told_open ON page(told_open) WHERE told_open = 1;
CREATE INDEX page_attempt_by_age ON page_attempt(at, page_id);
-- Events for other programs: to whom, and for each ticket what it should know and what it was told.
CREATE TABLE outlet (
  id TEXT PRIMARY KEY, name TEXT NOT NULL, kind TEXT NOT NULL, url TEXT NOT NULL, sealed BYTEA NOT NULL,
  customer_id TEXT REFERENCES customer(id), severity TEXT NOT NULL, enabled BIGINT NOT NULL, created_at BIGINT NOT NULL,
  told_at BIGINT, failed_at BIGINT, last_answer TEXT NOT NULL);
CREATE TABLE outlet_ticket (
  outlet_id TEXT NOT NULL REFERENCES outlet(id), ticket_id TEXT NOT NULL REFERENCES ticket(id), want_state TEXT NOT NULL,
  want_severity TEXT NOT NULL, told_severity TEXT NOT NULL, version BIGINT NOT NULL, state TEXT NOT NULL, due_at BIGINT NOT NULL,
  claimed_until BIGINT, attempts BIGINT NOT NULL, told_at BIGINT, last_answer TEXT NOT NULL, PRIMARY KEY (outlet_id, ticket_id));
CREATE INDEX outlet_ticket_due ON outlet_ticket(state, due_at);
CREATE INDEX outlet_ticket_standing ON outlet_ticket(want_state, told_at);
-- How a gateway pages by itself while it is cut off; the template may hold a key, so it is sealed.
CREATE TABLE local_page (
  gateway_id TEXT PRIMARY KEY REFERENCES gateway(id), url TEXT NOT NULL, sealed BYTEA NOT NULL, severity TEXT NOT NULL,
  after_minutes BIGINT NOT NULL, people TEXT NOT NULL, changed_at BIGINT NOT NULL);
