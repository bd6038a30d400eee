//! Looks at each piece of evidence of an arrival and says what it is worth.

use std::collections::BTreeSet;

use jiff::{SignedDuration, Timestamp};
use serde_json::{Value, json};

use super::shape::VisitEvidence;
use crate::app::App;
use crate::db::Conn;
use crate::error::ApiError;
use crate::router::input::line;
use crate::site;
use crate::user::{Act, Scope, Viewer, allows};
use crate::visit::arrival::{self, Doubt, Fenced, Kind, Position, TRIES_MAX};
use crate::visit::moment::Moment;
use crate::visit::store::Row;
use crate::visit::store::{photo, proof as store};

/// What the pieces of one arrival come to.
#[derive(Debug)]
pub(super) struct Proved {
    /// Each piece as it was given, with what it is worth.
    pub pieces: Vec<Value>,
    /// The kinds that hold.
    pub kinds: BTreeSet<Kind>,
    /// The pieces that do not hold: kind and reason.
    pub claims: Vec<Value>,
    /// A piece speaks against it.
    pub contradicted: bool,
    /// When it was, by whatever proves that best.
    pub moment: Moment,
}

impl Proved {
    /// Whether anything that was given holds.
    pub(super) fn holds(&self) -> bool {
        !self.kinds.is_empty()
    }

    /// The strongest kind that holds, else `claimed` where something was given and `stated` where nothing was.
    pub(super) fn level(&self) -> &'static str {
        match self.kinds.first() {
            Some(kind) => kind.as_str(),
            None if self.pieces.is_empty() => "stated",
            None => "claimed",
        }
    }

    /// What the ticket's record is told.
    pub(super) fn evidence(&self) -> Vec<&'static str> {
        let mut words: Vec<&'static str> = self.kinds.iter().map(|kind| kind.as_str()).collect();
        if words.is_empty() && self.contradicted {
            words.push(crate::sla::record::CLAIMED);
        }
        words
    }
}

/// How much a level is worth, the best first.
pub(super) fn rank(level: &str) -> usize {
    let kinds = Kind::ALL.len();
    match level {
        "stated" => kinds,
        "claimed" => kinds + 1,
        "" => kinds + 2,
        kind => Kind::ALL.iter().position(|one| one.as_str() == kind).unwrap_or(kinds + 2),
    }
}

/// Most pieces of one arrival.
const PIECES_MAX: usize = 10;

/// How long wrong codes count against whoever sent them.
const TRIES_WITHIN: SignedDuration = SignedDuration::from_hours(24);

/// Looks at all pieces; a code that holds is used up. `goes` says that whoever tells is on the visit.
pub(super) async fn look(
    app: &App,
    conn: &mut Conn,
    viewer: &Viewer,
    visit: &Row,
    (given, goes): (&[VisitEvidence], bool),
    moment: Moment,
    now: Timestamp,
) -> Result<Proved, ApiError> {
    if given.len() > PIECES_MAX {
        return Err(ApiError::bad_request("evidence", "more than ten pieces", "send the strongest ones"));
    }
    if given.iter().filter(|piece| piece.kind == Kind::GatewayCode.as_str()).count() > 1 {
        let hint = "send the one that was shown";
        return Err(ApiError::bad_request("evidence", "more than one code of a gateway", hint));
    }
    let is_others = !goes && allows(viewer.role, Act::PlanVisits);
    let site = site::store::find(conn, &Scope::All, &visit.site_id).await?;
    let place = site.and_then(|site| site::place::wgs84(&site.datum, site.lat?, site.lon?));
    let mut beside = None;
    for piece in given.iter().filter(|piece| piece.kind == Kind::Geofence.as_str()) {
        beside = Some(arrival::fence(place, position(piece)?));
    }
    let mut proved = Proved {
        pieces: Vec::new(),
        kinds: BTreeSet::new(),
        claims: Vec::new(),
        contradicted: false,
        moment,
    };
    for piece in given {
        let Some(kind) = Kind::parse(&piece.kind) else {
            let words = Kind::ALL.map(Kind::as_str).join(", ");
            return Err(ApiError::bad_request(
                "evidence",
                format!("`{}` is unknown", piece.kind),
                format!("use one of {words}"),
            ));
        };
        let code = line("code", piece.code.as_deref().unwrap_or_default(), 0..=200)?;
        let mut told = serde_json::to_value(piece).unwrap_or_default();
        let doubt = match kind {
            Kind::GatewayCode => {
                let digits = arrival::code_of(&code);
                let found = self::code(app, conn, viewer, visit, &digits, proved.moment, now).await?;
                match found {
                    Ok((gateway, step, at)) => {
                        told["gateway_id"] = gateway.into();
                        told["step"] = step.into();
                        proved.moment = proved.moment.settled(at);
                        None
                    }
                    Err(doubt) => Some(doubt),
                }
            }
            Kind::Qr | Kind::Nfc => arrival::tag(store::find_tag(conn, &visit.site_id, &code).await?, beside),
            Kind::Customer => {
                line("by", piece.by.as_deref().unwrap_or_default(), 1..=80)?;
                (!is_others).then_some(Doubt::OwnWord)
            }
            Kind::Geofence => {
                let Fenced { distance_m, doubt } = arrival::fence(place, position(piece)?);
                told["distance_m"] = distance_m.map(|metres| metres.round() as i64).into();
                doubt
            }
            Kind::Photo => {
                let taken_at = photo::taken_at(conn, &visit.id, &code, viewer.account.as_str()).await?;
                arrival::photo(taken_at, proved.moment.at)
            }
            Kind::Call => (!is_others).then_some(Doubt::OwnWord),
        };
        if let Some(doubt) = doubt {
            told["doubt"] = doubt.as_str().into();
            proved.claims.push(json!({ "kind": kind.as_str(), "reason": doubt.as_str() }));
            proved.contradicted |= doubt.contradicts();
        } else {
            proved.kinds.insert(kind);
        }
        if let Value::Object(fields) = &mut told {
            fields.retain(|_, value| !value.is_null());
        }
        proved.pieces.push(told);
    }
    Ok(proved)
}

fn position(piece: &VisitEvidence) -> Result<Position<'_>, ApiError> {
    let datum = piece.datum.as_deref().unwrap_or("wgs84");
    if !site::DATUMS.contains(&datum) {
        let hint = format!("use one of {}", site::DATUMS.join(", "));
        return Err(ApiError::bad_request("datum", format!("`{datum}` is unknown"), hint));
    }
    let (Some(lat), Some(lon)) = (piece.lat, piece.lon) else {
        return Err(ApiError::bad_request("lat", "a position is missing", "send lat and lon"));
    };
    if let Some(fault) = site::position_fault(Some(lat), Some(lon)) {
        return Err(ApiError::bad_request("lat", fault, "send degrees"));
    }
    let accuracy_m = piece.accuracy_m.filter(|accuracy| accuracy.is_finite()).unwrap_or(f64::from(u16::MAX));
    Ok(Position { datum, lat, lon, accuracy_m })
}

/// Which gateway of the site showed that code, in which minute, and which instant that proves.
async fn code(
    app: &App,
    conn: &mut Conn,
    viewer: &Viewer,
    visit: &Row,
    digits: &str,
    moment: Moment,
    now: Timestamp,
) -> Result<Result<(String, i64, Timestamp), Doubt>, ApiError> {
    let account = viewer.account.as_str();
    let since = now.saturating_sub(TRIES_WITHIN).unwrap_or(Timestamp::MIN);
    if store::count_doubts(conn, account, Doubt::WrongCode.as_str(), since).await? >= TRIES_MAX {
        return Ok(Err(Doubt::TooManyTries));
    }
    let gateways = store::list_gateways(conn, &visit.site_id).await?;
    for at in moment.candidates() {
        for (gateway, enrolled_at) in &gateways {
            let key = app.keys.arrival_key(gateway, *enrolled_at);
            let Some(step) = arrival::shown(&key, gateway, digits, at) else { continue };
            if store::is_used(conn, gateway, step, &visit.id, account).await? {
                return Ok(Err(Doubt::CodeUsed));
            }
            store::take(conn, gateway, step, &visit.id, account, now).await?;
            return Ok(Ok((gateway.clone(), step, at)));
        }
    }
    Ok(Err(Doubt::WrongCode))
}
