//! The customer's file: what must be on record before a contract is accepted. What is lacking is said by name, with
//! the place where it is written, all of it at once.

use super::remark::{Words, words};
use super::{Contract, measure};

/// What the contract says about its own life.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Terms {
    /// Documents without which it is not accepted, beside the customer's file.
    pub needs: Vec<String>,
    /// How long before its end somebody is reminded of its renewal.
    pub reminder: Option<measure::Length>,
}

/// A site as the customer's file knows it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Place {
    /// Its id.
    pub id: String,
    /// What people call it.
    pub name: String,
    /// Whether it has an address.
    pub has_address: bool,
    /// Whether somebody to call there is named, with a number.
    pub has_contact: bool,
    /// The serial numbers of its devices.
    pub devices: Vec<String>,
}

/// What is on file.
#[derive(Clone, Copy, Debug)]
pub struct File<'a> {
    /// The version in force.
    pub contract: &'a Contract,
    /// The sites it covers.
    pub sites: &'a [Place],
    /// The documents that were handed in, by kind.
    pub documents: &'a [String],
}

/// Something that is lacking.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Lack {
    /// What kind of thing, for programs.
    pub code: &'static str,
    /// The site it is about, or the document.
    pub about: Option<String>,
    /// What is lacking and where it is written.
    pub words: Words,
}

/// Missing devices that are named; the rest is a number.
const NAMED: usize = 10;

/// What keeps a contract from being accepted.
pub fn lacks(file: &File<'_>) -> Vec<Lack> {
    let File { contract, sites, documents } = *file;
    let mut lacks = Vec::new();
    let mut lack = |code, about: Option<&str>, words| {
        lacks.push(Lack { code, about: about.map(str::to_owned), words });
    };
    // Works and goods that were sold have no devices that we watch.
    let has_devices = contract.scope.work_items.is_empty() && contract.kind != "retail";
    if sites.is_empty() {
        lack(
            "sites",
            None,
            words(
                "No site is covered. Choose the customer's sites on this contract",
                "尚未选定服务站点。请在本合同上选择客户的站点",
            ),
        );
    }
    for site in sites {
        let (id, name) = (Some(site.id.as_str()), &site.name);
        if !site.has_address {
            lack(
                "address",
                id,
                words(
                    format!("{name} has no address. Write it on the site's page"),
                    format!("{name} 没有地址。请在站点页填写"),
                ),
            );
        }
        if !site.has_contact {
            lack(
                "contact",
                id,
                words(
                    format!("Nobody to call at {name}. Write name and number on the site's page"),
                    format!("{name} 没有联系人。请在站点页填写姓名和电话"),
                ),
            );
        }
        if has_devices && site.devices.is_empty() {
            lack(
                "devices",
                id,
                words(
                    format!("{name} has no device on record. Add its devices on the site's page"),
                    format!("{name} 没有登记设备。请在站点页添加设备"),
                ),
            );
        }
    }
    let missing: Vec<&str> = contract
        .scope
        .devices
        .iter()
        .map(String::as_str)
        .filter(|wanted| !sites.iter().any(|site| site.devices.iter().any(|serial| serial == wanted)))
        .collect();
    if !missing.is_empty() {
        let named = missing[..missing.len().min(NAMED)].join(", ");
        let (more, more_zh) = match missing.len() - missing.len().min(NAMED) {
            0 => (String::new(), String::new()),
            more => (format!(" and {more} more"), format!(" 等另外 {more} 台")),
        };
        lack(
            "listed_devices",
            None,
            words(
                format!("The contract lists devices that no covered site has: {named}{more}"),
                format!("合同清单中的设备在所选站点里找不到：{named}{more_zh}"),
            ),
        );
    }
    if contract.begins.is_none() {
        lack(
            "begins",
            None,
            words(
                "The contract does not say when it begins. Add begins = \"2026-01-01\" under [contract]",
                "合同没有写起始日期。请在 [contract] 下加 begins = \"2026-01-01\"",
            ),
        );
    }
    if contract.ends.is_none() && contract.kind == "annual" {
        lack(
            "ends",
            None,
            words(
                "A contract by the year does not say when it ends. Add ends = \"2026-12-31\" under [contract]",
                "按年的合同没有写终止日期。请在 [contract] 下加 ends = \"2026-12-31\"",
            ),
        );
    }
    for wanted in contract.terms.needs.iter().filter(|wanted| !documents.contains(wanted)) {
        lack(
            "document",
            Some(wanted),
            words(
                format!("The document {wanted} is not handed in. Give its number when accepting"),
                format!("尚未交来文件 {wanted}。验收时请写上它的编号"),
            ),
        );
    }
    lacks
}

#[cfg(test)]
mod tests {
    use super::super::document::read;
    use super::*;

    fn contract(more: &str) -> Contract {
        let head = "[contract]\nid = \"t\"\nname = \"T\"\nkind = \"annual\"\nzone = \"Asia/Shanghai\"\n";
        read(&format!("{head}{more}")).contract.unwrap()
    }

    fn codes(contract: &Contract, sites: &[Place], documents: &[&str]) -> Vec<&'static str> {
        let documents: Vec<String> = documents.iter().map(|kind| (*kind).to_owned()).collect();
        let found = lacks(&File { contract, sites, documents: &documents });
        found.iter().map(|lack| lack.code).collect()
    }

    fn place(devices: &[&str]) -> Place {
        Place {
            id: "s".into(),
            name: "North Gate".into(),
            has_address: true,
            has_contact: true,
            devices: devices.iter().map(|serial| (*serial).to_owned()).collect(),
        }
    }

    #[test]
    fn everything_that_is_lacking_is_said_at_once() {
        let bare = contract("");
        assert_eq!(codes(&bare, &[], &[]), ["sites", "begins", "ends"]);
        let empty = Place { has_address: false, has_contact: false, ..place(&[]) };
        assert_eq!(codes(&bare, &[empty], &[]), ["address", "contact", "devices", "begins", "ends"]);
        let whole = contract(
            "begins = \"2026-01-01\"\nends = \"2026-12-31\"\n[scope]\ndevices = [\"SN-1\", \"SN-2\"]\n\
             [life]\naccepted_needs = [\"customer_file\", \"completion_form\"]\nrenewal_reminder = \"2mo\"\n",
        );
        assert_eq!(whole.terms.reminder, measure::Length::parse("2mo"));
        assert_eq!(codes(&whole, &[place(&["SN-1"])], &[]), ["listed_devices", "document"]);
        assert_eq!(codes(&whole, &[place(&["SN-1", "SN-2"])], &["completion_form"]), Vec::<&str>::new());
    }

    #[test]
    fn works_without_devices_need_none() {
        let works = contract(
            "begins = \"2026-01-01\"\nends = \"2026-12-31\"\n[scope]\nwork_items = [\"waterproofing\"]\n",
        );
        assert_eq!(codes(&works, &[place(&[])], &[]), Vec::<&str>::new());
    }
}
