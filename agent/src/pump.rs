//! Carries the core's wishes to the disk queue and back, until only what concerns the outside is left. The
//! running agent and the tests use the same pump, so what a test plays is what a gateway does.

use jiff::Timestamp;
use sitewarden_proto::id::DeviceId;
use sitewarden_proto::topic::Up;

use crate::core::{Command, Core};
use crate::discover::Wish;
use crate::remedy::Job;
use crate::store::{Change, Store};

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
    /// Act on a device.
    Remedy {
        /// The command that asked for it.
        id: String,
        /// What to do.
        job: Job,
    },
    /// Look around.
    Discover {
        /// The command that asked for it.
        id: String,
        /// What is to be looked at.
        wish: Wish,
    },
    /// Publish.
    Send {
        /// Topic.
        up: Up,
        /// Payload.
        bytes: Vec<u8>,
    },
    /// Page a person over the local channel.
    Tell(Box<crate::core::Tell>),
    /// The server told the time.
    Heard {
        /// True time minus the time line.
        offset_ms: i64,
    },
}

/// Core and queue.
#[derive(Debug)]
pub struct Pump {
    /// The mind.
    pub core: Core,
    /// Its memory.
    pub store: Store,
}

impl Pump {
    /// Does what the core wants of the queue; returns the rest in order. After an error the queue's file
    /// cannot be trusted: the program should end and begin anew.
    pub async fn settle(&mut self, now: Timestamp) -> anyhow::Result<Vec<Effect>> {
        let mut effects = Vec::new();
        while let Some(command) = self.core.next_command() {
            match command {
                Command::RunCheck { device, check } => effects.push(Effect::RunCheck { device, check }),
                Command::Remedy { id, job } => effects.push(Effect::Remedy { id, job }),
                Command::Discover { id, wish } => effects.push(Effect::Discover { id, wish }),
                Command::Send { up, bytes } => effects.push(Effect::Send { up, bytes }),
                Command::Tell(tell) => effects.push(Effect::Tell(tell)),
                Command::Heard { offset_ms } => {
                    self.store.put_line(now, Some(offset_ms), None).await?;
                    effects.push(Effect::Heard { offset_ms });
                }
                Command::Refuse { from, to } => {
                    self.store.refuse(from, to).await?;
                    self.tell_size(now);
                }
                Command::Append(batch) => {
                    let head = self.store.append(&batch).await?;
                    self.tell_size(now);
                    if let Some(head) = head {
                        self.core.handle_appended(head);
                    }
                }
                Command::Read { from } => {
                    let records = self.store.read(from).await?;
                    self.core.handle_records(now, &records);
                }
                Command::Delete { upto } => {
                    self.store.delete(upto).await?;
                    self.tell_size(now);
                }
                Command::NewEpoch { epoch } => self.store.new_epoch(epoch).await?,
            }
        }
        Ok(effects)
    }

    /// Tries a disk that took nothing again.
    pub async fn look_after_disk(&mut self, now: Timestamp) -> anyhow::Result<()> {
        match self.store.retry(now, self.core.is_drained()).await? {
            Change::None => {}
            Change::Committed(head) => self.core.handle_appended(head),
            Change::Replaced { epoch, head } => self.core.handle_replaced(now, epoch, head),
        }
        self.tell_size(now);
        Ok(())
    }

    fn tell_size(&mut self, now: Timestamp) {
        self.core.handle_queue(now, self.store.size());
    }
}
