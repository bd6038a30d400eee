//! What a reader of a contract has to say about it: where, under which key, what is wrong and what to write instead,
//! in both languages of the house.

/// One sentence in both languages.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Words {
    /// English.
    pub en: String,
    /// Chinese.
    pub zh: String,
}

impl Words {
    /// The same in both languages: a formula.
    pub fn same(text: impl Into<String>) -> Self {
        let en = text.into();
        Self { zh: en.clone(), en }
    }

    /// Puts each language's words into a longer sentence.
    #[must_use]
    pub fn map(&self, sentence: impl Fn(&str) -> String) -> Self {
        Self { en: sentence(&self.en), zh: sentence(&self.zh) }
    }
}

/// Both languages of one sentence.
pub fn words(en: impl Into<String>, zh: impl Into<String>) -> Words {
    Words { en: en.into(), zh: zh.into() }
}

/// How much a remark weighs.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Weight {
    /// The contract says something impossible or contradictory; only another text helps.
    Error,
    /// A person must decide: a value left open, or one that looks like a slip of the pen.
    Question,
    /// A question that somebody answered, with a reason, in the contract itself.
    Decided,
}

impl Weight {
    /// The word in JSON and on the screen.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Error => "error",
            Self::Question => "question",
            Self::Decided => "decided",
        }
    }

    /// The word in Chinese.
    pub fn zh(self) -> &'static str {
        match self {
            Self::Error => "错误",
            Self::Question => "待定",
            Self::Decided => "已定",
        }
    }
}

/// A remark.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Remark {
    /// How much it weighs.
    pub weight: Weight,
    /// What kind of remark it is, for programs and for `[[decided]]`.
    pub code: &'static str,
    /// The key, from the top: `clock.arrive.target.urgent`.
    pub key: String,
    /// Line, from 1.
    pub line: usize,
    /// Column in characters, from 1.
    pub column: usize,
    /// What is wrong.
    pub problem: Words,
    /// What to write instead.
    pub remedy: Words,
}

/// What a check comes to.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Verdict {
    /// The contract can be used.
    Usable,
    /// It can be used once its questions are decided.
    Open,
    /// It cannot be used.
    Refused,
}

impl Verdict {
    /// Of all remarks.
    pub fn of(remarks: &[Remark]) -> Self {
        match remarks.iter().map(|remark| remark.weight).min() {
            Some(Weight::Error) => Self::Refused,
            Some(Weight::Question) => Self::Open,
            Some(Weight::Decided) | None => Self::Usable,
        }
    }

    /// The word in JSON.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Usable => "usable",
            Self::Open => "open",
            Self::Refused => "refused",
        }
    }
}
