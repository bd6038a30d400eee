//! Answers that a phone wrote down without a network: sent late, sent twice, and perhaps after somebody else has answered.
//! An answer has its own id, so that it counts once, and says which answer it saw, so that it covers no other. Pure.

/// A line of the record: an answer as far as it matters here.
#[derive(Clone, Debug)]
pub struct Line {
    /// Its place in the record.
    pub seq: i64,
    /// Its own id, where it has one.
    pub id: Option<String>,
    /// The item's key.
    pub key: String,
    /// Its device; empty for the site.
    pub device_id: String,
}

/// What an answer says of itself.
#[derive(Clone, Copy, Debug)]
pub struct Claim<'a> {
    /// Its own id.
    pub id: Option<&'a str>,
    /// The item's key.
    pub key: &'a str,
    /// Its device; empty for the site.
    pub device_id: &'a str,
    /// The place of the answer that its writer saw, 0 for none; without one, whatever stands is covered.
    pub seen: Option<i64>,
    /// The writer's own earlier answer that it corrects and whose place the writer could not know yet.
    pub over: Option<&'a str>,
}

/// What is done with an answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// It is written down.
    New,
    /// It is on the record already, and counts once.
    Again,
    /// Its id is that of an answer to another item.
    Other,
    /// Somebody has answered meanwhile what the writer did not see; the place of that answer.
    Meanwhile(i64),
}

/// Judges an answer by the record, oldest first.
pub fn judge(record: &[Line], said: &Claim<'_>) -> Verdict {
    let same_item = |line: &&Line| line.key == said.key && line.device_id == said.device_id;
    if let Some(known) = record.iter().find(|line| said.id.is_some() && line.id.as_deref() == said.id) {
        return if same_item(&known) { Verdict::Again } else { Verdict::Other };
    }
    let Some(seen) = said.seen else { return Verdict::New };
    match record.iter().rfind(same_item) {
        Some(line) if line.seq > seen && (said.over.is_none() || line.id.as_deref() != said.over) => {
            Verdict::Meanwhile(line.seq)
        }
        _ => Verdict::New,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn line(seq: i64, id: Option<&str>, key: &str) -> Line {
        Line { seq, id: id.map(str::to_owned), key: key.to_owned(), device_id: String::new() }
    }

    fn said<'a>(id: &'a str, key: &'a str, seen: Option<i64>, over: Option<&'a str>) -> Claim<'a> {
        Claim { id: Some(id), key, device_id: "", seen, over }
    }

    #[test]
    fn an_answer_counts_once_and_covers_only_what_its_writer_saw() {
        let record = [line(3, Some("a"), "power"), line(4, None, "power"), line(5, Some("b"), "fans")];
        assert_eq!(
            judge(&record, &said("a", "power", Some(0), None)),
            Verdict::Again,
            "though it is covered"
        );
        assert_eq!(judge(&record, &said("a", "fans", Some(9), None)), Verdict::Other);
        assert_eq!(judge(&record, &said("c", "power", Some(3), None)), Verdict::Meanwhile(4));
        assert_eq!(judge(&record, &said("c", "power", Some(4), None)), Verdict::New);
        assert_eq!(judge(&record, &said("c", "power", None, None)), Verdict::New, "nothing is claimed");
        assert_eq!(judge(&record, &said("c", "racks", Some(0), None)), Verdict::New, "nobody answered");
    }

    #[test]
    fn ones_own_answer_is_corrected_before_its_place_is_known() {
        let record = [line(5, Some("b"), "fans")];
        assert_eq!(judge(&record, &said("c", "fans", Some(0), Some("b"))), Verdict::New);
        assert_eq!(judge(&record, &said("c", "fans", Some(0), Some("x"))), Verdict::Meanwhile(5));
        let record = [line(5, Some("b"), "fans"), line(6, None, "fans")];
        assert_eq!(judge(&record, &said("c", "fans", Some(0), Some("b"))), Verdict::Meanwhile(6));
    }
}
