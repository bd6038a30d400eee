//! What is to be ordered, from what was used. Every figure is told with what it was made of, so that whoever orders may
//! judge it. Pure.

/// How far back use is looked at, days.
pub const PERIOD_DAYS: i64 = 180;
/// A kind that is younger is looked at as if it were so old, or one early use would order a heap.
pub const LEAST_DAYS: i64 = 30;
/// For so long an order lasts beyond the time it takes, days.
pub const REVIEW_DAYS: i64 = 30;

/// What was used, and in how many days.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Used {
    /// How many.
    pub units: i64,
    /// Within so many days.
    pub days: i64,
}

impl Used {
    /// What was used of a kind whose first movement was so many days ago.
    pub fn of(units: i64, age_days: i64) -> Self {
        Self { units, days: age_days.clamp(LEAST_DAYS, PERIOD_DAYS) }
    }

    /// How many are used in so many days at this rate, rounded up.
    fn within(self, days: i64) -> i64 {
        (self.units.max(0).saturating_mul(days) + self.days - 1) / self.days
    }
}

/// What is to be done about a kind.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Outlook {
    /// At so many or fewer one orders: what somebody set, or what is used until an order comes, whichever is more.
    pub order_at: i64,
    /// How many to order; 0 where there are enough.
    pub order: i64,
    /// For how many days what is there lasts; `None` where nothing was used.
    pub lasts_days: Option<i64>,
}

/// Looks at a kind: so many of ours lie in depots, an order takes so many days.
pub fn look(lies: i64, reorder_at: i64, lead_days: i64, used: Used) -> Outlook {
    let order_at = reorder_at.max(used.within(lead_days));
    let wanted = reorder_at + used.within(lead_days + REVIEW_DAYS);
    let is_due = lies <= order_at && wanted > lies;
    Outlook {
        order_at,
        order: if is_due { wanted - lies } else { 0 },
        lasts_days: (used.units > 0).then(|| lies.max(0).saturating_mul(used.days) / used.units),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_used_decides_and_a_set_point_is_the_least() {
        // 36 in 180 days is one in five days: 2 in the ten days an order takes, 8 in forty.
        let used = Used::of(36, 400);
        assert_eq!(used.days, PERIOD_DAYS);
        assert_eq!(look(10, 1, 10, used), Outlook { order_at: 2, order: 0, lasts_days: Some(50) });
        assert_eq!(look(2, 1, 10, used), Outlook { order_at: 2, order: 7, lasts_days: Some(10) });
        assert_eq!(look(0, 0, 10, used), Outlook { order_at: 2, order: 8, lasts_days: Some(0) });
        let quiet = Used::of(0, 400);
        assert_eq!(look(2, 2, 10, quiet), Outlook { order_at: 2, order: 0, lasts_days: None });
        assert_eq!(look(1, 2, 10, quiet).order, 1);
        assert_eq!(look(0, 0, 10, quiet).order, 0, "nobody uses it and nobody wants any");
    }

    #[test]
    fn one_early_use_orders_no_heap() {
        let young = Used::of(1, 1);
        assert_eq!(young, Used { units: 1, days: LEAST_DAYS });
        assert_eq!(look(0, 0, 0, young), Outlook { order_at: 0, order: 1, lasts_days: Some(0) });
    }
}
