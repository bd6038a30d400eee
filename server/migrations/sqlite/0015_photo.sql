-- Photos of visits. What is said of one (when, by whom, how large) lies in the event of kind photo that bears its id.
CREATE TABLE visit_photo (
  id TEXT PRIMARY KEY, visit_id TEXT NOT NULL REFERENCES visit(id), jpeg BLOB NOT NULL, small BLOB NOT NULL);
CREATE INDEX visit_photo_by_visit ON visit_photo(visit_id);
