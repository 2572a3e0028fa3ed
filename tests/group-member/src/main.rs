//! A member of groups for tests with real engines; see `hamsa_group_member`.

mod engines;
mod member;

use anyhow::Context;
use hamsa_group_member::MemberPlan;

#[tokio::main(worker_threads = 2)]
async fn main() -> anyhow::Result<()> {
    let plan = std::env::args().nth(1).context("give a plan, in JSON")?;
    let plan: MemberPlan = serde_json::from_str(&plan).context("the plan")?;
    member::Running::begin(plan).await?.run().await
}
