-- A fault's incident is the one that stands for its device and code; it is found by that, so nothing writes it down twice.
ALTER TABLE device_fault DROP COLUMN incident_id;
-- An incident without a ticket is never looked for by its ticket.
DROP INDEX incident_by_ticket;
CREATE INDEX incident_by_ticket ON incident(ticket_id) WHERE ticket_id IS NOT NULL;
