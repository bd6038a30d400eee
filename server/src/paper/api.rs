//! How papers are asked for and answered.

use axum::http::{StatusCode, header};
use axum::response::{IntoResponse, Response};
use serde::Deserialize;
use utoipa::IntoParams;

use super::{FONT_REMEDY, Paper, Press, Unprinted};
use crate::error::ApiError;
use crate::user::{Language, Viewer};

/// How a paper is wanted.
#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
pub struct PaperQuery {
    /// `en` or `zh`; the viewer's own language where it is not given.
    lang: Option<String>,
}

impl PaperQuery {
    /// The language that was asked for.
    pub fn language(&self, viewer: &Viewer) -> Result<Language, ApiError> {
        language(self.lang.as_deref(), viewer)
    }
}

/// The language that was asked for by name, else the viewer's own.
pub fn language(name: Option<&str>, viewer: &Viewer) -> Result<Language, ApiError> {
    match name {
        None => Ok(viewer.language),
        Some(known @ ("en" | "zh")) => Ok(Language::parse(known)),
        Some(other) => Err(ApiError::bad_request("lang", format!("`{other}` is unknown"), "use en or zh")),
    }
}

/// A paper as PDF under a name; without a font an answer that says what to install.
pub async fn answer(press: &Press, paper: Paper, name: &str) -> Result<Response, ApiError> {
    let pdf = press.print(paper).await.map_err(|why| match why {
        Unprinted::Font { .. } => {
            ApiError::new(StatusCode::SERVICE_UNAVAILABLE, "no_font", why.to_string()).hint(FONT_REMEDY)
        }
        Unprinted::Pages(_) => ApiError::from(anyhow::Error::new(why)),
    })?;
    let headers = [
        (header::CONTENT_TYPE, "application/pdf".to_owned()),
        (header::CONTENT_DISPOSITION, format!("inline; filename=\"{name}.pdf\"")),
        (header::CACHE_CONTROL, "private, no-store".to_owned()),
        // The page's policy forbids plug-ins, which is what a browser shows a PDF with.
        (header::CONTENT_SECURITY_POLICY, "frame-ancestors 'none'".to_owned()),
    ];
    Ok((headers, pdf).into_response())
}
