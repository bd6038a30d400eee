-- What is sent to a customer's site: a list of what it needs, and what was packed, which must be the same before it goes. purpose =
-- spares (that lie there for months) or parts (that replace what failed, for a ticket); supply = included, sale or rental; due_at = the
-- end of due_on at the site, '' and NULL where nothing is promised; told_at = when it was announced that it is late.
CREATE TABLE consignment (
  id TEXT PRIMARY KEY, purpose TEXT NOT NULL, supply TEXT NOT NULL, site_id TEXT NOT NULL REFERENCES site(id), ticket_id TEXT REFERENCES ticket(id),
  months BIGINT NOT NULL, due_on TEXT NOT NULL, due_at BIGINT, note TEXT NOT NULL, state TEXT NOT NULL, made_at BIGINT NOT NULL, made_by TEXT NOT NULL,
  from_id TEXT REFERENCES part_place(id), waybill TEXT NOT NULL, carrier TEXT NOT NULL, released_at BIGINT, released_by TEXT NOT NULL,
  ended_at BIGINT, ended_by TEXT NOT NULL, received_by TEXT NOT NULL, end_note TEXT NOT NULL, told_at BIGINT);
CREATE INDEX consignment_by_due ON consignment(due_at) WHERE told_at IS NULL AND state IN ('open', 'released');
CREATE INDEX consignment_by_state ON consignment(state, made_at);
-- The list. installed = how many of the kind are in use there; rate_bp = how many of them are replaced in a year, in 1/100 %;
-- price_fen = of one, or of one in a month where it is rented.
CREATE TABLE consignment_line (
  consignment_id TEXT NOT NULL REFERENCES consignment(id), position BIGINT NOT NULL, kind_id TEXT NOT NULL REFERENCES part_kind(id),
  installed BIGINT NOT NULL, rate_bp BIGINT NOT NULL, quantity BIGINT NOT NULL, price_fen BIGINT NOT NULL,
  PRIMARY KEY (consignment_id, position));
-- What was packed; serial = '' where the kind has none.
CREATE TABLE consignment_packed (
  consignment_id TEXT NOT NULL REFERENCES consignment(id), position BIGINT NOT NULL, kind_id TEXT NOT NULL REFERENCES part_kind(id),
  quantity BIGINT NOT NULL, serial TEXT NOT NULL, PRIMARY KEY (consignment_id, position));
