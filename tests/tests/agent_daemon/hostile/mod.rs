//! What strangers, and those who hold a key, may send to the agent: it goes on, and its counters say what came.

mod bursts;
mod counters;
mod forge;
mod messages;
mod sub_agents;
