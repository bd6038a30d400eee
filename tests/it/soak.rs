//! The suite's share of the soak: ten kills of agents and ten of the server on each database, by a fixed seed.
//! `cargo run -p sitewarden-tests --bin sitewarden-soak -- --cycles 200` plays more.

use sitewarden_tests::database::Engine;
use sitewarden_tests::soak::{Plan, play};

async fn ten_kills_of_each_lose_nothing_and_count_nothing_twice(engine: Engine) {
    let plan = Plan {
        seed: 20_261_123,
        engine,
        agent_kills: 10,
        server_kills: 10,
        troubles: 0,
        gateways: 3,
        devices: 6,
        in_a_hurry: true,
    };
    let verdict = play(plan).await.unwrap();
    assert!(verdict.is_clean(), "{}{verdict}", verdict.last_words);
    println!("{verdict}");
}

async fn a_database_in_trouble_delays_everything_and_loses_nothing(engine: Engine) {
    let plan = Plan {
        seed: 7,
        engine,
        agent_kills: 0,
        server_kills: 0,
        troubles: 2,
        gateways: 2,
        devices: 4,
        in_a_hurry: true,
    };
    let verdict = play(plan).await.unwrap();
    assert!(verdict.is_clean(), "{}{verdict}", verdict.last_words);
}

mod a_database_in_trouble_delays_everything_and_loses_nothing {
    use super::Engine;

    #[tokio::test(flavor = "multi_thread")]
    async fn sqlite() {
        super::a_database_in_trouble_delays_everything_and_loses_nothing(Engine::Sqlite).await;
    }

    #[tokio::test(flavor = "multi_thread")]
    async fn postgres() {
        super::a_database_in_trouble_delays_everything_and_loses_nothing(Engine::Postgres).await;
    }
}

mod ten_kills_of_each_lose_nothing_and_count_nothing_twice {
    use super::Engine;

    #[tokio::test(flavor = "multi_thread")]
    async fn sqlite() {
        super::ten_kills_of_each_lose_nothing_and_count_nothing_twice(Engine::Sqlite).await;
    }

    #[tokio::test(flavor = "multi_thread")]
    async fn postgres() {
        super::ten_kills_of_each_lose_nothing_and_count_nothing_twice(Engine::Postgres).await;
    }
}
