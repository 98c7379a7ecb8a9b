//! What an origin's log says of errors that a server reports.

use tidewall_origin::telemetry::chain;

use crate::world::{Test, World, connect};

pub(crate) const TESTS: &[Test] =
    &[("logs::an_error_is_told_without_what_rows_hold", an_error_is_told_without_what_rows_hold)];

fn an_error_is_told_without_what_rows_hold(world: &World) {
    world.run(async {
        let client = connect(&world.url(0)).await.unwrap();
        client.batch_execute("CREATE TEMP TABLE addresses (address text UNIQUE)").await.unwrap();
        let insert = "INSERT INTO addresses VALUES ('somebody@example.com')";
        client.batch_execute(insert).await.unwrap();
        let twice = client.batch_execute(insert).await.unwrap_err();
        assert!(format!("{twice:?}").contains("somebody"), "the server's error says it: {twice:?}");
        let said = chain(&twice).to_string();
        assert!(said.contains("duplicate key") && !said.contains("somebody"), "{said}");

        let value = client.batch_execute("SELECT 'somebody'::int").await.unwrap_err();
        let said = chain(&value).to_string();
        assert!(said.contains("22P02") && !said.contains("somebody"), "{said}");
    });
}
