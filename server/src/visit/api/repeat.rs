//! The same fault on the same device again: which tickets it had before, and whether a repair did not hold.

use axum::Json;
use axum::extract::{Path, State};
use jiff::SignedDuration;
use serde::Serialize;
use utoipa::{OpenApi, ToSchema};

use crate::app::App;
use crate::error::ApiError;
use crate::ticket;
use crate::user::Viewer;
use crate::visit::form::Form;
use crate::visit::store::repeat::{Earlier, list_earlier};

/// How far back is looked.
const BACK: SignedDuration = SignedDuration::from_hours(365 * 24);

/// What a ticket repeats.
#[derive(Debug, Serialize, ToSchema)]
pub struct RepeatedFault {
    /// Tickets of the same fault on the same device in the 365 days before this one, the newest first; at most fifty.
    pub items: Vec<EarlierTicket>,
    /// The number of the newest of them on which a visit was done and that was closed before this one opened: its repair did not
    /// hold.
    pub after_repair: Option<i64>,
}

/// An earlier ticket of the same fault.
#[derive(Debug, Serialize, ToSchema)]
pub struct EarlierTicket {
    /// Its number.
    pub number: i64,
    /// When it was opened, Unix ms.
    pub opened_at: i64,
    /// When it was closed, Unix ms.
    pub closed_at: Option<i64>,
    /// A visit was done on it.
    pub repaired: bool,
    /// What was wrong, as its last visit says; may be empty.
    pub cause: String,
    /// What was done; may be empty.
    pub solution: String,
}

/// The routes' description.
#[derive(OpenApi)]
#[openapi(paths(get))]
pub struct Doc;

/// Tickets of the same fault on the same device before this one. A ticket without a device or without a fault code repeats nothing.
#[utoipa::path(get, path = "/api/v1/tickets/{id}/repeats", tag = "visits", params(("id" = String, Path)),
    responses((status = 200, body = RepeatedFault), (status = 404)))]
pub(super) async fn get(
    State(app): State<App>,
    viewer: Viewer,
    Path(id): Path<String>,
) -> Result<Json<RepeatedFault>, ApiError> {
    let mut conn = app.db.read().await?;
    let row = ticket::store::find(&mut conn, &viewer.scope, &id).await?;
    let row = row.ok_or_else(|| ApiError::not_found("ticket", &id))?;
    let earlier = match &row.device_id {
        Some(device) if !row.code.is_empty() => {
            let since = row.opened_at.saturating_sub(i64::try_from(BACK.as_millis()).unwrap_or(i64::MAX));
            list_earlier(&mut conn, (device, &row.code), (since, row.opened_at)).await?
        }
        _ => Vec::new(),
    };
    let was_repaired =
        |one: &&Earlier| one.repairs > 0 && one.closed_at.is_some_and(|at| at <= row.opened_at);
    let after_repair = earlier.iter().find(was_repaired).map(|one| one.number);
    Ok(Json(RepeatedFault { items: earlier.into_iter().map(Into::into).collect(), after_repair }))
}

impl From<Earlier> for EarlierTicket {
    fn from(one: Earlier) -> Self {
        let form = Form::read(one.form.as_deref().unwrap_or_default());
        Self {
            number: one.number,
            opened_at: one.opened_at,
            closed_at: one.closed_at,
            repaired: one.repairs > 0,
            cause: form.said("cause"),
            solution: form.said("solution"),
        }
    }
}
