//! The line before the door: who has come and has no seat yet.
//!
//! Handshakes cost work, so only a few are under way at once, in all and of one address. The others wait for
//! their turn, because thousands of gateways may share one carrier's address and all come at once after a
//! restart. The line has an end, in number and in time: who comes after it is turned away and tries again.

use std::collections::HashMap;
use std::net::IpAddr;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::time::timeout;

use super::Refusal;
use super::registry::lock;
use crate::config::Limits;

/// How long one waits for its turn.
const WAIT_LIMIT: Duration = Duration::from_secs(20);

/// The line.
pub(super) struct Line {
    /// Who stands in it or is being greeted.
    all: Arc<Semaphore>,
    handshakes: Arc<Semaphore>,
    addresses: Arc<Mutex<HashMap<IpAddr, Address>>>,
    limits: Limits,
}

/// Those of one address.
struct Address {
    count: usize,
    handshakes: Arc<Semaphore>,
}

/// A place in the line. It is left when this is dropped.
pub(super) struct Turn {
    ip: IpAddr,
    addresses: Arc<Mutex<HashMap<IpAddr, Address>>>,
    here: Arc<Semaphore>,
    everywhere: Arc<Semaphore>,
    granted: Option<(OwnedSemaphorePermit, OwnedSemaphorePermit)>,
    _place: OwnedSemaphorePermit,
}

impl Line {
    pub(super) fn new(limits: &Limits) -> Self {
        Self {
            all: Arc::new(Semaphore::new(limits.gateways + limits.handshakes)),
            handshakes: Arc::new(Semaphore::new(limits.handshakes)),
            addresses: Arc::default(),
            limits: *limits,
        }
    }

    /// Takes a place at the end. One address gets half of the line at most.
    pub(super) fn enter(&self, ip: IpAddr) -> Result<Turn, Refusal> {
        let place = Arc::clone(&self.all).try_acquire_owned().map_err(|_| Refusal::TooManyHandshakes)?;
        let mut addresses = lock(&self.addresses);
        let address = addresses.entry(ip).or_insert_with(|| Address {
            count: 0,
            handshakes: Arc::new(Semaphore::new(self.limits.handshakes_per_address)),
        });
        if address.count >= (self.limits.gateways + self.limits.handshakes).div_ceil(2) {
            return Err(Refusal::TooManyFromAddress);
        }
        address.count += 1;
        Ok(Turn {
            ip,
            here: Arc::clone(&address.handshakes),
            addresses: Arc::clone(&self.addresses),
            everywhere: Arc::clone(&self.handshakes),
            granted: None,
            _place: place,
        })
    }
}

impl Turn {
    /// Waits until a handshake may begin.
    pub(super) async fn come(mut self) -> Result<Self, Refusal> {
        let here = timeout(WAIT_LIMIT, Arc::clone(&self.here).acquire_owned()).await;
        let Ok(Ok(here)) = here else { return Err(Refusal::TooManyFromAddress) };
        let everywhere = timeout(WAIT_LIMIT, Arc::clone(&self.everywhere).acquire_owned()).await;
        let Ok(Ok(everywhere)) = everywhere else { return Err(Refusal::TooManyHandshakes) };
        self.granted = Some((here, everywhere));
        Ok(self)
    }
}

impl Drop for Turn {
    fn drop(&mut self) {
        let mut addresses = lock(&self.addresses);
        if let Some(address) = addresses.get_mut(&self.ip) {
            address.count -= 1;
            if address.count == 0 {
                addresses.remove(&self.ip);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn turns_come_in_order_and_an_address_has_half_of_the_line() {
        let limits = Limits { gateways: 4, handshakes: 2, handshakes_per_address: 1, ..Limits::default() };
        let line = Line::new(&limits);
        let (one, two) = (IpAddr::from([192, 0, 2, 1]), IpAddr::from([192, 0, 2, 2]));
        let first = line.enter(one).unwrap().come().await.unwrap();
        let second = line.enter(one).unwrap();
        let third = line.enter(one).unwrap();
        assert_eq!(line.enter(one).err(), Some(Refusal::TooManyFromAddress));
        let other = line.enter(two).unwrap().come().await.unwrap();
        drop(third);
        let third = line.enter(one).unwrap();
        // The second's turn comes when the first is through, whoever else waits.
        let (second, ()) = tokio::join!(second.come(), async { drop(first) });
        let all = [one, two, two].map(|ip| line.enter(ip).unwrap());
        assert_eq!(line.enter(IpAddr::from([192, 0, 2, 3])).err(), Some(Refusal::TooManyHandshakes));
        drop((second.unwrap(), third, other, all));
        assert!(lock(&line.addresses).is_empty(), "nobody is remembered who is gone");
    }
}
