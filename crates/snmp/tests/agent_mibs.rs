//! What is special about the agent's other MIB modules: targets, communities, notifications, proxies, the system; and
//! how many they may be. Reading and walking go through one view of all.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::{Duration, Instant};

use hamsa_snmp::agent::mibs::{
    Capability, CommunityMib, NotificationMib, ProxyMib, SystemIdentity, SystemMib, Target, TargetMib, TargetParams,
};
use hamsa_snmp::agent::{Instrumentation, Keep, MibModule, MibView, Requester, SetError, StorageType};
use hamsa_snmp::ber::Writer;
use hamsa_snmp::engine::{Community, CommunityTable, Engine, EngineId, EngineStats, Name, Sending, security_model};
use hamsa_snmp::message::{SecurityLevel, Version};
use hamsa_snmp::pdu::{AnyPdu, ErrorStatus, Pdu, PduKind};
use hamsa_snmp::{Oid, OidRef, OwnedValue, VarBindBuf, VarBindList};

fn name(text: &str) -> Name {
    Name::new(text).unwrap()
}

fn oid(text: &str) -> Oid {
    text.parse().unwrap()
}

fn text(text: &str) -> OwnedValue {
    octets(text.as_bytes())
}

fn octets(octets: &[u8]) -> OwnedValue {
    OwnedValue::OctetString(octets.into())
}

fn number(n: i32) -> OwnedValue {
    OwnedValue::Integer(n)
}

struct View(MibView);

impl View {
    fn of(module: Arc<dyn MibModule>) -> Self {
        let view = MibView::new();
        view.add(module).unwrap();
        View(view)
    }

    fn set(&self, bindings: &[(&str, OwnedValue)]) -> Result<(), (ErrorStatus, usize)> {
        let mut list = VarBindBuf::new();
        for (name, value) in bindings {
            list.push(oid(&format!("1.3.6.1.6.3.{name}")).as_oid(), value.as_value());
        }
        let security_name = name("operator");
        let level = SecurityLevel::AuthPriv;
        let requester = Requester { security_model: security_model::USM, security_name: &security_name, level };
        let done = self.0.set(Instant::now(), requester, list.as_list());
        done.map_err(|SetError { status, index }| (status, index))
    }

    fn get(&self, now: Instant, name: &str) -> OwnedValue {
        let mut to = VarBindBuf::new();
        self.0.get(now, oid(name).as_oid(), &mut to).unwrap();
        to.iter().next().unwrap().value.to_owned()
    }
}

const INCONSISTENT: ErrorStatus = ErrorStatus::INCONSISTENT_VALUE;

#[test]
fn targets_are_of_use_when_they_and_their_parameters_are_whole() {
    let module = Arc::new(TargetMib::of(Arc::default(), Arc::default()));
    let view = View::of(module.clone());
    let udp = || OwnedValue::ObjectIdentifier(oid("1.3.6.1.6.1.1"));
    let here = || octets(&[127, 0, 0, 1, 0, 162]);
    let row = [("12.1.2.1.9.116", number(4)), ("12.1.2.1.2.116", udp()), ("12.1.2.1.7.116", text("p"))];
    let with = |address: OwnedValue| [&row[..], &[("12.1.2.1.3.116", address)]].concat();
    assert_eq!(view.set(&row), Err((INCONSISTENT, 0)), "createAndGo without an address");
    assert_eq!(view.set(&with(octets(&[127, 0, 0, 1]))), Err((INCONSISTENT, 3)), "no port");
    view.set(&with(here())).unwrap();
    assert_eq!(module.table().target(&name("t")), None, "no parameters yet");
    assert_eq!(view.set(&[("12.1.2.1.3.116", octets(&[127, 0, 0, 2, 0, 162]))]), Err((INCONSISTENT, 0)), "active");
    assert_eq!(view.set(&[("12.1.2.1.6.116", text("a  b"))]), Err((ErrorStatus::WRONG_VALUE, 0)));
    view.set(&[("12.1.2.1.6.116", text("a noc")), ("12.1.2.1.4.116", number(250))]).unwrap();

    let params = |model| {
        let cells = [(7, number(4)), (2, number(model)), (3, number(3)), (4, text("ops")), (5, number(3))];
        let names: Vec<String> = cells.iter().map(|(column, _)| format!("12.1.3.1.{column}.112")).collect();
        let bindings: Vec<(&str, OwnedValue)> =
            names.iter().zip(&cells).map(|(name, (_, value))| (&**name, value.clone())).collect();
        view.set(&bindings)
    };
    assert_eq!(params(2), Err((INCONSISTENT, 1)), "nobody speaks v2u");
    params(3).unwrap();
    let target = Target {
        name: name("t"),
        address: SocketAddr::from(([127, 0, 0, 1], 162)),
        timeout: Duration::from_millis(2500),
        retries: 3,
        params: TargetParams {
            name: name("p"),
            version: Version::V3,
            security_model: security_model::USM,
            security_name: name("ops"),
            level: SecurityLevel::AuthPriv,
        },
    };
    assert_eq!(module.table().target(&name("t")), Some(target.clone()));
    assert_eq!(module.table().tagged(b"noc"), std::slice::from_ref(&target));
    assert_eq!(module.table().tagged(b"no"), []);

    // The columns that SNMP-COMMUNITY-MIB adds come and go with the row.
    let size = "18.1.2.1.2.116";
    assert_eq!(view.get(Instant::now(), &format!("1.3.6.1.6.3.{size}")), number(484));
    assert_eq!(view.set(&[(size, number(483))]), Err((ErrorStatus::WRONG_VALUE, 0)));
    view.set(&[(size, number(0))]).unwrap();
    let mask = |octets_of: &[u8]| view.set(&[("12.1.2.1.9.116", number(2)), ("18.1.2.1.1.116", octets(octets_of))]);
    assert_eq!(mask(&[255; 5]), Err((INCONSISTENT, 1)));
    mask(&[255, 255, 255, 0, 0, 0]).unwrap();
    view.set(&[("12.1.2.1.9.116", number(1))]).unwrap();
    assert_eq!(module.table().target(&name("t")), None, "many addresses are none to send to");
    view.set(&[("12.1.2.1.9.116", number(6))]).unwrap();
    assert_eq!(view.get(Instant::now(), &format!("1.3.6.1.6.3.{size}")), OwnedValue::NoSuchInstance);
    module.put_target(&Target { address: "[::1]:162".parse().unwrap(), ..target }, "x", StorageType::Volatile).unwrap();
    assert_eq!(module.table().tagged(b"x")[0].address, "[::1]:162".parse().unwrap());
}

/// Whether an engine takes a v2c message with this community.
fn is_known(engine: &Engine, security_name: &str) -> bool {
    let mut buffer = [0; 500];
    let mut writer = Writer::new(&mut buffer);
    let pdu = AnyPdu::Pdu(Pdu::new(PduKind::GetRequest, 1, VarBindList::default()));
    let sending = Sending {
        now: Instant::now(),
        msg_id: 1,
        engine_id: EngineId::EMPTY,
        security_name: &name(security_name),
        level: SecurityLevel::NoAuthNoPriv,
        time_hint: None,
        context_engine_id: EngineId::EMPTY,
        context_name: &Name::default(),
        pdu,
    };
    engine.send(Version::V2c, &sending, &mut writer).is_ok()
}

#[test]
fn communities_are_in_effect_while_their_rows_are_active() {
    let engine_id = EngineId::new(&[128, 0, 0, 0, 1]).unwrap();
    let communities = Arc::new(CommunityTable::new());
    communities.insert(Community::new(b"old", name("old")));
    let engine = Engine::with_communities(engine_id, Arc::default(), communities.clone());
    assert!(is_known(&engine, "old"));
    let view = View::of(Arc::new(CommunityMib::of(communities, engine_id)));
    assert!(is_known(&engine, "old"), "a module that nobody has asked anything yet takes nobody's community away");
    let row = [("18.1.1.1.8.97", number(4)), ("18.1.1.1.2.97", text("secret")), ("18.1.1.1.3.97", text("ops"))];
    assert_eq!(view.set(&row[..2]), Err((INCONSISTENT, 0)));
    let tag = ("18.1.1.1.6.97", text("noc"));
    assert_eq!(view.set(&[&row[..], &[tag]].concat()), Err((INCONSISTENT, 3)), "nobody would keep it");
    view.set(&row).unwrap();
    assert_eq!(view.get(Instant::now(), "1.3.6.1.6.3.18.1.1.1.4.97"), octets(engine_id.as_octets()));
    assert!(is_known(&engine, "ops"));
    assert!(!is_known(&engine, "old"), "the table is the module's now");
    view.set(&[("18.1.1.1.8.97", number(2))]).unwrap();
    assert!(!is_known(&engine, "ops"));
}

#[test]
fn filters_decide_by_the_longest_subtree() {
    let module = Arc::new(NotificationMib::of(Arc::default()));
    let view = View::of(module.clone());
    let passes = |trap: &str, variables: &[&str]| {
        let variables: Vec<Oid> = variables.iter().map(|&name| oid(name)).collect();
        module.table().passes(
            &name("t"),
            oid(trap).as_oid(),
            variables.iter().map(Oid::as_oid).collect::<Vec<OidRef<'_>>>(),
        )
    };
    assert!(passes("1.3.6.1.6.3.1.1.5.3", &["1.3.9"]), "no profile, no filter");
    view.set(&[("13.1.2.1.3.116", number(4)), ("13.1.2.1.1.116", text("f"))]).unwrap();
    assert!(!passes("1.3.6.1.6.3.1.1.5.3", &[]), "nothing includes it");
    // The profile is `f`, octet 102; its name has one octet.
    view.set(&[("13.1.3.1.5.1.102.1.3.6", number(4))]).unwrap();
    view.set(&[
        ("13.1.3.1.5.1.102.1.3.6.1.6.3.1.1.5.4", number(4)),
        ("13.1.3.1.3.1.102.1.3.6.1.6.3.1.1.5.4", number(2)),
    ])
    .unwrap();
    assert!(passes("1.3.6.1.6.3.1.1.5.3", &["1.3.6.1.2", "1.3.9"]), "what no row is about does not hide it");
    assert!(!passes("1.3.6.1.6.3.1.1.5.4", &[]));
    assert!(!passes("1.3.6.1.6.3.1.1.5.3", &["1.3.6.1.6.3.1.1.5.4.1"]));
    view.set(&[("13.1.2.1.3.116", number(2))]).unwrap();
    assert!(passes("1.3.6.1.6.3.1.1.5.4", &[]), "the profile is not in service");
    view.set(&[("13.1.1.1.5.110", number(4))]).unwrap();
    assert_eq!(module.table().notifies(), [], "without a tag it selects nobody");
    view.set(&[("13.1.1.1.2.110", text("noc")), ("13.1.1.1.3.110", number(2))]).unwrap();
    assert!(module.table().notifies()[0].is_inform);
}

#[test]
fn a_proxy_row_is_fixed_while_it_is_active() {
    let module = Arc::new(ProxyMib::of(Arc::default()));
    let view = View::of(module.clone());
    let row =
        [("14.1.2.1.9.120", number(4)), ("14.1.2.1.2.120", number(1)), ("14.1.2.1.3.120", octets(&[1, 2, 3, 4, 5]))];
    assert_eq!(view.set(&row), Err((INCONSISTENT, 0)));
    view.set(&[&row[..], &[("14.1.2.1.5.120", text("in")), ("14.1.2.1.6.120", text("out"))]].concat()).unwrap();
    assert_eq!(view.set(&[("14.1.2.1.6.120", text("elsewhere"))]), Err((INCONSISTENT, 0)));
    assert_eq!(module.table().proxies()[0].single_target, name("out"));
}

#[test]
fn the_system_tells_what_it_is_and_keeps_what_it_is_told() {
    let started = Instant::now();
    let stats = Arc::new(EngineStats::default());
    let identity = || SystemIdentity {
        description: "a test".into(),
        object_id: oid("1.3.6.1.4.1.32473.1"),
        services: 72,
        started,
    };
    let module = Arc::new(SystemMib::of(identity(), stats.clone()));
    let view = View::of(module.clone());
    let later = started + Duration::from_millis(12_345);
    assert_eq!(view.get(later, "1.3.6.1.2.1.1.3.0"), OwnedValue::TimeTicks(1234));
    assert!(!module.set_texts("é", "", ""), "no DisplayString");
    assert!(module.set_texts("ops", "here", "there"));
    assert_eq!(view.get(later, "1.3.6.1.2.1.1.6.0"), text("there"));
    assert!(!module.wants_authentication_traps());

    let capability =
        |last: u32| Capability { id: oid("1.3.6.1.6.3").child(last).unwrap(), description: "a MIB".into() };
    module.set_capabilities(later, &[capability(1), capability(2)]).unwrap();
    module.set_capabilities(later + Duration::from_secs(10), &[capability(2)]).unwrap();
    assert_eq!(view.get(later, "1.3.6.1.2.1.1.8.0"), OwnedValue::TimeTicks(2234));
    assert_eq!(view.get(later, "1.3.6.1.2.1.1.9.1.4.1"), OwnedValue::TimeTicks(1234), "it stays since then");
    assert_eq!(view.get(later, "1.3.6.1.2.1.1.9.1.4.2"), OwnedValue::NoSuchInstance);

    let next = SystemMib::of(identity(), stats);
    next.restore(&module.save(Keep::Lasting)).unwrap();
    let next = View::of(Arc::new(next));
    assert_eq!(next.get(later, "1.3.6.1.2.1.1.4.0"), text("ops"));
    assert_eq!(next.get(later, "1.3.6.1.2.1.1.9.1.4.1"), OwnedValue::NoSuchInstance, "not stored");
}
