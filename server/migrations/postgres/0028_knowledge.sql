-- The manual of frequent faults: what people accepted of the causes that came again, and what they wrote themselves. A row that
-- is passed over holds the key of a cause that nobody is to be asked about again.
CREATE TABLE knowledge_item (
    id TEXT PRIMARY KEY,
    -- The fault and the cause that it was proposed from; empty where somebody wrote it without that.
    cause_key TEXT NOT NULL,
    state TEXT NOT NULL CHECK (state IN ('accepted', 'passed')),
    -- What it fits: a fault code, a class, a model; empty fits all.
    code TEXT NOT NULL,
    class TEXT NOT NULL,
    model TEXT NOT NULL,
    symptom TEXT NOT NULL,
    cause TEXT NOT NULL,
    solution TEXT NOT NULL,
    -- Tickets that said so when it was accepted.
    times BIGINT NOT NULL,
    made_by TEXT NOT NULL,
    made_at BIGINT NOT NULL,
    changed_by TEXT NOT NULL,
    changed_at BIGINT NOT NULL
);
CREATE UNIQUE INDEX knowledge_item_cause ON knowledge_item (cause_key) WHERE cause_key <> '';
