//! The kinds of inspection that the house knows: their words, and which of them are planned by hand since no rule of a
//! contract owes them.

use crate::contract::Way;

/// A kind of inspection.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Kind {
    /// The word in the contract, in the database and on the API.
    pub word: &'static str,
    /// The word in Chinese.
    pub zh: &'static str,
    /// How it is done where nobody says otherwise; `None`: it is never planned by hand.
    pub by_hand: Option<Way>,
}

const fn kind(word: &'static str, zh: &'static str, by_hand: Option<Way>) -> Kind {
    Kind { word, zh, by_hand }
}

/// All of them, in the order in which they are offered.
pub const KINDS: [Kind; 12] = [
    kind("training", "培训", Some(Way::Visit)),
    kind("sample_test", "抽测", Some(Way::Visit)),
    kind("upgrade", "更新升级", Some(Way::Remote)),
    kind("event_watch", "重大活动保障", Some(Way::Visit)),
    kind("revisit", "工程回访", Some(Way::Visit)),
    kind("phone", "电话询检", Some(Way::Phone)),
    kind("check", "例行检查", Some(Way::Visit)),
    kind("remote", "远程巡检", Some(Way::Remote)),
    kind("upkeep", "保养", Some(Way::Visit)),
    kind("annual", "年检", Some(Way::Visit)),
    kind("routine_upkeep", "例行保养", None),
    kind("resident", "驻场", None),
];

/// A kind of the house by its word.
pub fn find(word: &str) -> Option<Kind> {
    KINDS.into_iter().find(|kind| kind.word == word)
}

/// The Chinese word of a kind of inspection, where it is one of ours.
pub fn kind_zh(word: &str) -> &str {
    find(word).map_or(word, |kind| kind.zh)
}
