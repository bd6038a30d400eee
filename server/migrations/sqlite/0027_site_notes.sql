-- What whoever goes to a site should know before: access, rules, hazards. For our own people.
ALTER TABLE site ADD COLUMN notes TEXT NOT NULL DEFAULT '';
