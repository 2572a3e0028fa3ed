//! `hamsa agent` as an AgentX master, with net-snmp's snmpd as its sub-agent, and with sub-agents that misbehave.

mod events;
mod fake;
mod hostile;
mod sub_agents;
mod support;
mod swaps;
