//! What each kind of report does to the record.

use std::collections::BTreeSet;

use sitewarden_proto::id::DeviceId;
use sitewarden_proto::topic::Up;
use sitewarden_proto::wire::envelope::Body;
use sitewarden_proto::wire::reported_config::Status;
use sitewarden_proto::wire::{Envelope, Event, Gap, MetricBlock, Transition};

use super::{Error, Sender, effect};
use crate::app::{App, Touched};
use crate::db::Conn;
use crate::{device, gateway, history};

/// Applies the records of an envelope after `upto`.
pub(super) async fn apply(
    app: &App,
    conn: &mut Conn,
    sender: &Sender<'_>,
    up: Up,
    envelope: Envelope,
    upto: i64,
    packet: &[u8],
) -> Result<Touched, Error> {
    let first = i64::try_from(envelope.first_seq).unwrap_or(i64::MAX);
    let wrong = |body| Err(Error::WrongTopic { topic: up, body });
    match (up, envelope.body) {
        (Up::Events, Some(Body::Events(batch))) => {
            let mut touched = Touched::default();
            let devices: BTreeSet<String> =
                device::store::list_ids(conn, sender.id).await?.into_iter().collect();
            for (at, event) in batch.events.iter().enumerate() {
                let seq = first + at as i64;
                if seq <= upto {
                    continue;
                }
                if devices.contains(&event.device_id) {
                    touched.add(one_event(conn, sender, seq, event).await?);
                    app.metrics.ingested("event", 1);
                } else {
                    app.metrics.refused("foreign_device");
                }
            }
            Ok(touched)
        }
        (Up::Metrics, Some(Body::Metrics(block))) => {
            metrics(app, conn, sender, first, &block, packet).await?;
            Ok(Touched::default())
        }
        (Up::CommandResult, Some(Body::CommandResult(result))) => {
            gateway::command::record_result(conn, sender.id, &result, sender.now).await?;
            app.metrics.ingested("command_result", 1);
            Ok(Touched::default())
        }
        (Up::ReportedConfig, Some(Body::ReportedConfig(report))) => {
            let status = match report.status() {
                Status::Applied => "applied",
                Status::Rejected => "rejected",
                Status::Reverted => "reverted",
                Status::Unspecified => "unknown",
            };
            gateway::store::record_config(conn, sender.id, report.version, status, &report.error).await?;
            app.metrics.ingested("config", 1);
            Ok(Touched { gateways: BTreeSet::from([sender.id.to_string()]), ..Touched::default() })
        }
        // A gap stands in the place of what was lost, so it may come where that would have come.
        (_, Some(Body::Gap(gap))) => {
            // What is committed already is not lost: a gap may have grown over it before it was acknowledged.
            let gap = Gap { from_seq: gap.from_seq.max(upto.unsigned_abs() + 1), ..gap };
            record_gap(conn, sender, &gap).await?;
            app.metrics.ingested("gap", gap.to_seq.saturating_sub(gap.from_seq).saturating_add(1));
            Ok(Touched::default())
        }
        (Up::Discovered, Some(Body::Discovered(_))) => {
            app.metrics.ingested("discovered", 1);
            Ok(Touched::default())
        }
        (_, Some(Body::Events(_))) => wrong("events"),
        (_, Some(Body::Metrics(_))) => wrong("metrics"),
        (_, Some(Body::CommandResult(_))) => wrong("a command result"),
        (_, Some(Body::ReportedConfig(_))) => wrong("a reported config"),
        (_, Some(Body::Discovered(_))) => wrong("discovered devices"),
        (_, None) => wrong("nothing"),
    }
}

async fn one_event(conn: &mut Conn, sender: &Sender<'_>, seq: i64, wire: &Event) -> Result<Touched, Error> {
    let Ok(id) = DeviceId::try_from(wire.device_id.clone()) else { return Ok(Touched::default()) };
    let transition = Transition::try_from(wire.transition).unwrap_or(Transition::Unspecified);
    let at = sender.time(wire.at_ms).unwrap_or(sender.now);
    let evidence = if serde_json::from_str::<serde_json::Value>(&wire.evidence_json).is_ok() {
        wire.evidence_json.as_str()
    } else {
        "{}"
    };
    let event = device::store::Event {
        device: &id,
        gateway: sender.id,
        epoch: &sender.epoch,
        seq,
        code: &wire.fault_code,
        transition: word(transition),
        check: &wire.check,
        evidence,
        at,
        last_good_at: sender.time(wire.last_good_at_ms),
        first_bad_at: sender.time(wire.first_bad_at_ms),
        received_at: sender.now,
        clock_offset_ms: sender.offset_ms,
    };
    device::store::insert_event(conn, &event).await?;
    device::store::set_known(conn, id.as_str(), at).await?;
    let mut touched = match transition {
        Transition::Raised => effect::fault_raised(conn, &event).await?,
        Transition::Cleared => {
            effect::fault_cleared(conn, sender.id, id.as_str(), event.code, at, sender.now).await?
        }
        Transition::FlapBegan | Transition::FlapEnded => {
            device::store::set_flapping(conn, id.as_str(), event.code, transition == Transition::FlapBegan)
                .await?;
            Touched::default()
        }
        Transition::Baseline => {
            let mut touched = Touched::default();
            for fault in device::store::list_faults(conn, id.as_str()).await? {
                touched.add(
                    effect::fault_cleared(conn, sender.id, id.as_str(), &fault.code, at, sender.now).await?,
                );
            }
            touched
        }
        Transition::Unspecified => Touched::default(),
    };
    device::store::refresh_state(conn, id.as_str(), sender.current, at).await?;
    touched.devices.insert(id.to_string());
    Ok(touched)
}

fn word(transition: Transition) -> &'static str {
    match transition {
        Transition::Raised => "raised",
        Transition::Cleared => "cleared",
        Transition::FlapBegan => "flap_began",
        Transition::FlapEnded => "flap_ended",
        Transition::Baseline => "baseline",
        Transition::Unspecified => "unknown",
    }
}

async fn metrics(
    app: &App,
    conn: &mut Conn,
    sender: &Sender<'_>,
    seq: i64,
    block: &MetricBlock,
    packet: &[u8],
) -> Result<(), Error> {
    let Ok(mut series) = sitewarden_proto::metrics::read(block) else {
        // Its number is used up; what cannot be read now cannot be read later either.
        app.metrics.refused("metric_block");
        return Ok(());
    };
    let own: BTreeSet<String> = device::store::list_ids(conn, sender.id).await?.into_iter().collect();
    let all = series.len();
    series.retain(|series| own.contains(&series.device));
    for _ in series.len()..all {
        app.metrics.refused("foreign_device");
    }
    history::store::insert_block(conn, sender, seq, &series, packet).await?;
    app.metrics.ingested("block", 1);
    Ok(())
}

async fn record_gap(conn: &mut Conn, sender: &Sender<'_>, gap: &Gap) -> Result<(), Error> {
    use sitewarden_proto::wire::gap::Reason;
    let reason = match Reason::try_from(gap.reason).unwrap_or(Reason::Unspecified) {
        Reason::QueueFull => "queue_full",
        Reason::TooOld => "too_old",
        Reason::Corrupt => "corrupt",
        Reason::AlreadyDeleted => "already_deleted",
        Reason::Refused => "refused",
        Reason::Unspecified => "unknown",
    };
    let number = |seq| i64::try_from(seq).unwrap_or(i64::MAX);
    history::store::insert_gap(conn, sender, number(gap.from_seq), number(gap.to_seq), reason).await?;
    Ok(())
}
