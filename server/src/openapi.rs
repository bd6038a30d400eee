//! The description of the API, gathered from every domain.

use utoipa::OpenApi as _;
use utoipa::openapi::{InfoBuilder, OpenApi, OpenApiBuilder};

/// The OpenAPI document.
pub fn document() -> OpenApi {
    let info = InfoBuilder::new()
        .title("Sitewarden")
        .version(env!("CARGO_PKG_VERSION"))
        .description(Some(
            "Sign in with POST /api/v1/session; the cookie it sets carries the session. Everything that writes \
             also needs the header x-csrf-token with the `csrf` of GET /api/v1/me. Times named *_at are Unix \
             milliseconds. A refusal is {\"error\":{\"code\",\"message\",\"hint\"}}.",
        ))
        .build();
    let mut document = OpenApiBuilder::new().info(info).build();
    for part in parts() {
        document.merge(part);
    }
    document
}

/// What each domain says of its routes and shapes.
fn parts() -> Vec<OpenApi> {
    vec![
        crate::user::api::Doc::openapi(),
        crate::user::api::contact::Doc::openapi(),
        crate::audit::api::Doc::openapi(),
        crate::customer::api::Doc::openapi(),
        crate::site::api::Doc::openapi(),
        crate::gateway::api::Doc::openapi(),
        crate::gateway::api::discovery::Doc::openapi(),
        crate::gateway::api::local::Doc::openapi(),
        crate::device::api::Doc::openapi(),
        crate::device::api::topology::Doc::openapi(),
        crate::incident::api::Doc::openapi(),
        crate::remedy::api::Doc::openapi(),
        crate::maintenance::api::Doc::openapi(),
        crate::ticket::api::Doc::openapi(),
        crate::calendar::api::Doc::openapi(),
        crate::contract::api::Doc::openapi(),
        crate::contract::api::ask::Doc::openapi(),
        crate::contract::api::change::Doc::openapi(),
        crate::contract::api::text::Doc::openapi(),
        crate::sla::api::Doc::openapi(),
        crate::visit::api::Doc::openapi(),
        crate::visit::api::briefing::Doc::openapi(),
        crate::dispatch::api::Doc::openapi(),
        crate::knowledge::api::Doc::openapi(),
        crate::visit::api::photo::Doc::openapi(),
        crate::visit::api::repeat::Doc::openapi(),
        crate::visit::api::slip::Doc::openapi(),
        crate::visit::api::step::Doc::openapi(),
        crate::visit::api::tag::Doc::openapi(),
        crate::part::api::Doc::openapi(),
        crate::part::api::consignment::Doc::openapi(),
        crate::part::api::loaner::Doc::openapi(),
        crate::part::api::reorder::Doc::openapi(),
        crate::part::api::repair::Doc::openapi(),
        crate::part::api::spend::Doc::openapi(),
        crate::follow::api::Doc::openapi(),
        crate::complaint::api::Doc::openapi(),
        crate::major::api::Doc::openapi(),
        crate::inspection::api::Doc::openapi(),
        crate::inspection::api::act::Doc::openapi(),
        crate::inspection::api::hand::Doc::openapi(),
        crate::inspection::api::report::Doc::openapi(),
        crate::inspection::api::sheet::Doc::openapi(),
        crate::inspection::api::suit::Doc::openapi(),
        crate::deal::api::Doc::openapi(),
        crate::rota::api::document(),
        crate::user::api::skill::Doc::openapi(),
        crate::escalation::api::Doc::openapi(),
        crate::escalation::api::ticket::Doc::openapi(),
        crate::escalation::api::pager::Doc::openapi(),
        crate::page::api::Doc::openapi(),
        crate::page::api::channel::Doc::openapi(),
        crate::page::api::outlet::Doc::openapi(),
        crate::live::api::Doc::openapi(),
    ]
}

/// The document as the text that is kept in `server/openapi.json`.
pub fn text() -> String {
    let mut text = serde_json::to_string_pretty(&document()).unwrap_or_default();
    text.push('\n');
    text
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    #[test]
    fn every_route_is_described_and_nothing_else() {
        let document = serde_json::to_value(super::document()).unwrap();
        let mut described = BTreeSet::new();
        for (path, methods) in document["paths"].as_object().unwrap() {
            for method in methods.as_object().unwrap().keys() {
                described.insert(format!("{} {path}", method.to_uppercase()));
            }
        }
        let routed: BTreeSet<String> = crate::router::routes()
            .table()
            .iter()
            .filter(|(_, path, _)| *path != "/api/v1/openapi.json")
            .map(|(method, path, _)| format!("{method} {path}"))
            .collect();
        let missing: Vec<_> = routed.difference(&described).collect();
        let stale: Vec<_> = described.difference(&routed).collect();
        assert!(
            missing.is_empty() && stale.is_empty(),
            "not described: {missing:?}; no such route: {stale:?}"
        );
    }

    /// Of two shapes of one name only one would be described.
    #[test]
    fn no_two_domains_give_one_name_to_two_shapes() {
        let mut shapes = std::collections::BTreeMap::new();
        for part in super::parts() {
            let part = serde_json::to_value(part).unwrap();
            for (name, shape) in part["components"]["schemas"].as_object().into_iter().flatten() {
                let before = shapes.entry(name.clone()).or_insert_with(|| shape.clone());
                assert_eq!(before, shape, "{name}: give one of them another with #[schema(as = …)]");
            }
        }
    }

    #[test]
    fn the_kept_document_is_this_one() {
        let kept = include_str!("../openapi.json");
        assert!(kept == super::text(), "the API has changed: run `sitewarden openapi > server/openapi.json`");
    }
}
