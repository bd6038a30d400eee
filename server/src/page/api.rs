//! Over HTTP: the link of a page. The pages themselves are shown with their ticket.

use crate::router::Routes;
use crate::user::Act;

/// The routes of this room.
pub fn routes() -> Routes {
    Routes::new().get("/a/{token}", Act::Public, super::ack::show).post(
        "/a/{token}",
        Act::Public,
        super::ack::take,
    )
}

/// Its part of the OpenAPI document.
#[derive(utoipa::OpenApi)]
#[openapi(paths(super::ack::show, super::ack::take))]
pub struct Doc;
