//! Contracts to begin with: the promises that integrators make, each as a file that can be used once its own
//! defaults were looked at. Where a paper leaves something open, the template's answer stands under `[[decided]]`
//! with `by = "template"`.

/// A contract to begin with.
#[derive(Clone, Copy, Debug)]
pub struct Template {
    /// Its name.
    pub name: &'static str,
    /// Its text.
    pub text: &'static str,
}

macro_rules! template {
    ($name:literal) => {
        Template { name: $name, text: include_str!(concat!("templates/", $name, ".toml")) }
    };
}

/// All of them.
pub const ALL: [Template; 20] = [
    template!("intelligent-building"),
    template!("it-service"),
    template!("manufacturer"),
    template!("highway-cctv"),
    template!("wastewater"),
    template!("construction"),
    template!("regional"),
    template!("pc-parts"),
    template!("pc-share"),
    template!("pc-onsite"),
    template!("elv-standard"),
    template!("park"),
    template!("cctv-117"),
    template!("annual-per-device"),
    template!("per-visit"),
    template!("retail"),
    template!("supplier"),
    template!("call-centre"),
    template!("duty"),
    template!("satisfaction"),
];

/// The template of a name.
pub fn find(name: &str) -> Option<&'static Template> {
    ALL.iter().find(|template| template.name == name)
}
