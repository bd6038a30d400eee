-- Kinds of parts. price_fen = what one costs us; reorder_at = at so many of ours in depots, or fewer, one orders; lead_days = how long
-- an order takes; by_serial = 1: each has a number of its own and is moved alone.
CREATE TABLE part_kind (
  id TEXT PRIMARY KEY, number TEXT NOT NULL UNIQUE, name TEXT NOT NULL, name_zh TEXT NOT NULL, by_serial BIGINT NOT NULL,
  price_fen BIGINT NOT NULL, reorder_at BIGINT NOT NULL, lead_days BIGINT NOT NULL, changed_at BIGINT NOT NULL);
-- Places: depot, van (of a person), site (at a customer), workshop; and the world outside, which has no bottom: supplier, used, lost.
CREATE TABLE part_place (
  id TEXT PRIMARY KEY, kind TEXT NOT NULL, name TEXT NOT NULL, account_id TEXT UNIQUE REFERENCES account(id),
  site_id TEXT UNIQUE REFERENCES site(id));
-- What went from one place to another, append-only: stock is the sum of it. seq = the order in which it was believed; owner_id = '' for
-- ours, else the customer whose it is; asked = the request as it was sent, by which a repetition is known.
CREATE TABLE part_move (
  id TEXT PRIMARY KEY, seq BIGINT NOT NULL UNIQUE, kind_id TEXT NOT NULL REFERENCES part_kind(id),
  from_id TEXT NOT NULL REFERENCES part_place(id), to_id TEXT NOT NULL REFERENCES part_place(id),
  quantity BIGINT NOT NULL CHECK (quantity > 0), serial TEXT NOT NULL, owner_id TEXT NOT NULL, why TEXT NOT NULL, note TEXT NOT NULL,
  ticket_id TEXT REFERENCES ticket(id), visit_id TEXT REFERENCES visit(id), occurred_at BIGINT NOT NULL, recorded_at BIGINT NOT NULL,
  actor_id TEXT, actor TEXT NOT NULL, asked TEXT NOT NULL);
CREATE INDEX part_move_by_from ON part_move(from_id, kind_id);
CREATE INDEX part_move_by_to ON part_move(to_id, kind_id);
CREATE INDEX part_move_by_serial ON part_move(kind_id, serial, seq) WHERE serial <> '';
CREATE INDEX part_move_by_why ON part_move(why, occurred_at);
CREATE INDEX part_move_by_visit ON part_move(visit_id) WHERE visit_id IS NOT NULL;
-- Substitute devices that are or were at a customer. told_at = when it was announced that one is overdue.
CREATE TABLE loaner (
  id TEXT PRIMARY KEY, kind_id TEXT NOT NULL REFERENCES part_kind(id), serial TEXT NOT NULL, ticket_id TEXT NOT NULL REFERENCES ticket(id),
  site_id TEXT NOT NULL REFERENCES site(id), out_at BIGINT NOT NULL, due_at BIGINT NOT NULL, out_by TEXT NOT NULL, state TEXT NOT NULL,
  liable TEXT NOT NULL, ended_at BIGINT, ended_by TEXT NOT NULL, note TEXT NOT NULL, told_at BIGINT, asked TEXT NOT NULL);
CREATE INDEX loaner_by_due ON loaner(due_at) WHERE state = 'out';
CREATE INDEX loaner_by_ticket ON loaner(ticket_id);
-- What was taken out of a customer's system to be repaired, until it is back. level = l1, l2 or factory; component = what it is called in the lineage of its device.
CREATE TABLE repair (
  id TEXT PRIMARY KEY, ticket_id TEXT NOT NULL REFERENCES ticket(id), kind_id TEXT NOT NULL REFERENCES part_kind(id), serial TEXT NOT NULL,
  owner_id TEXT NOT NULL, component TEXT NOT NULL, level TEXT NOT NULL, factory_order TEXT NOT NULL, state TEXT NOT NULL,
  changed_at BIGINT NOT NULL, asked TEXT NOT NULL);
CREATE INDEX repair_by_state ON repair(state, changed_at);
CREATE INDEX repair_by_ticket ON repair(ticket_id);
-- What became of it, append-only.
CREATE TABLE repair_event (
  repair_id TEXT NOT NULL REFERENCES repair(id), seq BIGINT NOT NULL, kind TEXT NOT NULL, at BIGINT NOT NULL, actor TEXT NOT NULL,
  body TEXT NOT NULL, PRIMARY KEY (repair_id, seq));
