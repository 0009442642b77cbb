//! The Store's contract: one suite, run on SQLite and on Postgres.

mod bed;
mod calls;
mod chat;
mod documents;
mod erase;
mod links;
mod list;
mod log;
mod nodes;
mod ops;
mod rebuild;
mod world;

/// Makes two tests of each case: one on either database.
macro_rules! contract {
    ($($case:ident),* $(,)?) => {
        mod on_sqlite {
            $( #[tokio::test]
            async fn $case() {
                let bed = crate::store::bed::Bed::sqlite().await;
                super::$case(&bed).await;
                bed.drop().await;
            } )*
        }
        mod on_postgres {
            $( #[tokio::test]
            async fn $case() {
                let bed = crate::store::bed::Bed::postgres().await;
                super::$case(&bed).await;
                bed.drop().await;
            } )*
        }
    };
}
use contract;
