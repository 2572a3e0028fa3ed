//! `hamsa set`: changes variables by SET (RFC 3416 §4.2.5), all or none.

use clap::Args;
use hamsa_snmp::manager::RequestKind;
use hamsa_snmp::{Oid, OwnedValue, VarBindBuf};

use crate::agent::{AgentOptions, ask_once};
use crate::failure::usage;
use crate::options::{LazyMib, OutputOptions};
use crate::print::Printer;

/// Change variables (SET), all or none. After AGENT: OID TYPE VALUE, as often as needed
///
/// TYPE is = (what the MIB says) or net-snmp's letter: i INTEGER, u Unsigned32, c Counter32, C Counter64, t TimeTicks,
/// a IpAddress, o OBJECT IDENTIFIER, s string, x hexadecimal octets, d decimal octets, b BITS, n NULL,
/// U and I 64-bit integers, F float, D double in an Opaque.
#[derive(Debug, Args)]
#[command(
    override_usage = "hamsa set [OPTIONS] AGENT OID TYPE VALUE...\n       hamsa set [OPTIONS] --device NAME OID TYPE VALUE..."
)]
pub struct Command {
    #[command(flatten)]
    pub agent: AgentOptions,
    #[command(flatten)]
    pub output: OutputOptions,
}

/// Runs it.
///
/// # Errors
/// Wrong arguments, no answer, or an error from the agent.
pub fn run(command: &Command) -> anyhow::Result<()> {
    let mib = LazyMib::new(command.agent.mib.clone());
    let printer = Printer::new(&command.output, &mib)?;
    let (session, arguments) = command.agent.open()?;
    if arguments.is_empty() {
        return Err(usage("nothing to set: say OID TYPE VALUE, such as sysContact.0 = \"the network team\""));
    }
    let varbinds = read_bindings(arguments, &mib)?;
    ask_once(session, RequestKind::Set, varbinds, &mib, printer)
}

/// Variables from `OID TYPE VALUE` triples.
///
/// # Errors
/// A triple is not whole, a name is unknown, a value is none of its type.
pub fn read_bindings(arguments: &[String], mib: &LazyMib) -> anyhow::Result<VarBindBuf> {
    let triples = arguments.chunks_exact(3);
    if let [name, ..] = triples.remainder() {
        return Err(usage(format!(
            "{name}: OID, TYPE and VALUE go together, such as sysContact.0 s \"the network team\""
        )));
    }
    let mut varbinds = VarBindBuf::new();
    for triple in triples {
        let (name, value) = read_binding([&triple[0], &triple[1], &triple[2]], mib)?;
        varbinds.push(name.as_oid(), value.as_value());
    }
    Ok(varbinds)
}

fn read_binding([name, kind, text]: [&String; 3], mib: &LazyMib) -> anyhow::Result<(Oid, OwnedValue)> {
    let oid = mib.resolve(name)?;
    let mut letters = kind.chars();
    let (Some(letter), None) = (letters.next(), letters.next()) else {
        return Err(usage(format!(
            "{name}: the type {kind:?} is no letter: use one of = i u t a o s x d b c C n I U F D"
        )));
    };
    let table = mib.get();
    let object = table.object_of(oid.as_oid()).map(|(object, _)| object);
    let value = table.parse_value(letter, text, object).map_err(|error| usage(format!("{name}: {error}")))?;
    Ok((oid, value))
}

#[cfg(test)]
mod tests {
    use hamsa_snmp::Value;

    use super::*;
    use crate::options::MibOptions;

    fn read(arguments: &[&str]) -> anyhow::Result<VarBindBuf> {
        let arguments: Vec<String> = arguments.iter().map(|&text| text.to_owned()).collect();
        read_bindings(&arguments, &LazyMib::new(MibOptions::default()))
    }

    #[test]
    fn triples_become_variables() {
        let varbinds =
            read(&["sysContact.0", "=", "me", "ifAdminStatus.2", "i", "down", "1.3.6.1.4.1.32473.1.0", "i", "-5"])
                .unwrap();
        let values: Vec<(String, OwnedValue)> =
            varbinds.iter().map(|v| (v.name.to_string(), v.value.to_owned())).collect();
        assert_eq!(values[0], ("1.3.6.1.2.1.1.4.0".to_owned(), Value::OctetString(b"me").to_owned()));
        assert_eq!(values[1], ("1.3.6.1.2.1.2.2.1.7.2".to_owned(), OwnedValue::Integer(2)));
        assert_eq!(values[2].1, OwnedValue::Integer(-5));
    }

    #[test]
    fn what_is_wrong_is_named() {
        for (arguments, part) in [
            (&["sysContact.0", "s"][..], "go together"),
            (&["sysContact.0", "string", "me"], "no letter"),
            (&["sysContact.0", "", "me"], "no letter"),
            (&["sysContact.0", "i", "5"], "OCTET STRING"),
            (&["ifAdminStatus.2", "=", "sideways"], "up, down, testing"),
            (&["sysContct.0", "=", "x"], "sysContact"),
            (&["1.3.6.1.4.1.32473.1.0", "=", "x"], "type letter"),
        ] {
            let error = read(arguments).unwrap_err();
            assert!(error.is::<crate::failure::Usage>() && error.to_string().contains(part), "{error}");
        }
    }
}
