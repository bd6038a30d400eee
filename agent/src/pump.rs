//! Carries the core's wishes to the disk queue and back, until only what concerns the outside is left. The
//! running agent and the tests use the same pump, so what a test plays is what a gateway does.

use jiff::Timestamp;
use sitewarden_proto::id::DeviceId;
use sitewarden_proto::topic::Up;

use crate::core::{Command, Core};
use crate::spool::Spool;

/// What is left to do outside.
#[derive(Debug)]
pub enum Effect {
    /// Run a check.
    RunCheck {
        /// The device.
        device: DeviceId,
        /// The check of that device.
        check: String,
    },
    /// Publish.
    Send {
        /// Topic.
        up: Up,
        /// Payload.
        bytes: Vec<u8>,
    },
    /// It is at least that late.
    RaiseFloor {
        /// The server's time.
        at: Timestamp,
    },
}

/// Core and queue.
#[derive(Debug)]
pub struct Pump {
    /// The mind.
    pub core: Core,
    /// Its memory.
    pub spool: Spool,
}

impl Pump {
    /// Does what the core wants of the queue; returns the rest in order. After an error the queue's file
    /// cannot be trusted: the program should end and begin anew.
    pub async fn settle(&mut self, now: Timestamp) -> anyhow::Result<Vec<Effect>> {
        let mut effects = Vec::new();
        while let Some(command) = self.core.next_command() {
            match command {
                Command::RunCheck { device, check } => effects.push(Effect::RunCheck { device, check }),
                Command::Send { up, bytes } => effects.push(Effect::Send { up, bytes }),
                Command::RaiseFloor { at } => effects.push(Effect::RaiseFloor { at }),
                Command::Append(batch) => {
                    let head = self.spool.append(&batch).await?;
                    self.tell_size();
                    self.core.handle_appended(head);
                }
                Command::Read { from } => {
                    let records = self.spool.read(from).await?;
                    self.core.handle_records(now, &records);
                }
                Command::Delete { upto } => {
                    self.spool.delete(upto).await?;
                    self.tell_size();
                }
                Command::NewEpoch { epoch } => self.spool.new_epoch(epoch).await?,
            }
        }
        Ok(effects)
    }

    fn tell_size(&mut self) {
        let size = self.spool.size();
        self.core.handle_queue(size.records, size.bytes, size.dropped);
    }
}
