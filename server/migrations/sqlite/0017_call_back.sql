-- Calls to the customer after a visit, append-only, the nth of its visit. The id is made by whoever calls, so that the same may be sent
-- again; asked = the request as it was sent. reached = 0: nobody answered. word and points = the answer on the scale that stood in the
-- contract then (contract_id, version; NULL without one, and then there are no points); completed = 0: the customer says it is not done.
CREATE TABLE call_back (
  id TEXT PRIMARY KEY, visit_id TEXT NOT NULL REFERENCES visit(id), n BIGINT NOT NULL, reached BIGINT NOT NULL, at BIGINT NOT NULL,
  actor_id TEXT NOT NULL, actor TEXT NOT NULL, who TEXT NOT NULL, word TEXT, points BIGINT, contract_id TEXT, version BIGINT,
  completed BIGINT, opinion TEXT NOT NULL, asked TEXT NOT NULL, UNIQUE (visit_id, n));
CREATE INDEX visit_event_done ON visit_event(occurred_at) WHERE kind = 'done';
