//! What is to be ordered, on the API: each kind with what lies in depots, what was used in how many days, how long it
//! lasts, and how many to order.

use axum::Json;
use axum::extract::State;
use serde::Serialize;
use utoipa::{OpenApi, ToSchema};

use crate::app::App;
use crate::error::ApiError;
use crate::part::forecast::{PERIOD_DAYS, Used, look};
use crate::part::store;
use crate::router::Items;
use crate::user::Viewer;

/// The routes' description.
#[derive(OpenApi)]
#[openapi(paths(list))]
pub struct Doc;

/// What is to be done about a kind. At `order_at` or fewer one orders: what somebody set, or what is used while an order
/// takes its days, whichever is more; as many as are used in that time and thirty days more, above what somebody set.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct Reorder {
    /// Of which kind.
    pub kind_id: String,
    /// The kind's number.
    pub number: String,
    /// The kind's name in English.
    pub name: String,
    /// The kind's name in Chinese.
    pub name_zh: String,
    /// How many of ours lie in depots.
    pub lies: i64,
    /// How many were used.
    pub used: i64,
    /// Within so many days: 180, or since the first was moved, 30 at least.
    pub used_days: i64,
    /// How many days an order takes.
    pub lead_days: i64,
    /// At so many or fewer one orders.
    pub order_at: i64,
    /// How many to order; 0 where there are enough.
    pub order: i64,
    /// What that costs us, fen.
    pub cost_fen: i64,
    /// For how many days what lies there lasts; `null` where nothing was used.
    pub lasts_days: Option<i64>,
}

const DAY_MS: i64 = 86_400_000;

/// Every kind, those to be ordered first, the one that is over soonest first.
#[utoipa::path(get, path = "/api/v1/parts/reorder", tag = "parts", responses((status = 200, body = Items<Reorder>)))]
pub(super) async fn list(State(app): State<App>, viewer: Viewer) -> Result<Json<Items<Reorder>>, ApiError> {
    let now = app.clock.now().as_millisecond();
    let mut conn = app.db.read().await?;
    let kinds = store::list_kinds(&mut conn).await?;
    let known = store::list_use(&mut conn, &viewer.scope, now - PERIOD_DAYS * DAY_MS).await?;
    let mut items: Vec<Reorder> = kinds
        .into_iter()
        .map(|kind| {
            let own = known.iter().find(|one| one.kind_id == kind.id);
            let (lies, units, first) = own.map_or((0, 0, now), |one| (one.lies, one.used, one.first_at));
            let used = Used::of(units, (now - first) / DAY_MS);
            let outlook = look(lies, kind.reorder_at, kind.lead_days, used);
            Reorder {
                lies,
                used: units,
                used_days: used.days,
                lead_days: kind.lead_days,
                order_at: outlook.order_at,
                order: outlook.order,
                cost_fen: outlook.order.saturating_mul(kind.price_fen),
                lasts_days: outlook.lasts_days,
                kind_id: kind.id,
                number: kind.number,
                name: kind.name,
                name_zh: kind.name_zh,
            }
        })
        .collect();
    items.sort_by_key(|one| (one.order == 0, one.lasts_days.unwrap_or(i64::MAX), one.number.clone()));
    Ok(Json(Items::all(items)))
}
