-- A gateway's answer finds the remedy that its command was for, however late it comes.
CREATE INDEX remedy_by_command ON remedy(command_id) WHERE command_id IS NOT NULL;
-- The machine's ticket that stands for a device is found without reading what stands elsewhere.
CREATE INDEX ticket_of_machine ON ticket(gateway_id, COALESCE(device_id, '')) WHERE state <> 'closed';
-- What is too old is found without reading the rest.
CREATE INDEX remedy_by_end ON remedy(ended_at);
CREATE INDEX remedy_by_consent ON remedy(consent_id) WHERE consent_id IS NOT NULL;
CREATE INDEX remedy_consent_by_time ON remedy_consent(given_at);
CREATE INDEX port_seen_by_time ON port_seen(seen_at);
CREATE INDEX parent_proposal_by_time ON parent_proposal(seen_at);
