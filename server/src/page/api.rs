//! Over HTTP: the link of a page, the channels and what is set for them, how deliveries went. The pages themselves
//! are shown with their ticket.

use crate::router::Routes;
use crate::user::Act;

pub mod channel;
pub mod outlet;

/// The routes of this room.
pub fn routes() -> Routes {
    Routes::new()
        .get("/a/{token}", Act::Public, super::ack::show)
        .post("/a/{token}", Act::Public, super::ack::take)
        .with(channel::routes())
        .with(outlet::routes())
}

/// Its part of the OpenAPI document.
#[derive(utoipa::OpenApi)]
#[openapi(paths(super::ack::show, super::ack::take))]
pub struct Doc;
