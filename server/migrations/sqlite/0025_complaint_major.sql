-- Complaints of customers. Each hangs on a ticket; own_ticket = 1 where one was opened for it, because it is about none. visit_id = the
-- visit it is about. due_at = until when it is answered, as it was promised when it came (contract_id, version, promise; NULL and '' by the
-- house's own time); provisional = 1: beyond the known holidays. run = the nth time it is to be answered; first_due_at = until when the
-- first time; told_at = when people heard that this run is late. asked = the request as it was sent, by which a repetition is known.
CREATE TABLE complaint (
  id TEXT PRIMARY KEY, number BIGINT NOT NULL UNIQUE, customer_id TEXT NOT NULL REFERENCES customer(id),
  site_id TEXT NOT NULL REFERENCES site(id), ticket_id TEXT NOT NULL REFERENCES ticket(id), own_ticket BIGINT NOT NULL,
  visit_id TEXT REFERENCES visit(id), subject TEXT NOT NULL, channel TEXT NOT NULL, who TEXT NOT NULL, reach TEXT NOT NULL,
  words TEXT NOT NULL, received_at BIGINT NOT NULL, raised_at BIGINT NOT NULL, raised_by TEXT NOT NULL, state TEXT NOT NULL,
  holder_id TEXT REFERENCES account(id), run BIGINT NOT NULL, due_at BIGINT NOT NULL, first_due_at BIGINT NOT NULL, contract_id TEXT,
  version BIGINT, promise TEXT NOT NULL, provisional BIGINT NOT NULL, told_at BIGINT, changed_at BIGINT NOT NULL, asked TEXT NOT NULL);
CREATE INDEX complaint_late ON complaint(due_at) WHERE told_at IS NULL AND state IN ('raised', 'investigating', 'reopened');
CREATE INDEX complaint_by_ticket ON complaint(ticket_id);
CREATE INDEX complaint_by_time ON complaint(received_at);
-- What became of them, append-only. The id is made by whoever takes the step, so that the same may be sent again.
CREATE TABLE complaint_event (
  complaint_id TEXT NOT NULL REFERENCES complaint(id), seq BIGINT NOT NULL, id TEXT NOT NULL UNIQUE, kind TEXT NOT NULL,
  run BIGINT NOT NULL, at BIGINT NOT NULL, actor_id TEXT, actor TEXT NOT NULL, body TEXT NOT NULL, asked TEXT NOT NULL,
  PRIMARY KEY (complaint_id, seq));
-- Major requests: work that nobody begins without three consents. state and outcome = what its record comes to.
CREATE TABLE major_request (
  id TEXT PRIMARY KEY, number BIGINT NOT NULL UNIQUE, customer_id TEXT NOT NULL REFERENCES customer(id),
  site_id TEXT NOT NULL REFERENCES site(id), ticket_id TEXT NOT NULL REFERENCES ticket(id), kind TEXT NOT NULL, cause TEXT NOT NULL,
  report TEXT NOT NULL, plan TEXT NOT NULL, raised_by_id TEXT NOT NULL REFERENCES account(id), raised_by TEXT NOT NULL,
  raised_at BIGINT NOT NULL, state TEXT NOT NULL, outcome TEXT NOT NULL, changed_at BIGINT NOT NULL, asked TEXT NOT NULL);
CREATE INDEX major_request_by_ticket ON major_request(ticket_id);
CREATE INDEX major_request_by_time ON major_request(raised_at);
-- Their record, append-only. side = whose consent it is about: technical, business or customer; '' for what is about none.
CREATE TABLE major_event (
  request_id TEXT NOT NULL REFERENCES major_request(id), seq BIGINT NOT NULL, id TEXT NOT NULL UNIQUE, kind TEXT NOT NULL,
  side TEXT NOT NULL, at BIGINT NOT NULL, actor_id TEXT NOT NULL, actor TEXT NOT NULL, body TEXT NOT NULL, asked TEXT NOT NULL,
  PRIMARY KEY (request_id, seq));
