//! A device of one port, watched every second, that fails and recovers: the port closes and opens.
//!
//! It has an address of its own on the loopback network. On 127.0.0.1 a port that was given up can be taken within the
//! second, as the near end of anybody's connection; then it opens for nobody, or answers for somebody else.

use std::net::{Ipv4Addr, SocketAddr};
use std::time::Duration;

use serde_json::json;
use tokio::net::TcpListener;

use crate::sim::demo::client::Client;
use crate::until;

/// The device. It is open when it is made, and closed when it is dropped.
#[derive(Debug)]
pub struct Door {
    /// The device's id.
    pub device: String,
    address: SocketAddr,
    open: Option<TcpListener>,
}

impl Door {
    /// Makes it known to the server, behind `gateway`.
    pub async fn watched(api: &Client, gateway: &str) -> Self {
        let own = Ipv4Addr::new(127, 0, rand::random_range(64..=254), rand::random_range(1..=254));
        let open = TcpListener::bind((own, 0)).await.expect("an address of the loopback network");
        let address = open.local_addr().expect("a listener has an address");
        let checks = format!(
            "[[check]]\nkind = \"tcp\"\nport = {}\nevery = \"1s\"\ntimeout = \"1s\"\nconfirm = \"1/1\"\nclear = 1\n",
            address.port()
        );
        let new = json!({ "gateway_id": gateway, "name": "door 4", "class": "access",
            "address": own.to_string(), "place": "", "parent_id": null, "checks": checks });
        let device = api.post("/devices", &new).await.unwrap()["id"].as_str().unwrap().to_owned();
        Self { device, address, open: Some(open) }
    }

    /// It fails.
    pub fn closes(&mut self) {
        drop(self.open.take());
    }

    /// It works again.
    pub async fn opens(&mut self) {
        self.open = Some(TcpListener::bind(self.address).await.expect("nobody else takes this address"));
    }

    /// The server says so, within `limit`.
    pub async fn is(&self, api: &Client, state: &str, limit: Duration) {
        until(&format!("the door is {state}"), limit, async || {
            api.get(&format!("/devices/{}", self.device)).await.is_ok_and(|device| device["state"] == state)
        })
        .await;
    }
}
