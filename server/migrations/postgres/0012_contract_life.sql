-- Who did what with a contract, append-only; detail is JSON: what was handed in, why it ended.
CREATE TABLE contract_record (
  contract_id TEXT NOT NULL REFERENCES contract(id), seq BIGINT NOT NULL, kind TEXT NOT NULL, at BIGINT NOT NULL, actor_id TEXT,
  actor TEXT NOT NULL, detail TEXT NOT NULL, PRIMARY KEY (contract_id, seq));
-- What the newest version says of itself, so that a list and a reminder need not read every document. remind_at NULL = nothing to
-- remind of; reminded_at = when the reminder was given.
CREATE TABLE contract_term (
  contract_id TEXT NOT NULL REFERENCES contract(id), number TEXT NOT NULL, kind TEXT NOT NULL, begins TEXT, ends TEXT,
  remind_at BIGINT, reminded_at BIGINT, PRIMARY KEY (contract_id));
CREATE INDEX contract_term_due ON contract_term(remind_at) WHERE remind_at IS NOT NULL AND reminded_at IS NULL;
